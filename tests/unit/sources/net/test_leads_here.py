"""Whether an address leads to this machine, and what the resolver makes of names that do.

Own interfaces, and machines that bind foreign addresses, are in tests/interop.
"""

import socket
from typing import Any

import pytest

from sources.base import Unavailable, Unreachable
from sources.clock import NS, Clock
from sources.memory import Entry, Memory, Update
from sources.net import resolver
from sources.net.addresses import elsewhere, leads_here
from sources.net.resolver import Resolver, note_answer
from tests.support.fakes import a_run

HOST = "time.lab.test"
A, B, SIX, SEVEN = "203.0.113.1", "203.0.113.2", "2001:db8::1", "2001:db8::2"


class Kept(Memory):
    """Keeps entries for as long as the test runs, and counts how often it was written to."""

    def __init__(self, **entry: str | list[str]) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], Entry | None] = {("address", HOST): dict(entry)}
        self.writes = 0

    def recall(self, shelf: str, name: str, most_age_ns: int | None = None) -> Entry | None:
        return self.entries.get((shelf, name))

    def change(self, shelf: str, name: str, update: Update, most_age_ns: int | None = None) -> bool:
        self.writes += 1
        self.entries[shelf, name] = update(self.recall(shelf, name))
        return True

    @property
    def only(self) -> Entry | None:
        return self.entries["address", HOST]


class Names:
    """Stands for the system's resolver: it knows one name's addresses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.addresses: tuple[str, ...] = ()
        monkeypatch.setattr(socket, "getaddrinfo", self._answer)

    def _answer(self, *_: object, **__: object) -> list[Any]:
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(0, 0, 0, "", (address, 0)) for address in self.addresses]

    def resolved(
        self, *addresses: str, fallback: tuple[str, ...] = (), memory: Memory | None = None
    ) -> tuple[str, ...]:
        self.addresses = addresses
        clock = Clock()
        return Resolver(clock.raw_ns() + NS, clock, memory).addresses(HOST, fallback)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """The system's resolver, at the test's command."""
    monkeypatch.setattr(Resolver, "ask_name_servers", lambda *_: 0)
    return Names(monkeypatch)


HERE = [
    "0.0.0.0",  # noqa: S104 - nobody binds to it
    "0.1.2.3",
    "127.0.0.1",
    "127.255.255.254",
    "::",
    "::1",
    "0:0::0:1",
    "::ffff:127.0.0.1",
    "::FFFF:7f00:9",
    "::ffff:0.0.0.0",
]


@pytest.mark.parametrize("address", HERE)
def test_loopback_and_the_unspecified_address_lead_here(address: str) -> None:
    """In every way to write them."""
    assert leads_here(address)


@pytest.mark.parametrize(
    "address", [A, SIX, "::ffff:203.0.113.1", "224.0.1.1", "ff02::101%lo", "255.255.255.255"]
)
def test_others_do_not(address: str) -> None:
    """Nor do those of nobody: whoever asks them finds out."""
    assert not leads_here(address)


def test_an_address_that_this_machine_sends_from_leads_here() -> None:
    """It is an interface's own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        try:
            link.connect((A, 9))
        except OSError:
            pytest.skip("this machine has no route and no address: this test did NOT run")
        own = link.getsockname()[0]

    assert leads_here(own)
    assert leads_here(f"::ffff:{own}")


def test_a_zone_that_is_not_there_leads_nowhere() -> None:
    """Here neither; asking says that there is no such interface."""
    assert not leads_here("fe80::1%nowhere")


def test_where_no_socket_can_be_had_nothing_is_taken_for_elsewhere(
    monkeypatch: pytest.MonkeyPatch, names: Names
) -> None:
    """Too many open files are no leave to ask this machine."""

    def none(*_: object) -> socket.socket:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(socket, "socket", none)

    with pytest.raises(OSError, match="Too many open files"):
        leads_here(A)
    with pytest.raises(Unavailable, match="Too many open files"):
        names.resolved(A)


@pytest.mark.parametrize("address", HERE)
def test_a_name_that_leads_here_is_unreachable(address: str, names: Names) -> None:
    """Whatever the sinkhole's way to say so; the one that it named is named."""
    with pytest.raises(Unreachable, match=r"^leads to this machine \([0-9a-f:.]+\)$"):
        names.resolved(address)


def test_what_leads_here_is_left_out_and_the_rest_serves(names: Names) -> None:
    """Of several addresses those of others are asked."""
    assert names.resolved("127.0.0.1", A, "::1", SIX) == (A, SIX)


