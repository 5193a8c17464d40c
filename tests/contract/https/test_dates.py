"""What a Date proves: its forms, a second of width, a lag, and the trip."""

import ssl
import time
from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from lab import behaviour
from lab.authority import DAY_S
from lab.behaviour import Behaviour, Honest, Reply
from lab.https import HttpsServer, dated, replaced, with_header, without_date
from sources.base import Implausible, Malformed
from sources.clock import NS
from tests.support.fakes import TRUE_UNIX_NS, a_run
from tests.support.sources.https import (
    FOREVER,
    HOUR_S,
    MS,
    SLACK_S,
    Asked,
    assert_holds_the_truth,
    sample_of,
    source_of,
)

YEAR_S = 365 * DAY_S


@pytest.mark.parametrize("off_s", [0, 0.75, HOUR_S, -7 * DAY_S, 40 * YEAR_S])
def test_a_date_is_believed_as_it_is(off_s: float) -> None:
    """Whatever the server's clock says is what its sample says: to outvote is not our business."""
    with HttpsServer("Alpha", behaviour.shifted(off_s), identity=FOREVER) as server:
        sample = sample_of(server)

    assert_holds_the_truth(sample, off_s)
    assert sample.certain.width_ns == NS + sample.rtt_ns
    assert sample.authenticated


def test_a_time_before_the_release_is_implausible() -> None:
    """A server that is stuck in the past proves nothing, its certificate being as old as it."""
    with (
        HttpsServer("Alpha", behaviour.shifted(-5 * YEAR_S), identity=FOREVER) as server,
        pytest.raises(Implausible, match="before the earliest possible one"),
    ):
        sample_of(server)


@pytest.mark.parametrize(
    "form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
)
def test_all_three_forms_are_read(form: str) -> None:
    """IMF-fixdate, RFC 850 and asctime are Dates; each means the second that it names."""
    date_unix_s = TRUE_UNIX_NS // NS
    text = datetime.fromtimestamp(date_unix_s, UTC).strftime(form)

    with HttpsServer("Alpha", dated(text), identity=FOREVER) as server:
        assert Asked(source_of(server)).says(date_unix_s)


@pytest.mark.parametrize(
    ("behave", "says"),
    [
        (without_date, "no Date headers"),
        (dated(""), "Date '': none of the three forms"),
        (dated("now"), "Date 'now': none of the three forms"),
        (dated("Sun, 22 Nov 2026 19:01:56 +0000"), "none of the three forms"),
        (dated("Mon, 22 Nov 2026 19:01:56 GMT"), "that day is a Sunday"),
        (dated("Sun, 22 Nov 2026 24:01:56 GMT"), "hour must be in"),
        (with_header("Date", "Sun, 22 Nov 2026 19:01:56 GMT"), "2 Date headers"),
    ],
)
def test_what_is_no_date_is_malformed(behave: Behaviour, says: str) -> None:
    """Without one valid Date a response proves nothing."""
    with (
        HttpsServer("Alpha", behave, identity=FOREVER) as server,
        pytest.raises(Malformed, match=says),
    ):
        sample_of(server)


@pytest.mark.parametrize("status", [b"200 OK", b"404 Not Found", b"405 No", b"503 Later"])
def test_any_status_will_do(status: bytes) -> None:
    """The Date of a refusal is as good as any."""
    with HttpsServer("Alpha", replaced(b"204 No Content", status)) as server:
        sample = sample_of(server)

    assert_holds_the_truth(sample)


def test_an_interim_response_is_not_the_response() -> None:
    """What goes before the final response, a Date of its own included, is passed over."""

    def hinting(reply: Honest) -> Iterable[Reply]:
        hint = reply(-HOUR_S * NS).replace(b"204 No Content", b"103 Early Hints")
        return [Reply(hint + reply(0))]

    with HttpsServer("Alpha", hinting) as server:
        sample = sample_of(server)

    assert_holds_the_truth(sample)


def test_a_lag_that_is_allowed_widens_the_low_end() -> None:
    """date_lag widens the certain interval by itself, and leaves the likely one alone."""
    with HttpsServer("Alpha") as server:
        sample = source_of(server, date_lag_ns=600 * MS).sample(a_run())

    assert sample.likely.low_ns - sample.certain.low_ns == 600 * MS
    assert sample.likely.high_ns == sample.certain.high_ns
    assert sample.likely.width_ns == NS + sample.rtt_ns


def test_the_trip_begins_before_the_first_byte_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is held up in the middle of sending may have been heard already: that time counts too."""
    send = ssl.SSLSocket.sendall

    def send_and_dawdle(link: ssl.SSLSocket, data: bytes, *rest: int) -> None:
        send(link, data, *rest)
        if data.startswith(b"HEAD"):
            time.sleep(0.1)

    monkeypatch.setattr(ssl.SSLSocket, "sendall", send_and_dawdle)
    with HttpsServer("Alpha") as server:
        sample = sample_of(server)

    assert sample.rtt_ns >= 100 * MS
    assert_holds_the_truth(sample)


def test_the_trip_ends_when_the_response_is_here() -> None:
    """A server that takes its time is waited for, and the wait is in the interval."""
    with HttpsServer("Alpha", behaviour.late(0.1)) as server:
        sample = sample_of(server)

    assert 100 * MS <= sample.rtt_ns < 100 * MS + SLACK_S * NS
    assert sample.certain.width_ns == NS + sample.rtt_ns
    assert_holds_the_truth(sample)
