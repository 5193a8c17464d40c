"""Whatever bytes a server sends: a true sample, or a failure by name."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sources.base import Malformed, SourceError
from sources.clock import NS
from sources.https import wire_date as http_date
from tests.support.fakes import TRUE_UNIX_NS, a_run
from tests.support.sources.https import Asked, Scripted, source_of

HONEST = b"HTTP/1.1 204 No Content\r\nDate: %s\r\nServer: lab\r\n\r\n"
names = st.sampled_from(
    b"Date,Age,Connection,Content-Length,Transfer-Encoding,Content-Encoding,Content-Type,Upgrade,"
    b"Set-Cookie,Location,Keep-Alive,X,".split(b",")
)
values = st.one_of(
    st.sampled_from([b"0", b"-1", b"9" * 30, b"chunked", b"gzip, br", b"close", b"upgrade"]),
    st.binary(max_size=20),
)


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """Return junk, or an honest response with lines put in, bytes changed, or its end cut off."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=200))
    data = HONEST % http_date.encode(TRUE_UNIX_NS // NS).encode()
    status = draw(st.sampled_from([b"204", b"200", b"101", b"100", b"199", b"304", b"999", b"2 4"]))
    data = data.replace(b"204", status)
    for name, value in draw(st.lists(st.tuples(names, values), max_size=3)):
        data = data.replace(b"Server", name + b": " + value + b"\r\nServer")
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(data)))
        put_in = draw(st.binary(max_size=2))
        data = data[:place] + put_in + data[place + draw(st.integers(0, 2)) :]
    return data


class Mirror:
    """A server that answers with the bytes it is asked to, and closes."""

    def __init__(self) -> None:
        self.data = b""
        self.server = Scripted(lambda link, _: link.sendall(self.data))


@pytest.fixture(scope="module")
def mirror() -> Iterator[Mirror]:
    made = Mirror()
    with made.server:
        yield made


def time_in(text: bytes) -> int:
    """Return the time that a Date says, 1970 where it is none."""
    try:
        return http_date.decode(text.decode("latin-1"))
    except Malformed:
        return 0


@given(data=responses())
@settings(max_examples=100)
@example(data=HONEST % http_date.encode(TRUE_UNIX_NS // NS).encode())
@example(data=b"")
@example(data=b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n")
def test_any_bytes_are_a_true_sample_or_a_failure_by_name(mirror: Mirror, data: bytes) -> None:
    """Whatever comes out of the tunnel ends in one of our errors, or in a sample that is exactly
    what the one Date among the bytes proves.
    """
    mirror.data = data
    try:
        asked = Asked(source_of(mirror.server))
    except SourceError as error:
        assert str(error)
        return

    unfolded = re.sub(rb"\r?\n[ \t]+", b" ", data)
    shown = re.findall(rb"(?i)date:[ \t]*([^\r\n]*?)[ \t]*\r?\n", unfolded)
    assert any(asked.says(date_unix_s) for date_unix_s in map(time_in, shown))


def test_a_message_is_short_whatever_the_server_says(mirror: Mirror) -> None:
    """What is wrong with a response is reported in a line, however long the response is."""
    mirror.data = b"HTTP/1.1 204 No Content\r\nbad " + b"x" * 60_000 + b"\r\n\r\n"

    with pytest.raises(Malformed) as error:
        source_of(mirror.server).sample(a_run())

    assert len(str(error.value)) < 500
