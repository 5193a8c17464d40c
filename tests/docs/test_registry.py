"""Every command that a page shows is decided: a test runs it, or it says why it cannot be run."""

import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.docs.markdown import (
    COMMAND,
    FENCED,
    INLINE,
    SPAN,
    Block,
    blocks,
    commands,
    every_block,
    pages,
    printed,
)
from tests.docs.registry import ENTRIES, Elsewhere, Entry, Runs, Taken, names, taken

PAGE = """\
Type `cp a b`, or `./time-drift.sh
--explain`; `-w 0` is an option, `time_drift 1` a metric, `cp a b` the same.

```console
$ one --option
two
# three
```

```
* * * * * root `nothing`
```
"""


def test_blocks_and_commands_are_found() -> None:
    """Fenced blocks whole, with their language; commands in sentences once each, lines joined."""
    assert list(blocks(PAGE, "page")) == [
        Block("page", "console", "$ one --option\ntwo\n# three\n"),
        Block("page", "", "* * * * * root `nothing`\n"),
        Block("page", INLINE, "cp a b"),
        Block("page", INLINE, "./time-drift.sh --explain"),
    ]


def test_a_console_has_commands_and_what_they_print() -> None:
    """What follows a prompt is typed, the rest is printed; in other blocks all is typed."""
    console, crontab, *_ = blocks(PAGE, "page")

    assert (commands(console), printed(console)) == ("one --option\nthree\n", "two\n")
    assert commands(crontab) == crontab.text


def test_no_command_is_overlooked() -> None:
    """Of what stands between backticks, whatever begins with a program of this machine is one."""
    overlooked = [
        (path.parent.name, span)
        for path in pages()
        for span in SPAN.findall(FENCED.sub("", path.read_text(encoding="utf-8")))
        if len(words := span.split()) > 1
        if words[0] != "POST"  # of HTTP; libwww-perl has a program of that name
        if shutil.which(words[0]) and not COMMAND.match(" ".join(words))
    ]

    assert overlooked == []


@pytest.mark.parametrize("block", every_block(), ids=str)
def test_every_block_is_decided(block: Block) -> None:
    """By one entry of the registry; a new command in a page wants a new one."""
    assert len([entry for entry in ENTRIES if names(entry, block)]) == 1, block


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.page}: {entry.begins}")
def test_every_entry_is_of_a_block(entry: Entry) -> None:
    """Of one: what is no longer in a page is no longer here, and two blocks are distinguished."""
    assert len([block for block in every_block() if names(entry, block)]) == 1, entry


def test_a_new_block_would_be_undecided() -> None:
    """What no entry names is what the test above fails for, on the same page and on another."""
    for block in (
        Block("README.md", "sh", "rm -rf /\n"),
        Block("README.md", INLINE, "./time-drift.sh --explain --json"),
        Block("monitoring/new/README.md", INLINE, "./time-drift.sh"),
    ):
        assert [entry for entry in ENTRIES if names(entry, block)] == []


def test_what_is_left_to_a_test_is_taken_by_one() -> None:
    """Each name that the registry gives out is asked for by a test, and no other is."""
    sources = "".join(
        path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")
    )
    asked = {found[2] for found in re.finditer(r"\btaken\(\s*([\"'])(.+?)\1\s*\)", sources)}

    assert asked == {entry.how.name for entry in ENTRIES if isinstance(entry.how, Taken)}


def test_what_is_elsewhere_is_there() -> None:
    """The file that an entry names looks for the block."""
    for entry in ENTRIES:
        if isinstance(entry.how, Elsewhere):
            assert entry.how.what in Path(ROOT, entry.how.file).read_text(encoding="utf-8")


def test_what_is_left_out_is_in_the_block() -> None:
    """A line that is not run is a line of the page, once, and something is left to run."""
    for entry in ENTRIES:
        if isinstance(entry.how, Runs):
            (block,) = (block for block in every_block() if names(entry, block))
            lines = commands(block).split("\n")
            for begins, because in entry.how.leaving:
                assert len([line for line in lines if line.startswith(begins)]) == 1
                assert because
            assert len(entry.how.leaving) < len([line for line in lines if line])


READMES = {
    "apt-get install ./time-drift_*_amd64.deb": "package",
    "pipx install ./time_drift-*.whl": "pipx",
    "make image": "containers",
    "git clone https://git.example.org/time-drift.git /opt/time-drift": "install's clone",
}
"""Each way of README to install: which block that a test runs has the same line."""


def test_each_line_of_readmes_install_is_one_that_a_test_runs() -> None:
    """The bundle's has its own, in tests/packaging/test_bundle.py."""
    lines = [line.partition(" #")[0].strip() for line in taken("README's install").text.split("\n")]
    bundle, *others = sorted(filter(None, lines), key=lambda line: line in READMES)

    assert bundle.startswith("tar -xzf ")
    assert set(others) == READMES.keys()
    for line, name in READMES.items():
        text = commands(taken(name))
        assert line in [one.partition(" #")[0].strip() for one in text.split("\n")]
