"""How wide the place is that a person reads."""

import os

_NARROWEST = 40
_HELP = 80


def columns(number: int, usual: int) -> int:
    """Return how many columns there are: $COLUMNS, else the terminal's, else `usual`; 40 at least.

    `number` is that of the file that is written to, which may be no terminal.
    """
    return max(_NARROWEST, _named() or _of_terminal(number) or usual)


def help_columns() -> int:
    """Return how wide --help may be: $COLUMNS, else the terminal of stdout, but 80 at most."""
    wide = columns(1, _HELP)
    return wide if _named() else min(wide, _HELP)


def _named() -> int:
    """Return $COLUMNS, 0 where it is not set or is no number."""
    named = os.environ.get("COLUMNS", "")
    return int(named[:6]) if named.isascii() and named.isdigit() else 0


def _of_terminal(number: int) -> int:
    """Return the columns of a terminal, 0 where it is none, or does not know."""
    try:
        return os.get_terminal_size(number).columns
    except OSError:
        return 0
