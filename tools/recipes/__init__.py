"""Recipes for monitors, and the generators of those files of theirs that repeat themselves."""
