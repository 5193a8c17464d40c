"""Whole programs and what they cost, what peers print, and the machine that they run on."""
