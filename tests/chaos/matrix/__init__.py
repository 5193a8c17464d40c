"""The matrix: one file a subject, each with its rows in FAULTS."""
