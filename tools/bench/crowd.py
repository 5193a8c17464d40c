"""Many NTP servers in one process: one socket and one epoll loop, so that they cost little.

    python -m tools.bench.crowd COUNT CONFIG [SECONDS]

writes the configuration, prints "ready", serves

With SECONDS the servers seem that far away, each way: they stamp a request that much after it came,
send the reply after twice the time, and stamp it that much before it leaves.
"""

import selectors
import socket
import sys
import time
from collections import deque
from pathlib import Path

from sources.clock import NS
from sources.ntp import wire as ntp


def main() -> None:
    """Serve on COUNT free ports of 127.0.0.1 until terminated."""
    count, path = int(sys.argv[1]), Path(sys.argv[2])
    away_ns = round(float(sys.argv[3]) * NS) if len(sys.argv) > 3 else 0  # noqa: PLR2004
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
    under_way: deque[tuple[int, socket.socket, bytes, tuple[str, int]]] = deque()
    while True:
        for key, _ in selector.select(_wait_s(under_way[0][0]) if under_way else None):
            link = key.fileobj  # type: ignore[assignment]
            data, client = link.recvfrom(100)
            now_ns = time.time_ns()
            template[24:32] = data[40:48]
            template[32:40] = _stamp(now_ns + away_ns)
            under_way.append((now_ns + 2 * away_ns, link, bytes(template), client))
        while under_way and _wait_s(under_way[0][0]) == 0:
            _, link, reply, client = under_way.popleft()
            link.sendto(reply[:40] + _stamp(time.time_ns() - away_ns), client)


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
