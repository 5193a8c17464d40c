"""Text to troff's man macros. Pure.

In prose, what stands between backquotes is printed bold. No line is longer than 80 bytes, and a
hyphen is one that can be copied: a minus.
"""

import re
import textwrap
from collections.abc import Iterable

_LONGEST = 78
_SPECIAL = {
    "\\": "\\e",
    "-": "\\-",
    "'": "\\(aq",
    '"': "\\(dq",
    "^": "\\(ha",
    "~": "\\(ti",
}
_QUOTED = re.compile("`([^`]*)`")


def head(title: str, section: int, date: str, version: str, manual: str) -> str:
    """Return the first lines of a page."""
    words = (_escaped(title.upper()), str(section), date, f"time\\-drift {version}", manual)
    quoted = " ".join(f'"{word}"' for word in words)
    # Ragged, and no word divided: what is typed can be copied.
    return f'.\\" Generated: `make pages` writes it again.\n.TH {quoted}\n.nh\n.ad l\n'


def section(title: str, *blocks: str) -> str:
    """Return a section."""
    return f'.SH "{_escaped(title)}"\n' + "".join(blocks)


def subsection(title: str, *blocks: str) -> str:
    """Return a section of a section."""
    return f'.SS "{_escaped(title)}"\n' + "".join(blocks)


def paragraphs(*texts: str) -> str:
    """Return prose after a heading, one paragraph a text."""
    return ".PP\n".join(map(prose, texts))


def further(text: str) -> str:
    """Return prose that follows anything but a heading."""
    return f".PP\n{prose(text)}"


def prose(text: str) -> str:
    """Return prose after a heading or a tag."""
    marked = _QUOTED.sub(lambda found: f"\\fB{found[1]}\\fR", _escaped(text))
    wrapped = textwrap.wrap(marked, _LONGEST, break_long_words=False, break_on_hyphens=False)
    return "".join(f"{_protected(line)}\n" for line in wrapped)


def tagged(rows: Iterable[tuple[str, str]]) -> str:
    """Return a list: what is explained, set by `bold` and `italic`, and prose."""
    return "".join(f".TP\n{_protected(tag)}\n{prose(text)}" for tag, text in rows)


def verbatim(text: str) -> str:
    """Return lines as they are typed."""
    lines = "".join(f"{_protected(_escaped(line))}\n" for line in text.splitlines())
    return f".RS 4\n.EX\n{lines}.EE\n.RE\n"


def references(*pages: str) -> str:
    """Return the names of other pages, as in "ls(1)"."""
    split = (_escaped(page).partition("(") for page in pages)
    return ",\n".join(f".BR {name} ({rest}" for name, _, rest in split) + "\n"


def bold(text: str) -> str:
    """Return what is typed as it stands."""
    return f"\\fB{_escaped(text)}\\fR"


def italic(text: str) -> str:
    """Return what stands for something else."""
    return f"\\fI{_escaped(text)}\\fR"


def _escaped(text: str) -> str:
    return "".join(
        _SPECIAL.get(letter, letter if letter.isascii() else f"\\[u{ord(letter):04X}]")
        for letter in text
    )


def _protected(line: str) -> str:
    """Return a line that is no request, whatever it begins with."""
    return f"\\&{line}" if line.startswith((".", "'")) else line
