"""Take seeds from real servers on loopback: what our decoders are given while we ask each once.

    python -m tests.fuzz.capture

Writes tests/fuzz/corpus/TARGET/SERVER-... again. Wants Debian's servers, and .venv-nodes for those
that gRPC, protobuf and OpenSSL are.
"""

import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from lab.authority import FOR_LIFE, Authority
from nodes.base import make
from nodes.wire import avalanche, bitcoin, http, kaspa
from sources.clock import NS
from sources.https import proof as https_proof
from sources.https import wire_date
from sources.https.source import HttpsSource
from sources.ntp import wire as ntp
from sources.ntp.source import NtpSource
from sources.nts import exporter, wire_ke
from sources.nts import wire as nts
from sources.nts.source import NtsSource
from sources.record import Record
from tests.fuzz.inputs import CORPUS
from tests.interop.test_litecoind import MODULE, litecoind
from tests.interop.test_litecoind import read as read_bitcoin
from tests.interop.test_node_servers import other
from tests.interop.test_node_servers import read as read_node
from tests.support.fakes import a_run
from tests.support.servers import chrony, web
from tests.support.servers.chrony import chronyd
from tests.support.servers.ntpsec import nts_chronyd, running
from tests.support.servers.web import LOOPBACK, Identity, found, free_port, nginx, site

Seeds = dict[str, bytes]
"""Inputs by target and name: "ntp/chronyd"."""
Given = list[tuple[Any, ...]]

_PROMETHEUS = """\
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: nodes
    metrics_path: /probe
    params: {{module: [btc], target: ["bitcoin://192.0.2.1:8333"]}}
    static_configs: [{{targets: ["{address}:{port}"]}}]
"""


class Place(Record):
    """Where servers keep their files, and who they are."""

    directory: Path
    authority: Authority
    identity: Identity


def main(corpus: Path) -> None:
    """Ask every server; write what they said."""
    with tempfile.TemporaryDirectory() as directory:
        authority = Authority(time.time_ns())
        identity = Identity(*authority.identity([LOOPBACK], FOR_LIFE))
        try:
            for ask in _ASKED:
                for name, data in ask(Place(Path(directory), authority, identity)).items():
                    path = corpus / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(data)
        finally:
            authority.close()


@contextmanager
def _given(where: object, name: str) -> Iterator[Given]:
    """Note what a function is given until the end of the block."""
    given: Given = []
    real = getattr(where, name)

    def noted(*arguments: Any) -> Any:
        given.append(arguments)
        return real(*arguments)

    with patch.object(where, name, noted):
        yield given


def _chronyd(place: Place) -> Seeds:
    port = chrony.free_port()
    with (
        chronyd(found("chronyd"), place.directory / "chronyd", port),
        _given(ntp, "decode") as replies,
    ):
        NtpSource(LOOPBACK, port, "chronyd", ()).sample(a_run())
    return {"ntp/chronyd": NS.to_bytes(5, "big") + replies[0][0]}


def _chronyd_with_nts(place: Place) -> Seeds:
    port = free_port()
    with (
        nts_chronyd(place.directory / "nts", port, place.identity),
        _given(exporter, "keys_from") as logs,
        _given(wire_ke, "decode") as agreements,
        _given(nts, "take_apart") as replies,
        _given(nts, "cookies_in") as opened,
    ):
        NtsSource(LOOPBACK, port, "chronyd", (), place.authority.ca_file).sample(a_run())
    ((fields,),) = opened
    return {
        "nts-key-log/openssl": logs[0][0],
        "nts-key-exchange/chronyd": agreements[0][0],
        "nts-fields/chronyd-reply": replies[0][0],
        "nts-fields/chronyd-opened": fields,
        "nts-sealed/chronyd-opened": len(fields).to_bytes(2, "big") + fields,
    }


def _nginx(place: Place) -> Seeds:
    plain, secured = free_port(), free_port()
    sites = site(plain, None), site(secured, place.identity)
    with nginx(place.directory / "nginx", plain, *sites):
        return {
            **_head("nginx", plain),
            **_headers(secured, place),
            "talk-no-tls/nginx-flights": _flights(secured),
        }


