"""Certificates are judged by the time that their own server claims, both ends included."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.base import Unverified
from sources.clock import NS
from sources.net.validity import Validity, judge
from tests.support.fakes import TRUE_UNIX_NS

DAY_S = 86_400
NOW_S = TRUE_UNIX_NS // NS
LEAF = Validity("time.lab.test", NOW_S - 60 * DAY_S, NOW_S + 30 * DAY_S)
MIDDLE = Validity("Lab Intermediate", NOW_S - 400 * DAY_S, NOW_S + 400 * DAY_S)
ROOT = Validity("Lab Root", NOW_S - 4000 * DAY_S, NOW_S + 4000 * DAY_S)
CHAIN = (LEAF, MIDDLE, ROOT)
LAST = TRUE_UNIX_NS + 30 * DAY_S * NS
"""The last instant at which LEAF, and so the CHAIN, is valid."""
FIRST = TRUE_UNIX_NS - 60 * DAY_S * NS


def test_a_valid_chain_passes() -> None:
    """Nothing is raised where every certificate is valid all the time that is claimed."""
    judge(CHAIN, TRUE_UNIX_NS, TRUE_UNIX_NS + NS)


def test_no_certificates_pass() -> None:
    """Whether there is a chain is not decided here."""
    judge([], TRUE_UNIX_NS, TRUE_UNIX_NS)


@pytest.mark.parametrize("instant_ns", [FIRST, LAST])
def test_the_ends_are_valid(instant_ns: int) -> None:
    """notBefore and notAfter themselves are inside (RFC 5280 section 4.1.2.5)."""
    judge(CHAIN, instant_ns, instant_ns)


@pytest.mark.parametrize("instant_ns", [FIRST - 1, LAST + 1])
def test_a_nanosecond_beyond_an_end_is_not(instant_ns: int) -> None:
    """Before notBefore and after notAfter the certificate does not hold."""
    with pytest.raises(Unverified):
        judge(CHAIN, instant_ns, instant_ns)


@pytest.mark.parametrize(
    ("earliest_ns", "latest_ns"),
    [(LAST - NS, LAST + NS), (LAST, LAST + NS), (FIRST - NS, FIRST + NS), (FIRST - NS, FIRST)],
)
def test_one_valid_instant_of_the_claim_is_enough(earliest_ns: int, latest_ns: int) -> None:
    """A claim is an interval; the certificate may expire or begin inside it, or at its end."""
    judge(CHAIN, earliest_ns, latest_ns)


@pytest.mark.parametrize("wrong", [0, 1, 2])
@pytest.mark.parametrize(
    ("shift_s", "says"),
    [
        (-3600, "expired 3600 s before the time the server claims"),
        (-10 * DAY_S, "expired 10 days before the time the server claims"),
        (-2 * DAY_S, "expired 2 days before"),
        (1 - 2 * DAY_S, "expired 172799 s before"),
        (3600, "is not valid until 3600 s after the time the server claims"),
        (10 * DAY_S, "is not valid until 10 days after the time the server claims"),
    ],
)
def test_the_certificate_to_blame_is_named(wrong: int, shift_s: int, says: str) -> None:
    """Whichever of the chain does not hold is named by its subject, and by how much it misses."""
    begins_s, ends_s = (NOW_S - DAY_S, NOW_S) if shift_s < 0 else (NOW_S, NOW_S + DAY_S)
    chain = list(CHAIN)
    chain[wrong] = Validity("The Culprit", begins_s + shift_s, ends_s + shift_s)

    with pytest.raises(Unverified, match=f"^certificate 'The Culprit' {re.escape(says)}"):
        judge(chain, TRUE_UNIX_NS, TRUE_UNIX_NS)


def test_the_span_is_counted_from_the_nearer_end_of_the_claim() -> None:
    """Expired is counted to the earliest claimed time, not yet valid from the latest."""
    expired = Validity("Old", NOW_S - DAY_S, NOW_S - 5)
    to_come = Validity("New", NOW_S + 15, NOW_S + DAY_S)

    with pytest.raises(Unverified, match="expired 5 s before"):
        judge([expired], TRUE_UNIX_NS, TRUE_UNIX_NS + 10 * NS)
    with pytest.raises(Unverified, match="not valid until 5 s after"):
        judge([to_come], TRUE_UNIX_NS, TRUE_UNIX_NS + 10 * NS)


def test_each_may_be_valid_and_the_chain_not() -> None:
    """Two certificates that are valid at either end of the claim are never valid together; it is
    the second of them, of whichever kind, that shows it.
    """
    early = Validity("Early", NOW_S - DAY_S, NOW_S + 2)
    late = Validity("Late", NOW_S + 3, NOW_S + DAY_S)

    for chain in ([early, late], [late, early]):
        with pytest.raises(Unverified) as error:
            judge(chain, TRUE_UNIX_NS, TRUE_UNIX_NS + 10 * NS)
        assert str(error.value) == (
            f"certificate {chain[1].subject!r} is not valid together with the rest of its chain "
            "at the time the server claims"
        )


def test_valid_at_an_end_of_the_claim_alone_is_neither_expired_nor_to_come() -> None:
    """Who is valid at one instant of the claim fails the rest of the chain, not the claim."""
    until = Validity("Until", NOW_S - DAY_S, NOW_S)
    since = Validity("Since", NOW_S + 10, NOW_S + DAY_S)

    for chain in ([until, since], [since, until]):
        with pytest.raises(Unverified, match="is not valid together with the rest of its chain"):
            judge(chain, TRUE_UNIX_NS, TRUE_UNIX_NS + 10 * NS)


def test_a_certificate_that_ends_before_it_begins_is_never_valid() -> None:
    """Dates in the wrong order hold no instant, whatever the claim."""
    inverted = Validity("Inverted", NOW_S + 1, NOW_S)

    with pytest.raises(Unverified, match="Inverted"):
        judge([inverted], TRUE_UNIX_NS - 10 * NS, TRUE_UNIX_NS + 10 * NS)


def test_a_subject_is_shown_quoted() -> None:
    """What a certificate is called is another's text: nothing unprintable of it is passed on."""
    with pytest.raises(Unverified) as error:
        judge([Validity("a\x1b[2J\nb", 0, 1)], TRUE_UNIX_NS, TRUE_UNIX_NS)

    assert str(error.value).isprintable()


seconds = st.integers(-6, 6)
windows = st.builds(Validity, st.sampled_from("abc"), seconds, seconds)
halves = st.integers(-12, 12)


@given(st.lists(windows, max_size=4), halves, halves)
def test_what_is_refused_has_no_common_instant(chain: list[Validity], one: int, other: int) -> None:
    """It raises if, and only if, no instant of the claim lies in every certificate's window."""
    earliest_ns, latest_ns = min(one, other) * NS // 2, max(one, other) * NS // 2
    common = [
        instant_ns
        for instant_ns in range(earliest_ns, latest_ns + 1, NS // 2)
        if all(
            window.not_before_unix_s * NS <= instant_ns <= window.not_after_unix_s * NS
            for window in chain
        )
    ]

    try:
        judge(chain, earliest_ns, latest_ns)
    except Unverified:
        assert not common
    else:
        assert common
