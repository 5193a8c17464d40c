"""What is run by hand: benchmarks, and the generators of recipes and pages."""
