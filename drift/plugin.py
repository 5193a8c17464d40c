"""Whether a plugin of Nagios is asked for, where nothing else of ours may be imported yet.

Readable to every Python 3. time-drift.sh has the same rule; a test holds both to it.
"""

from collections.abc import Sequence


def is_plugin(arguments: Sequence[str]) -> bool:
    """Return whether these arguments want --format nagios."""
    words = " %s " % " ".join(arguments).lower()  # noqa: UP031
    return " --format nagios " in words or " --format=nagios " in words
