"""Lines of the hand-over site: the program reads them; who grants what they need is AWS.

The commands of the AWS CLI are compared with the program's own in tests/site/test_commands.py,
and those run against an emulation in tests/site.
"""

import json
import re
import shlex
import subprocess
import sys

import pytest

from cloudformation.__main__ import main
from tests.conftest import ROOT
from tests.docs.markdown import Block, commands
from tests.docs.registry import taken

PROGRAM = "python -m cloudformation "


def lines(block: Block, beginning: str) -> list[str]:
    """Return what follows that beginning of a line, line by line."""
    found = commands(block).replace("\\\n", " ").split("\n")
    return [line.removeprefix(beginning) for line in found if line.startswith(beginning)]


def test_the_policy_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """A policy, its reasons, and the one for a zone that is there, which grants no more."""
    printed = []
    for line in lines(taken("policy"), PROGRAM):
        assert main(shlex.split(line)) == 0
        printed.append(capsys.readouterr().out)
    policy, explained, zone = printed

    assert json.loads(policy)["Statement"]
    assert explained
    assert explained != policy
    assert "hostedzone/Z0123456789ABCDEFGHIJ" in zone
    assert len(json.loads(zone)["Statement"]) <= len(json.loads(policy)["Statement"])


BLOCKS = {
    "in short": (taken("site in short"), ["deploy", "publish", "destroy"]),
    "deploy": (taken("deploy"), ["deploy", "publish"]),
    "destroy": (taken("destroy"), ["destroy"]),
}
STOPS = {
    "deploy": "AWS CLI",
    "publish": "AWS CLI|holds no site",
    "destroy": "nobody is there to answer",
}
"""What it says, the line being as it should: there is no AWS CLI on the empty path that it gets."""


@pytest.mark.parametrize(("block", "verbs"), BLOCKS.values(), ids=BLOCKS.keys())
def test_the_program_reads_the_lines(block: Block, verbs: list[str]) -> None:
    """Up to where it would ask the user or AWS: no other mistake is in the way."""
    found = lines(block, PROGRAM)

    assert [line.split()[0] for line in found] == verbs
    for verb, line in zip(verbs, found, strict=True):
        done = subprocess.run(
            [sys.executable, "-m", "cloudformation", *shlex.split(line)],
            cwd=ROOT,
            env={"PATH": ""},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert re.search(STOPS[verb], done.stderr), done.stderr


def test_a_mistake_would_be_reported(capsys: pytest.CaptureFixture[str]) -> None:
    """An option that the program does not have ends it before any of those."""
    with pytest.raises(SystemExit):
        main(["deploy", "--stack", "site", "--domaine", "review.example.org"])

    assert not re.search("|".join(STOPS.values()), capsys.readouterr().err)


@pytest.mark.parametrize("name", ["in short", "deploy"])
def test_make_knows_the_lines(name: str) -> None:
    """The site is made by make, and its variable is one that the Makefile has."""
    for line in lines(BLOCKS[name][0], "make "):
        words = shlex.split(line.partition(" && ")[0])
        done = subprocess.run(
            ["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        for word in words:
            variable, is_one, value = word.partition("=")
            assert not is_one or value in done.stdout, variable
