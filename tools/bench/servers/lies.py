"""Nine servers of each kind, the first few of which lie; true time is 4 s ahead of this clock."""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from lab.behaviour import Behaviour, Honest, Reply, silent
from lab.https import HttpsServer
from lab.ntp import NtpServer
from lab.roughtime import Manner, RoughtimeServer
from lab.world import Server
from sources.clock import NS
from sources.https import wire_date
from sources.ntp import wire as ntp
from sources.record import Record
from tools.bench.names import TRUTH_S

SERVERS = 9
_NTP_UNITS = 1 << 16
_MIX = ("ntp", "https", "roughtime", "ntp", "ntp", "ntp", "https", "roughtime", "ntp")
"""The nine votes of the mixed configuration, liars first."""


class Lie(Record):
    """What a server does that is not honest."""

    off_s: float = 0
    error_s: float | None = None
    """What it admits to be off at most, where that is not what an honest one does."""
    late_s: float = 0
    silent: bool = False


HONEST = Lie()
KINDS: dict[str, tuple[str, Callable[[int], Lie]]] = {
    "far": ("an hour ahead", lambda _: Lie(3600)),
    "near": ("one second ahead", lambda _: Lie(1)),
    "split": ("in turns a second ahead and a second behind", lambda n: Lie((1, -1)[n % 2])),
    "narrow": ("a second ahead, and claim to be exact", lambda _: Lie(1, error_s=0)),
    "wide": (
        "0.8 s ahead, and admit to an error that reaches back to the truth",
        lambda _: Lie(0.8, error_s=0.9),
    ),
    "silent": ("say nothing", lambda _: Lie(silent=True)),
    "slow": ("say the truth, a second late", lambda _: Lie(late_s=1)),
}
"""How liars lie: in words that follow "they are" or "they", and the n-th one's lie."""


class Cast(Record):
    """Running servers, and who asks them how."""

    addresses: Sequence[str]
    """Of NTP on port 123, and of HTTP on port 80."""
    ecosystem: Path
    """Roughtime's, as roughly reads it."""
    plain: str
    """The configuration that asks the nine of NTP."""
    mixed: str
    """One that asks five of NTP, two of HTTPS and two of Roughtime."""


@contextmanager
def cast(number: int, lies: Sequence[Lie], directory: Path) -> Iterator[Cast]:
    """Run nine servers of each kind on addresses of this number; the first ones tell these lies."""
    addresses = [f"127.{number + 10}.0.{each + 1}" for each in range(SERVERS)]
    acts = [*lies, *[HONEST] * (SERVERS - len(lies))]
    with ExitStack() as running:
        made: dict[str, list[Server]] = {"ntp": [], "roughtime": [], "https": []}
        for address, lie in zip(addresses, acts, strict=True):
            made["ntp"].append(running.enter_context(_ntp(address, lie)))
            made["roughtime"].append(running.enter_context(_roughtime(address, lie)))
            running.enter_context(_http(address, lie))
        wanted = _MIX[: len(lies)].count("https")
        for each, address in enumerate(addresses[:2]):
            lie = lies[0] if each < wanted else HONEST
            made["https"].append(running.enter_context(_https(address, lie)))
        ecosystem = directory / f"{number}.json"
        ecosystem.write_text(_ecosystem(made["roughtime"]))
        mixed = _mixed(made, len(lies))
        yield Cast(
            addresses, ecosystem, "\n".join(each.toml() for each in made["ntp"]),
            "\n".join(each.toml() for each in mixed),
        )  # fmt: skip


def _mixed(made: dict[str, list[Server]], liars: int) -> Iterator[Server]:
    """Choose five, two and two, so many of them liars, who come first in each list."""
    for kind, servers in made.items():
        votes, lying = _MIX.count(kind), _MIX[:liars].count(kind)
        yield from servers[:lying]
        yield from servers[len(servers) - (votes - lying) :]


def _true_time_unix_ns() -> int:
    return time.time_ns() - TRUTH_S * NS


def _behaviour(lie: Lie) -> Behaviour:
    if lie.silent:
        return silent

    def behave(reply: Honest) -> Iterable[Reply]:
        return [Reply(reply(round(lie.off_s * NS)), delay_s=lie.late_s)]

    return behave


def _ntp(address: str, lie: Lie) -> NtpServer:
    error_s = 0.005 if lie.error_s is None else lie.error_s
    template = ntp.Packet(
        mode=ntp.SERVER, stratum=1 if lie.error_s == 0 else 2, precision=-20,
        root_delay=0 if lie.error_s == 0 else round(0.01 * _NTP_UNITS),
        root_dispersion=round(error_s * _NTP_UNITS),
    )  # fmt: skip
    return NtpServer(
        address, _behaviour(lie), time_unix_ns=_true_time_unix_ns, template=template,
        address=address, port=123,
    )  # fmt: skip


def _roughtime(address: str, lie: Lie) -> RoughtimeServer:
    """Make one; it counts in whole seconds, and so does its claim."""
    radius_s = 1 if lie.error_s is None else 9 * round(lie.error_s) or 1
    return RoughtimeServer(
        f"{address} r", _behaviour(lie), time_unix_ns=_true_time_unix_ns,
        manner=Manner(radius_ns=radius_s * NS), address=address, port=2002,
    )  # fmt: skip


def _https(address: str, lie: Lie) -> HttpsServer:
    return HttpsServer(
        f"{address} h", _behaviour(lie), time_unix_ns=_true_time_unix_ns, address=address
    )


@contextmanager
def _http(address: str, lie: Lie) -> Iterator[None]:
    """Serve plain HTTP, which is all that Debian's htpdate can."""
    closing = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            closing.wait(None if lie.silent else lie.late_s)
            self.send_response(204)
            self.end_headers()

        def date_time_string(self, timestamp: float | None = None) -> str:  # noqa: ARG002
            return wire_date.encode((_true_time_unix_ns() + round(lie.off_s * NS)) // NS)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer((address, 80), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield
        closing.set()
        server.shutdown()


def _ecosystem(servers: Sequence[Server]) -> str:
    found = [
        {
            "name": server.operator,
            "version": "1",
            "publicKeyType": "ed25519",
            "publicKey": b64encode(server.signer.public_key).decode(),
            "addresses": [{"protocol": "udp", "address": f"{server.address}:{server.port}"}],
        }
        for server in servers
        if isinstance(server, RoughtimeServer)
    ]
    return json.dumps({"servers": found})
