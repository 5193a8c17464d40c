"""What an NTP reply proves, and every way in which it proves nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.base import (
    EPOCH_FLOOR_UNIX_NS,
    Implausible,
    Interval,
    Malformed,
    Refused,
    Sample,
    SourceError,
    TooWide,
    Unsynchronised,
)
from sources.clock import NS
from sources.ntp import proof as ntp_proof
from sources.ntp import wire as ntp
from tests.support.fakes import TRUE_UNIX_NS, FakeSource, a_sample

MS = 1_000_000
SENT_RAW_NS = 5000 * NS
RECEIVED_RAW_NS = SENT_RAW_NS + 10 * MS
SERVER = ntp.Packet(
    mode=ntp.SERVER,
    stratum=2,
    precision=-20,
    receive=ntp.stamp_of(TRUE_UNIX_NS + 4 * MS),
    transmit=ntp.stamp_of(TRUE_UNIX_NS + 6 * MS),
)
"""Received 4 ms after we sent, if the true time of our sending was TRUE_UNIX_NS; held 2 ms."""


def test_the_interval_holds_the_truth_and_is_as_wide_as_the_trip() -> None:
    """With a 10 ms trip of which the server held 2 the interval is 8 ms wide around the truth."""
    proof = ntp_proof.prove(SERVER, SENT_RAW_NS, RECEIVED_RAW_NS)
    true_drift_ns = SENT_RAW_NS - TRUE_UNIX_NS

    assert proof.interval.low_ns <= true_drift_ns <= proof.interval.high_ns
    assert abs(proof.rtt_ns - 8 * MS) <= 2
    assert abs(proof.interval.width_ns - 8 * MS - 2 * 954) <= 4


def test_a_proof_by_hand() -> None:
    """E is .25 + .25 + .25 s; earliest is t2 - E, latest t3 + E, and the drift as in RFC 5905."""
    reply = SERVER.replaced(
        root_delay=1 << 15,
        root_dispersion=1 << 14,
        precision=-2,
        receive=ntp.stamp_of(TRUE_UNIX_NS + 250 * MS),
        transmit=ntp.stamp_of(TRUE_UNIX_NS + 500 * MS),
    )
    drift_ns = SENT_RAW_NS - TRUE_UNIX_NS

    assert ntp_proof.prove(reply, SENT_RAW_NS, SENT_RAW_NS + NS) == ntp_proof.Proof(
        interval=Interval(drift_ns - 1000 * MS, drift_ns + 1250 * MS),
        rtt_ns=750 * MS,
        earliest_unix_ns=TRUE_UNIX_NS - 500 * MS,
        latest_unix_ns=TRUE_UNIX_NS + 1250 * MS,
        detail="stratum 2, root distance 750.000 ms",
    )


def test_a_server_may_err_about_its_holding_by_all_that_it_admits() -> None:
    """It held .75 s of a trip of .25 s and admits .25 s at both ends: one drift is left, in no
    time; a nanosecond less of a trip leaves none.
    """
    reply = SERVER.replaced(
        precision=-2,
        receive=ntp.stamp_of(TRUE_UNIX_NS),
        transmit=ntp.stamp_of(TRUE_UNIX_NS + 750 * MS),
    )

    proof = ntp_proof.prove(reply, SENT_RAW_NS, SENT_RAW_NS + 250 * MS)

    drift_ns = SENT_RAW_NS - TRUE_UNIX_NS - 250 * MS
    assert proof.interval == Interval(drift_ns, drift_ns)
    assert proof.rtt_ns == 0
    with pytest.raises(Malformed):
        ntp_proof.prove(reply, SENT_RAW_NS, SENT_RAW_NS + 250 * MS - 1)


def test_what_the_server_admits_widens_both_sides() -> None:
    """Half the root delay and the whole root dispersion are added to either side."""
    sharp = ntp_proof.prove(SERVER, SENT_RAW_NS, RECEIVED_RAW_NS).interval
    vague = ntp_proof.prove(
        SERVER.replaced(root_delay=1 << 14, root_dispersion=1 << 13), SENT_RAW_NS, RECEIVED_RAW_NS
    ).interval

    assert sharp.low_ns - vague.low_ns == vague.high_ns - sharp.high_ns == NS // 4


@given(
    drift_ns=st.integers(-(100 * 365 * 86_400 * NS), 100 * 365 * 86_400 * NS),
    true_ns=st.integers(EPOCH_FLOOR_UNIX_NS, EPOCH_FLOOR_UNIX_NS + 130 * 365 * 86_400 * NS),
    there_ns=st.integers(0, NS),
    held_ns=st.integers(0, NS),
    back_ns=st.integers(0, NS),
)
def test_an_honest_server_is_always_right(
    drift_ns: int, true_ns: int, there_ns: int, held_ns: int, back_ns: int
) -> None:
    """Whatever the local clock, the era and the path, the interval holds the true drift."""
    reply = SERVER.replaced(
        receive=ntp.stamp_of(true_ns + there_ns),
        transmit=ntp.stamp_of(true_ns + there_ns + held_ns),
    )
    sent_raw_ns = true_ns + drift_ns
    received_raw_ns = sent_raw_ns + there_ns + held_ns + back_ns

    proof = ntp_proof.prove(reply, sent_raw_ns, received_raw_ns)

    assert proof.interval.low_ns <= drift_ns <= proof.interval.high_ns


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"mode": 3}, Malformed, "mode 3: 4"),
        ({"mode": 5}, Malformed, "mode 5: 4"),
        ({"version": 2}, Malformed, "version 2: 3 or 4"),
        ({"version": 5}, Malformed, "version 5: 3 or 4"),
        ({"stratum": 0, "reference_id": b"RATE"}, Refused, "kiss-o'-death RATE"),
        ({"stratum": 0, "reference_id": b"DENY", "leap": 3}, Refused, "kiss-o'-death DENY"),
        ({"stratum": 0, "reference_id": b"INIT", "leap": 3}, Unsynchronised, "code INIT"),
        ({"stratum": 0, "reference_id": b"STEP", "leap": 3}, Unsynchronised, "code STEP"),
        ({"stratum": 0}, Unsynchronised, "^stratum 0 without a kiss code"),
        ({"stratum": 0, "reference_id": b"\0NO "}, Unsynchronised, "^stratum 0 without a kiss"),
        ({"stratum": 0, "reference_id": b"R\xc4TE"}, Unsynchronised, "^stratum 0 without a kiss"),
        ({"stratum": 0, "reference_id": b"\x1b[2J"}, Unsynchronised, "without a kiss code"),
        ({"leap": 3}, Unsynchronised, "^leap indicator 3: the server's clock is not set$"),
        ({"stratum": 16}, Unsynchronised, "stratum 16: 1 to 15"),
        ({"stratum": 255}, Unsynchronised, "stratum 255: 1 to 15"),
        ({"precision": -33}, Malformed, r"precision 2\^-33 s: 2\^-32 or more wanted"),
        ({"root_delay": 3 << 16}, TooWide, r"root distance of 1\.500 s: at most 1 s"),
        ({"root_dispersion": (1 << 16) + 1}, TooWide, r"root distance of 1\.000 s"),
        ({"receive": 0, "transmit": 0}, Malformed, "^receive timestamp 0: "),
        ({"receive": 0}, Malformed, "^receive timestamp 0: the server does not know the time$"),
        ({"transmit": 0}, Malformed, "^transmit timestamp 0: the server does not know the time$"),
        (
            {"reference": ntp.stamp_of(TRUE_UNIX_NS + 3600 * NS)},
            Malformed,
            r"^reference timestamp 3599\.994 s after the transmit timestamp$",
        ),
        (
            {"transmit": ntp.stamp_of(TRUE_UNIX_NS + 3 * MS)},
            Malformed,
            r"^transmitted 0\.001000 s before it received$",
        ),
        (
            {"transmit": ntp.stamp_of(TRUE_UNIX_NS + 40 * MS)},
            Malformed,
            r"^held the request 0\.036000 s of a 0\.010000 s trip$",
        ),
    ],
)
def test_one_wrong_field_has_its_own_error(
    change: dict[str, object], error: type[SourceError], says: str | None
) -> None:
    """A valid reply with one thing changed fails with the error and the words for that thing."""
    with pytest.raises(error, match=says):
        ntp_proof.prove(SERVER.replaced(**change), SENT_RAW_NS, RECEIVED_RAW_NS)


@pytest.mark.parametrize(
    ("reference_id", "code"), [(b"RATE", "RATE"), (b"DENY", "DENY"), (b"AUX\0", "AUX")]
)
def test_a_refusal_has_its_code(reference_id: bytes, code: str) -> None:
    """What asks for rest is known by it; zeros that fill up a shorter one are not part of it."""
    with pytest.raises(Refused) as caught:
        ntp_proof.prove(
            SERVER.replaced(stratum=0, reference_id=reference_id), SENT_RAW_NS, RECEIVED_RAW_NS
        )

    assert caught.value.code == code


def test_a_sample_says_whose_it_is_and_what_was_proven() -> None:
    """It has the proof's interval twice, and names the server; an old time is refused."""
    source = FakeSource("Alpha", lambda _: a_sample(0, 1))
    proof = ntp_proof.prove(SERVER, SENT_RAW_NS, RECEIVED_RAW_NS)

    sample = ntp_proof.sampled(source, proof, "192.0.2.1", authenticated=True)

    assert sample == Sample(
        operator="Alpha",
        kind="ntp",
        authenticated=True,
        certain=proof.interval,
        likely=proof.interval,
        rtt_ns=proof.rtt_ns,
        server="192.0.2.1",
        detail=proof.detail,
    )
    old = proof.replaced(latest_unix_ns=EPOCH_FLOOR_UNIX_NS - 1)
    with pytest.raises(Implausible):
        ntp_proof.sampled(source, old, "192.0.2.1", authenticated=True)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        # A Windows domain controller as it is shipped: W32Time admits 10 s of dispersion.
        (
            {"root_dispersion": 10 << 16, "precision": -6},
            "root distance of 10.016 s: at most 1 s wanted "
            "(root delay 0.000 s / 2, root dispersion 10.000 s, precision 2^-6 s)",
        ),
        # Firmware that fills in zeros: 2^0 s.
        (
            {"precision": 0},
            "root distance of 1.000 s: at most 1 s wanted "
            "(root delay 0.000 s / 2, root dispersion 0.000 s, precision 2^0 s)",
        ),
        (
            {"precision": 3, "root_delay": 1 << 16},
            "root distance of 8.500 s: at most 1 s wanted "
            "(root delay 1.000 s / 2, root dispersion 0.000 s, precision 2^3 s)",
        ),
    ],
)
def test_what_makes_a_reply_too_wide_is_said_part_by_part(
    change: dict[str, object], says: str
) -> None:
    """An operator has to know which of the three values to mend."""
    with pytest.raises(TooWide) as caught:
        ntp_proof.prove(SERVER.replaced(**change), SENT_RAW_NS, RECEIVED_RAW_NS)

    assert str(caught.value) == says


