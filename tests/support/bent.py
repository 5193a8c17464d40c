"""A lab with an answer, one with none and a broken configuration; time-drift.sh with a bent clock.

An agent runs what its recipe names. Here that path is replaced by a script which starts the real
program, and bends its clock alone: the agent's stays right.
"""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote

from lab.behaviour import shifted, silent
from lab.ntp import NtpServer
from lab.world import world
from sources.record import Record
from tests.conftest import ROOT
from tests.support.servers.chrony import faked

INSTALLED = "/opt/time-drift/time-drift.sh"
"""Where recipes look for the program."""


class Lab(Record):
    """Paths of configurations."""

    honest: Path
    """Its sources prove a drift, and one is outvoted."""
    refusing: Path
    """One source answers, which is none too many; two are silent."""
    broken: Path
    """It cannot be read."""


@contextmanager
def lab(directory: Path, operators: Sequence[str] = ("Alpha", "Bravo", "Charlie")) -> Iterator[Lab]:
    """Run honest servers of these operators, a liar and silent ones, until the end of the block."""
    honest, refusing, broken = (directory / f"{name}.toml" for name in ("answer", "none", "broken"))
    liar = NtpServer("Mallory", shifted(3600))
    alone = (NtpServer("Delta"), NtpServer("Echo", silent), NtpServer("Foxtrot", silent))
    with (
        world(*(NtpServer(toml(name)) for name in operators), liar) as good,
        world(*alone, settings="timeout = 0.5\n") as poor,
    ):
        honest.write_text(good.toml, encoding="utf-8")
        refusing.write_text(poor.toml, encoding="utf-8")
        broken.write_text('nonsense = "of no use"\n', encoding="utf-8")
        yield Lab(honest, refusing, broken)


def toml(name: str) -> str:
    """Write a name as what goes between the quotation marks of a TOML string."""
    return name.replace("\\", "\\\\").replace('"', '\\"')


def bent(path: Path, script: str, config: Path, offset: str = "+0s") -> str:
    """Write what stands in for the installed program; return its path."""
    kept = path.parent / "state"
    settings = faked(offset) | {"STATE_DIRECTORY": str(kept)}
    exports = "".join(f"export {name}={quote(value)}\n" for name, value in settings.items())
    command = f'exec {quote(script)} "$@" --config {quote(str(config))}\n'
    path.write_text(f"#!/bin/sh\n{exports}{command}", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def recipe(name: str, program: str) -> str:
    """Return a file of monitoring/ as shipped, with this program in place of the installed."""
    text = (ROOT / "monitoring" / name).read_text(encoding="utf-8")
    assert INSTALLED in text, name
    return text.replace(INSTALLED, program)


def free_tcp_port() -> int:
    """Return a TCP port of loopback that nobody uses."""
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        port: int = link.getsockname()[1]
    return port
