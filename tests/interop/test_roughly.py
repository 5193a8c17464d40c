"""The program against real servers of `roughly`, and its client against our lab server.

`make interop` puts `roughly` where these tests look for it; $TIME_DRIFT_ROUGHLY names another.
"""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Self

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lab import behaviour
from lab.behaviour import Behaviour, shifted
from lab.ntp import NtpServer
from lab.roughtime import (
    Manner,
    RoughtimeServer,
    roughenough_1_3,
    roughenough_2_0,
    roughenough_2026,
)
from lab.world import world
from sources.clock import NS
from sources.roughtime.wire_dialects import Framing, encode_request
from tests.conftest import ROOT, Program
from tests.support.servers.chrony import faked, free_port
from tests.support.servers.web import found, not_here

pytestmark = pytest.mark.interop

NAMED = os.environ.get("TIME_DRIFT_ROUGHLY")
"""Read before the tests' environment is scrubbed."""
YEAR_S = 365 * 86_400
"""faketime's year."""
WRONG_CLOCKS = [("-4s", -4), ("+10y", 10 * YEAR_S), ("-30y", -30 * YEAR_S)]


@pytest.fixture(scope="module")
def roughly() -> str:
    """Return the path of `roughly`; skip without it, fail in CI."""
    path = shutil.which(NAMED or ROOT / ".venv-interop" / "bin" / "roughly")
    if path is None:
        not_here("roughly is not installed")
    found("faketime")
    return path


