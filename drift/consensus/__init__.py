"""The rule: from samples to an answer, and what became of each source. Pure."""
