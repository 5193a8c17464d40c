"""Many NTP servers in one process: one socket and one epoll loop, so that they cost little.

python -m bench.crowd COUNT CONFIG    writes the configuration, prints "ready", serves
"""

import selectors
import socket
import sys
import time
from pathlib import Path

from sources.wire import ntp


def main() -> None:
    """Serve on COUNT free ports of 127.0.0.1 until terminated."""
    count, path = int(sys.argv[1]), Path(sys.argv[2])
    selector = selectors.DefaultSelector()
    tables = []
    for number in range(count):
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        link.bind(("127.0.0.1", 0))
        selector.register(link, selectors.EVENT_READ)
        tables.append(
            f'[[sources.ntp]]\nhost = "127.0.0.1"\nport = {link.getsockname()[1]}\n'
            f'operator = "operator {number}"'
        )
    path.write_text("\n\n".join(tables))
    print("ready", flush=True)
    template = bytearray(ntp.encode(ntp.Packet(mode=ntp.SERVER, stratum=1, precision=-20)))
    while True:
        for key, _ in selector.select():
            link = key.fileobj  # type: ignore[assignment]
            data, client = link.recvfrom(100)
            now = ntp.stamp_of(time.time_ns()).to_bytes(8, "big")
            template[24:32] = ntp.transmit_bytes(data)
            template[32:48] = now + now
            link.sendto(template, client)


if __name__ == "__main__":
    main()
