"""What tables and pictures are made of: the letters that an encoding has. Pure."""

from rich.cells import cell_len, set_cell_size

from sources.record import Record


class Letters(Record):
    """One attribute a meaning; each is one column wide but for `plus_minus` and `ellipsis`."""

    encoding: str
    plus_minus: str
    ellipsis: str
    band: str
    certain: str
    likely: str
    consensus: str
    below: str
    above: str

    def shown(self, text: str) -> str:
        """Return a text as the encoding can show it."""
        return text.encode(self.encoding, "backslashreplace").decode(self.encoding)

    def fitted(self, text: str, columns: int) -> str:
        """Return a text in exactly so many columns, shortened at its end or filled up."""
        if cell_len(text) > columns:
            text = set_cell_size(text, max(0, columns - len(self.ellipsis))) + self.ellipsis
        return set_cell_size(text, columns)


def letters_of(encoding: str) -> Letters:
    """Return the letters to use where the output has this encoding."""
    shapes = "░─━█◀▶"
    return Letters(
        encoding,
        "±" if _has(encoding, "±") else "+-",
        "…" if _has(encoding, "…") else "...",
        *(shapes if _has(encoding, shapes) else ":-=#<>"),
    )


def _has(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
