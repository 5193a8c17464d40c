"""HTTP servers as nodes: what is asked, whose Date it is, and who vouches for it."""

import ssl
from contextlib import ExitStack

import pytest

from lab.authority import DAY_S, LIFETIME
from lab.behaviour import only, shifted
from lab.nodes.avalanche import AvalancheNode
from lab.nodes.http import HttpNode
from lab.nodes.https import EXPIRED, HttpsNode, tls
from lab.nodes.kaspa import KaspaNode
from lab.nodes.loop import Loop
from lab.nodes.xrpl import XrplNode
from nodes.base import make
from sources.base import Malformed, Refused, SourceError, Unverified
from sources.clock import NS
from tests.contract.nodes.asking import AGENT, a_question, assert_holds, reader

YEAR_S = 365 * DAY_S


def test_one_head_of_the_targets_path(loop: Loop, running: ExitStack) -> None:
    """By our own name, with nothing that a cache could answer."""
    node = running.enter_context(HttpNode(loop=loop))

    reader(node).read(a_question(node, path="/health?full=1"))

    (request,) = node.requests
    assert request.startswith(b"HEAD /health?full=1 HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{node.port}\r\n".encode() in request
    assert f"User-Agent: {AGENT}\r\n".encode() in request
    assert b"Cache-Control: no-cache\r\n" in request


@pytest.mark.parametrize("status", ["405 Method Not Allowed", "501 Not Implemented"])
def test_a_server_without_head_is_asked_by_get(loop: Loop, running: ExitStack, status: str) -> None:
    """Once, on a connection of its own."""
    node = running.enter_context(HttpNode(status_of_head=status, loop=loop))

    assert_holds(reader(node).read(a_question(node)), 0)

    assert [request.split()[0] for request in node.requests] == [b"HEAD", b"GET"]
    assert node.connections == 2


@pytest.mark.parametrize(
    "status", ["301 Moved", "401 Unauthorized", "404 Not Found", "500 Oops", "503 Busy"]
)
def test_any_status_has_a_date(loop: Loop, running: ExitStack, status: str) -> None:
    """Redirects are not followed, and what is refused is refused by the node's clock."""
    headers = (("Server", "lab"), ("Location", "http://127.0.0.1:1/"))
    node = running.enter_context(HttpNode(status=status, headers=headers, loop=loop))

    assert_holds(reader(node).read(a_question(node)), 0)

    assert node.connections == 1


@pytest.mark.parametrize(
    "header", [("Via", "1.1 x"), ("CF-Ray", "1-AMS"), ("Server", "cloudflare"), ("Age", "0")]
)
def test_the_date_of_a_cdn_is_the_cdns(
    loop: Loop, running: ExitStack, header: tuple[str, str]
) -> None:
    """A verdict, and by which header."""
    node = running.enter_context(HttpNode(headers=(header,), loop=loop))

    stamp = reader(node).read(a_question(node))

    assert stamp.verdict == "proxy"
    assert stamp.note.startswith(header[0])


def test_how_late_the_date_may_be(loop: Loop, running: ExitStack) -> None:
    """A second unless the server's name or the configuration says better."""
    node = running.enter_context(HttpNode(headers=(("Server", "nginx/1.22.1"),), loop=loop))
    other = running.enter_context(HttpNode(loop=loop))

    assert make("http", {}).read(a_question(node)).lag_ns == NS // 10
    assert make("http", {}).read(a_question(other)).lag_ns == NS
    assert make("http", {"date_lag": 0.25}).read(a_question(node)).lag_ns == NS // 4


def test_a_server_without_a_date(loop: Loop, running: ExitStack) -> None:
    """As monerod: there is nothing to read."""
    answer = b"HTTP/1.1 200 OK\r\nServer: Epee-based\r\n\r\n"
    node = running.enter_context(HttpNode(only(answer), loop=loop))

    with pytest.raises(Malformed, match="no Date"):
        reader(node).read(a_question(node))


def test_a_certificate_of_an_unknown_authority(loop: Loop, running: ExitStack) -> None:
    """Is no proof of anything, and no stamp; without verification, a stamp without proof."""
    node = running.enter_context(HttpsNode(loop=loop))

    with pytest.raises(Unverified, match="certificate"):
        make("https", {"date_lag": 0}).read(a_question(node))
    stamp = make("https", {"date_lag": 0, "verify": False}).read(a_question(node))

    assert_holds(stamp, 0)
    assert not stamp.authenticated


def test_a_certificate_of_another_host(loop: Loop, running: ExitStack) -> None:
    """The name that was asked has to be in it."""
    node = running.enter_context(HttpsNode(loop=loop))

    with pytest.raises(Unverified, match="mismatch"):
        reader(node).read(a_question(node).replaced(host="other.example"))


class ShortLived(HttpsNode):
    """Shows a certificate of some days."""

    lifetime = LIFETIME

    def _tls(self) -> ssl.SSLContext:
        return tls(self.address, self.lifetime).context


class Expired(ShortLived):
    """Shows one that has expired."""

    lifetime = EXPIRED


def test_certificates_are_judged_by_true_time(loop: Loop, running: ExitStack) -> None:
    """Neither by the local clock nor by the node's own, which is what is being read."""
    node = running.enter_context(ShortLived(shifted(10 * YEAR_S), loop=loop))
    expired = running.enter_context(Expired(shifted(-3 * DAY_S), loop=loop))

    assert_holds(reader(node).read(a_question(node)), 10 * YEAR_S * NS)
    with pytest.raises(Unverified, match="expired 2 days before"):
        reader(expired).read(a_question(expired))
    ten_years_on_ns = a_question(node).clock.wall_ns() + 10 * YEAR_S * NS
    with pytest.raises(Unverified, match="expired"):
        reader(node).read(a_question(node).replaced(true_unix_ns=lambda: ten_years_on_ns))


@pytest.mark.parametrize("host", ["a" * 70 + ".example", "\udc80", "a..b"])
def test_a_host_that_cannot_be(loop: Loop, running: ExitStack, host: str) -> None:
    """One of our errors, and no connection is left open."""
    node = running.enter_context(AvalancheNode(loop=loop))

    with pytest.raises(SourceError):
        reader(node).read(a_question(node).replaced(host=host))


def test_a_long_crawl_is_read_to_its_time_and_no_further(loop: Loop, running: ExitStack) -> None:
    """Two megabytes of peers come first; eight are more than is read."""
    long = running.enter_context(XrplNode(peers=25_000, loop=loop))
    endless = running.enter_context(XrplNode(peers=100_000, loop=loop))

    stamp = reader(long).read(a_question(long, deadline_s=20))

    assert_holds(stamp, 0, rtt_s=5)
    assert (stamp.grain_ns, stamp.software) == (1000, "rippled-2.4.0")
    with pytest.raises(Malformed, match="more than 4194304 bytes"):
        reader(endless).read(a_question(endless, deadline_s=20))


def test_a_crawl_that_is_switched_off_refuses(loop: Loop, running: ExitStack) -> None:
    """404, as the documentation has it."""
    node = running.enter_context(XrplNode(crawl=False, loop=loop))

    with pytest.raises(Refused, match="HTTP 404"):
        reader(node).read(a_question(node))


def test_what_nodes_say_of_themselves(loop: Loop, running: ExitStack) -> None:
    """Name and version, and the network in a note."""
    avalanche = running.enter_context(AvalancheNode(loop=loop))
    kaspa = running.enter_context(KaspaNode(loop=loop))

    of_avalanche = reader(avalanche).read(a_question(avalanche))
    of_kaspa = reader(kaspa).read(a_question(kaspa))

    assert (of_avalanche.software, of_avalanche.note) == ("avalanchego/1.13.0", "network 1")
    assert (of_kaspa.software, of_kaspa.note) == ("/kaspad:1.0.0/", "kaspa-mainnet")
    assert (of_avalanche.grain_ns, of_kaspa.grain_ns) == (NS, NS // 1000)
