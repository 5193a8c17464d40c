"""Packages to install without an index: Debian's, and a bundle to unpack anywhere."""
