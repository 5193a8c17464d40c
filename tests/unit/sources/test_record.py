"""Records: built whole or not at all, and unchangeable."""

import pytest

from sources.base import EPOCH_FLOOR_UNIX_NS, Implausible, Interval, TooWide, admit
from sources.record import Record
from tests.support.fakes import TRUE_UNIX_NS, a_sample


class Point(Record):
    """A record with a default."""

    x: int
    y: int = 7


def test_fields_are_given_by_place_or_by_name() -> None:
    """Both ways build the same record, and a default fills what is not given."""
    assert Point(1, 2) == Point(y=2, x=1) == Point(1, y=2)
    assert Point(1) == Point(1, 7)
    assert (Point(3).x, Point(3).y) == (3, 7)


@pytest.mark.parametrize(
    ("values", "named"), [((), {}), ((1, 2, 3), {}), ((1,), {"x": 1}), ((1,), {"z": 1})]
)
def test_every_field_gets_exactly_one_value(values: tuple[int, ...], named: dict[str, int]) -> None:
    """Too few, too many, doubled or unknown fields build nothing."""
    with pytest.raises(TypeError, match="Point has the fields x, y, each once"):
        Point(*values, **named)


def test_records_do_not_change() -> None:
    """A field cannot be assigned; `replaced` makes a copy and refuses unknown fields."""
    point = Point(1, 2)

    with pytest.raises(AttributeError):
        point.x = 5  # type: ignore[misc]
    assert point.replaced(y=3) == Point(1, 3)
    with pytest.raises(TypeError):
        point.replaced(z=3)


def test_the_repr_builds_it_again() -> None:
    """What is printed is what would be written."""
    assert repr(Point(1, 2)) == "Point(x=1, y=2)"


def test_an_interval_that_ends_before_it_begins_cannot_be_built() -> None:
    """Interval(5, 3) raises; a point is an interval."""
    with pytest.raises(ValueError, match="5 > 3"):
        Interval(5, 3)
    assert Interval(5, 5).width_ns == 0
    assert Interval(0, 5).meets(Interval(5, 9))
    assert not Interval(0, 5).meets(Interval(6, 9))


def test_a_likely_interval_outside_the_certain_one_is_a_bug_of_the_adapters() -> None:
    """The consensus relies on likely inside certain, so such a sample is not let through."""
    with pytest.raises(ValueError, match="is not inside certain"):
        admit(a_sample(0, 1, likely_s=(0.5, 1.5)), TRUE_UNIX_NS)


def test_too_wide_and_implausible_samples_are_not_admitted() -> None:
    """A likely interval over 2 s, or a claim of before the release, has no vote."""
    assert admit(a_sample(0, 2), EPOCH_FLOOR_UNIX_NS)
    with pytest.raises(TooWide, match=r"2\.100 s: at most 2 s"):
        admit(a_sample(0, 2.1), TRUE_UNIX_NS)
    with pytest.raises(Implausible, match="100 s before"):
        admit(a_sample(0, 1), EPOCH_FLOOR_UNIX_NS - 100_000_000_000)
