"""The Date of HTTPS servers (RFC 9110 section 6.6.1)."""
