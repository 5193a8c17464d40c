"""Plain NTP (RFC 5905, client mode): the socket half. One packet out, one interval in.

A reply counts only if its origin stamp is, to the bit, the random transmit stamp of a request of
ours; anything else is ignored until the deadline, so junk can neither answer nor abort. What the
matched reply proves is decided in sources/ntp/proof.py.
"""

from sources import schema
from sources.base import Run, Sample, Source, TimedOut, Unreachable
from sources.net import resolver, udp
from sources.net.addresses import is_address
from sources.ntp import proof as ntp_proof
from sources.ntp import wire

PORT = 123

KEYS = {
    "host": schema.HOST,
    "port": schema.port(PORT),
    "pool": schema.whole("the number of addresses to ask behind the name", 1, 16, default=1),
}
"""What a [[sources.ntp]] table may hold beside the keys of every kind."""


class NtpSource(Source):
    """One NTP server, or one of the `share_of` equal shares of a pool's addresses."""

    kind = "ntp"
    cheap = True
    precise = True

    def __init__(
        self,
        host: str,
        port: int,
        operator: str,
        fallback: tuple[str, ...],
        share: int = 0,
        share_of: int = 1,
    ) -> None:
        """Configure it. `fallback` holds addresses for when `host` cannot be resolved."""
        name = schema.shown(host, port, PORT)
        super().__init__(
            name if share_of == 1 else f"{name} #{share + 1}",
            operator,
            f"{schema.same(host)} {port}",
            host,
            fallback,
        )
        self._host = host
        self._port = port
        self._fallback = fallback
        self._share = share
        self._share_of = share_of

    def sample(self, run: Run) -> Sample:
        """Ask; every reply is measured from the sending of the very request that it answers."""
        addresses = run.addresses(self._host, self._fallback)
        if self._share_of > 1:  # each share is to have both families, the better one first
            is_six = ":" in addresses[0]
            addresses = tuple(sorted(addresses, key=lambda each: (":" in each) is not is_six))
        mine = addresses[self._share :: self._share_of]
        if not mine:
            raise Unreachable(f"the name's addresses, {len(addresses)}, are all asked already")

        def accept(datagram: udp.Datagram) -> Sample | None:
            origin = wire.origin_bytes(datagram.data)
            request = by_nonce.get(origin)
            if request is None:
                strays[:] = [origin]
                return None
            sent_raw_ns = datagram.sent_raw_ns[request]
            reply = wire.decode(datagram.data)
            proof = ntp_proof.prove(reply, sent_raw_ns, datagram.received_raw_ns)
            return ntp_proof.sampled(self, proof, datagram.server, authenticated=False)

        def request() -> bytes:
            nonce = run.random_bytes(wire.STAMP_BYTES)
            by_nonce[nonce] = wire.request(nonce)
            return by_nonce[nonce]

        by_nonce: dict[bytes, bytes] = {}
        strays: list[bytes] = []
        """The origin stamp of the last reply that was not ours, shorter if the reply is."""
        try:
            sample = udp.ask(mine, self._port, request, accept, run)
        except TimedOut as error:
            if not strays:
                raise
            raise TimedOut(f"{error} ({_shown(strays[0])})") from None
        resolver.note_answer(self._host, mine, sample.server, run)
        return sample


def _shown(origin: bytes) -> str:
    """Say what a reply's origin stamp is that none of our requests had."""
    if len(origin) < wire.STAMP_BYTES:
        return "too short for an origin timestamp"
    return "origin timestamp of another request" if any(origin) else "origin timestamp 0"


def build(table: schema.Table) -> list[Source]:
    """Return the sources of one [[sources.ntp]] table: as many as `pool` says, of one operator."""
    host, pool = table.text("host"), table.whole("pool")
    if pool > 1 and is_address(host):
        raise ValueError(f"pool = {pool}: allowed is 1, because {host} is one address, not a name")
    return [
        NtpSource(host, table.whole("port"), table.operator(host), table.addresses(), share, pool)
        for share in range(pool)
    ]
