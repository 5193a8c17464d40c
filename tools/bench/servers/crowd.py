"""Many NTP servers in one process: one socket and one epoll loop, so that they cost little.

    python -m tools.bench.servers.crowd COUNT CONFIG [--there S] [--back S] [--on NETWORK]

writes the configuration, prints "ready", serves on free ports of 127.0.0.1; with --on 127.0.3 on
port 123 of 127.0.3.1 and up

The servers seem as far away as `there` and `back` say: they stamp a request that much after it
came, send the reply after both, and stamp it that much before it leaves.
"""

import argparse
import selectors
import socket
import time
from collections import deque
from pathlib import Path

from sources.clock import NS
from sources.ntp import wire as ntp


def main() -> None:
    """Serve until terminated."""
    options = _options()
    there_ns, back_ns = round(options.there * NS), round(options.back * NS)
    selector = selectors.DefaultSelector()
    tables = []
    for number in range(options.count):
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        link.bind((f"{options.on}.{number + 1}", 123) if options.on else ("127.0.0.1", 0))
        selector.register(link, selectors.EVENT_READ)
        host, port = link.getsockname()
        tables.append(
            f'[[sources.ntp]]\nhost = "{host}"\nport = {port}\noperator = "operator {number}"'
        )
    options.path.write_text("\n\n".join(tables))
    print("ready", flush=True)
    template = bytearray(ntp.encode(ntp.Packet(mode=ntp.SERVER, stratum=1, precision=-20)))
    under_way: deque[tuple[int, socket.socket, bytes, tuple[str, int]]] = deque()
    while True:
        for key, _ in selector.select(_wait_s(under_way[0][0]) if under_way else None):
            link = key.fileobj  # type: ignore[assignment]
            data, client = link.recvfrom(100)
            now_ns = time.time_ns()
            template[16:24] = _stamp(now_ns + there_ns)
            template[24:32] = ntp.transmit_bytes(data)
            template[32:40] = _stamp(now_ns + there_ns)
            under_way.append((now_ns + there_ns + back_ns, link, bytes(template), client))
        while under_way and _wait_s(under_way[0][0]) == 0:
            _, link, reply, client = under_way.popleft()
            link.sendto(reply[:40] + _stamp(time.time_ns() - back_ns), client)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("count", type=int)
    parser.add_argument("path", type=Path)
    parser.add_argument("--there", type=float, default=0)
    parser.add_argument("--back", type=float, default=0)
    parser.add_argument("--on")
    return parser.parse_args()


def _stamp(unix_ns: int) -> bytes:
    return ntp.stamp_of(unix_ns).to_bytes(8, "big")


def _wait_s(due_unix_ns: int) -> float:
    """Return how long to wait until then; the last millisecond is spun, not slept."""
    left_ns = due_unix_ns - time.time_ns()
    while 0 < left_ns < NS // 1000:
        left_ns = due_unix_ns - time.time_ns()
    return max(0, left_ns - NS // 1000) / NS


if __name__ == "__main__":
    main()
