"""What a clock can show."""

from collections.abc import Callable

import pytest

from nodes.wire.stamps import plausible
from sources.base import Malformed
from sources.clock import NS


@pytest.mark.parametrize("change", [-1, 1])
@pytest.mark.parametrize("edge", [-2_208_988_800 * NS, (1 << 63) - 1])
def test_what_a_clock_can_show(edge: int, change: int) -> None:
    """From 1900 to 2262, both ends among them."""
    outside = (change < 0) == (edge < 0)
    check: Callable[[], int] = lambda: plausible(edge + change)  # noqa: E731 - two uses

    assert plausible(edge) == edge
    if outside:
        says = "^a stamp that no clock can show: from 1900 to 2262 wanted$"
        with pytest.raises(Malformed, match=says):
            check()
    else:
        assert check() == edge + change
