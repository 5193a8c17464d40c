"""Roughtime (RFC 10049 and the dialects before it)."""
