"""Addresses: read, compared, and whether one leads back to this machine."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.net.addresses import family_of, is_address, leads_here, plain, socket_address


@pytest.mark.parametrize(
    "text",
    [
        "203.0.113.1",
        "2001:db8::1",
        "::",
        "fe80::1%eth0",
        "fe80::1%br-lan",
        "fe80::1%eth0.100",
        "fe80::1%a_b",
        "fe80::1%2",
        "fe80::1%wg0@x",
        "::ffff:203.0.113.1",
    ],
)
def test_addresses(text: str) -> None:
    """Zones are whatever Linux lets an interface be called."""
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "time.example",
        "203.0.113.1%eth0",
        "fe80::1%",
        "fe80::1%a b",
        "fe80::1%a/b",
        "fe80::1%a%b",
        "fe80::1%sixteen-letters-",
        "fe80::1%\u0435th0",
        "1.2.3",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "[::1]",
    ],
)
def test_no_addresses(text: str) -> None:
    """What the system could read otherwise than we do is no address."""
    assert not is_address(text)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_not(text: str) -> None:
    """Nothing else comes of it, and what is one can be written plainly and is one still."""
    if is_address(text):
        assert is_address(plain(text))
        assert plain(plain(text)) == plain(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("::FFFF:cb00:7101", "203.0.113.1"),
        ("FE80::1%eth0", "fe80::1%eth0"),
    ],
)
def test_one_address_is_written_one_way(one: str, other: str) -> None:
    """However it was written: twins are seen."""
    assert plain(one) == other


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - nobody binds to it
        "0.1.2.3",
        "127.0.0.1",
        "127.255.255.254",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:0.0.0.0",
    ],
)
def test_loopback_and_unspecified_lead_here(address: str) -> None:
    """In every spelling."""
    assert leads_here(address)


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8::7", "fe80::1%nowhere"])
def test_others_do_not(address: str) -> None:
    """Nor does what cannot be reached at all: that is for whoever asks it to find out."""
    assert not leads_here(address)


def test_an_interfaces_own_address_leads_here() -> None:
    """Whatever address this machine would send from is its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        try:
            link.connect(("203.0.113.7", 9))
        except OSError:
            pytest.skip("this machine has no route and so no address: this test did NOT run")
        own = link.getsockname()[0]

    assert leads_here(own)


def test_a_zone_becomes_a_number() -> None:
    """By name or by number; one that is not there is an error of the system's."""
    assert socket_address("fe80::1%lo", 123) == ("fe80::1", 123, 0, socket.if_nametoindex("lo"))
    assert socket_address("fe80::1%7", 123) == ("fe80::1", 123, 0, 7)
    assert socket_address("203.0.113.1", 123) == ("203.0.113.1", 123)
    with pytest.raises(OSError, match=r"(?i)no such device|no interface"):
        socket_address("fe80::1%nowhere", 123)


def test_families() -> None:
    """By the colon."""
    assert family_of("::1") == socket.AF_INET6
    assert family_of("127.0.0.1") == socket.AF_INET
