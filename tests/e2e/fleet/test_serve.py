"""`time-drift serve`, as a process: what Prometheus gets, limits, signals."""

import http.client
import os
import re
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from urllib.parse import quote

import pytest

from lab import behaviour
from lab.network import Network, network
from lab.nodes.base import LabNode
from lab.nodes.bitcoin import BitcoinNode
from lab.nodes.http import HttpNode
from lab.nodes.kaspa import KaspaNode
from sources.clock import NS
from tests.conftest import Program
from tests.e2e.test_contract import assert_refused
from tests.support.servers.exporter import Exporter, metrics, serving

SETTINGS = "timeout = 2\nrate = 500\nmin_interval = 60"


Serve = Callable[..., tuple[Exporter, Network]]


@pytest.fixture
def serve(script: str, tmp_path: Path) -> Iterator[Serve]:
    """Start time servers, nodes and the exporter; what still runs at the end is killed."""
    with ExitStack() as running:

        def start(*nodes: LabNode, settings: str = SETTINGS) -> tuple[Exporter, Network]:
            lab = running.enter_context(network(*nodes, settings=settings))
            path = tmp_path / "serve.toml"
            path.write_text(lab.toml, encoding="utf-8")
            return running.enter_context(serving(script, path)), lab

        yield start


def test_a_node(serve: Serve) -> None:
    """Success, duration, the integer, the interval, the verdict, the software."""
    exporter, lab = serve(BitcoinNode(behaviour.shifted(-4)))

    found = exporter.probe(lab.targets[0])

    assert found["probe_success"] == 1
    assert found["time_drift_node_seconds"] == -4
    assert found["time_drift_node_interval_low_seconds"] <= -4
    assert found["time_drift_node_interval_high_seconds"] >= -4
    assert found['time_drift_node_verdict{verdict="decided"}'] == 1
    assert found['time_drift_node_info{authenticated="0",software="Satoshi 29"}'] == 1
    assert 0 < found["probe_duration_seconds"] < 5
    assert abs(found["time_drift_node_last_read_timestamp_seconds"] - time.time()) < 10


def test_modules_as_prometheus_names_them(serve: Serve) -> None:
    """A bare target and a module, each a parameter of its own."""
    exporter, lab = serve(KaspaNode(behaviour.shifted(9)))
    bare = lab.targets[0].partition("://")[2]

    status, body, headers = exporter.get(f"/probe?module=kaspa&target={bare}")

    assert status == 200
    assert metrics(body)["time_drift_node_seconds"] == 9
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")


def test_what_is_not_the_nodes_clock_is_no_number(serve: Serve) -> None:
    """Adjusted, proxy, silent: no success, a verdict, and no drift or interval to graph."""
    exporter, lab = serve(
        BitcoinNode(agent="/Satoshi:0.21.2/"),
        HttpNode(headers=(("Server", "cloudflare"), ("CF-Ray", "7"))),
        BitcoinNode(behaviour.silent),
    )

    for target, word in zip(lab.targets, ("adjusted", "proxy", "silent"), strict=True):
        found = exporter.probe(target)
        assert found["probe_success"] == 0
        assert found[f'time_drift_node_verdict{{verdict="{word}"}}'] == 1
        assert not any("seconds" in n and "duration" not in n and "last" not in n for n in found)


def test_a_node_is_not_asked_sooner_than_allowed(serve: Serve) -> None:
    """Answered from memory, under whatever name; when it was read is said."""
    exporter, lab = serve(BitcoinNode())
    target = lab.targets[0]
    alias = target.replace("127.0.0.1", "localhost")

    first = exporter.probe(target)
    connections = lab.nodes[0].connections
    again = [exporter.probe(name) for name in (target, alias, target)]

    assert lab.nodes[0].connections == connections <= 4
    read = "time_drift_node_last_read_timestamp_seconds"
    assert {one[read] for one in again} == {first[read]}
    assert {one["time_drift_node_seconds"] for one in again} == {0}


def test_those_who_come_at_once_share_one_round(serve: Serve) -> None:
    """Two servers of Prometheus ask at the same time: the node sees one of them."""
    exporter, lab = serve(BitcoinNode(behaviour.late(0.1)))
    found: list[float] = []

    def scrape() -> None:
        found.append(exporter.probe(lab.targets[0])["time_drift_node_interval_low_seconds"])

    threads = [threading.Thread(target=scrape) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(found)) == 1
    assert lab.nodes[0].connections <= 4


