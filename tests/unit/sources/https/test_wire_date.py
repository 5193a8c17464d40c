"""The Date header: its three forms read, one of them written, and everything else refused."""

import email.utils
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sources.base import EPOCH_FLOOR_UNIX_NS, Malformed
from sources.clock import NS
from sources.https import wire_date as http_date

EXAMPLE_UNIX_S = 784_111_777
"""1994-11-06 08:49:37, the time of the examples in RFC 9110 section 5.6.7."""
LAST_UNIX_S = 253_402_300_799
"""9999-12-31 23:59:59."""
LAST_SHORT_YEAR = datetime.fromtimestamp(EPOCH_FLOOR_UNIX_NS // NS, UTC).year + 50
"""The latest year that two digits can mean."""

times = st.integers(0, LAST_UNIX_S)
short_year_times = st.integers(
    int(datetime(LAST_SHORT_YEAR - 99, 1, 1, tzinfo=UTC).timestamp()),
    int(datetime(LAST_SHORT_YEAR + 1, 1, 1, tzinfo=UTC).timestamp()) - 1,
)


def rfc_850(unix_s: int) -> str:
    """Return a time in the obsolete form of RFC 850, by the standard library."""
    return datetime.fromtimestamp(unix_s, UTC).strftime("%A, %d-%b-%y %H:%M:%S GMT")


def asctime(unix_s: int) -> str:
    """Return a time in the form of ANSI C, by the standard library; the year of four digits."""
    before, _, year = time.asctime(time.gmtime(unix_s)).rpartition(" ")
    return f"{before} {year:0>4}"


def test_the_three_examples_of_the_rfc_are_one_time() -> None:
    """The examples of RFC 9110 section 5.6.7, one of each form, mean the same second."""
    assert http_date.decode("Sun, 06 Nov 1994 08:49:37 GMT") == EXAMPLE_UNIX_S
    assert http_date.decode("Sunday, 06-Nov-94 08:49:37 GMT") == EXAMPLE_UNIX_S
    assert http_date.decode("Sun Nov  6 08:49:37 1994") == EXAMPLE_UNIX_S


def test_the_example_of_the_rfc_is_what_is_written() -> None:
    """Of the three forms the one to send is written."""
    assert http_date.encode(EXAMPLE_UNIX_S) == "Sun, 06 Nov 1994 08:49:37 GMT"


def test_a_year_is_written_in_four_digits() -> None:
    """Year 1 is 0001, or it could not be read again."""
    assert http_date.encode(-62_135_596_800) == "Mon, 01 Jan 0001 00:00:00 GMT"


@given(times)
def test_what_is_written_is_read_again(unix_s: int) -> None:
    """Every second of the years 1970 to 9999 survives the way to text and back."""
    assert http_date.decode(http_date.encode(unix_s)) == unix_s


@given(times)
def test_what_is_written_is_what_the_standard_library_writes(unix_s: int) -> None:
    """The text is the same, letter by letter, as that of another implementation."""
    assert http_date.encode(unix_s) == email.utils.formatdate(unix_s, usegmt=True)


@given(times)
def test_the_form_of_ansi_c_is_read(unix_s: int) -> None:
    """asctime() of every second is read as that second, the day padded by a blank."""
    assert http_date.decode(asctime(unix_s)) == unix_s


@given(short_year_times)
def test_the_form_of_rfc_850_is_read_within_its_hundred_years(unix_s: int) -> None:
    """Two digits mean the one year with them that is 50 years after the release at the latest."""
    assert http_date.decode(rfc_850(unix_s)) == unix_s


def test_two_digits_turn_back_a_century_after_fifty_years() -> None:
    """The last second of the fiftieth year after the release is ahead, the next is long ago."""
    ahead, behind = str(LAST_SHORT_YEAR)[2:], str(LAST_SHORT_YEAR + 1)[2:]
    last_day = datetime(LAST_SHORT_YEAR, 12, 31, 23, 59, 59, tzinfo=UTC)
    first_day = datetime(LAST_SHORT_YEAR - 99, 1, 1, tzinfo=UTC)

    last = http_date.decode(f"{last_day:%A}, 31-Dec-{ahead} 23:59:59 GMT")
    first = http_date.decode(f"{first_day:%A}, 01-Jan-{behind} 00:00:00 GMT")

    assert (last, first) == (last_day.timestamp(), first_day.timestamp())


def test_the_weekday_of_the_other_century_is_refused() -> None:
    """The first day of the fifty-first year, named rightly, is a wrong day of 99 years before."""
    year = LAST_SHORT_YEAR + 1
    day = datetime(year, 1, 1, tzinfo=UTC)
    assert f"{day:%A}" != f"{datetime(year - 100, 1, 1, tzinfo=UTC):%A}", "the test shows nothing"

    with pytest.raises(Malformed, match="that day is a "):
        http_date.decode(f"{day:%A}, 01-Jan-{year % 100:02} 00:00:00 GMT")


@pytest.mark.parametrize(
    "text",
    [
        "Sat, 31 Dec 2016 23:59:60 GMT",
        "Saturday, 31-Dec-16 23:59:60 GMT",
        "Sat Dec 31 23:59:60 2016",
    ],
)
def test_a_leap_second_is_the_second_after_it(text: str) -> None:
    """23:59:60 is to Unix time the same as the midnight that follows."""
    midnight = int(datetime(2017, 1, 1, tzinfo=UTC).timestamp())

    assert http_date.decode(text) == midnight


def test_years_before_1970_are_read() -> None:
    """A server may claim 1969, or year 1: that is implausible, but not malformed."""
    assert http_date.decode("Wed, 31 Dec 1969 23:59:59 GMT") == -1
    assert http_date.decode("Mon, 01 Jan 0001 00:00:00 GMT") == -62_135_596_800


NO_FORM = "none of the three forms"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", NO_FORM),
        (" ", NO_FORM),
        ("0", NO_FORM),
        ("784111777", NO_FORM),
        ("1994-11-06T08:49:37Z", NO_FORM),
        ("Sun, 06 Nov 1994 08:49:37", NO_FORM),
        ("Sun, 06 Nov 1994 08:49 GMT", NO_FORM),
        ("Sun, 06 Nov 1994 08:49:37 UTC", NO_FORM),
        ("Sun, 06 Nov 1994 08:49:37 +0000", NO_FORM),
        ("Sun, 06 Nov 1994 08:49:37 gmt", NO_FORM),
        ("Sun, 06 Nov 1994 08:49:37.0 GMT", NO_FORM),
        ("Sun, 06 Nov 1994 08:49:37 GMT ", NO_FORM),
        ("Sun, 06 Nov 1994 08:49:37 GMT\n", NO_FORM),
        ("Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", NO_FORM),
        (" Sun, 06 Nov 1994 08:49:37 GMT", NO_FORM),
        ("Sun,  06 Nov 1994 08:49:37 GMT", NO_FORM),
        ("Sun, 06 Nov 1994  08:49:37 GMT", NO_FORM),
        ("Sun,\t06 Nov 1994 08:49:37 GMT", NO_FORM),
        ("Sun,06 Nov 1994 08:49:37 GMT", NO_FORM),
        ("Sun 06 Nov 1994 08:49:37 GMT", NO_FORM),
        ("sun, 06 nov 1994 08:49:37 GMT", NO_FORM),
        ("SUN, 06 NOV 1994 08:49:37 GMT", NO_FORM),
        ("Son, 06 Nov 1994 08:49:37 GMT", NO_FORM),
        ("Sun, 06 Okt 1994 08:49:37 GMT", NO_FORM),
        ("Sunday, 06 Nov 1994 08:49:37 GMT", NO_FORM),
        ("Sun, 6 Nov 1994 08:49:37 GMT", NO_FORM),
        ("Sun,  6 Nov 1994 08:49:37 GMT", NO_FORM),
        ("Sun, 06 Nov 94 08:49:37 GMT", NO_FORM),
        ("Sun, 06 Nov 19940 08:49:37 GMT", NO_FORM),
        ("Sun, 06 Nov -994 08:49:37 GMT", NO_FORM),
        ("Sun, 06 Nov 1994 8:49:37 GMT", NO_FORM),
        ("Sun, 06-Nov-94 08:49:37 GMT", NO_FORM),
        ("Sunday, 06-Nov-1994 08:49:37 GMT", NO_FORM),
        ("Sunday, 06-Nov-94 08:49:37", NO_FORM),
        ("Sun Nov 6 08:49:37 1994", NO_FORM),
        ("Sun Nov  6 08:49:37 1994 GMT", NO_FORM),
        ("Sun Nov  6 08:49:37 94", NO_FORM),
        ("Sun, \u0660\u0666 Nov 1994 08:49:37 GMT", NO_FORM),
        ("Sun, 06 Nov 1994 08:49:3\uff17 GMT", NO_FORM),
        ("Sun, 06\u00a0Nov 1994 08:49:37 GMT", NO_FORM),
        ("Mon, 06 Nov 1994 08:49:37 GMT", "that day is a Sunday"),
        ("Monday, 06-Nov-94 08:49:37 GMT", "that day is a Sunday"),
        ("Mon Nov  6 08:49:37 1994", "that day is a Sunday"),
        ("Thu, 31 Feb 1994 08:49:37 GMT", "day is out of range for month"),
        ("Tue, 29 Feb 2100 08:49:37 GMT", "day is out of range for month"),
        ("Sun, 00 Nov 1994 08:49:37 GMT", "day is out of range for month"),
        ("Sun, 32 Dec 1994 08:49:37 GMT", "day is out of range for month"),
        ("Sun, 06 Nov 1994 24:00:00 GMT", "hour must be in"),
        ("Sun, 06 Nov 1994 08:60:00 GMT", "minute must be in"),
        ("Sun, 06 Nov 1994 08:49:60 GMT", "second 60 is there at 23:59:60 only"),
        ("Sat, 31 Dec 2016 22:59:60 GMT", "second 60 is there at 23:59:60 only"),
        ("Sun, 01 Jan 0000 00:00:00 GMT", "year 0 is out of range"),
        ("Sun, 06 Nov 1994 08:49:61 GMT", "second must be in"),
        ("Sat, 01 Jan 0000 00:00:00 GMT", "year 0 is out of range"),
    ],
)
def test_bad_input_is_malformed_and_shown(text: str, says: str) -> None:
    """Whatever is no date is refused with what was found, quoted, and what is wrong with it."""
    with pytest.raises(Malformed, match=says) as error:
        http_date.decode(text)

    assert str(error.value).startswith(f"Date {text!r}: ")


