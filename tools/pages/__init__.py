"""Generators of what the pages show."""