@pytest.mark.parametrize(
    "change",
    [
        {"reference": 0},
        {"reference": ntp.stamp_of(TRUE_UNIX_NS - 86_400 * NS)},
        {"reference": ntp.stamp_of(TRUE_UNIX_NS + 6 * MS + NS // 2)},
        {"reference": ntp.stamp_of(TRUE_UNIX_NS + 6 * MS + NS)},
        {"reference_id": bytes(4), "stratum": 3},
        {"precision": -32},
        {"poll": 255},
        {"poll": 0},
    ],
)
def test_a_value_that_the_proof_does_not_need_may_be_unknown(change: dict[str, object]) -> None:
    """Simple servers leave some fields zero, and chrony blurs the last bits of its stamps."""
    ntp_proof.prove(SERVER.replaced(**change), SENT_RAW_NS, RECEIVED_RAW_NS)


def test_a_root_distance_of_one_second_is_allowed() -> None:
    """Half a second by the precision, half by the dispersion; one unit more is too wide."""
    widest = SERVER.replaced(precision=-1, root_dispersion=1 << 15)

    proof = ntp_proof.prove(widest, SENT_RAW_NS, RECEIVED_RAW_NS)

    assert proof.detail == "stratum 2, root distance 1000.000 ms"
    with pytest.raises(TooWide):
        ntp_proof.prove(
            widest.replaced(root_dispersion=(1 << 15) + 1), SENT_RAW_NS, RECEIVED_RAW_NS
        )


@pytest.mark.parametrize("stratum", [1, 15])
@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("leap", [0, 1, 2])
def test_the_allowed_bounds_are_allowed(stratum: int, version: int, leap: int) -> None:
    """Stratum 1 to 15, version 3 or 4 and announced leap seconds are good replies."""
    reply = SERVER.replaced(stratum=stratum, version=version, leap=leap)

    assert f"stratum {stratum}" in ntp_proof.prove(reply, SENT_RAW_NS, RECEIVED_RAW_NS).detail


def test_a_server_that_says_1970_is_taken_to_mean_2106() -> None:
    """NTP cannot say "1970": its stamps are read from the floor on, so consensus outvotes it."""
    reply = SERVER.replaced(receive=ntp.stamp_of(0), transmit=ntp.stamp_of(0))

    proof = ntp_proof.prove(reply, SENT_RAW_NS, RECEIVED_RAW_NS)

    assert proof.latest_unix_ns > EPOCH_FLOOR_UNIX_NS + 75 * 365 * 86_400 * NS


def test_a_server_that_says_1900_is_taken_to_mean_2036() -> None:
    """NTP cannot say "1900": its stamps are read from the floor on, so consensus outvotes it.

    The very first stamp of an era means that the time is not known (RFC 5905 section 6).
    """
    reply = SERVER.replaced(receive=1, transmit=1)

    proof = ntp_proof.prove(reply, SENT_RAW_NS, RECEIVED_RAW_NS)

    assert proof.latest_unix_ns > EPOCH_FLOOR_UNIX_NS + 9 * 365 * 86_400 * NS


@given(st.binary(min_size=48, max_size=48), st.integers(0, 3 * NS))
def test_any_packet_proves_something_or_fails_by_name(data: bytes, trip_ns: int) -> None:
    """Arbitrary packets end in a proof or in one of our errors, never in anything else."""
    try:
        proof = ntp_proof.prove(ntp.decode(data), SENT_RAW_NS, SENT_RAW_NS + trip_ns)
    except SourceError as error:
        assert str(error)
    else:
        assert 0 <= proof.rtt_ns <= trip_ns
