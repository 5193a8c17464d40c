"""Whose clock a node of Bitcoin's family shows, by its user agent alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.wire.bitcoin_software import judge
from sources.clock import NS

MINUTES_5 = 300 * NS


@pytest.mark.parametrize(
    ("agent", "verdict", "grain_ns"),
    [
        ("/Satoshi:29.0.0/", "", NS),
        ("/Satoshi:23.0.0/", "", NS),
        ("/Satoshi:23/", "", NS),
        ("/Satoshi:22.99.0/", "adjusted", NS),
        ("/Satoshi:22.0.0/", "adjusted", NS),
        ("/Satoshi:0.21.1(bitcore)/", "adjusted", NS),
        ("/Satoshi:27.1.0/Knots:20240801/", "", NS),
        ("/Satoshi:0.20.0/Knots:29/", "adjusted", NS),
        ("/LitecoinCore:0.21.2.1/", "adjusted", NS),
        ("/LitecoinCore:0.21.2.2(some comment)/", "adjusted", NS),
        ("/Shibetoshi:1.14.9/", "adjusted", NS),
        ("/Bitcoin Cash Node:28.0.1(EB32.0)/", "adjusted", NS),
        ("/Bitcoin ABC:0.31.0(EB32.0)/", "", NS),
        ("/Bitcoin ABC:0.26.13(EB32.0)/", "adjusted", NS),
        ("/MagicBean:6.2.0/", "", NS),
        ("/MagicBean:2.1.1-1/", "adjusted", NS),
        ("/Zebra:5.1.0/", "coarse", MINUTES_5),
        ("/btcwire:0.5.0/btcd:0.24.2/", "", NS),
        ("/Dash Core:21.0.0/", "unknown software", NS),
        ("/bcoin:2.2.0/", "unknown software", NS),
        ("", "unknown software", NS),
        ("Satoshi:29.0.0", "unknown software", NS),
        ("/NotSatoshi:29.0.0/", "unknown software", NS),
        ("/Satoshi/", "unknown software", NS),
        ("/x(/Satoshi:29.0/)/", "", NS),
    ],
)
def test_the_verdict_of_an_agent(agent: str, verdict: str, grain_ns: int) -> None:
    """By name and version; the worst element decides, and what nobody has read is unknown."""
    claim = judge(agent)

    assert (claim.verdict, claim.grain_ns) == (verdict, grain_ns)
    assert bool(claim.note) == bool(verdict)


@pytest.mark.parametrize(
    ("agent", "note"),
    [
        ("/Satoshi:22.0.0/", "Satoshi 22.0.0 does not show its own wall clock"),
        ("/Zebra:v5.1.0/", "Zebra rounds its clock down to 300 s"),
        ("/Zebra:5/Satoshi:22.1/", "Satoshi 22.1 does not show its own wall clock"),
        ("/Satoshi:29.0/Zebra:5/x:1/", "Zebra rounds its clock down to 300 s"),
        ("/x:1/", "whether it shows its wall clock is not known"),
        ("/Satoshi:29.0/x:1/", ""),
    ],
)
def test_the_note_of_an_agent(agent: str, note: str) -> None:
    """Of the element that decides, by its name, and by its version where that matters."""
    assert judge(agent).note == note


names = st.sampled_from(["Satoshi", "Zebra", "x"])
elements = st.builds("/{}:{}({})".format, names, st.text("0123456789.", max_size=30), st.text())


@given(st.text() | st.lists(elements, max_size=4).map("".join))
def test_any_text_has_a_verdict(agent: str) -> None:
    """However long its numbers are."""
    judge(agent)
    judge(f"/Satoshi:{'9' * 10_000}.{agent}/")
