"""The output formats, one file each, and their registry."""