@pytest.mark.parametrize("write", [http_date.encode, rfc_850, asctime])
def test_a_digit_is_one_of_ascii(write: Callable[[int], str]) -> None:
    """Digits of other scripts, which int() would read, are none here, wherever they stand."""
    text = write(EXAMPLE_UNIX_S)
    for place, letter in enumerate(text):
        if letter.isdigit():
            foreign = chr(ord("\uff10") + int(letter))
            with pytest.raises(Malformed, match=NO_FORM):
                http_date.decode(text[:place] + foreign + text[place + 1 :])


@pytest.mark.parametrize(
    ("length", "shown"), [(60, "x" * 60), (61, "x" * 57 + "..."), (10_000, "x" * 57 + "...")]
)
def test_sixty_characters_are_shown(length: int, shown: str) -> None:
    """Of what is longer the last three are dots."""
    with pytest.raises(Malformed) as error:
        http_date.decode("x" * length)

    assert str(error.value) == f"Date '{shown}': none of the three forms of RFC 9110"


@pytest.mark.parametrize("unit", ["x", "\x00", "\x1b[2J", "Sun, 06 Nov 1994 08:49:37 GMT"])
def test_junk_is_shortened(unit: str) -> None:
    """Ten kilobytes of junk are cut to what a line can hold, printable, its beginning kept."""
    junk = unit * (10_000 // len(unit))

    with pytest.raises(Malformed) as error:
        http_date.decode(junk)

    reported = str(error.value)
    assert len(reported) < 300
    assert reported.isprintable()
    assert reported.startswith(f"Date {junk[:50]!r}"[:-1])
    assert "...'" in reported


def assert_a_date_or_malformed(text: str) -> None:
    """Hold a text that was read to be exactly one of the three forms of what it was read as."""
    try:
        unix_s = http_date.decode(text)
    except Malformed as error:
        assert str(error).startswith("Date ")
        return
    if ":60 " in text:
        text, unix_s = text.replace(":60 ", ":59 "), unix_s - 1
    forms = {http_date.encode(unix_s), rfc_850(unix_s), asctime(unix_s)}
    assert text in forms | {asctime(unix_s).replace("  ", " 0")}


@given(st.text())
def test_any_text_is_a_time_or_malformed(text: str) -> None:
    """Arbitrary text never ends in anything but a time that it says, or a Malformed."""
    assert_a_date_or_malformed(text)


letters = st.one_of(st.sampled_from("0123456789 ,:-\tGMTSunovF"), st.characters())


@st.composite
def mutated_dates(draw: st.DrawFn) -> str:
    """Return a valid date of any form with up to three letters changed, added or left out."""
    write = draw(st.sampled_from([http_date.encode, rfc_850, asctime]))
    text = write(draw(short_year_times))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.just("") | letters) + text[place + draw(st.integers(0, 1)) :]
    return text


@given(mutated_dates())
def test_a_date_with_slips_is_a_time_or_malformed(text: str) -> None:
    """Near misses are read as exactly what they say, or not at all."""
    assert_a_date_or_malformed(text)
