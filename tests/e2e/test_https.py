"""The program with HTTPS sources in the lab: right when they are needed, patient with nobody."""

import json
import random
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from drift.config import parse
from drift.consensus.rule import Answer, NoAnswer
from drift.run.gather import Gathered, gather
from lab.behaviour import Behaviour, Honest, Reply, honest, in_turn, late, shifted, silent
from lab.https import HttpsServer, drip, replaced, reset, with_body, with_header
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

    def https(self, operator: str, behaviour: Behaviour = honest, **options: Any) -> HttpsServer:
        return HttpsServer(operator, behaviour, time_unix_ns=self.time_unix_ns, **options)

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
    """Three HTTPS sources, a second each, distinguish 0.4 s from 0.6 s in the default timeout."""
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


# Bytes that nobody asked for. A right integer or a refusal, whatever they are.

BODY = b"<h1>404 Not Found</h1>"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNKS = b"16\r\n" + BODY + b"\r\n0\r\n\r\n"
LENGTH = b"Content-Length: 22\r\n"


def twice_at(delay_s: float | None) -> Behaviour:
    """Answer, and once more: behind it, or so much later."""

    def behave(reply: Honest) -> Iterable[Reply]:
        return [Reply(reply(0) * 2)] if delay_s is None else [Reply(reply(0)), again(reply)]

    def again(reply: Honest) -> Reply:
        return Reply(reply(0), delay_s or 0)

    return behave


def hinting(reply: Honest) -> Iterable[Reply]:
    hint = reply(-3600 * NS).replace(b"204 No Content", b"103 Early Hints")
    return [Reply(hint * 3 + reply(0))]


UNASKED: dict[str, tuple[Behaviour, dict[str, Any]]] = {
    "a body with its length": (with_body(BODY, LENGTH), {}),
    "a body of its own record": (with_body(BODY, LENGTH, 0), {}),
    "a body 20 ms later": (with_body(BODY, LENGTH, 0.02), {}),
    "a body 0.2 s later": (with_body(BODY, LENGTH, 0.2), {}),
    "a body without a length": (with_body(BODY), {}),
    "a body of line ends": (with_body(b"\r\n\r\n", b"Content-Length: 4\r\n"), {}),
    "a body that is a response": (
        with_body(b"HTTP/1.1 200 OK\r\nDate: Sun, 22 Nov 2026 19:01:56 GMT\r\n\r\n"),
        {},
    ),
    "chunks": (with_body(CHUNKS, CHUNKED), {}),
    "chunks announced": (with_body(b"", CHUNKED), {}),
    "a length announced": (with_body(b"", LENGTH), {}),
    "Connection: close": (with_header("Connection", "close"), {"patience_s": 0}),
    "Connection: close, but open": (with_header("Connection", "close"), {}),
    "HTTP/1.0": (replaced(b"HTTP/1.1", b"HTTP/1.0"), {"patience_s": 0}),
    "HTTP/1.0 kept alive": (
        replaced(b"HTTP/1.1 204 No Content", b"HTTP/1.0 200 OK\r\nConnection: keep-alive"),
        {},
    ),
    "closed after each answer": (honest, {"patience_s": 0}),
    "closed after 50 ms": (honest, {"patience_s": 0.05}),
    "closed after 0.3 s": (honest, {"patience_s": 0.3}),
    "interim responses": (hinting, {}),
    "the response twice": (twice_at(None), {}),
    "the response once more after 50 ms": (twice_at(0.05), {}),
    "the response once more after half a second": (twice_at(0.5), {}),
    "20 ms away": (late(0.02), {"patience_s": 0}),
}


class MisledClock(Clock):
    """This machine's clock, 6.55 s ahead of a lab whose second has just begun.

    What a first reply of HTTPS leaves possible is 5.65 to 6.65 s then, and its middle is wrong.
    """

    def __init__(self, lab: Lab) -> None:
        lab.ahead_ns = NS // 10 - time.time_ns() % NS
        self._ahead_ns = lab.ahead_ns + 6_550_000_000

    def wall_ns(self) -> int:
        return super().wall_ns() + self._ahead_ns


def measured(lab: Lab, *servers: Server) -> Gathered:
    """Return what comes of asking these servers by a clock that is 7 s ahead, rounded."""
    config = parse(Path(lab.serve(*servers)).read_text(), "the lab")
    clock = MisledClock(lab)
    return gather(config.sources, config.rule, clock.raw_ns() + 5 * NS // 2, clock)


def is_right(found: Gathered) -> bool:
    return isinstance(found.decision, Answer) and found.decision.drift_s == 7


@pytest.mark.parametrize("case", UNASKED)
def test_what_was_not_asked_for_bends_no_integer(lab: Lab, case: str) -> None:
    """Bodies after HEAD, second responses, connections that close: the integer is right, and a
    second response to one request a failure by name, since nobody knows which one is the answer.
    """
    behaviour, options = UNASKED[case]

    found = measured(lab, *(lab.https(n, behaviour, **options) for n in "ABC"))

    twice = "response" in case
    assert is_right(found) or (twice and isinstance(found.decision, NoAnswer)), found


def test_an_integer_that_could_not_be_refined_is_not_printed(lab: Lab, program: Program) -> None:
    """Servers that reset the connection when asked again: a refusal that says so in each format."""
    lab.ahead_ns = -NS // 2 - time.time_ns() % NS  # a second that has just begun leaves two
    path = lab.serve(*(lab.https(n, in_turn(honest, reset)) for n in "ABC"))

    done = program("--config", path)

    assert (done.stdout, done.returncode) == ("", 3)
    assert "no answer: too coarse: " in done.stderr
    assert "s possible, asking again failed: unreachable: 127.0.0.1: " in done.stderr
    assert "needed one integer; 3 of 3 sources answered" in done.stderr


def test_ntp_answers_whatever_becomes_of_asking_https_again(lab: Lab, program: Program) -> None:
    """Two NTP operators of three carry the integer; -v says what became of the third."""
    servers = lab.ntp("A"), lab.ntp("B"), lab.https("C", in_turn(honest, reset))

    done = program("--config", lab.serve(*servers), "-v")

    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert "asking again failed: unreachable: " in done.stderr


def unasked(delay_s: float) -> Behaviour:
    """Send what is true when it is sent, so long after the connection was made."""

    def behave(reply: Honest) -> Iterable[Reply]:
        threading.Event().wait(delay_s)
        return [Reply(reply(0))]

    return behave


@pytest.mark.parametrize("behaviour", [honest, silent, late(0.3)], ids=["too", "only", "later"])
@pytest.mark.parametrize("delay_s", [0, 0.001, 0.3])
def test_a_response_before_the_request_is_no_answer(
    lab: Lab, behaviour: Behaviour, delay_s: float
) -> None:
    """Servers that send a response right after the handshake, unasked: right, or a refusal."""
    found = measured(lab, *(lab.https(n, behaviour, greeting=unasked(delay_s)) for n in "ABC"))

    assert is_right(found) or isinstance(found.decision, NoAnswer)
