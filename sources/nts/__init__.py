"""NTS (RFC 8915): NTP whose replies are authenticated."""