def test_addresses_of_the_configuration_may_be_this_machines(names: Names) -> None:
    """Beside the name, or the name's own where they are the same: they are meant."""
    assert names.resolved("127.0.0.1", fallback=("127.0.0.9",)) == ("127.0.0.9",)
    assert names.resolved("127.0.0.1", A, fallback=("127.0.0.1",)) == ("127.0.0.1", A)


def test_what_is_remembered_may_not_be_this_machines(names: Names) -> None:
    """An older release, or an address that this machine has by now."""
    kept = Kept(addresses=["127.0.0.1", "::ffff:0.0.0.0"])

    with pytest.raises(Unreachable, match="cannot be resolved: no such name"):
        names.resolved(memory=kept)
    assert names.resolved(memory=Kept(addresses=["127.0.0.1", A])) == (A,)


def test_what_leads_here_is_not_remembered(names: Names) -> None:
    """And what was remembered does not stand in for it: the name is what it is now."""
    kept = Kept(addresses=[A])

    with pytest.raises(Unreachable, match="leads to this machine"):
        names.resolved("0.0.0.0", memory=kept)  # noqa: S104 - nobody binds to it
    assert kept.writes == 0
    names.resolved("127.0.0.1", B, memory=kept)
    assert kept.only == {"addresses": [B]}


def test_elsewhere_keeps_the_order() -> None:
    """And what the configuration has."""
    assert elsewhere((B, "127.0.0.1", "::1", A), ("::1",)) == (B, "::1", A)


# How many, and which first


def test_of_thousands_sixteen_are_taken_and_both_families() -> None:
    """As many as a pool asks at most; none twice; and quickly."""
    fours = [f"203.0.{n // 256}.{n % 256}" for n in range(4000)]
    sixes = [f"2001:db8::{n:x}" for n in range(1, 4000)]

    taken = resolver._families_in_turn([*fours, *fours, *sixes])

    assert taken == tuple(a for pair in zip(fours[:8], sixes[:8], strict=True) for a in pair)
    assert resolver._families_in_turn(fours) == tuple(fours[:16])
    assert resolver._families_in_turn([*fours, SIX]) == (fours[0], SIX, *fours[1:15])


@pytest.mark.parametrize(
    ("answered", "wanted"),
    [
        (SIX, (SIX, A, SEVEN, B)),
        (A, (A, SIX, B, SEVEN)),
        (B, (B, SIX, A, SEVEN)),
        ("203.0.113.99", (A, SIX, B, SEVEN)),
        ("2001:db8::99", (SIX, A, SEVEN, B)),
        ("", (SIX, A, SEVEN, B)),
        ("no address", (A, SIX, B, SEVEN)),
    ],
)
def test_who_answered_last_is_asked_first(
    answered: str, wanted: tuple[str, ...], names: Names
) -> None:
    """Then the other family, and so on; of a name with new addresses one of the same family."""
    kept = Kept(addresses=[SIX, A, SEVEN, B], answered=answered)

    assert names.resolved(SIX, SEVEN, A, B, memory=kept) == wanted
    assert kept.writes == 0
    names.addresses = ()
    assert names.resolved(memory=kept) == wanted, "from memory, too"


def test_only_another_than_the_first_is_remembered() -> None:
    """A run whose first address answers writes nothing; what else is kept stays."""
    kept = Kept(addresses=[SIX, A])
    run = a_run()
    run.memory = kept

    note_answer(HOST, (SIX, A), SIX, run)
    assert kept.writes == 0
    note_answer("Time.Lab.Test.", (SIX, A), A, run)
    assert kept.only == {"addresses": [SIX, A], "answered": A}
    note_answer(HOST, (A, SIX), SIX, run)
    assert kept.only == {"addresses": [SIX, A], "answered": SIX}


def test_new_addresses_do_not_make_it_forget_who_answered(names: Names) -> None:
    """Pools have others each time; the family is what counts."""
    kept = Kept(addresses=[A], answered=A)

    assert names.resolved(SIX, B, memory=kept) == (B, SIX)
    assert kept.only == {"addresses": [SIX, B], "answered": A}


def test_scopes_of_the_system_are_kept(monkeypatch: pytest.MonkeyPatch, names: Names) -> None:
    """A hosts file may have link-local addresses; without their zone they lead nowhere."""
    found = [(0, 0, 0, "", ("fe80::1", 0, 0, zone)) for zone in (socket.if_nametoindex("lo"), 9999)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    clock = Clock()

    resolved = Resolver(clock.raw_ns() + NS, clock).addresses(HOST, ())

    assert resolved == ("fe80::1%lo", "fe80::1%9999")
