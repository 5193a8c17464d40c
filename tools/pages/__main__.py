"""Write docs/man/ and docs/completions/ again: python -m tools.pages."""

from pathlib import Path

from tools.pages import bash, fish, zsh
from tools.pages.interface import commands

HERE = Path(__file__).resolve().parents[2] / "docs"


def generated() -> dict[Path, str]:
    """Return what is generated: the text of each file."""
    typed = commands()
    completions = HERE / "completions"
    return {
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
