"""The command `serve`: the clocks of nodes for Prometheus, which schedules and shards."""
