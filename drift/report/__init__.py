"""What a run found, in the form that somebody reads: one module a form, each a pure function."""
