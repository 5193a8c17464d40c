"""NTS (RFC 8915): NTP whose replies prove where they come from. The socket half.

Keys and cookies come by TLS (sources/nts/key_exchange.py), the time by one datagram each way, as in
plain NTP, whose checks and stamps serve here too. Nothing of a reply is believed before it is
authenticated. A reply that is not ours is ignored; one that is ours and does not hold is ignored
as well, since anybody on the path can send one, and names the failure if no other comes.
"""

from sources import ciphers, schema
from sources.base import (
    Refused,
    Run,
    Sample,
    Source,
    SourceError,
    TimedOut,
    Unavailable,
    Unreachable,
    Unverified,
    loading,
)
from sources.clock import NS
from sources.memory import Entry, Memory, Update
from sources.net import resolver, udp, validity
from sources.net.addresses import elsewhere, leads_here
from sources.ntp import proof as ntp_proof
from sources.ntp import wire as ntp
from sources.nts import cookies
from sources.nts import proof as nts_proof
from sources.nts import wire as nts
from sources.nts import wire_ke as nts_ke
from sources.nts.proof import Established
from sources.record import Record

KEYS = {
    "host": schema.HOST,
    "port": schema.port(nts_ke.PORT),
    "ca_file": schema.CA_FILE,
}
"""What a [[sources.nts]] table may hold beside the keys of every kind."""

_AFTER_DENIAL_NS = NS // 5


class _Asked(Record):
    """One request of ours."""

    identifier: bytes
    data: bytes


class NtsSource(Source):
    """One server of authenticated NTP."""

    kind = "nts"
    cheap = False
    precise = True
    loads_first = True
    libraries = ("sources.nts.key_exchange", ciphers.RUST)

    def __init__(
        self,
        host: str,
        port: int,
        operator: str,
        fallback: tuple[str, ...],
        ca_file: str | None = None,
    ) -> None:
        """Configure it: the key server. `fallback` holds addresses for when it has no known one."""
        name, endpoint = schema.shown(host, port, nts_ke.PORT), f"{schema.same(host)} {port}"
        super().__init__(name, operator, endpoint, host, fallback)
        self._host = host
        self._port = port
        self._fallback = fallback
        self._ca_file = ca_file
        self._shelf_name = f"{self.endpoint} {ca_file or ''}"

    def is_cheap(self, memory: Memory) -> bool:
        """Cookies of an earlier run do without the key exchange."""
        return self._kept(memory) is not None

    def sample(self, run: Run) -> Sample:
        """Ask with cookies of an earlier run; without any, or where they are refused, get new ones.

        A server that refuses the new cookies as well is not asked again.
        """
        kept = self._taken(run.memory)
        sample = None if kept is None else self._ask_with_kept(kept, run)
        if sample is not None:
            return sample
        addresses = run.addresses(self._host, self._fallback)
        with loading("ssl"):  # which cookies do without
            from sources.nts.key_exchange import establish  # noqa: PLC0415

        place = (self._host, self._port, addresses, self._ca_file)
        established = establish(*place, run)
        resolver.note_answer(self._host, addresses, established.address, run)
        sample = self._ask(established, run)
        if sample is None and kept is None:
            sample = self._ask(establish(*place, run), run)
        if sample is None:
            raise Unverified(
                "NTS: the server does not know the cookie that it has just given (NTSN)"
            )
        return sample

    def _kept(self, memory: Memory) -> Established | None:
        entry = memory.recall(cookies.SHELF, self._shelf_name, cookies.MOST_AGE_NS)
        return cookies.established_in(entry)

    def _change(self, memory: Memory, update: Update) -> bool:
        return memory.change(cookies.SHELF, self._shelf_name, update, cookies.MOST_AGE_NS)

    def _taken(self, memory: Memory) -> Established | None:
        """Take some cookies of an earlier run for this one alone."""
        taken: list[Established | None] = []

        def take(entry: Entry | None) -> Entry | None:
            taken.append(cookies.established_in(entry))
            return cookies.rest_of(entry)

        if self._kept(memory) is None:
            return None
        if not self._change(memory, take) or not taken or taken[0] is None:
            return None  # cookies that cannot be removed must not be used: another run may use them
        return taken[0].replaced(cookies=taken[0].cookies[: cookies.TAKEN])

    def _ask_with_kept(self, kept: Established, run: Run) -> Sample | None:
        """Ask with keys of an earlier run, for half of the time; None if new ones are needed.

        The server may have another address by now, or another certificate.
        """
        now_ns = run.clock.raw_ns()
        half_ns = now_ns + (run.deadline_raw_ns - now_ns) // 2
        try:
            sample = self._ask(kept, run.until(half_ns))
        except (Refused, Unavailable):
            raise
        except SourceError:
            sample = None
        if sample is None:
            self._change(run.memory, lambda entry: cookies.without(entry, kept))
        return sample

    def _ask(self, established: Established, run: Run) -> Sample | None:
        """Ask with keys and cookies; judge the certificates by the time that they gave.

        Returns None if the server does not know the cookie (NTSN). What is left of the cookies,
        and the new ones, are kept for later runs.
        """
        question = _Question(established, run)
        servers = self._servers(established, run)
        try:
            found = udp.ask(servers, established.port, question.request, question.accept, run)
        except TimedOut as error:
            if question.was_denied:
                return None
            if question.problem is not None:
                raise question.problem from None
            raise TimedOut(f"keys exchanged, but {question.silence(str(error))}") from None
        resolver.note_answer(established.host or self._host, servers, found.server, run)
        reply = ntp.decode(found.data)
        proof = ntp_proof.prove(reply, question.sent_raw_ns(found), found.received_raw_ns)
        validity.judge(established.chain, proof.earliest_unix_ns, proof.latest_unix_ns)
        self._change(
            run.memory,
            lambda entry: cookies.with_more(entry, established, question.cookies_left),
        )
        return ntp_proof.sampled(self, proof, found.server, authenticated=True)

    def _servers(self, established: Established, run: Run) -> tuple[str, ...]:
        """Return where the NTP server is: with the key server, unless that names another host.

        It may be this machine only if the configuration says that the key server is.
        """
        named = established.host
        meant = (self._host, *self._fallback)
        if named is None or schema.same(named) == schema.same(self._host):
            return _elsewhere((established.address,), meant)
        try:
            found = run.addresses(named, ())
            is_here = established.address in meant and leads_here(established.address)
            return found if is_here else _elsewhere(found, meant)
        except SourceError as error:
            raise type(error)(f"NTP server {named}, named by the key server: {error}") from error


