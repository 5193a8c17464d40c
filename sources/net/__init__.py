"""What adapters share: datagrams, connections, TLS, names."""
