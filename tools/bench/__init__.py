"""Measurements beside a peer in the same run: the ratio counts, not the time alone."""
