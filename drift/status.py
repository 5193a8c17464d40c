"""Exit statuses, in the order of their numbers."""

OK, WRONG_USAGE, NO_ANSWER, BUG = 0, 2, 3, 70
