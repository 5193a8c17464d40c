"""Write the generated files of docs/ again: python -m tools.pages."""

from datetime import UTC, datetime
from pathlib import Path

from drift import __version__
from sources.base import RELEASED_UNIX_S
from tools.pages import bash, demo, fish, formats, load, manual, zsh
from tools.pages.configuration import sections
from tools.pages.interface import commands

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "docs"


def generated() -> dict[Path, str]:
    """Return what is generated: the text of each file."""
    typed = commands()
    completions = HERE / "completions"
    manuals = HERE / "man"
    shipped = (ROOT / "config.toml").read_text(encoding="utf-8")
    own = (ROOT / "packaging/config/own-servers.toml").read_text(encoding="utf-8")
    fleet = (HERE / "fleet.md").read_text(encoding="utf-8")
    # The day of the release, so that the same tree makes the same pages.
    as_of = datetime.fromtimestamp(RELEASED_UNIX_S, UTC).date().isoformat(), __version__
    return {
        HERE / "demo.svg": demo.text(),
        HERE / "fleet.md": load.text(fleet, shipped, own),
        HERE / "formats.md": formats.text((HERE / "formats.md").read_text(encoding="utf-8")),
        manuals / "time-drift.1": manual.program(typed, *as_of),
        manuals / "time-drift.toml.5": manual.configuration(sections(shipped), *as_of),
        completions / "time-drift.bash": bash.text(typed),
        completions / "_time-drift": zsh.text(typed),
        completions / "time-drift.fish": fish.text(typed),
    }


def main() -> None:
    """Write each file."""
    for path, text in generated().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
