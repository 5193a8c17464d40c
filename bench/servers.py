"""Real chronyd servers on port 123 of loopback addresses, for a namespace of one's own."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_CONFIGURATION = """\
local stratum 1
allow
port 123
bindaddress {address}
cmdport 0
bindcmdaddress /
pidfile {directory}/{address}.pid
"""


@contextmanager
def servers(directory: Path, count: int) -> Iterator[list[str]]:
    """Run so many chronyd on 127.0.0.1 and up; yield their addresses."""
    addresses = [f"127.0.0.{number}" for number in range(1, count + 1)]
    with ExitStack() as running:
        for address in addresses:
            path = directory / f"{address}.conf"
            path.write_text(_CONFIGURATION.format(address=address, directory=directory))
            process = subprocess.Popen(
                ["chronyd", "-x", "-d", "-u", "root", "-f", str(path)], stderr=subprocess.DEVNULL
            )
            running.callback(process.wait)
            running.callback(process.terminate)
        time.sleep(1)
        yield addresses


def configuration(addresses: list[str], path: Path) -> str:
    """Write a configuration that asks each address for an operator of its own; return its path."""
    tables = (
        f'[[sources.ntp]]\nhost = "{address}"\noperator = "{address}"\n' for address in addresses
    )
    path.write_text("\n".join(tables))
    return str(path)
