"""Plain NTP (RFC 5905)."""
