"""What one NTP exchange proves: a reply and two local stamps in, an interval out. Pure.

Plain NTP and NTS share it. With t1, t4 the local times of sending and receiving, t2, t3 the
server's, and E its own admitted error (root delay / 2 + root dispersion + precision, RFC 5905
section 11.2), the drift local - true is inside [t1 - t2 - E, t4 - t3 + E].

A reply may hold values that stand for no value (decision D-61): each one that the proof rests on
is a failure here, before the vote; those that it does not need are not looked at.
"""

from sources.base import (
    EPOCH_FLOOR_UNIX_NS,
    Interval,
    Malformed,
    Refused,
    Sample,
    Source,
    TooWide,
    Unsynchronised,
    admit,
)
from sources.clock import NS
from sources.ntp import wire as ntp
from sources.record import Record

_VERSIONS = (3, 4)
"""Version 3 servers answer a version 4 request in kind; the fields read here are the same."""
_UNSYNCHRONISED_STRATUM = 16
_UNSYNCHRONISED_CODES = ("INIT", "STEP")
"""Kiss codes that do not refuse but say "not set yet" (RFC 5905 figure 13)."""
_UNKNOWN = 0
"""Of a timestamp: "unknown or unsynchronized time" (RFC 5905 section 6), not the year 2036."""
_LEAST_PRECISION = -32
"""What a timestamp can resolve (RFC 5905 section 6); chrony says -30 at most, ntpd -29."""
_WIDEST_ERROR_NS = NS
_MOST_AHEAD_NS = NS
"""How far the reference timestamp may be after the transmit timestamp: servers blur last bits."""


class Proof(Record):
    """What one exchange proves."""

    interval: Interval
    """Of raw - true; holds it if the server is honest about its own error."""
    rtt_ns: int
    """Round trip less the time the server held the request."""
    earliest_unix_ns: int
    """Earliest true time that the claim allows at the moment of the server's receiving."""
    latest_unix_ns: int
    """Latest true time that the claim allows at the moment of the server's sending."""
    detail: str
    """Stratum and root distance, for people."""


def prove(reply: ntp.Packet, sent_raw_ns: int, received_raw_ns: int) -> Proof:
    """Return what the reply proves, or raise the SourceError that says why it proves nothing.

    The caller has matched the reply's origin to a request sent at `sent_raw_ns`: only then is a
    kiss-o'-death or a stratum worth believing.
    """
    _check_server(reply)
    error_ns = _admitted_error_ns(reply)
    _check_stamps(reply)
    held_ns = ntp.elapsed_ns(reply.receive, reply.transmit)
    if held_ns < 0:
        raise Malformed(f"transmitted {-held_ns / NS:.6f} s before it received")
    received_unix_ns = ntp.unix_ns(reply.receive, EPOCH_FLOOR_UNIX_NS)
    sent_unix_ns = received_unix_ns + held_ns
    low_ns = sent_raw_ns - received_unix_ns - error_ns
    high_ns = received_raw_ns - sent_unix_ns + error_ns
    if low_ns > high_ns:
        round_trip_s = (received_raw_ns - sent_raw_ns) / NS
        raise Malformed(f"held the request {held_ns / NS:.6f} s of a {round_trip_s:.6f} s trip")
    return Proof(
        Interval(low_ns, high_ns),
        # A server may err by E about how long it held the request; a trip takes no less than none.
        max(0, received_raw_ns - sent_raw_ns - held_ns),
        received_unix_ns - error_ns,
        sent_unix_ns + error_ns,
        f"stratum {reply.stratum}, root distance {error_ns / 1e6:.3f} ms",
    )


def sampled(source: Source, proof: Proof, server: str, *, authenticated: bool) -> Sample:
    """Return what a server's proof is for the vote; raise what `admit` does."""
    sample = Sample(
        operator=source.operator,
        kind=source.kind,
        authenticated=authenticated,
        certain=proof.interval,
        likely=proof.interval,
        rtt_ns=proof.rtt_ns,
        server=server,
        detail=proof.detail,
    )
    return admit(sample, proof.latest_unix_ns)


def _check_server(reply: ntp.Packet) -> None:
    """Raise unless a server with a set clock speaks."""
    if reply.mode != ntp.SERVER:
        raise Malformed(f"mode {reply.mode}: {ntp.SERVER} (server) wanted")
    if reply.version not in _VERSIONS:
        raise Malformed(f"version {reply.version}: 3 or 4 wanted")
    if reply.stratum == 0:
        _raise_kiss(reply.reference_id)
    if reply.leap == ntp.LEAP_ALARM:
        raise Unsynchronised("leap indicator 3: the server's clock is not set")
    if reply.stratum >= _UNSYNCHRONISED_STRATUM:
        raise Unsynchronised(f"stratum {reply.stratum}: 1 to 15 wanted")


def _raise_kiss(reference_id: bytes) -> None:
    """Raise what stratum 0 means: its reference id is a kiss code (RFC 5905 section 7.4)."""
    code = reference_id.rstrip(b"\0").decode("ascii", "replace")
    if not (code.isascii() and code.isalnum()):
        raise Unsynchronised("stratum 0 without a kiss code: the server's clock is not set")
    if code in _UNSYNCHRONISED_CODES:
        raise Unsynchronised(f"stratum 0, code {code}: the server's clock is not set yet")
    raise Refused(f"kiss-o'-death {code}", code)


def _check_stamps(reply: ntp.Packet) -> None:
    """Raise Malformed unless both stamps of the proof are there and after the reference timestamp.

    A reference timestamp of 0 is that of a server that does not say it; one that is later than the
    transmit timestamp is invalid (RFC 5905 appendix A.5.1.1).
    """
    for name, stamp in (("receive", reply.receive), ("transmit", reply.transmit)):
        if stamp == _UNKNOWN:
            raise Malformed(f"{name} timestamp 0: the server does not know the time")
    ahead_ns = ntp.elapsed_ns(reply.transmit, reply.reference)
    if reply.reference != _UNKNOWN and ahead_ns > _MOST_AHEAD_NS:
        raise Malformed(f"reference timestamp {ahead_ns / NS:.3f} s after the transmit timestamp")


def _admitted_error_ns(reply: ntp.Packet) -> int:
    """Return E, rounded up; raise TooWide if it is more than 1 s, or is 1 s by the precision."""
    if reply.precision < _LEAST_PRECISION:
        raise Malformed(f"precision 2^{reply.precision} s: 2^{_LEAST_PRECISION} or more wanted")
    delay_ns, dispersion_ns = ntp.span_ns(reply.root_delay), ntp.span_ns(reply.root_dispersion)
    error_ns = -(-delay_ns // 2) + dispersion_ns + ntp.precision_ns(reply.precision)
    if error_ns > _WIDEST_ERROR_NS or reply.precision >= 0:
        raise TooWide(
            f"root distance of {error_ns / NS:.3f} s: at most 1 s wanted "
            f"(root delay {delay_ns / NS:.3f} s / 2, root dispersion {dispersion_ns / NS:.3f} s, "
            f"precision 2^{reply.precision} s)"
        )
    return error_ns
