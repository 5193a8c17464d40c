"""Handshakes: silent, slow, none at all, old versions."""

import select
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from lab.authority import Authority
from lab.https import HttpsServer, reset
from sources.base import Malformed, TimedOut, Unreachable
from sources.https.source import HttpsSource
from sources.net import tcp, tls
from tests.support.fakes import TRUE_UNIX_NS, Elapsed, a_run
from tests.support.sources.https import SLACK_S, SOON_S, sample_of


@contextmanager
def tcp_server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve the first connection, without TLS unless `serve` does it; yield the port."""
    links: list[socket.socket] = []

    def listen() -> None:
        with suppress(OSError):
            link, _ = listener.accept()
            links.append(link)
            with link:
                serve(link)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=listen)
        thread.start()
        yield listener.getsockname()[1]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        for link in links:
            with suppress(OSError):
                link.shutdown(socket.SHUT_RDWR)
        thread.join(timeout=5)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def ca_file() -> Iterator[str]:
    """The file of some authority, where none is going to be needed."""
    authority = Authority(TRUE_UNIX_NS)
    yield authority.ca_file
    authority.close()


def source_at(port: int, ca_file: str) -> HttpsSource:
    return HttpsSource(f"https://127.0.0.1:{port}/", "Alpha", (), ca_file, 0, ())


def test_a_server_that_says_nothing_is_a_timeout(ca_file: str) -> None:
    """Whoever accepts the connection and then is silent costs the time until the deadline."""
    with (
        tcp_server(read_all) as port,
        Elapsed() as elapsed,
        pytest.raises(TimedOut, match=r"127\.0\.0\.1: TLS handshake not done before the deadline"),
    ):
        source_at(port, ca_file).sample(a_run(0.3))

    assert 0.25 < elapsed.s < 0.3 + SLACK_S


def read_all(link: socket.socket) -> None:
    while link.recv(65_536):
        pass


def test_a_handshake_that_drips_is_cut_off_at_the_deadline() -> None:
    """A byte every 20 ms of the server's certificates does not move the deadline either."""

    def drip_through(link: socket.socket) -> None:
        with socket.create_connection((server.address, server.port)) as upstream:
            held = b""
            while True:
                readable, _, _ = select.select([link, upstream], [], [], 0)
                if link in readable:
                    upstream.sendall(link.recv(65_536))
                if upstream in readable:
                    held += upstream.recv(65_536)
                link.sendall(held[:1])
                held = held[1:]
                time.sleep(0.02)

    with (
        HttpsServer("Alpha") as server,
        tcp_server(drip_through) as port,
        Elapsed() as elapsed,
        pytest.raises(TimedOut, match="TLS handshake not done"),
    ):
        source_at(port, server._authority.ca_file).sample(a_run(0.4))

    assert 0.35 < elapsed.s < 0.4 + SLACK_S


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\nDate: Sun, 22 Nov 2026 19:01:56 GMT\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
        b"220 mail.example ESMTP\r\n",
        bytes(64),
        b"\x15\x03\x01\x00\x02\x02\x28",
    ],
)
def test_who_speaks_no_tls_is_malformed_at_once(ca_file: str, data: bytes) -> None:
    """Plain HTTP, or anything else on the port, is no reason to wait, and none to believe."""

    def answer(link: socket.socket) -> None:
        link.recv(65_536)
        link.sendall(data)
        read_all(link)

    with (
        tcp_server(answer) as port,
        Elapsed() as elapsed,
        pytest.raises(Malformed, match=r"127\.0\.0\.1: TLS handshake: \w+"),
    ):
        source_at(port, ca_file).sample(a_run())

    assert elapsed.s < SOON_S


OLD_HELLO = b"\x02\0\0\x26%s" + bytes(32) + b"\0\0\x2f\0"
"""A ServerHello of this version: no session, AES128-SHA (RFC 5246 section 7.4.1.3)."""


