"""Roughtime servers of the lab in one process.

    python -m tools.bench.servers.rough COUNT CONFIG

writes their tables, prints "ready", serves until terminated
"""

import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from lab.roughtime import RoughtimeServer


def main() -> None:
    """Serve on COUNT free ports of 127.0.0.1."""
    count, path = int(sys.argv[1]), Path(sys.argv[2])
    with ExitStack() as running:
        names = (f"rough {number}" for number in range(count))
        servers = [running.enter_context(RoughtimeServer(name)) for name in names]
        path.write_text("\n".join(server.toml() for server in servers))
        print("ready", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
