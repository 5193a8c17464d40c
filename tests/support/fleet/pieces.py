"""Bytes as they come from a network: cut anywhere."""

import itertools

from hypothesis import strategies as st

cuts = st.lists(st.integers(0, 10_000), max_size=5)


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return the same bytes, cut at these places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[begin:end] for begin, end in itertools.pairwise(places)]