def test_the_timeout_of_a_scrape_is_kept(serve: Serve) -> None:
    """A silent node, a scrape of 1 s: an answer before Prometheus gives up."""
    exporter, lab = serve(BitcoinNode(behaviour.silent), settings="timeout = 20\nmin_interval = 60")
    began = time.monotonic()

    found = exporter.probe(lab.targets[0], timeout_s=1.0)

    assert time.monotonic() - began < 1
    assert found['time_drift_node_verdict{verdict="silent"}'] == 1


@pytest.mark.parametrize(
    ("query", "status", "word"),
    [
        ("", 400, "?target="),
        ("?target=", 400, "target"),
        ("?target=a.example", 400, "names no module"),
        ("?target=bitcoin://a.example&module=nonsense", 400, "allowed are avalanche"),
        ("?target=bitcoin://a.example&module=kaspa", 400, "the module asked for is kaspa"),
        ("?target=bitcoin://a.example&target=x", 400, "twice"),
        ("?target=bitcoin://a.example&nonsense=1", 400, "wanted is"),
        ("?target=http://me:secret@a.example/", 400, "passwords"),
        ("?target=http://a.onion/", 400, "hidden"),
        ("?target=http://0x7f.1/", 400, "no host"),
        ("?target=http://2130706433/", 400, "no host"),
        ("?target=http://10.0.0.1/", 403, "private"),
        ("?target=http://169.254.169.254/latest/meta-data/", 403, "link-local"),
        ("?target=http://[::1]/", 403, "loopback"),
        ("?target=http://[::ffff:192.168.0.1]/", 403, "private"),
        ("?target=http://[fe80::1%25lo]/", 400, "no host"),
    ],
)
def test_targets_that_are_refused(serve: Serve, query: str, status: int, word: str) -> None:
    """Whoever can name a target must not reach what this machine alone can reach."""
    exporter, _ = serve()

    found, body, _ = exporter.get(f"/probe{query}")

    assert found == status, body
    assert word in body
    assert "secret" not in body


INSIDE = {
    "http://[::ffff:7f00:1]/": (403, "loopback"),
    "http://[::ffff:127.0.0.1]/": (403, "loopback"),
    "http://[64:ff9b::a9fe:a9fe]/": (403, "link-local"),
    "http://[2002:7f00:1::1]/": (403, "loopback"),
    "http://[::127.0.0.1]/": (403, "not global unicast"),
    "http://[fe80::1%lo]/": (400, "no host"),
    "http://[fe80::1%25lo]/": (400, "no host"),
    "http://0177.0.0.1/": (400, "no host"),
    "http://127.1/": (400, "no host"),
    "http://127.0.0.1./": (400, "no host"),
    "http://2130706433/": (400, "no host"),
    "http://2130706433./": (400, "no host"),
    "http://0x7f.1/": (400, "no host"),
    "http://0x7f000001/": (400, "no host"),
    "http://\uff11\uff12\uff17.0.0.1/": (400, "no host"),
    "http://127\u30020\u30020\u30021/": (400, "no host"),
    "http://localhost/": (403, "loopback"),
    "http://LOCALHOST/": (403, "loopback"),
    "http://\u24dbocalhost/": (403, "loopback"),
    "http://a.example\0.evil.example/": (400, "printable"),
    "http://a.example\r\nX:y/": (400, "printable"),
    "http://a.example/\r\nX:y": (400, "printable"),
    "http://a.example#@127.0.0.1/": (400, "passwords"),
    "http://127.0.0.1\\@a.example/": (400, "passwords"),
    "http://me:secret@127.0.0.1/": (400, "passwords"),
    "http://127.0.0.1:80:80/": (400, "allowed is"),
}
"""Ways to write what this machine alone can reach."""


def test_no_way_to_write_an_address_leads_inside(script: str, tmp_path: Path) -> None:
    """Where nothing is allowed beyond public addresses, none of these is connected to."""
    path = tmp_path / "serve.toml"
    found: dict[str, tuple[int, str]] = {}
    with network(HttpNode()) as lab:
        inside = lab.nodes[0]
        path.write_text(lab.toml.replace('allow = ["127.0.0.0/8"]', ""), encoding="utf-8")
        with serving(script, path) as exporter:
            for target, (_, word) in INSIDE.items():
                place, _, path_of = target.removeprefix("http://").partition("/")
                at_a_node = f"http://{place}:{inside.port}/{path_of}"
                for written in (target, at_a_node):
                    status, body, _ = exporter.get(f"/probe?target={quote(written, safe='')}")
                    found[written] = (status, word if word in body else body)
        connections = inside.connections

    assert {answer[0] for answer in found.values()} == {400, 403}, found
    assert {target: found[target] for target in INSIDE} == INSIDE
    assert connections == 0