@contextmanager
def served(roughly: str, operator: str, *options: str) -> Iterator[str]:
    """Run a server until the end of the block; yield the table that asks it."""
    port, key = free_port(), Ed25519PrivateKey.generate()
    secret = base64.b64encode(key.private_bytes_raw()).decode()
    public = key.public_key().public_bytes_raw()
    where = ["--host", "127.0.0.1", "--port", str(port), "--private-key", secret]
    process = subprocess.Popen(
        [roughly, "server", "run", *where, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_it_answers(port, public)
        yield (
            f'[[sources.roughtime]]\nhost = "127.0.0.1"\nport = {port}\n'
            f'operator = "{operator}"\npublic_key = "{base64.b64encode(public).decode()}"\n'
        )
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_until_it_answers(port: int, public_key: bytes) -> None:
    request = encode_request(Framing.IETF, bytes(32), public_key)
    for _ in range(200):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.settimeout(0.2)
            try:
                link.connect(("127.0.0.1", port))
                link.send(request)
                if link.recv(2000):
                    return
            except OSError:
                time.sleep(0.05)
    raise AssertionError(f"roughly on port {port} does not answer")


@contextmanager
def three(roughly: str, directory: Path, settings: str, *options: str) -> Iterator[str]:
    """Run three servers; yield the path of the configuration that asks them."""
    with ExitStack() as running:
        tables = [
            running.enter_context(served(roughly, name, *options))
            for name in ("alpha", "bravo", "charlie")
        ]
        path = directory / "config.toml"
        path.write_text("\n".join([settings, *tables]), encoding="utf-8")
        yield str(path)


@pytest.fixture(scope="module")
def honest(roughly: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run three servers that do not grease."""
    with three(roughly, tmp_path_factory.mktemp("honest"), "", "--no-grease") as config:
        yield config


@pytest.mark.parametrize(("offset", "true_s"), WRONG_CLOCKS)
def test_the_truth_is_in_every_certain_interval(
    program: Program, honest: str, offset: str, true_s: int
) -> None:
    """Whatever the clock says: each server proves an interval that the clock's error is in.

    And no wider than its radius, 3 s either way, and a round trip on loopback.
    """
    done = program("--config", honest, "--json", environ=faked(offset))

    said = json.loads(done.stdout)
    assert done.stderr == ""
    assert [source["verdict"] for source in said["sources"]] == ["agrees"] * 3
    for source in said["sources"]:
        low_ns, high_ns = source["certain_ns"]
        assert low_ns <= true_s * NS <= high_ns
        assert 6 * NS <= high_ns - low_ns < 6.5 * NS
        assert (source["kind"], source["authenticated"]) == ("roughtime", True)


@pytest.mark.parametrize(("offset", "true_s"), WRONG_CLOCKS)
def test_the_integer_is_within_one_of_the_truth(
    program: Program, honest: str, offset: str, true_s: int
) -> None:
    """Whole seconds cannot do better alone; nothing is on stderr."""
    done = program("--config", honest, environ=faked(offset))

    assert (done.stderr, done.returncode) == ("", 0)
    assert abs(int(done.stdout) - true_s) <= 1


def test_servers_that_grease_are_used(program: Program, roughly: str, tmp_path: Path) -> None:
    """Of replies 30 % are no good: with time to ask again, that keeps hardly anybody from use.

    Each server is asked four times before it is given up on: of 24 questions 0.2 fail on average.
    Nothing is kept from run to run, or one failure would be several: who is silent gets a rest.
    """
    grease = ("--grease-probability", "0.3")
    with three(roughly, tmp_path, 'timeout = 10\nstate = ""\n', *grease) as config:
        runs = [program("--config", config, "--json", environ=faked("-4s")) for _ in range(8)]

    said = [json.loads(done.stdout) for done in runs]
    words = [(each["verdict"], each["text"]) for run in said for each in run["sources"]]
    assert [word for word, _ in words].count("agrees") >= 21, words
    assert {run["drift_s"] for run in said} <= {-5, -4, -3, None}


class Gate:
    """Forwards to a server the requests that a release of another one would look at."""

    def __init__(self, looks_at: Callable[[bytes], bool], port: int) -> None:
        self._looks_at = looks_at
        self._behind = ("127.0.0.1", port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.refused = self.passed = 0
        self._thread = threading.Thread(target=self._forward, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=5)
        self._socket.close()

    def _forward(self) -> None:
        while True:
            try:
                request, client = self._socket.recvfrom(4096)
            except OSError:
                return
            if not client:
                return
            if not self._looks_at(request):
                self.refused += 1
                continue
            self.passed += 1
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link, suppress(OSError):
                link.settimeout(1)
                link.sendto(request, self._behind)
                self._socket.sendto(link.recv(4096), client)


@pytest.mark.parametrize(
    ("gate", "refused", "more_refused"),
    [(roughenough_1_3, 0, 1), (roughenough_2_0, 1, 0), (roughenough_2026, 0, 0)],
    ids=["roughenough 1.3.0-draft14", "roughenough 2.0.0-draft14", "roughenough of August 2026"],
)
def test_a_real_server_answers_behind_the_gate_of_each_release(
    program: Program,
    roughly: str,
    tmp_path: Path,
    gate: Callable[[bytes], bool],
    refused: int,
    more_refused: int,
) -> None:
    """In the first run, and in the next one: the version is remembered.

    The server behind the gate prefers version 1, which the oldest release does not take alone; the
    next offer is then answered as in the first run.
    """
    path = tmp_path / "config.toml"
    settings = f'timeout = 5\nstate = "{tmp_path}"\n[consensus]\nmin_operators = 1\n'
    with served(roughly, "alpha", "--no-grease") as table:
        port = int(re.findall(r"port = (\d+)", table)[0])
        with Gate(gate, port) as before:
            path.write_text(settings + table.replace(str(port), str(before.port)), "utf-8")
            first = program("--config", str(path), "--json")
            assert (before.refused, before.passed) == (refused, 1)
            second = program("--config", str(path), "--json")
            assert (before.refused, before.passed) == (refused + more_refused, 2)

    for done in (first, second):
        assert (done.stderr, done.returncode) == ("", 0)
        assert json.loads(done.stdout)["sources"][0]["verdict"] == "agrees"


def asked(roughly: str, server: RoughtimeServer) -> "subprocess.CompletedProcess[str]":
    """Ask a lab server by roughly's own client."""
    key = base64.b64encode(server.signer.public_key).decode()
    where = [server.address, str(server.port), key]
    return subprocess.run(
        [roughly, "query", "--terse", "--timeout", "5", *where],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize("version", [1, 0x8000000F, 0x8000000C, 0x8000000B, 0x80000008])
def test_its_client_believes_our_lab_server(roughly: str, version: int) -> None:
    """An independent client verifies what the lab signs, in each dialect that it offers."""
    with RoughtimeServer("Alpha", manner=Manner(versions=(version,))) as server:
        done = asked(roughly, server)

        assert len(server.requests) == 1
    assert done.stderr == ""
    assert abs(int(done.stdout) - time.time()) < 5


@pytest.mark.parametrize(
    "behave", [behaviour.silent, behaviour.only(b"ROUGHTIM")], ids=["silent", "junk"]
)
def test_its_client_can_says(roughly: str, behave: Behaviour) -> None:
    """The same client prints no time where there was none."""
    with RoughtimeServer("Alpha", behave) as server:
        done = asked(roughly, server)

    assert not done.stdout.strip().isdigit()


@pytest.mark.parametrize("off_s", [3600, -3600])
def test_its_checker_accepts_our_evidence(
    program: Program, roughly: str, tmp_path: Path, off_s: int
) -> None:
    """A liar ahead, and one behind: roughly finds the proof in our report, not in a broken one."""
    directory = tmp_path / "evidence"
    path = tmp_path / "config.toml"
    servers = [RoughtimeServer("A"), RoughtimeServer("B"), RoughtimeServer("L", shifted(off_s))]
    settings = f'evidence = "{directory}"\n'
    with world(*(NtpServer(n) for n in "CDE"), *servers, settings=settings) as lab:
        path.write_text(lab.toml, encoding="utf-8")
        done = program("--config", str(path))
    (report,) = directory.iterdir()
    broken = tmp_path / "broken.json"
    tree = json.loads(report.read_text(encoding="utf-8"))
    liars = bytearray(base64.b64decode(tree["responses"][2]["response"]))
    liars[-1] ^= 1
    tree["responses"][2]["response"] = base64.b64encode(liars).decode()
    broken.write_text(json.dumps(tree), encoding="utf-8")

    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)
    assert program("verify-evidence", str(report)).returncode == 0
    assert program("verify-evidence", str(broken)).returncode == 1
    assert checked_by(roughly, report) == "True"
    assert checked_by(roughly, broken) != "True"


def checked_by(roughly: str, report: Path) -> str:
    """Return what roughly's library says of a report."""
    code = (
        "import json, sys\n"
        "from roughly.ecosystem import confirm_malfeasance\n"
        "print(confirm_malfeasance(json.load(open(sys.argv[1]))['responses']))\n"
    )
    python = Path(roughly).parent / "python"
    done = subprocess.run(
        [python, "-c", code, str(report)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()
