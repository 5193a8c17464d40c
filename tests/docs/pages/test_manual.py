"""The manual pages: as generated, as their readers' programs want them, and complete."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from drift import config
from drift.wording.usage import COMMANDS
from fleet.settings import PROBE_KEYS
from sources import kinds
from tests.conftest import ROOT, Program
from tools.pages.__main__ import generated
from tools.pages.configuration import sections
from tools.pages.manual import ENVIRONMENT, EXAMPLE

Needs = Callable[[str], str]
PAGES = sorted((ROOT / "docs" / "man").iterdir())
SHIPPED = (ROOT / "config.toml").read_text(encoding="utf-8")
CHECKERS = {
    "mandoc": ("mandoc", "-Tlint"),
    "groff": ("groff", "-man", "-ww", "-Tutf8", "-z"),
    "man": ("man", "--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l"),
}
SURROUNDINGS = {"PATH": "/usr/bin:/bin", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"}
OURS_ALONE = {"TIME_DRIFT_STARTED", "TIME_DRIFT_PREPARED"}
"""What time-drift.sh and the program say to each other."""
ANOTHERS = {"NO_COLOR", "PIP_*"}
"""What libraries read."""


def test_what_lies_there_is_generated() -> None:
    """No page and no completion is left over; test_demo.py compares what is in them."""
    found = [path for place in ("man", "completions") for path in (ROOT / "docs" / place).iterdir()]

    others = {ROOT / "docs" / name for name in ("demo.svg", "fleet.md", "formats.md")}

    assert set(found) | others == set(generated())


def complaints(checker: str, page: Path) -> str:
    """Return what a checker says of a page."""
    done = subprocess.run(
        [*CHECKERS[checker], str(page)],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env=SURROUNDINGS,
    )
    return done.stderr + (done.stdout if checker == "mandoc" else "")  # man's is the page


@pytest.mark.interop
@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_clean(needs: Needs, checker: str, page: Path) -> None:
    """Not one warning by those who print manual pages."""
    needs(checker)

    assert complaints(checker, page) == ""


@pytest.mark.interop
@pytest.mark.parametrize("checker", CHECKERS)
def test_the_checkers_see_a_mistake(needs: Needs, checker: str, tmp_path: Path) -> None:
    """A macro that is not there, at the end of a page."""
    needs(checker)
    page = tmp_path / "time-drift.1"
    page.write_text(PAGES[0].read_text(encoding="utf-8") + ".NONE\n", encoding="utf-8")

    assert "NONE" in complaints(checker, page)


def printed(page: str) -> str:
    """Return a page as a terminal shows it, without its margins."""
    done = subprocess.run(
        ["man", "-P", "cat", "-l", str(ROOT / "docs" / "man" / page)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
        env=SURROUNDINGS,
    )
    return done.stdout


@pytest.mark.interop
def test_the_page_has_what_help_has(needs: Needs, program: Program) -> None:
    """Each option, command and exit status, where a reader looks for it; and the sign."""
    needs("man")
    page = printed("time-drift.1")

    headings = re.findall("^[A-Z][A-Z ]+$", page, re.MULTILINE)
    for wanted in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "EXIT STATUS"):
        assert wanted in headings
    assert {"ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"} <= set(headings)
    for command in ((), *((name,) for name in COMMANDS)):
        shown = program(*command, "--help").stdout
        for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", shown):
            assert option in page
        for status in re.findall("^  ([0-9, ]+)  ", shown, re.MULTILINE):
            assert re.search(f"^ +{status.strip()}( |$)", page, re.MULTILINE)
        assert f"\n       {' '.join(('time-drift', *command))} " in page
    assert "4 seconds\n       BEHIND" in page
    assert "the opposite sign" in " ".join(page.split())


@pytest.mark.interop
def test_no_line_is_wider_than_a_terminal(needs: Needs) -> None:
    """Nothing is cut off at 80 columns."""
    needs("man")

    for page in PAGES:
        assert max(map(len, printed(page.name).splitlines())) <= 80


@pytest.mark.interop
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_can_be_found_by_its_name(needs: Needs, page: Path) -> None:
    """`whatis` and `apropos` find it by what lexgrog reads."""
    done = subprocess.run(
        [needs("lexgrog"), str(page)], capture_output=True, text=True, check=True, timeout=30
    )

    assert f'"{page.stem} - ' in done.stdout


def test_each_variable_of_the_environment_is_explained() -> None:
    """All that the program and its script read, and no others."""
    sources = [path for top in ("drift", "sources") for path in (ROOT / top).rglob("*.py")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    script = (ROOT / "time-drift.sh").read_text(encoding="utf-8")
    read = set(re.findall(r'environ(?:\.get\(|\[)"(\w+)"', code))
    read |= set(re.findall(r"\$\{(TIME_DRIFT_\w+)", script))

    assert read - OURS_ALONE == set(ENVIRONMENT) - ANOTHERS


def test_the_example_is_a_configuration() -> None:
    """It can be copied: the program takes it as it stands."""
    found = config.parse(EXAMPLE, "the example")

    assert len(found.sources) == 3


def test_each_key_is_explained() -> None:
    """The top level, [consensus], the keys of every kind and of each, and how nodes are asked."""
    found = {section.name: section for section in sections(SHIPPED)}

    nodes = {"probe", "probe.modules.NAME"}
    assert set(found) == {"", "consensus", "every kind", *kinds(), *nodes}
    assert {*found[""].keys, "consensus", "sources", "probe"} == set(config.TOP_KEYS)
    assert found["probe"].keys.keys() == PROBE_KEYS.keys()
    assert "magic (bitcoin)" in found["probe.modules.NAME"].keys
    assert found["ntp"].keys["pool"].endswith("1 if not written. They have one vote together.")
    assert found["ntp"].keys["port"] == "A port, 1 to 65535; 123 if not written."
    for section in found.values():
        for text in section.keys.values():
            assert re.fullmatch(r"\S.*[^;.]\.", text)


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("#   pool  ", "#   pol   ", "ntp wrongly: pol, pool"),
        ("#   pool  ", "#         ", "ntp wrongly: pool"),
        ("min_kinds = 2 ", "min_kind = 2  ", "[consensus] wrongly: min_kind, min_kinds"),
        ("[[sources.nts]],", "[[sources.ptp]],", "[[sources]] wrongly: nts, ptp"),
    ],
)
def test_a_key_that_is_not_explained_is_an_error(before: str, after: str, named: str) -> None:
    """A new key, or one that has gone, is not forgotten in the comments of config.toml."""
    assert before in SHIPPED

    with pytest.raises(ValueError, match=re.escape(named)):
        sections(SHIPPED.replace(before, after, 1))