def test_its_own_clock_and_its_health(serve: Serve) -> None:
    """Today's metrics, by the same sources."""
    exporter, _ = serve()

    status, body, _ = exporter.get("/metrics")
    assert status == 200
    assert metrics(body)["time_drift_success"] == 1
    assert metrics(body)["time_drift_seconds"] == 0
    assert exporter.get("/-/healthy")[:2] == (200, "healthy\n")
    assert exporter.get("/-/healthy", method="HEAD")[:2] == (200, "")
    assert exporter.get("/-/healthy", method="POST")[0] == 405
    assert exporter.get("/nonsense")[0] == 404


def test_the_landing_page(serve: Serve) -> None:
    """For whoever opens the port in a browser; no script, one style, by its hash."""
    exporter, _ = serve()

    status, body, headers = exporter.get("/")

    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "/probe?target=" in body
    assert "<option>litecoin</option>" in body
    assert "<script" not in body
    assert "style=" not in body


def test_without_a_consensus_nobody_is_asked(serve: Serve, tmp_path: Path) -> None:
    """All sources dead: not read, no drift, not one packet; its own metrics say so too."""
    exporter, lab = serve(BitcoinNode())
    path = tmp_path / "serve.toml"
    text = path.read_text(encoding="utf-8")
    dead = count(1)
    text = re.sub(r"(?m)^port = [0-9]+$", lambda _: f"port = {next(dead)}", text)
    path.write_text(text, encoding="utf-8")

    os.kill(exporter.process.pid, signal.SIGHUP)
    assert "read again" in _line_with(exporter, "read again")

    found = exporter.probe(lab.targets[0])
    assert found["probe_success"] == 0
    assert found['time_drift_node_verdict{verdict="not read"}'] == 1
    assert lab.nodes[0].connections == 0
    own = metrics(exporter.get("/metrics")[1])
    assert own["time_drift_success"] == 0
    assert "time_drift_seconds" not in own


def _line_with(exporter: Exporter, word: str) -> str:
    assert exporter.process.stderr is not None
    for line in exporter.process.stderr:
        if word in line:
            return line
    raise AssertionError(word)


def test_a_configuration_that_is_bad_is_not_taken(serve: Serve, tmp_path: Path) -> None:
    """SIGHUP says what is wrong with it, and the one of before stays."""
    exporter, lab = serve(KaspaNode())
    path = tmp_path / "serve.toml"
    path.write_text(path.read_text(encoding="utf-8") + "\nrates = 1\n", encoding="utf-8")

    os.kill(exporter.process.pid, signal.SIGHUP)

    assert "the configuration of before stays" in _line_with(exporter, "rates")
    assert exporter.probe(lab.targets[0])["probe_success"] == 1


def test_sigterm_ends_it_at_once(serve: Serve) -> None:
    """In the middle of a probe, too."""
    exporter, lab = serve(BitcoinNode(behaviour.silent), settings="timeout = 20\nmin_interval = 60")
    link = socket.create_connection(("127.0.0.1", exporter.port))
    link.sendall(f"GET /probe?target={lab.targets[0]} HTTP/1.1\r\n\r\n".encode())
    began = time.monotonic()

    exporter.process.send_signal(signal.SIGTERM)

    assert exporter.process.wait(timeout=5) == 143
    assert time.monotonic() - began < 1
    link.close()


def test_clients_that_say_nothing_are_waited_for_in_bounds(serve: Serve) -> None:
    """A thousand that connect and wait: past the limit 503, and afterwards all is well."""
    exporter, lab = serve(KaspaNode())
    links: list[socket.socket] = []
    try:
        place = ("127.0.0.1", exporter.port)
        links += [socket.create_connection(place, timeout=10) for _ in range(1050)]
        status, body, _ = exporter.get("/-/healthy")
        assert (status, body.split(":")[0]) == (503, "busy")
        # Those that were taken are given up after 5 s, which frees their threads.
        deadline = time.monotonic() + 10
        status = 503
        while status == 503:
            assert time.monotonic() < deadline
            status, body, _ = exporter.get(f"/probe?target={lab.targets[0]}")
        assert metrics(body)["probe_success"] == 1
    finally:
        for link in links:
            link.close()


