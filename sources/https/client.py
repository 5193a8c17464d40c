"""HEAD requests to one HTTPS server, by httpx: its client, our sockets.

httpx and httpcore speak HTTP. The stream beneath them is ours (httpcore's documented network
backend), because only there a deadline can be kept: their timeouts are per read, and a server that
sends a byte a second would never run into one. Imported only when HTTPS is asked: it costs 100 ms.

What arrives before a request is sent is not its answer: an unsolicited or a second response, a body
where none may be. Its Date may be older than t1, and the integer would be wrong. So httpcore gets
one block of headers at a time, and a connection with anything unsolicited on it, or that the server
has closed, is replaced before the next request is sent.
"""

import re
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Self

from sources.base import Malformed, Run, SourceError, Stale, Unreachable
from sources.https.bare_httpx import httpcore, httpx
from sources.https.proof import CACHE_MARKS
from sources.net import tcp, tls
from sources.net.validity import Validity
from sources.record import Record

_LONGEST_HEADERS = 64 * 1024
"""Bytes of all that a server may send for one request, interim responses included."""
_HEADERS = {
    "User-Agent": "time-drift",
    "Accept-Encoding": "identity",
    "Cache-Control": "no-cache, no-store",
    "Pragma": "no-cache",
}
_WANTED = frozenset(name.encode() for name in ("date", *CACHE_MARKS))
"""Of a response's headers these are kept. httpx acts on others: it makes a decoder for every coding
that is named, and parses cookies and locations; none of that is wanted."""
_END_OF_HEADERS = re.compile(rb"\n\r?\n")
_UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""What httpcore sets the protocols of at every connection, unsafe in a context that threads share;
the stream below uses the shared one instead."""
_SENT = "http11.send_request_headers.started"
_RECEIVED = "http11.receive_response_headers.complete"
_PORT = 443
_BLANK = 0x20
"""No response begins with this letter or one before it; h11 says so at once."""
_RESPONSE = b"HTTP/"
_MOST_TRIES = 2
"""Connections by which one request is tried: the server may just be closing a kept one."""


class _NotOurs(Exception):
    """The connection cannot carry the request: something else came by it, or it is closed."""


class Response(Record):
    """The headers of one response, and when it was asked for and came."""

    headers: list[tuple[str, str]]
    """Names in lower case; of all headers those that are wanted."""
    sent_raw_ns: int
    received_raw_ns: int
    chain: list[Validity]
    """The verified certificate chain of the connection it came by."""
    server: str
    """The address that answered."""


class Session:
    """One server and the connection to it, which is kept from request to request."""

    def __init__(self, url: str, addresses: tuple[str, ...], ca_file: str | None, run: Run) -> None:
        """Prepare to ask `url` at these addresses; proxies are not used, whatever is set."""
        self._url = url + ("&" if "?" in url else "?") + "time-drift="
        self._run = run
        self._network = _Network(addresses, tls.context(ca_file), run)
        pool = httpcore.ConnectionPool(
            ssl_context=_UNUSED, max_connections=1, network_backend=self._network
        )
        self._client = httpx.Client(transport=_Transport(pool), trust_env=False, headers=_HEADERS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._network.close()

    def ready(self) -> None:
        """Have a connection that can carry the next request; raise why there is none.

        To be called before waiting for the moment to ask: a handshake would come after it.
        """
        with _named_errors():
            url = httpx.URL(self._url)
            self._network.prepare(url.raw_host.decode("ascii"), url.port or _PORT)
        self._network.judge()

    def head(self) -> Response:
        """Ask once; raise the SourceError that says why there is no response.

        Redirects are not followed, and any status will do: what is wanted is the Date.
        """
        for _ in range(_MOST_TRIES):
            try:
                return self._head()
            except _NotOurs:
                self.ready()
        raise Malformed("HTTP: a response that was there before its request")

    def _head(self) -> Response:
        stamps_raw_ns = {}

        def trace(event: str, _: object) -> None:
            stamps_raw_ns[event] = self._run.clock.raw_ns()

        # No cache has an answer to a URL that was never asked for before.
        url = self._url + self._run.random_bytes(8).hex()
        with _named_errors():
            response = self._client.head(url, follow_redirects=False, extensions={"trace": trace})
        stream = self._network.in_use
        return Response(
            response.headers.multi_items(),
            stamps_raw_ns[_SENT],
            stamps_raw_ns[_RECEIVED],
            stream.chain,
            stream.server,
        )


@contextmanager
def _named_errors() -> Iterator[None]:
    """Raise the errors of httpx and httpcore as ours."""
    try:
        yield
    except httpcore.ProtocolError as error:
        raise Malformed(f"HTTP: {error}") from error
    except (httpx.InvalidURL, UnicodeError) as error:
        raise Unreachable(f"no such host can be: {error}") from error


class _Transport(httpx.BaseTransport):
    """Carries httpx's requests to httpcore; a few headers are all that is wanted of a response."""

    def __init__(self, pool: httpcore.ConnectionPool) -> None:
        self._pool = pool

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                extensions=request.extensions,
            )
        )
        response.read()  # there is nothing to read, but only then the connection is kept
        response.close()
        headers = [pair for pair in response.headers if pair[0].lower() in _WANTED]
        return httpx.Response(response.status, headers=headers)

    def close(self) -> None:
        self._pool.close()


