"""HTTPS `Date` (RFC 9110 section 6.6.1): the socket half. A whole second from a server whose name
is verified, narrowed each time that it is asked again.

The certificate is verified without the local clock, which is what is in doubt: its dates are held
against the time that the server itself claims (sources/net/tls.py). What a response proves, and
when it is worth asking again, is decided in sources/https/proof.py.
"""

from collections.abc import Generator

from sources import schema
from sources.base import RefinableSource, Run, Sample, Source, admit, loading
from sources.clock import NS
from sources.https import proof
from sources.latch import Latch
from sources.net import resolver, validity
from sources.net.addresses import is_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sources.https.client import Response

PORT = 443

_DATE_LAG_S = 0.6
"""Servers that make their Date once a second, unaligned, were seen up to 0.54 s late."""
_LONGEST = 2000
"""Characters of a URL."""
_SCHEME = "https://"
_LONGEST_PORT = 5
_LAST_PORT = 65_535
_IN_TARGET = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?@!$&'()*+,;=%"
)
"""Unescaped in path and query (RFC 3986): no blank, quote, bracket or fragment."""


def _parts(url: str) -> tuple[str, int, str]:
    """Return host, port and target of an https URL; raise ValueError if it is none.

    By hand, because re and three patterns cost 3 ms, also where no HTTPS is asked in the end.
    """
    rest = url.removeprefix(_SCHEME)
    at = min((rest.index(mark) for mark in "/?" if mark in rest), default=len(rest))
    authority, target = rest[:at], rest[at:]
    if rest == url or "#" in authority or "@" in authority:
        raise ValueError(url)
    if authority.startswith("["):
        host, bracket, tail = authority[1:].partition("]")
        literal = _unescaped_zone(host)
        if not bracket or ":" not in host or not is_address(literal):
            raise ValueError(url)
        host = literal
    else:
        host, colon, port_digits = authority.partition(":")
        tail = colon + port_digits
        if not host or "[" in host or "]" in host:
            raise ValueError(url)
    if not _IN_TARGET.issuperset(target):
        raise ValueError(url)
    return schema.read_host(host), _port(tail), target if target.startswith("/") else f"/{target}"


def _unescaped_zone(literal: str) -> str:
    """Return an IPv6 address; its zone comes after an escaped percent sign (RFC 6874)."""
    bare, percent, zone = literal.partition("%")
    if percent and not zone.startswith("25"):
        raise ValueError(literal)
    return bare + percent + zone[2:]


def _port(text: str) -> int:
    """Return the port that an authority ends with, `:443` say."""
    if not text:
        return PORT
    digits = text.removeprefix(":")
    is_number = digits.isascii() and digits.isdecimal() and len(digits) <= _LONGEST_PORT
    if digits == text or not is_number or not 0 < int(digits) <= _LAST_PORT:
        raise ValueError(text)
    return int(digits)


def _read_url(value: object) -> str:
    url = schema.read_text(value, _LONGEST)
    _parts(url)
    return url


KEYS = {
    "url": schema.Key('an https URL ("https://time.example/"), no user, no fragment', _read_url),
    "ca_file": schema.CA_FILE,
    "date_lag": schema.seconds(1, default=_DATE_LAG_S),
    "ignore_headers": schema.some_of(
        "headers that do not mean a cache here", (name.title() for name in proof.CACHE_MARKS)
    ),
}
"""What a [[sources.https]] table may hold beside the keys of every kind."""


class HttpsSource(RefinableSource):
    """One HTTPS server."""

    kind = "https"
    cheap = False
    precise = False
    libraries = ("sources.https.client",)

    def __init__(
        self,
        url: str,
        operator: str,
        fallback: tuple[str, ...],
        ca_file: str | None,
        date_lag_ns: int,
        ignored_headers: tuple[str, ...],
    ) -> None:
        """Configure it. `fallback` holds addresses for when the host cannot be resolved."""
        self._host, port, target = _parts(url)
        # The final dot is the resolver's; certificates and Host headers carry none.
        bare = self._host.removesuffix(".").partition("%")[0]  # a zone is of this machine only
        authority = f"[{bare}]" if ":" in bare else bare
        authority += "" if port == PORT else f":{port}"
        endpoint = f"{schema.same(self._host)} {port} {target}"
        super().__init__(authority, operator, endpoint, self._host, fallback)
        self._url = f"https://{authority}{target}"
        self._fallback = fallback
        self._ca_file = ca_file
        self._date_lag_ns = date_lag_ns
        self._ignored_headers = ignored_headers

    def conversation(self, run: Run) -> Generator[Sample, int, str]:
        """Ask; ask again at moments that show on which side of the boundary the truth is."""
        addresses = run.addresses(self._host, self._fallback)
        with loading("httpx"):  # 100 ms, and not always needed
            from sources.https.client import Session  # noqa: PLC0415

        with Session(self._url, addresses, self._ca_file, run) as session:
            session.ready()
            sample = self._sample(session.head())
            resolver.note_answer(self._host, addresses, sample.server, run)
            boundary_raw_ns = yield sample
            rtt_ns = sample.rtt_ns
            for asked in range(2, proof.MOST_REQUESTS + 1):
                if not proof.straddles(sample.likely, boundary_raw_ns):
                    return ""
                session.ready()  # a handshake would come between the moment and the request
                now_raw_ns = run.clock.raw_ns()
                moment_raw_ns = proof.next_moment_raw_ns(
                    now_raw_ns, sample.likely, boundary_raw_ns, rtt_ns
                )
                if moment_raw_ns is None:
                    return ""
                if moment_raw_ns + rtt_ns > run.deadline_raw_ns:
                    return "no time left to ask at a moment that could decide"
                Latch().wait((moment_raw_ns - now_raw_ns) / NS)
                again = self._sample(session.head())
                rtt_ns = again.rtt_ns
                sample = proof.narrowed(sample, again, lags=self._date_lag_ns > 0)
                sample = sample.replaced(detail=f"Date, asked {asked} times")
                boundary_raw_ns = yield sample
        return ""

    def _sample(self, response: "Response") -> Sample:
        proven = proof.prove(
            response.headers,
            response.sent_raw_ns,
            response.received_raw_ns,
            self._date_lag_ns,
            self._ignored_headers,
        )
        validity.judge(response.chain, proven.earliest_unix_ns, proven.latest_unix_ns)
        sample = Sample(
            operator=self.operator,
            kind=self.kind,
            authenticated=True,
            certain=proven.certain,
            likely=proven.likely,
            rtt_ns=proven.rtt_ns,
            server=response.server,
            detail="Date",
        )
        return admit(sample, proven.latest_unix_ns)


def build(table: schema.Table) -> list[Source]:
    """Return the source of one [[sources.https]] table."""
    url = table.text("url")
    return [
        HttpsSource(
            url,
            table.operator(_parts(url)[0]),
            table.addresses(),
            table.optional_text("ca_file"),
            table.seconds_ns("date_lag"),
            table.texts("ignore_headers"),
        )
    ]
