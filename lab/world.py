"""Several lab servers at once, and the configuration that asks them."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Protocol

from drift.config import Config, parse
from lab.behaviour import shifted
from lab.https import EXPIRED, HttpsServer
from lab.ntp import NtpServer
from lab.nts import NtsServer
from lab.roughtime import RoughtimeServer
from sources.clock import NS
from sources.record import Record

_DEMO_AHEAD_NS = 4 * NS


class Server(Protocol):
    """What a world needs of a lab server, of whatever kind."""

    def __enter__(self) -> object:
        """Serve."""

    def __exit__(self, *_: object) -> None:
        """Stop serving and leave nothing behind."""

    def close(self) -> None:
        """Stop serving."""

    def toml(self) -> str:
        """Return the table that configures this server as a source."""


class World(Record):
    """A running lab."""

    config: Config
    toml: str
    """The same configuration as text, for a program in another process."""
    servers: Sequence[Server]


@contextmanager
def world(*servers: Server, settings: str = "") -> Iterator[World]:
    """Run the servers and yield the World; `settings` is TOML to put before the sources."""
    with ExitStack() as running:
        for server in servers:
            running.enter_context(server)
        toml = "\n".join([settings, *(server.toml() for server in servers)])
        yield World(parse(toml, "the lab"), toml, servers)


@contextmanager
def demo() -> Iterator[Config]:
    """Run the world of --demo: true time is 4 s ahead of this clock, two servers are no good.

    Every kind of source of the shipped configuration is in it.
    """

    def lab_time_unix_ns() -> int:
        return time.time_ns() + _DEMO_AHEAD_NS

    with world(
        NtpServer("Alpha", time_unix_ns=lab_time_unix_ns),
        NtpServer("Bravo", time_unix_ns=lab_time_unix_ns),
        NtpServer("Charlie", time_unix_ns=lab_time_unix_ns),
        NtpServer("Delta", time_unix_ns=lab_time_unix_ns),
        NtpServer("Mallory", shifted(3600), time_unix_ns=lab_time_unix_ns),
        NtsServer("Golf", time_unix_ns=lab_time_unix_ns),
        RoughtimeServer("Foxtrot", time_unix_ns=lab_time_unix_ns),
        HttpsServer("Echo", time_unix_ns=lab_time_unix_ns),
        HttpsServer("Trudy", time_unix_ns=lab_time_unix_ns, identity=EXPIRED),
    ) as lab:
        yield lab.config
