"""What every output format has in common, exit statuses included. Pure.

A format is one file of this folder that assigns its class to `FORMAT`. The file's name is the word
of `--format`; --help, the documents and the tests find it by itself (drift/formats/registry.py).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

    from drift.options import Options
    from drift.run.result import Result

OK, WRONG_USAGE, NO_ANSWER, BUG = 0, 2, 3, 70
"""Exit statuses of the integer, which other formats start from."""


class OutputFormat:
    """How the result of a run is printed."""

    summary: "ClassVar[str]"
    """What stdout gets, in some words, for --help and the documents."""
    integer_pattern: "ClassVar[str]"
    """A regular expression whose one group is the integer in what is rendered with an answer."""
    on_stderr: "ClassVar[bool]" = True
    """Whether stderr says why there is no answer; if not, the output itself does."""
    is_plugin: "ClassVar[bool]" = False
    """Whether it is a Nagios plugin's: -w and -c set its state, which is its exit status, whatever
    ends it. Before anything can be imported, drift/plugin.py and time-drift.sh know it by name."""
    reads_previous: "ClassVar[bool]" = False
    """Whether the constructor gets the text of the file that will be replaced."""

    def __init__(self, options: "Options", previous: str = "") -> None:
        """Take what it needs of the options; `previous` is the text of the file before."""

    def render(self, result: "Result") -> str:
        """Return what stdout gets, whole lines, of a run that came to an end."""
        raise NotImplementedError

    def render_failure(self, why: str, status: int) -> str:
        """Return what stdout gets where there is no result: wrong usage, a bug, all hangs."""
        raise NotImplementedError

    def exit_status(self, status: int, result: "Result | None" = None) -> int:  # noqa: ARG002
        """Return this format's exit status for what is `status` with the integer."""
        return status


def shown_path(path: str) -> str:
    """Return a path for people: without `/./` and `//`, which say nothing.

    `..` stays, since behind a link it leads elsewhere than to where the text says.
    """
    first = "/" if path.startswith("/") else ""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return first + "/".join(parts) or path
