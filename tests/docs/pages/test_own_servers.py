"""packaging/config/own-servers.toml: what docs/fleet.md says of it holds, against lab servers."""

import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from lab.behaviour import Behaviour, honest, shifted, silent
from lab.https import HttpsServer
from lab.nts import NtsServer
from lab.roughtime import RoughtimeServer
from lab.world import Server, world
from tests.conftest import ROOT, Program
from tests.e2e.test_contract import assert_refused

OWN_SERVERS = ROOT / "packaging/config/own-servers.toml"
WRONG = shifted(3600)
KINDS = {"nts": NtsServer, "roughtime": RoughtimeServer, "https": HttpsServer}


def served(own: Sequence[Behaviour], outside: Behaviour) -> list[Server]:
    """Return lab servers in place of those of the file, of the same operators."""
    tables = tomllib.loads(OWN_SERVERS.read_text(encoding="utf-8"))["sources"]
    behaviours = {"nts": list(own)}
    return [
        KINDS[kind](table["operator"], behaviour)
        for kind, of_it in tables.items()
        for table, behaviour in zip(
            of_it, behaviours.get(kind, [outside] * len(of_it)), strict=True
        )
    ]


def head() -> str:
    """Return what stands before the sources, as it is."""
    return OWN_SERVERS.read_text(encoding="utf-8").partition("[[sources")[0]


@pytest.mark.parametrize(
    "own",
    [
        (honest, honest, honest, honest),
        (honest, honest, honest, WRONG),
        (honest, honest, silent, silent),
    ],
    ids=["all", "one wrong", "two down"],
)
def test_two_own_servers_can_be_down_and_one_wrong(
    program: Program, tmp_path: Path, own: Sequence[Behaviour]
) -> None:
    """There is an answer, and it is right."""
    with world(*served(own, honest), settings=head()) as lab:
        path = tmp_path / "own.toml"
        path.write_text(lab.toml, encoding="utf-8")
        done = program("--config", str(path))

    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)


@pytest.mark.parametrize(
    ("own", "outside"), [(WRONG, honest), (honest, silent)], ids=["all wrong", "nobody else"]
)
def test_own_servers_alone_are_no_answer(
    program: Program, tmp_path: Path, own: Behaviour, outside: Behaviour
) -> None:
    """Where all of them are wrong together, or nobody else is to be reached, a run refuses."""
    with world(*served([own] * 4, outside), settings=head()) as lab:
        path = tmp_path / "own.toml"
        path.write_text(lab.toml, encoding="utf-8")
        done = program("--config", str(path))

    assert_refused(done, 3)


def test_the_program_takes_the_file_as_it_is(program: Program) -> None:
    """With a load of no published limit that is passed, but where HTTPS may be asked."""
    done = program("--config", str(OWN_SERVERS), "--check-config", "--nodes", "10000")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("1 vote  own") == 4
    assert "note: " not in done.stdout
    assert "warning: " not in done.stdout
