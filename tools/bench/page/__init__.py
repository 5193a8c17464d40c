"""docs/measurements.md and its plot, written from figures: pure."""
