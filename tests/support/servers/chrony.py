"""Real chronyd servers on loopback, honest ones and ones whose clock libfaketime bends."""

import getpass
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path

CONFIGURATION = """\
local stratum 1
allow
port {port}
bindaddress {address}
cmdport 0
bindcmdaddress /
pidfile {directory}/chronyd.pid
"""


def faketime_library() -> str:
    """Return the path of libfaketime; the wrapper program forks, and killing it kills nobody."""
    return glob("/usr/lib/*/faketime/libfaketime.so.1")[0]


def faked(offset: str, **more: str) -> dict[str, str]:
    """Return the environment that makes a process see the time shifted by `offset` ("-4s").

    Without the last of these, libfaketime 0.9.10 ends every timed wait for a condition at once, and
    Python's threads spin instead of waiting for one another.
    """
    return {
        "LD_PRELOAD": faketime_library(),
        "FAKETIME": offset,
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        **more,
    }


def command(program: str) -> list[str]:
    """Return how chronyd starts: in the foreground, setting no clock, as whoever we are."""
    return [program, "-x", "-d", "-U", "-u", getpass.getuser()]


@contextmanager
def chronyd(
    program: str,
    directory: Path,
    port: int,
    address: str = "127.0.0.1",
    offset: str | None = None,
    settings: str = "",
) -> Iterator[None]:
    """Run a chronyd that serves its own clock and sets none, until the end of the block."""
    directory.mkdir()
    configuration = directory / "chrony.conf"
    text = CONFIGURATION.format(port=port, address=address, directory=directory)
    configuration.write_text(text + settings, encoding="utf-8")
    process = subprocess.Popen(
        [*command(program), "-f", str(configuration)],
        env=os.environ | (faked(offset) if offset else {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_it_answers(address, port)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=10)


def _wait_until_it_answers(address: str, port: int) -> None:
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.settimeout(0.1)
            try:
                link.connect((address, port))
                link.send(b"\x23" + bytes(47))
                if link.recv(100):
                    return
            except OSError:
                time.sleep(0.05)
    raise AssertionError(f"chronyd on {address} port {port} does not answer")


def free_port() -> int:
    """Return a UDP port above 10000 that nobody uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 0))
        port: int = link.getsockname()[1]
    return port


def source(port: int, operator: str, address: str = "127.0.0.1") -> str:
    """Return the table that asks such a server."""
    return f'[[sources.ntp]]\nhost = "{address}"\nport = {port}\noperator = "{operator}"\n'
