"""An NTP server that can be made to lie."""

import time
from collections.abc import Callable, Iterable

from lab.behaviour import Behaviour, Honest, Reply, honest
from lab.udp import UdpServer
from sources.base import Malformed
from sources.ntp import wire as ntp

HONEST = ntp.Packet(mode=ntp.SERVER, stratum=1, precision=-20)
"""The header of an honest server on this machine: primary, good to a microsecond."""


class NtpServer(UdpServer):
    """Answers from `time_unix_ns`, its idea of the time, bent by its behaviour."""

    kind = "ntp"

    def __init__(
        self,
        operator: str,
        behaviour: Behaviour = honest,
        *,
        time_unix_ns: Callable[[], int] = time.time_ns,
        template: ntp.Packet = HONEST,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        """Serve. Header fields of honest replies are the `template`'s."""
        self.operator = operator
        self._behaviour = behaviour
        self._time_unix_ns = time_unix_ns
        self._template = template
        super().__init__(self._answer, address, port)

    def toml(self) -> str:
        """Return the table that configures this server as a source."""
        return (
            f'[[sources.ntp]]\nhost = "{self.address}"\nport = {self.port}\n'
            f'operator = "{self.operator}"\n'
        )

    def _answer(self, data: bytes) -> Iterable[Reply]:
        try:
            request = ntp.decode(data)
        except Malformed:
            return []

        def reply(off_ns: int) -> bytes:
            return ntp.encode(
                self._template.replaced(
                    reference=ntp.stamp_of(received_unix_ns + off_ns),
                    origin=request.transmit,
                    receive=ntp.stamp_of(received_unix_ns + off_ns),
                    transmit=ntp.stamp_of(self._time_unix_ns() + off_ns),
                )
            )

        received_unix_ns = self._time_unix_ns()
        return self._behaviour(reply)


def kiss(code: str) -> Behaviour:
    """Answer with a kiss-o'-death (RFC 5905 section 7.4)."""
    return altered(leap=ntp.LEAP_ALARM, stratum=0, reference_id=code.encode())


def altered(**fields: object) -> Behaviour:
    """Answer truthfully but for these fields of the packet."""

    def behave(reply: Honest) -> Iterable[Reply]:
        return [Reply(ntp.encode(ntp.decode(reply(0)).replaced(**fields)))]

    return behave


CONTRACT = NtpServer
"""What tests hold every kind of source to its contract with: (operator, behaviour, options)."""
DATAGRAMS = True
"""Whether each datagram stands for itself, so that junk does not spoil what follows it."""
