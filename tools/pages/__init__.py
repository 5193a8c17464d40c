"""Generators of docs/: manual pages, completions of shells, the picture of the demo."""
