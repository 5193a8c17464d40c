"""Codecs: bytes to frozen records and back. Pure: no socket, no clock, no randomness."""
