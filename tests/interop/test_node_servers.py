"""Nodes' protocols as others speak them: web servers, gRPC's server, OpenSSL's server."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.authority import FOR_LIFE, Authority
from nodes.base import Question, Stamp, make
from sources.base import Unverified
from sources.clock import NS
from tests.conftest import ROOT
from tests.contract.nodes.asking import AGENT, CLOCK, assert_holds
from tests.support.servers import web
from tests.support.servers.chrony import faked
from tests.support.servers.web import LOOPBACK, Identity, free_port, nginx, not_here, site

pytestmark = pytest.mark.interop

OTHERS = ROOT / ".venv-nodes" / "bin" / "python"


def read(kind: str, port: int, host: str = LOOPBACK, path: str = "/", **settings: object) -> Stamp:
    return make(kind, settings).read(
        Question(
            host=host,
            port=port,
            addresses=(LOOPBACK,),
            deadline_raw_ns=CLOCK.raw_ns() + 5 * NS,
            clock=CLOCK,
            true_unix_ns=CLOCK.wall_ns,
            random_bytes=os.urandom,
            agent=AGENT,
            path=path,
        )
    )


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    made = Authority(time.time_ns())
    yield made
    made.close()


@pytest.fixture(scope="module")
def identity(authority: Authority) -> Identity:
    return Identity(*authority.identity([LOOPBACK], FOR_LIFE))


@pytest.mark.parametrize("offset_s", [0, -4, 30])
def test_nginx(tmp_path: Path, authority: Authority, identity: Identity, offset_s: int) -> None:
    """In the clear and inside TLS; a GET where there is no HEAD; its name, and no proxy."""
    plain, secured, no_head = free_port(), free_port(), free_port()
    sites = (
        site(plain, None),
        site(secured, identity),
        site(no_head, None, "if ($request_method = HEAD) { return 405; } return 200;"),
    )
    environ = faked(f"{offset_s:+}s") if offset_s else {}
    with nginx(tmp_path / "nginx", plain, *sites, environ=environ):
        stamps = [
            read("http", plain),
            read("http", no_head),
            read("https", secured, ca_file=authority.ca_file),
            read("https", secured, verify=False),
        ]
        with pytest.raises(Unverified):
            read("https", secured)
        methods = [asked.method for asked in web.asked(tmp_path / "nginx")]

    for stamp in stamps:
        assert_holds(stamp, offset_s * NS)
        assert (stamp.verdict, stamp.lag_ns) == ("", NS // 10)
        assert stamp.software.startswith("nginx")
    assert [stamp.authenticated for stamp in stamps] == [False, False, True, False]
    assert methods == ["HEAD", "HEAD", "GET", "HEAD", "HEAD"]


def test_caddy_and_so_what_go_serves(
    tmp_path: Path, authority: Authority, identity: Identity
) -> None:
    """Go's net/http, as the RPC of most nodes: its Date is made for each response."""
    port = free_port()
    with web.caddy(tmp_path / "caddy", port, identity):
        for _ in range(5):
            stamp = read("https", port, ca_file=authority.ca_file)

            assert_holds(stamp, 0)
            assert (stamp.verdict, stamp.lag_ns, stamp.software) == ("", 0, "Caddy")


def test_varnish_is_a_proxy(tmp_path: Path) -> None:
    """Whatever is behind it: the Date may be of before."""
    origin, port = free_port(), free_port()
    with (
        nginx(tmp_path / "nginx", origin, site(origin, None)),
        web.varnish(tmp_path / "varnish", port, origin),
    ):
        stamp = read("http", port)

    assert stamp.verdict == "proxy"
    assert stamp.note.startswith(("Via", "X-Varnish", "Age"))


def test_lighttpd_whose_date_is_late_is_inside_its_interval(tmp_path: Path) -> None:
    """It makes its Date once a second, unaligned: what a lag of a second is for."""
    port = free_port()
    with web.lighttpd(tmp_path / "lighttpd", port, web.late(0.54)), web.kept_busy(port):
        for _ in range(10):
            # Both of its clocks are late by as much, and its Date by up to that more.
            assert_holds(read("http", port), round(-0.54 * NS))


@contextmanager
def other(kind: str) -> Iterator[int]:
    """Run another implementation until the end of the block; yield its port."""
    if not OTHERS.exists():
        not_here("there is no .venv-nodes (make .venv-nodes)")
    process = subprocess.Popen(
        [OTHERS, ROOT / "tests" / "support" / "servers" / "node_peers.py", kind],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    with process.stdout:
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()
            process.wait()


def test_grpcs_own_server_as_a_kaspa_node() -> None:
    """Our HTTP/2 is understood, our name is heard, and its frames are."""
    with other("kaspa") as port:
        for _ in range(3):
            stamp = read("kaspa", port)

            assert_holds(stamp, -4 * NS)
            assert stamp.grain_ns == NS // 1000
            assert stamp.software.startswith("/kaspad:1.0.0/heard:time-drift/0.2 (+https://")
            assert stamp.note == "kaspa-mainnet"


def test_openssls_server_as_an_avalanche_node() -> None:
    """It wants a certificate, and is shown one of a P-256 key; its message is of some kilobytes."""
    with other("avalanche") as port:
        for _ in range(3):
            stamp = read("avalanche", port, host="node.example")

            assert_holds(stamp, -4 * NS)
            assert stamp.software == "secp256r1/1.13.0"
            assert stamp.note == "network 5"
