"""What is asked of whom: headers, query, host, addresses; no proxy, redirect or cookie."""

from collections.abc import Iterable

import pytest

from drift.config import parse
from lab.behaviour import Honest, Reply
from lab.https import HttpsServer, Identity, redirect, with_header
from sources.base import Unreachable
from sources.https.source import HttpsSource
from tests.support.fakes import a_run
from tests.support.sources.https import World, assert_holds_the_truth, sample_of, source_of


def headers_in(request: bytes) -> dict[str, str]:
    lines = request.decode().split("\r\n")[1:]
    pairs = [line.split(": ", 1) for line in lines]
    assert len({name.lower() for name, _ in pairs}) == len(pairs), "a header was sent twice"
    return {name.lower(): value for name, value in pairs}


def test_the_request_asks_for_nothing_but_a_fresh_date() -> None:
    """HEAD, no body, no cache, no compression; and no word of who asks but the program's name."""
    with HttpsServer("Alpha") as server:
        sample_of(server)

    (request,) = server.requests
    assert request.startswith(b"HEAD /?time-drift=")
    headers = headers_in(request)
    assert headers.pop("accept") == "*/*"
    assert headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "time-drift",
        "accept-encoding": "identity",
        "cache-control": "no-cache, no-store",
        "pragma": "no-cache",
        "connection": "keep-alive",
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "/?time-drift="),
        ("/", "/?time-drift="),
        ("/a/b.txt", "/a/b.txt?time-drift="),
        ("/?", "/?&time-drift="),
        ("?x", "/?x&time-drift="),
        ("/a?x=1&y=%20z", "/a?x=1&y=%20z&time-drift="),
    ],
)
def test_the_query_is_kept_and_made_unique(path: str, expected: str) -> None:
    """What is configured is asked for, with 64 random bits at the end of its query."""
    with HttpsServer("Alpha") as server:
        source = source_of(server, path)
        source.sample(a_run(random_bytes=lambda count: bytes(range(0xA0, 0xA0 + count))))

    target = server.requests[0].split(b" ")[1].decode()
    assert target == f"{expected}a0a1a2a3a4a5a6a7"


def test_no_two_requests_are_the_same() -> None:
    """A cache can have no answer to what was never asked before, in one run or in two."""
    with HttpsServer("Alpha") as server:
        source = source_of(server)
        for _ in range(4):
            source.sample(a_run())

    assert len({request.split(b" ")[1] for request in server.requests}) == 4


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("time.lab.test", "time.lab.test"),
        ("TIME.Lab.Test.", "time.lab.test"),
        ("b\u00fccher.test", "xn--bcher-kva.test"),
    ],
)
def test_the_host_is_named_by_its_name(host: str, expected: str) -> None:
    """A configured name is what the server is reported, without a final dot, and the port."""
    with HttpsServer("Alpha", identity=Identity((expected,))) as server:
        source_of(server, host=host).sample(a_run())

    assert headers_in(server.requests[0])["host"] == f"{expected}:{server.port}"


def test_an_ipv6_host_is_bracketed() -> None:
    """A literal address stands in brackets, as in the URL."""
    with HttpsServer("Alpha", address="::1") as server:
        sample = sample_of(server)

    assert headers_in(server.requests[0])["host"] == f"[::1]:{server.port}"
    assert sample.server == "::1"


def test_the_next_address_is_asked_when_one_refuses() -> None:
    """Of several addresses a closed one costs nothing; the one that answered is named."""
    with HttpsServer("Alpha", address="127.0.0.2", identity=Identity(("a.test",))) as server:
        source = HttpsSource(
            f"https://a.test:{server.port}/",
            "Alpha",
            ("127.0.0.1", "127.0.0.2"),
            server._authority.ca_file,
            0,
            (),
        )
        assert source.sample(a_run()).server == "127.0.0.2"


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else's clock, or cache, is not asked, whatever is set."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:1")

    with HttpsServer("Alpha") as server:
        assert sample_of(server).server == "127.0.0.1"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    """The Date of a redirect is the server's own; whom it names is not asked."""
    with HttpsServer("Bravo") as other:

        def elsewhere(reply: Honest) -> Iterable[Reply]:
            (away,) = redirect(f"https://127.0.0.1:{other.port}/")(reply)
            return [Reply(away.data.replace(b" 302 ", f" {status} ".encode()))]

        with HttpsServer("Alpha", elsewhere) as server:
            sample = sample_of(server)

    assert_holds_the_truth(sample)
    assert len(server.requests) == 1
    assert other.connections == 0


@pytest.mark.parametrize(
    "location", ["::", "http://[::1", "http://xn--a", "//\u2100/", "mailto:a", "\x01", "/\x7f"]
)
def test_where_a_redirect_leads_does_not_matter(location: str) -> None:
    """A Location that is no URL does not make the Date beside it any worse."""
    with HttpsServer("Alpha", redirect(location)) as server:
        sample = sample_of(server)

    assert_holds_the_truth(sample)


def test_cookies_are_not_kept(world: World) -> None:
    """What a server sets is not sent back with the next request."""
    with world.server(world.far_away(with_header("Set-Cookie", "who=you; Path=/"))) as server:
        samples = world.conversation(source_of(server), world.truth_ns)

    assert len(samples) == 6
    assert not any(b"cookie" in request.lower() for request in server.requests)


@pytest.mark.parametrize("host", ["xn--ls8h.example", "xn--a", "xn--zzzzzzzz999999", "256.1.1.1"])
def test_a_name_that_no_registry_takes_is_unreachable(host: str) -> None:
    """What IDNA rejects, or no name can be, is reported as what it is, and does not end the run."""
    table = f'[[sources.https]]\nurl = "https://{host}:9/"\naddresses = ["127.0.0.1"]\n'
    (source,) = parse(table, "the test").sources

    with pytest.raises(Unreachable):
        source.sample(a_run())
