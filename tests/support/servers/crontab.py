"""What cron makes of a file of /etc/cron.d, by crontab(5)."""

import re

from sources.record import Record

LONGEST_LINE = 998
"""cron(8) of Debian cuts commands off at a thousand characters."""


class Entry(Record):
    """What a line of /etc/cron.d says, by crontab(5)."""

    schedule: str
    user: str
    command: str
    """What SHELL gets: up to the first % that is not escaped, the escaped ones bare."""
    stdin: str
    environ: dict[str, str]
    """As the lines above it set it."""


_FIELD = r"(?:\*|\d+(?:-\d+)?)(?:/\d+)?"
_ENTRY = re.compile(rf"((?:{_FIELD}\s+){{4}}{_FIELD})\s+([a-z_][a-z0-9_-]*)\s+(.*)")
_SETTING = re.compile(r"([A-Z]+)=(.*)")


def parsed(text: str) -> list[Entry]:
    """Return the entries of a crontab; a line that is nothing known fails."""
    assert text.endswith("\n"), "cron overlooks a last line that does not end"
    environ: dict[str, str] = {}
    found = []
    for line in text.rstrip("\n").split("\n"):
        if not line or line.startswith("#"):
            continue
        assert len(line) < LONGEST_LINE
        if setting := _SETTING.fullmatch(line):
            environ = environ | {setting[1]: setting[2]}
            continue
        entry = _ENTRY.fullmatch(line)
        assert entry, line
        command, *stdin = re.split(r"(?<!\\)%", entry[3])
        bare = command.replace("\\%", "%")
        found.append(Entry(entry[1], entry[2], bare, "\n".join(stdin), environ))
    return found
