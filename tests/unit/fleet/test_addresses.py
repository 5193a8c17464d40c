"""Which addresses and hosts may be asked at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.addresses import networks, read_host, why_refused

REFUSED = {
    "0.0.0.0": "unspecified",  # noqa: S104 - to refuse it
    "0.1.2.3": "this network",
    "10.0.0.1": "private",
    "100.64.0.1": "carrier-grade NAT",
    "100.127.255.255": "carrier-grade NAT",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "169.254.169.254": "link-local",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.8": "IETF protocols",
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4 relays",
    "192.168.1.1": "private",
    "198.18.0.1": "benchmarks",
    "198.19.255.255": "benchmarks",
    "198.51.100.7": "documentation",
    "203.0.113.7": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "unspecified",
    "::1": "loopback",
    "::7f00:1": "not global unicast",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:10.1.2.3": "private",
    "::ffff:0:127.0.0.1": "not global unicast",
    "64:ff9b::127.0.0.1": "loopback",
    "64:ff9b::a00:1": "private",
    "64:ff9b:1::1": "not global unicast",
    "100::1": "not global unicast",
    "2001::1": "IETF protocols",
    "2001:0:c000:201::1": "IETF protocols",
    "2001:20::1": "IETF protocols",
    "2001:db8::1": "documentation",
    "2002:7f00:1::1": "loopback",
    "2002:a9fe:a9fe::": "link-local",
    "3fff::1": "documentation",
    "5f00::1": "not global unicast",
    "fc00::1": "private",
    "fd12:3456::1": "private",
    "fe80::1": "link-local",
    "fec0::1": "not global unicast",
    "ff02::1": "multicast",
    "fe80::1%eth0": "with a zone",
    "2a00::1%lo": "with a zone",
    "localhost": "not an address",
    "127.1": "not an address",
    "0177.0.0.1": "not an address",
    "2130706433": "not an address",
    "": "not an address",
}
PUBLIC = [
    "1.1.1.1",
    "9.255.255.255",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "223.255.255.255",
    "2001:200::1",
    "2a00:1450::8888",
    "2002:101:101::1",
    "64:ff9b::1.1.1.1",
    "::ffff:9.9.9.9",
]


@pytest.mark.parametrize(("address", "word"), REFUSED.items())
def test_addresses_that_are_not_public_are_refused(address: str, word: str) -> None:
    """Each with what it is, embedded IPv4 addresses by what is embedded."""
    refused = why_refused(address, ())

    assert refused is not None
    assert word in refused


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_asked(address: str) -> None:
    """Just outside the special blocks, and with a public address embedded."""
    assert why_refused(address, ()) is None


def test_what_is_allowed_is_asked() -> None:
    """Networks besides the public ones, embedded addresses included; others stay refused."""
    allow = networks(["127.0.0.0/8", "fd00::/8", "10.1.2.3"])

    assert why_refused("127.0.0.1", allow) is None
    assert why_refused("::ffff:127.0.0.1", allow) is None
    assert why_refused("fd00::7", allow) is None
    assert why_refused("10.1.2.3", allow) is None
    assert why_refused("10.1.2.4", allow) is not None
    assert why_refused("fe80::1%eth0", networks(["fe80::/10"])) is not None
    assert why_refused("127.0.0.1", networks(["::ffff:0:0/96"])) is not None


@pytest.mark.parametrize("text", ["10.0.0.1/8", "ten", "", "10.0.0.0/33", "fe80::%eth0/64"])
def test_networks_are_written_exactly(text: str) -> None:
    """Host bits that are set, names and zones are errors: it is a security list."""
    with pytest.raises(ValueError, match="network"):
        networks([text])


@given(st.ip_addresses())
def test_only_global_unicast_gets_through(address: object) -> None:
    """Python's own tables, where they say private, loopback and so on, agree."""
    import ipaddress

    refused = why_refused(str(address), ())
    assert isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address)
    if address.is_private or address.is_multicast or address.is_link_local or address.is_reserved:
        embedded = isinstance(address, ipaddress.IPv6Address) and (
            address.ipv4_mapped
            or address.sixtofour
            or address in ipaddress.ip_network("64:ff9b::/96")
        )
        assert refused is not None or embedded


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("node.example", "node.example"),
        ("Node.Example.", "node.example."),
        ("203.0.113.7", "203.0.113.7"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("stra\u00dfe.example", "xn--strae-oqa.example"),
        ("\u24db\u24deCALHOST", "localhost"),
        ("a-b_c.example", "a-b_c.example"),
        ("1.2.3.4.example", "1.2.3.4.example"),
    ],
)
def test_hosts(text: str, host: str) -> None:
    """Names and literal addresses, in the one way they are compared by."""
    assert read_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "a..b",
        "a" * 64 + ".example",
        ("a" * 60 + ".") * 5,
        "no de.example",
        "node.example/",
        "127.1",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f000001",
        "2130706433",
        "127.0.0.0x1",
        "127.0.0.1.",
        "1.2.3.4.5",
        "1.2.3.04",
        "256.1.1.1",
        "\uff11\uff12\uff17.0.0.1",
        "127\u30020\u30020\u30021",
        "fe80::1%eth0",
        "::1::",
        "[::1]",
        "host.onion",
        "host.ONION.",
        "host.i2p",
        "onion",
        "-",
        "a\n.example",
        "a\u200db.example",
        "a\0.example",
        "user@host",
    ],
)
def test_hosts_that_are_refused(text: str) -> None:
    """Numbers that inet_aton would take for an address, hidden services, and what is no name."""
    with pytest.raises(ValueError, match="host"):
        read_host(text)


@given(st.text(max_size=80))
def test_any_text_is_a_host_or_a_value_error(text: str) -> None:
    """Nothing else is raised, and what comes out is ASCII without a blank."""
    try:
        host = read_host(text)
    except ValueError:
        return
    assert host.isascii()
    assert not set(host) & set(" /@%[]\n\0?#")