def _elsewhere(addresses: tuple[str, ...], literals: tuple[str, ...]) -> tuple[str, ...]:
    try:
        found = elsewhere(addresses, literals)
    except OSError as error:  # no socket to look at addresses with
        raise Unavailable(f"addresses cannot be looked at: {error.strerror or error}") from error
    if not found:
        raise Unreachable(f"leads to this machine ({', '.join(addresses)})")
    return found


class _Question:
    """Requests with one server's keys, and what makes a reply the answer to one of them."""

    def __init__(self, established: Established, run: Run) -> None:
        self._keys = established.keys
        self._cookie = b""
        self._cookies = list(established.cookies)
        self._new_cookies: tuple[bytes, ...] = ()
        self._run = run
        self._asked: dict[bytes, _Asked] = {}
        self._asked_bytes = 0
        """How large the last request was."""
        self._heard = False
        """Whether any datagram came."""
        self.problem: SourceError | None = None
        """Why the last reply to a request of ours did not hold; no more of it is kept."""
        self.was_denied = False
        """Whether a reply said that the cookie is not known; anybody on the path can say so."""

    @property
    def cookies_left(self) -> tuple[bytes, ...]:
        """What has not been sent, and what came with the answer."""
        return (*self._cookies, *self._new_cookies)

    def request(self) -> bytes:
        """Return a request with a cookie of its own, while they last."""
        if self._cookies:
            self._cookie = self._cookies.pop(0)
        stamp = self._run.random_bytes(ntp.STAMP_BYTES)
        identifier = self._run.random_bytes(nts.IDENTIFIER_BYTES)
        unsealed = nts.unsealed_request(stamp, identifier, self._cookie)
        nonce = self._run.random_bytes(nts.NONCE_BYTES)
        data = nts_proof.seal(self._keys.client_to_server, unsealed, nonce)
        self._asked[stamp] = _Asked(identifier, data)
        self._asked_bytes = len(data)
        return data

    def silence(self, said: str) -> str:
        """Return why there is no reply, with the size of the requests if no datagram came at all.

        They carry what RFC 8915 section 5.7 demands and no more. Some networks drop them all the
        same, as they are larger than those of plain NTP.
        """
        if self._heard:
            return said
        return said.replace(udp.SILENCE, f"no reply to NTP requests of {self._asked_bytes} bytes")

    def accept(self, datagram: udp.Datagram) -> udp.Datagram | None:
        """Return the datagram if it is authentic, None if it is to be ignored."""
        self._heard = True
        ours = self._asked.get(ntp.origin_bytes(datagram.data))
        if ours is None or nts.identifier_of(datagram.data) != ours.identifier:
            return None
        if nts.is_nak(datagram.data):
            self.was_denied = True
            datagram.listen_for_ns(_AFTER_DENIAL_NS)  # the truth may be right behind it
            return None
        try:
            plain = nts_proof.opened(self._keys.server_to_client, nts.take_apart(datagram.data))
            self._new_cookies = tuple(filter(nts_ke.usable, nts.cookies_in(plain)))
        except Unavailable:
            raise  # no other reply would do
        except SourceError as problem:
            # A copy: the traceback of the original would keep the datagram.
            self.problem = type(problem)(str(problem))
            return None
        return datagram

    def sent_raw_ns(self, answer: udp.Datagram) -> int:
        """Return when the request was first sent that this is the answer to."""
        return answer.sent_raw_ns[self._asked[ntp.origin_bytes(answer.data)].data]


def build(table: schema.Table) -> list[Source]:
    """Return the source of one [[sources.nts]] table."""
    host = table.text("host")
    return [
        NtsSource(
            host,
            table.whole("port"),
            table.operator(host),
            table.addresses(),
            table.optional_text("ca_file"),
        )
    ]
