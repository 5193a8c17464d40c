"""The load of a fleet, as --check-config prints it, and the warnings."""

import re

import pytest

from drift.config import parse
from drift.wording.load import Fleet, load, number_text, span_text

NIST = '[[sources.ntp]]\nhost = "time.nist.gov"\noperator = "NIST"\n'
LAN = '[[sources.ntp]]\nhost = "192.0.2.1"\noperator = "Ours"\n'
NEAR = '[[sources.ntp]]\nhost = "time.apple.com"\noperator = "Near"\n'
GITHUB = '[[sources.https]]\nurl = "https://api.github.com/"\noperator = "GitHub"\n'
CONFIG = parse("[consensus]\nmin_kinds = 1\n" + NIST + LAN + NEAR + GITHUB, "here")


def warnings(nodes: int, every_s: int, *, behind: bool) -> list[str]:
    lines = load(CONFIG, Fleet(nodes, every_s, behind)).splitlines()
    return [line for line in lines if line.startswith(("warning:", "note:"))]


def test_rates_are_per_minute_and_second() -> None:
    """400 nodes with one query a minute each are 6.67 a second; a total stands below."""
    lines = load(CONFIG, Fleet(400, 60, True)).splitlines()

    assert lines[0] == "400 nodes, behind one address, every 1m: queries a minute"
    assert [re.split("  +", line.strip()) for line in lines[2:7]] == [
        ["NIST", "ntp", "400", "(6.67)", "800", "(13.3)", "15 from one address"],
        ["Ours", "ntp", "400", "(6.67)", "800", "(13.3)", "not known here"],
        ["Near", "ntp", "400", "(6.67)", "800", "(13.3)", "none published"],
        ["GitHub", "https", "0", "(0)", "2,400", "(40)", "1 from one address"],
        ["all", "1,200", "(20)", "4,800", "(80)"],
    ]


@pytest.mark.parametrize(("nodes", "every_s", "warned"), [(15, 60, 0), (16, 60, 1), (75, 300, 0)])
def test_a_limit_of_an_address_is_for_all_behind_it(nodes: int, every_s: int, warned: int) -> None:
    """One query in 4 s: fifteen nodes a minute keep that, sixteen do not."""
    found = warnings(nodes, every_s, behind=True)

    assert len([line for line in found if line.startswith("warning: NIST")]) == warned


def test_nodes_with_addresses_of_their_own_are_clients_of_their_own() -> None:
    """Ten thousand of them each keep what one keeps."""
    assert not [line for line in warnings(10_000, 60, behind=False) if "NIST" in line]


def test_a_warning_says_what_would_keep_the_limit() -> None:
    """With the source of the limit, and how seldom the nodes would have to ask."""
    (warning, note) = warnings(400, 60, behind=True)

    assert "gets 400 a minute from one address; published are 15 (tf.nist.gov" in warning
    assert warning.endswith("kept from --every 27m on")
    assert not [line for line in warnings(400, 27 * 60, behind=True) if line[:4] == "warn"]
    assert [line for line in warnings(400, 26 * 60, behind=True) if line[:4] == "warn"]
    assert note.startswith("note: at worst GitHub")


def test_what_no_pace_can_keep_is_to_be_left_out() -> None:
    """A day is the longest span between runs."""
    (warning, _) = warnings(100_000, 60, behind=True)

    assert warning.endswith("so many nodes cannot ask it: leave it out")


def test_it_says_when_the_others_are_needed_in_every_run() -> None:
    """Those asked at once cannot decide: HTTPS has its usual rate, and the reason stands there."""
    config = parse(LAN + GITHUB, "here")

    assert "cannot decide alone" in load(config, Fleet(1, 60, False))
    assert "cannot decide alone" not in load(CONFIG, Fleet(1, 60, False))


@pytest.mark.parametrize(
    ("seconds", "text"), [(60, "1m"), (90, "90s"), (3600, "1h"), (86_400, "1d"), (5400, "90m")]
)
def test_spans_are_those_of_the_option(seconds: int, text: str) -> None:
    """The largest unit that leaves no rest."""
    assert span_text(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.2777, "0.278"), (13.33, "13.3"), (166.7, "167"), (1e4, "10,000")],
)
def test_numbers_have_three_digits(number: float, text: str) -> None:
    """Or are whole."""
    assert number_text(number) == text
