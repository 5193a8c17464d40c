"""What the Makefile and CI name is there: pytest leaves out nothing without a word otherwise."""

import re

import pytest

from tests.conftest import ROOT

NAMED = {
    found
    for name in ("Makefile", ".ci/run")
    for found in re.findall(
        r"\btests/[\w./-]*(?:::\w+)?", (ROOT / name).read_text(encoding="utf-8")
    )
    if "tools/" not in found
}


@pytest.mark.parametrize("named", sorted(NAMED))
def test_tests_that_are_named_are_there(named: str) -> None:
    """A file, a folder, or a test in a file: to ignore what has moved is to ignore nothing."""
    path, _, test = named.partition("::")

    assert (ROOT / path).exists()
    assert not test or f"\ndef {test}(" in (ROOT / path).read_text(encoding="utf-8")


def test_some_are_named() -> None:
    """Tests of the installed wheel leave single ones out."""
    assert any("::" in named for named in NAMED)


def test_every_verb_has_a_rule_and_a_line_of_help() -> None:
    """Make says nothing of one that is only declared: it does nothing, and succeeds."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (declared,) = re.findall(r"^\.PHONY: (help .*)$", text, re.MULTILINE)
    explained = re.findall(r"^([a-z-]+):.*##", text, re.MULTILINE)

    assert sorted(declared.split()) == sorted(explained)
