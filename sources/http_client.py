"""HEAD requests to one HTTPS server, by httpx: its client, our sockets.

httpx and httpcore speak HTTP. The stream beneath them is ours (httpcore's documented network
backend), because only there a deadline can be kept: their timeouts are per read, and a server that
sends a byte a second would never run into one. Imported only when HTTPS is asked: it costs 100 ms.
"""

import select
import socket
import ssl
from collections.abc import Iterable
from typing import Self

from sources import tcp, tls
from sources.bare_httpx import httpcore, httpx
from sources.base import Malformed, Run, SourceError, Unreachable
from sources.record import Record
from sources.validity import Validity

_LONGEST_HEADERS = 64 * 1024
"""Bytes of all that a server may send for one request, interim responses included."""
_HEADERS = {
    "User-Agent": "time-drift",
    "Accept-Encoding": "identity",
    "Cache-Control": "no-cache, no-store",
    "Pragma": "no-cache",
}
_UNWANTED = (b"location", b"set-cookie")
"""httpx parses both, though redirects are not followed and no cookie is wanted."""
_UNUSED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""What httpcore sets the protocols of at every connection, unsafe in a context that threads share;
the stream below uses the shared one instead."""
_SENT = "http11.send_request_headers.started"
_RECEIVED = "http11.receive_response_headers.complete"


class Response(Record):
    """The headers of one response, and when it was asked for and came."""

    headers: list[tuple[str, str]]
    """Names in lower case."""
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
        pool = httpcore.ConnectionPool(
            ssl_context=_UNUSED,
            max_connections=1,
            network_backend=_Network(addresses, tls.context(ca_file), run),
        )
        self._client = httpx.Client(transport=_Transport(pool), trust_env=False, headers=_HEADERS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def head(self) -> Response:
        """Ask once; raise the SourceError that says why there is no response.

        Redirects are not followed, and any status will do: what is wanted is the Date.
        """
        stamps_raw_ns = {}

        def trace(event: str, _: object) -> None:
            stamps_raw_ns[event] = self._run.clock.raw_ns()

        # No cache has an answer to a question that was never asked before.
        url = self._url + self._run.random_bytes(8).hex()
        try:
            response = self._client.head(url, follow_redirects=False, extensions={"trace": trace})
        except httpcore.ProtocolError as error:
            raise Malformed(f"HTTP: {error}") from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise Unreachable(f"no such host can be: {error}") from error
        stream = response.extensions["network_stream"]
        if not stream.has_answered:
            raise Malformed("HTTP: a response that was there before its request")
        return Response(
            response.headers.multi_items(),
            stamps_raw_ns[_SENT],
            stamps_raw_ns[_RECEIVED],
            stream.chain,
            stream.server,
        )


class _Transport(httpx.BaseTransport):
    """Carries httpx's requests to httpcore; the headers are all that is wanted of a response."""

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
        headers = [pair for pair in response.headers if pair[0].lower() not in _UNWANTED]
        return httpx.Response(response.status, headers=headers, extensions=response.extensions)

    def close(self) -> None:
        self._pool.close()


class _Network(httpcore.NetworkBackend):
    """Connects to the addresses that we resolved, whatever host is asked for."""

    def __init__(self, addresses: tuple[str, ...], context: ssl.SSLContext, run: Run) -> None:
        self._addresses = addresses
        self._context = context
        self._run = run

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        link, server = tcp.connect(self._addresses, port, self._run)
        return _Stream(link, server, self._context, self._run)


class _Stream(httpcore.NetworkStream):
    """A socket that keeps the run's deadline and raises our errors."""

    def __init__(self, link: socket.socket, server: str, context: ssl.SSLContext, run: Run) -> None:
        self._link = link
        self._context = context
        self._run = run
        self._bytes_left = _LONGEST_HEADERS
        self.server = server
        self.chain: list[Validity] = []

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        try:
            secured = tls.handshake(
                self._link, self._context, server_hostname, self.server, self._run
            )
            self._link = secured
            self.chain = tls.verified_chain(secured)
        except SourceError:
            self.close()  # httpcore does not
            raise
        return self

    @property
    def has_answered(self) -> bool:
        """Whether anything was received since the last request was sent."""
        return self._bytes_left < _LONGEST_HEADERS

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with tls.bounded(self._link, self.server, "request", self._run):
            self._link.sendall(buffer)
        self._bytes_left = _LONGEST_HEADERS

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with tls.bounded(self._link, self.server, "response", self._run):
            data = self._link.recv(max_bytes)
        if not data and not self.has_answered:
            raise Unreachable(f"{self.server}: connection closed instead of a response")
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            raise Malformed(f"response headers of more than {_LONGEST_HEADERS} bytes")
        return data

    def close(self) -> None:
        self._link.close()

    def get_extra_info(self, info: str) -> bool | None:
        """Tell whether anything arrived that was not asked for: then httpcore connects anew."""
        if info != "is_readable":
            return None
        readable = select.poll()
        readable.register(self._link, select.POLLIN)
        return bool(readable.poll(0))