def _caddy(place: Place) -> Seeds:
    port = free_port()
    with web.caddy(place.directory / "caddy", port, place.identity):
        return _head("caddy", port, place.authority.ca_file)


def _apache(place: Place) -> Seeds:
    port = free_port()
    with web.apache(place.directory / "apache", port, place.identity):
        return _head("apache", port, place.authority.ca_file)


def _lighttpd(place: Place) -> Seeds:
    port = free_port()
    with web.lighttpd(place.directory / "lighttpd", port):
        return _head("lighttpd", port)


def _varnish(place: Place) -> Seeds:
    origin, port = free_port(), free_port()
    with (
        nginx(place.directory / "origin", origin, site(origin, None)),
        web.varnish(place.directory / "varnish", port, origin),
    ):
        return _head("varnish", port)


def _head(server: str, port: int, ca_file: str | None = None) -> Seeds:
    with _given(http, "decode") as heads:
        if ca_file is None:
            read_node("http", port)
        else:
            read_node("https", port, ca_file=ca_file)
    return {f"http-node/{server}": heads[-1][0]}


def _headers(port: int, place: Place) -> Seeds:
    url = f"https://{LOOPBACK}:{port}/"
    with _given(https_proof, "prove") as proofs, _given(wire_date, "decode") as dates:
        HttpsSource(url, "nginx", (), place.authority.ca_file, 0, ()).sample(a_run())
    lines = (f"{name}:{value}" for name, value in proofs[0][0])
    return {
        "https-headers/nginx": "\n".join(lines).encode("latin-1"),
        "date/nginx": dates[0][0].encode("latin-1"),
    }


def _flights(port: int) -> bytes:
    """Return all that a server sends until the handshake is over."""
    incoming, outgoing, heard = ssl.MemoryBIO(), ssl.MemoryBIO(), b""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    secured = context.wrap_bio(incoming, outgoing)
    with socket.create_connection((LOOPBACK, port), timeout=5) as link:
        while True:
            try:
                secured.do_handshake()
            except ssl.SSLWantReadError:
                link.sendall(outgoing.read())
                received = link.recv(1 << 16)
                incoming.write(received)
                heard += received
            else:
                return heard


def _litecoind(place: Place) -> Seeds:
    directory = place.directory / "litecoind"
    directory.mkdir()
    with litecoind(directory) as port, _given(bitcoin, "decode") as received:
        read_bitcoin(make("bitcoin", MODULE), port)
    message = received[-1][0]
    return {"bitcoin/litecoind": message, "bitcoin/litecoind-payload": message[24:]}


def _grpc(_: Place) -> Seeds:
    with (
        other("kaspa") as port,
        _given(kaspa.Conversation, "feed") as fed,
        _given(kaspa, "_version") as messages,
    ):
        read_node("kaspa", port)
    received = b"".join(data for _, data in fed)
    return {"kaspa/grpc": b"\x1c" + received, "kaspa-message/protobuf": messages[-1][0]}


def _protobuf(_: Place) -> Seeds:
    with other("avalanche") as port, _given(avalanche, "decode") as received:
        read_node("avalanche", port, host="node.example")
    return {"avalanche/protobuf": received[-1][0]}


def _prometheus(place: Place) -> Seeds:
    """Return how it scrapes an exporter."""
    directory = place.directory / "prometheus"
    directory.mkdir()
    settings = directory / "prometheus.yml"
    with socket.create_server((LOOPBACK, 0)) as listening:
        port = listening.getsockname()[1]
        settings.write_text(_PROMETHEUS.format(address=LOOPBACK, port=port), encoding="utf-8")
        command = [
            found("prometheus"),
            f"--config.file={settings}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address={LOOPBACK}:{free_port()}",
        ]
        listening.settimeout(30)
        with running(command, directory / "output", lambda _: True):
            link, _ = listening.accept()
            with link:
                return {"exporter-request/prometheus": link.recv(1 << 16)}


_ASKED: tuple[Callable[[Place], Seeds], ...] = (
    _chronyd,
    _chronyd_with_nts,
    _nginx,
    _caddy,
    _apache,
    _lighttpd,
    _varnish,
    _litecoind,
    _grpc,
    _protobuf,
    _prometheus,
)

if __name__ == "__main__":
    main(CORPUS)
