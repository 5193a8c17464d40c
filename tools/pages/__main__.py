"""Write the generated files of docs/ again: python -m tools.pages."""

from pathlib import Path

from tools.pages import demo

HERE = Path(__file__).resolve().parents[2] / "docs"


def generated() -> dict[Path, str]:
    """Return what is generated: the text of each file."""
    return {HERE / "demo.svg": demo.text()}


def main() -> None:
    """Write each file."""
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
