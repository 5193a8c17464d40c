"""The program with HTTPS sources in the lab: right when they are needed, patient with nobody."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from drift.config import parse
from drift.consensus import Answer
from drift.gather import gather
from lab.behaviour import Behaviour, honest, shifted, silent
from lab.https import HttpsServer, drip, with_header
from lab.ntp import NtpServer
from lab.roughtime import RoughtimeServer
from lab.world import Server
from sources.clock import NS, Clock
from tests.conftest import Program


class Lab:
    """A lab whose servers' clocks are this machine's plus an offset that tests change."""

    def __init__(self, directory: Path) -> None:
        self.ahead_ns = 0
        self.running = ExitStack()
        self.path = directory / "lab.toml"

    def time_unix_ns(self) -> int:
        return time.time_ns() + self.ahead_ns

    def ntp(self, operator: str, behaviour: Behaviour = honest) -> NtpServer:
        return NtpServer(operator, behaviour, time_unix_ns=self.time_unix_ns)

    def roughtime(self, operator: str) -> RoughtimeServer:
        return RoughtimeServer(operator, time_unix_ns=self.time_unix_ns)

    def https(self, operator: str, behaviour: Behaviour = honest) -> HttpsServer:
        return HttpsServer(operator, behaviour, time_unix_ns=self.time_unix_ns)

    def serve(self, *servers: Server, settings: str = "") -> str:
        """Run the servers until the end of the test; return the configuration's path."""
        for server in servers:
            self.running.enter_context(server)
        self.path.write_text("\n".join([settings, *(server.toml() for server in servers)]))
        return str(self.path)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Return a lab that stops serving when the test is over."""
    found = Lab(tmp_path)
    with found.running:
        yield found


def test_a_second_kind_confirms_what_ntp_says(program: Program, lab: Lab) -> None:
    """Two NTP and three HTTPS operators, two kinds wanted: the integer, and nothing on stderr."""
    lab.ahead_ns = 4 * NS
    path = lab.serve(
        lab.ntp("A"), lab.ntp("B"), *(lab.https(n) for n in "CDE"), settings="timeout = 5"
    )

    done = program("--config", path)

    assert (done.stdout, done.stderr, done.returncode) == ("-4\n", "", 0)


@pytest.mark.parametrize("roughtime", ["", "GHI"], ids=["without Roughtime", "with Roughtime"])
def test_all_kinds_at_a_hundred_random_drifts(lab: Lab, roughtime: str) -> None:
    """Three sources of each kind, the drift up to 0.4 s from an integer: 100 right of 100."""
    text = lab.serve(
        *(lab.ntp(n) for n in "ABC"),
        *(lab.https(n) for n in "DEF"),
        *(lab.roughtime(n) for n in roughtime),
    )
    config = parse(Path(text).read_text(), "the lab")
    clock = Clock()
    randomness = random.Random(3)  # noqa: S311 - a test that can be repeated
    for _ in range(100):
        drift_s = randomness.randint(-1000, 1000)
        lab.ahead_ns = round((-drift_s + randomness.uniform(-0.4, 0.4)) * NS)

        found = gather(config.sources, config.rule, clock.raw_ns() + 5 * NS, clock).decision

        assert isinstance(found, Answer), found
        assert found.drift_s == drift_s


def test_https_alone_is_right_in_the_default_time(lab: Lab, program: Program) -> None:
    """Three HTTPS sources, of a second each, tell 0.4 s from 0.6 s within the default timeout."""
    path = lab.serve(*(lab.https(n) for n in "ABC"))
    for ahead_s, printed in ((-7.4, 7), (-7.6, 8), (12.4, -12), (12.6, -13), (0.05, 0)):
        lab.ahead_ns = round(ahead_s * NS)

        done = program("--config", path)

        assert (done.stdout, done.stderr, done.returncode) == (f"{printed}\n", "", 0)


def test_servers_are_asked_rarely_and_over_one_connection(lab: Lab, program: Program) -> None:
    """However the drift lies, one server gets at most six requests, all over one connection."""
    servers = [lab.https(n) for n in "ABC"]
    path = lab.serve(*servers)
    for ahead_s in (0.0, 0.3, 0.5, 0.7):
        lab.ahead_ns = round(ahead_s * NS)

        assert program("--config", path, "--timeout", "6").returncode == 0

        assert all(1 < len(server.requests) <= 6 for server in servers), ahead_s
        assert all(server.connections == 1 for server in servers)
        for server in servers:
            server.requests.clear()
            server.connections = 0


def test_one_hung_https_server_does_not_make_the_others_coarse(lab: Lab, program: Program) -> None:
    """With a fourth server that never answers, the three others are refined in time."""
    path = lab.serve(*(lab.https(n) for n in "ABC"), lab.https("D", silent))
    lab.ahead_ns = round(5.4 * NS)

    done = program("--config", path)

    assert (done.stdout, done.stderr, done.returncode) == ("-5\n", "", 0)


@pytest.mark.parametrize("behaviour", [silent, drip(1)], ids=["silent", "a byte a second"])
def test_it_ends_by_its_timeout_whatever_https_does(
    lab: Lab, program: Program, behaviour: Behaviour
) -> None:
    """Servers that hang in mid-response cost the timeout and not more; the line names them."""
    path = lab.serve(*(lab.https(n, behaviour) for n in "ABC"), settings="timeout = 1.5")
    began = time.monotonic()

    done = program("--config", path)

    assert time.monotonic() - began < 1.8
    assert (done.stdout, done.returncode) == ("", 3)
    assert "https timeout: " in done.stderr


def test_a_liar_among_https_servers_is_named(lab: Lab, program: Program) -> None:
    """An HTTPS server an hour ahead is a falseticker, and outvoted."""
    servers = (*(lab.https(n) for n in "ABC"), lab.https("L", shifted(3600)))

    done = program("--config", lab.serve(*servers), "--json")

    verdicts = {
        s["operator"]: (s["verdict"], s["text"]) for s in json.loads(done.stdout)["sources"]
    }
    assert verdicts["L"][0] == "falseticker"
    assert json.loads(done.stdout)["drift_s"] == 0


def test_a_cached_date_is_no_vote(lab: Lab, program: Program) -> None:
    """Where all that comes is from caches there is no answer, and the line says stale and why."""
    cached = with_header("Age", "17", off_s=-17)

    done = program("--config", lab.serve(*(lab.https(n, cached) for n in "ABC")))

    assert (done.stdout, done.returncode) == ("", 3)
    assert "https stale: " in done.stderr
    assert "Age: 17" in done.stderr