def test_more_targets_than_the_pace_allows(serve: Serve) -> None:
    """At one connection a second most of 30 scrapes are refused in time, and none hangs."""
    nodes = [KaspaNode() for _ in range(30)]
    exporter, lab = serve(*nodes, settings="timeout = 2\nrate = 1\nmin_interval = 60")
    found: Counter[int] = Counter()
    began = time.monotonic()

    def scrape(target: str) -> None:
        found[exporter.get(f"/probe?target={target}", timeout_s=3)[0]] += 1

    threads = [threading.Thread(target=scrape, args=(target,)) for target in lab.targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert time.monotonic() - began < 4
    assert found[200] in range(1, 6)
    assert found[503] == 30 - found[200]


def test_requests_that_are_none(serve: Serve) -> None:
    """Bytes of any kind get 400 and the port goes on."""
    exporter, _ = serve()
    for junk in (b"\x16\x03\x01" + b"\0" * 200 + b"\r\n\r\n", b"GET /\r\n\r\n", b"x" * 20_000):
        with socket.create_connection(("127.0.0.1", exporter.port), timeout=10) as link:
            link.sendall(junk)
            link.shutdown(socket.SHUT_WR)
            try:
                assert link.recv(100).startswith(b"HTTP/1.1 400 ")
            except ConnectionResetError:  # it did not read on
                assert len(junk) > 16_384

    assert exporter.get("/-/healthy")[0] == 200


def test_one_write_a_response(serve: Serve) -> None:
    """Headers and body together: 40 ms of waiting for an acknowledgement are not spent."""
    exporter, _ = serve()
    took = []
    for _ in range(20):
        began = time.monotonic()
        exporter.get("/-/healthy")
        took.append(time.monotonic() - began)

    assert sorted(took)[10] < 0.03


def test_a_connection_stays_for_more_requests(serve: Serve) -> None:
    """Also for two that come at once, and until the client wants no more."""
    exporter, lab = serve(KaspaNode())
    link = http.client.HTTPConnection("127.0.0.1", exporter.port, timeout=30)
    link.connect()
    opened = link.sock
    for path in ("/-/healthy", f"/probe?target={lab.targets[0]}", "/nowhere", "/metrics"):
        link.request("GET", path)
        link.getresponse().read()
        assert link.sock is opened
    two = b"GET /-/healthy HTTP/1.1\r\n\r\nGET /-/healthy HTTP/1.1\r\nConnection: close\r\n\r\n"
    opened.sendall(two)
    received = b""
    while data := opened.recv(4096):
        received += data
    link.close()

    assert received.count(b"HTTP/1.1 200 OK") == 2
    assert received.count(b"Connection: keep-alive") == received.count(b"Connection: close") == 1


def test_connections_that_stay_leave_room_for_others(serve: Serve) -> None:
    """However many are held open, a new client is answered."""
    exporter, _ = serve()
    held = []
    for _ in range(700):
        link = socket.create_connection(("127.0.0.1", exporter.port))
        link.sendall(b"GET /-/healthy HTTP/1.1\r\n\r\n")
        held.append(link)
    answers = [link.recv(4096) for link in held]

    assert all(answer.startswith(b"HTTP/1.1 200 OK") for answer in answers)
    assert 0 < sum(b"keep-alive" in answer for answer in answers) <= 500
    assert exporter.get("/-/healthy")[0] == 200
    for link in held:
        link.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--listen", "localhost:9712"), ("localhost:9712", "ADDRESS:PORT")),
        (("--listen", "127.0.0.1:99999"), ("99999",)),
        (("--nonsense",), ("--nonsense",)),
        (("bitcoin://a.example",), ("bitcoin://a.example",)),
    ],
)
def test_wrong_usage(program: Program, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    """One line, and 2."""
    assert_refused(program("serve", *arguments), 2, *words)


def test_a_port_that_is_taken(program: Program, serve: Serve, tmp_path: Path) -> None:
    """Is named."""
    exporter, _ = serve()

    done = program(
        "serve", "--config", str(tmp_path / "serve.toml"), "--listen", f"127.0.0.1:{exporter.port}"
    )

    assert_refused(done, 2, f"--listen 127.0.0.1:{exporter.port}", "in use")


def test_memory_is_of_nodes_not_of_queries(serve: Serve) -> None:
    """What scrapes leave behind is bounded by what can be asked for, and the port answers on."""
    exporter, lab = serve(KaspaNode())
    target = lab.targets[0]
    before = _resident_kib(exporter)
    for _ in range(300):
        exporter.probe(target)

    assert _resident_kib(exporter) - before < 8_000
    assert exporter.probe(target)["probe_success"] == 1


def _resident_kib(exporter: Exporter) -> int:
    status = Path(f"/proc/{exporter.process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+([0-9]+) kB", status)
    assert found is not None
    return int(found[1])


def test_true_time_is_the_consensus_not_the_local_clock(serve: Serve) -> None:
    """Read timestamps are of true time; in this lab it is the local clock's, to a second."""
    exporter, lab = serve(KaspaNode(behaviour.shifted(100)))

    found = exporter.probe(lab.targets[0])

    assert found["time_drift_node_seconds"] == 100
    assert abs(found["time_drift_node_last_read_timestamp_seconds"] * NS - time.time_ns()) < 9 * NS
