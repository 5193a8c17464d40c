"""How much a fleet asks of whom, and what operators of time servers publish about that."""