class _Network(httpcore.NetworkBackend):
    """Connects to the addresses that we resolved, whatever host is asked for."""

    def __init__(self, addresses: tuple[str, ...], context: ssl.SSLContext, run: Run) -> None:
        self._addresses = addresses
        self._context = context
        self._run = run
        self._prepared: _Stream | None = None
        self._in_use: _Stream | None = None

    @property
    def in_use(self) -> "_Stream":
        """The connection that carried the last request."""
        assert self._in_use is not None  # noqa: S101 - there has been a request
        return self._in_use

    def prepare(self, host: str, port: int) -> None:
        """Connect anew, unless the connection in use can carry another request."""
        if self._prepared is None and (self._in_use is None or not self._in_use.is_clean()):
            self._prepared = self._opened(host, port)

    def judge(self) -> None:
        """Raise Stale if the last answer may belong to no request of ours."""
        if self._in_use is not None and self._in_use.has_doubtful_answer:
            raise Stale("two responses to one request: either may be older than that")

    def close(self) -> None:
        """Close a connection that was prepared and not used."""
        if self._prepared is not None:
            self._prepared.close()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        self._in_use = self._prepared or self._opened(host, port)
        self._prepared = None
        return self._in_use

    def _opened(self, host: str, port: int) -> "_Stream":
        link, server = tcp.connect(self._addresses, port, self._run)
        try:
            secured = tls.handshake(link, self._context, host, server, self._run)
        except SourceError:
            link.close()
            raise
        try:
            return _Stream(secured, server, tls.verified_chain(secured), self._run)
        except SourceError:
            secured.close()
            raise


class _Stream(httpcore.NetworkStream):
    """A secured connection that keeps the run's deadline and raises our errors."""

    def __init__(self, link: ssl.SSLSocket, server: str, chain: list[Validity], run: Run) -> None:
        self._link = link
        self._run = run
        self._requests = 0
        self._bytes_left = 0
        self._held = bytearray()
        """Received, and not given to httpcore yet."""
        self._spoilt = False
        self._unasked = b""
        """The first bytes of what came unsolicited."""
        self.server = server
        self.chain = chain

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return self

    def is_clean(self) -> bool:
        """Whether it is open and nothing came by it that has not been asked for."""
        if not self._spoilt:
            self._unasked = bytes(self._held[: len(_RESPONSE)])
            self._spoilt = bool(self._unasked) or self._has_more()
        return not self._spoilt

    @property
    def has_doubtful_answer(self) -> bool:
        """Whether another response came than the one that was taken for the answer."""
        return self._requests > 0 and self._unasked == _RESPONSE

    def _has_more(self) -> bool:
        """Whether there is data to be read, or the end; session tickets are neither."""
        try:
            self._link.settimeout(0)
            self._unasked = self._link.recv(len(_RESPONSE))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        except OSError:
            return True
        return True

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return  # the body of a HEAD request
        # t1 has been taken: what comes from here on was sent after it, or half a trip before.
        if not self.is_clean():
            raise _NotOurs
        self._requests += 1
        self._bytes_left = _LONGEST_HEADERS
        with (
            self._one_that_may_be_over(),
            tls.bounded(self._link, self.server, "request", self._run),
        ):
            self._link.sendall(buffer)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return one block of headers, to its blank line; what ends without one as it is."""
        searched = 0
        while (end := _END_OF_HEADERS.search(self._held, searched)) is None:
            searched = max(0, len(self._held) - 2)
            if not self._receive(max_bytes) or self._held[0] <= _BLANK:
                break
        count = len(self._held) if end is None else end.end()
        block = bytes(self._held[:count])
        del self._held[:count]
        return block

    def _receive(self, max_bytes: int) -> bool:
        """Hold what comes next; False at the end."""
        with (
            self._one_that_may_be_over(),
            tls.bounded(self._link, self.server, "response", self._run),
        ):
            data = self._link.recv(max_bytes)
            if not data and self._bytes_left == _LONGEST_HEADERS:
                raise Unreachable(f"{self.server}: connection closed instead of a response")
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            raise Malformed(f"response headers of more than {_LONGEST_HEADERS} bytes")
        self._held += data
        return bool(data)

    @contextmanager
    def _one_that_may_be_over(self) -> Iterator[None]:
        """The server may be closing a connection kept from an earlier request: ask by a new one."""
        try:
            yield
        except Unreachable:
            if self._requests > 1 and self._bytes_left == _LONGEST_HEADERS:
                raise _NotOurs from None
            raise

    def close(self) -> None:
        self._spoilt = True
        self._link.close()

    def get_extra_info(self, info: str) -> bool | None:
        """Say whether another connection is needed: then httpcore makes one."""
        return not self.is_clean() if info == "is_readable" else None
