"""The picture of the demo for README: what `--demo` shows at a terminal, on figures that stay."""

from io import StringIO

from rich.console import Console
from rich.text import Text

from cloudformation.picture import draw, session
from drift.consensus.rule import Answer
from drift.formats.explain import explained
from drift.wording.letters import letters_of
from tests.support.results import the_demo

_COLUMNS = 108
"""As on the hand-over site: wide enough for a line a source, narrow enough for a page."""


def text() -> str:
    """Return the SVG; it changes only if the program's own drawing does."""
    result = the_demo()
    assert isinstance(result.decision, Answer)  # noqa: S101 - the demo has one
    terminal = Console(
        file=StringIO(),
        force_terminal=True,
        color_system="standard",
        width=_COLUMNS,
        highlight=False,
        emoji=False,
        markup=False,
        _environ={},
    )
    with terminal.capture() as capture:
        lines = explained(result, _COLUMNS, letters_of("utf-8"))
        terminal.print(Text("\n").join(lines), soft_wrap=True)
    printed = f"{result.decision.drift_s}\n"
    screen = session("./time-drift.sh --demo", printed, capture.get())
    return draw(screen, "The demo of time-drift in a terminal").svg
