"""--splay: each machine waits a time of its own, and always the same."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.run.splay import machine, own_share_ns, share_ns, wait
from sources.clock import NS, Clock
from tests.support.fakes import Elapsed

MACHINES, BINS = 10_000, 50


@given(st.binary(max_size=64), st.integers(1, 3600 * NS))
def test_a_share_is_of_the_span_and_of_the_machine(name: bytes, span_ns: int) -> None:
    """It is below the span, not negative, and the next time the same."""
    assert 0 <= share_ns(name, span_ns) < span_ns
    assert share_ns(name, span_ns) == share_ns(name, span_ns)


def test_machines_are_spread_evenly() -> None:
    """Of 10,000 machines each fiftieth of the span has its fiftieth, within five sigma."""
    bins = [0] * BINS
    for number in range(MACHINES):
        bins[share_ns(b"%032x" % number, BINS)] += 1

    even = MACHINES / BINS
    assert max(abs(found - even) for found in bins) < 5 * even**0.5


def test_the_id_is_hashed_with_a_name_of_ours() -> None:
    """machine-id(5): it is not to be seen, and others' hashes of it are not to be like ours."""
    from hashlib import sha256

    bare = int.from_bytes(sha256(b"0123").digest()[:8]) * 10**18 >> 64

    assert share_ns(b"0123", 10**18) != bare


@pytest.mark.parametrize("text", ["", "\n", "uninitialized\n", None])
def test_a_machine_without_an_id_has_its_name(tmp_path: Path, text: str | None) -> None:
    """As in containers, and in images before their first start."""
    path = tmp_path / "machine-id"
    if text is not None:
        path.write_text(text, encoding="ascii")

    import os

    assert machine(str(path)) == os.uname().nodename.encode()


def test_an_id_is_taken_without_its_newline(tmp_path: Path) -> None:
    """Copied or typed, it is the same machine."""
    path = tmp_path / "machine-id"
    path.write_text("b08dfa6083e7567a1921a715000001fb\n", encoding="ascii")

    assert machine(str(path)) == b"b08dfa6083e7567a1921a715000001fb"


def test_the_wait_is_over_when_it_says_so() -> None:
    """No sooner, and not much later than the share of this machine."""
    clock = Clock()
    began_raw_ns = clock.raw_ns()
    with Elapsed() as took:
        over_raw_ns = wait(NS // 2, clock)

    assert over_raw_ns - began_raw_ns >= own_share_ns(NS // 2)
    assert took.s < 0.5 + 0.5
