"""One measurement, and many: asking, deciding, what a run leaves for later ones."""
