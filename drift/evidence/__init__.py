"""What Roughtime servers signed, held against each other; lists of such servers."""