@pytest.mark.parametrize(
    ("version", "shown"), [(b"\3\0", "SSL 3.0"), (b"\3\1", "TLS 1.0"), (b"\3\2", "TLS 1.1")]
)
def test_an_old_version_of_tls_is_reported(ca_file: str, version: bytes, shown: str) -> None:
    """A server that chooses what is older than TLS 1.2 is malformed, and the version is named."""

    def answer(link: socket.socket) -> None:
        link.recv(65_536)
        threading.Event().wait(0.02)  # as far away as servers are
        hello = OLD_HELLO % version
        link.sendall(b"\x16" + version + len(hello).to_bytes(2) + hello)
        read_all(link)

    says = f"^127.0.0.1: {shown} offered: TLS 1.2 or newer wanted$"
    with tcp_server(answer) as port, pytest.raises(Malformed, match=says):
        source_at(port, ca_file).sample(a_run())


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("-tls1_1", "127.0.0.1: TLS 1.1 or older offered: TLS 1.2 or newer wanted"),
        ("-tls1", "127.0.0.1: TLS 1.1 or older offered: TLS 1.2 or newer wanted"),
        ("-tls1_2", "TLSv1.2"),
        ("-tls1_3", "TLSv1.3"),
    ],
)
def test_the_versions_of_a_real_server(
    needs: Callable[[str], str], version: str, says: str
) -> None:
    """OpenSSL's own server, whatever the system's policy: old versions are named, new ones do."""
    authority = Authority(time.time_ns())
    chain, key = authority.identity(["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [needs("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-cert", chain]
    command += ["-cert_chain", chain, "-key", key, "-cipher", "ALL:@SECLEVEL=0", version, "-WWW"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        try:
            assert server.stdout is not None
            assert any(line == b"ACCEPT\n" for line in server.stdout)
            found = version_of(port, authority.ca_file)
        finally:
            server.kill()
    authority.close()

    assert found == says


def version_of(port: int, ca_file: str) -> str:
    """Return the version of TLS that was agreed upon, or why none was."""
    run = a_run()
    link, server = tcp.connect(("127.0.0.1",), port, run)
    try:
        with tls.handshake(link, tls.bare(ca_file, "http/1.1"), server, server, run) as secured:
            return secured.version() or ""
    except Malformed as error:
        return str(error)


def test_a_server_whose_answer_is_here_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handshake that is over with the first look is not waited for any more."""
    usual = ssl.SSLSocket.settimeout
    monkeypatch.setattr(
        ssl.SSLSocket, "settimeout", lambda link, seconds: usual(link, seconds or SOON_S)
    )
    with HttpsServer("Alpha") as server, Elapsed() as elapsed:
        link, address = tcp.connect(("127.0.0.1",), server.port, a_run())
        context = tls.bare(server._authority.ca_file, "http/1.1")
        tls.handshake(link, context, "127.0.0.1", address, a_run()).close()

    assert elapsed.s < SOON_S


def _read_once(link: socket.socket) -> None:
    link.recv(65_536)


@pytest.mark.parametrize(
    ("serve", "says"),
    [
        (_read_once, r"127\.0\.0\.1: TLS handshake: connection closed$"),
        (lambda link: None, r"127\.0\.0\.1: TLS handshake: connection closed|reset by peer$"),
    ],
)
def test_hanging_up_instead_of_a_handshake_is_unreachable(
    ca_file: str, serve: Callable[[socket.socket], None], says: str
) -> None:
    """A connection that is closed before it is secured is a failure of the network, at once."""
    with (
        tcp_server(serve) as port,
        Elapsed() as elapsed,
        pytest.raises(Unreachable, match=says),
    ):
        source_at(port, ca_file).sample(a_run())

    assert elapsed.s < SOON_S


def test_a_reset_is_unreachable() -> None:
    """A connection that is reset in place of a response is a failure of the network, at once."""
    with (
        HttpsServer("Alpha", reset) as server,
        Elapsed() as elapsed,
        pytest.raises(Unreachable, match=r"127\.0\.0\.1: "),
    ):
        sample_of(server)

    assert elapsed.s < SOON_S
