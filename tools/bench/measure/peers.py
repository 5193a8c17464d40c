"""Other programs that compare clocks: where they are, and what their output says of the drift.

All print the correction to apply, true minus local; here it is turned round.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.bench.measure.checkout import ENVIRON, PYTHON, ROOT
from tools.bench.names import CHECK_NTP_TIME, CHRONYD, HTPDATE, NTPDIG, ROUGHLY

_PLUGINS = "/usr/lib/nagios/plugins"
_UNPACKED = str(ROOT / "build/htpdate/usr/sbin")
_PATH = f"{ENVIRON['PATH']}:{_PLUGINS}:{_UNPACKED}"
_NUMBER = r"([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)"
_PRINTED = {
    NTPDIG: rf"\) {_NUMBER} \+/- ",
    CHRONYD: rf"System clock wrong by {_NUMBER} seconds",
    CHECK_NTP_TIME: rf"Offset {_NUMBER} secs",
    HTPDATE: rf"Offset {_NUMBER} seconds",
}
_VERSION = {
    NTPDIG: ("--version", r"ntpdig (\S+)"),
    CHRONYD: ("--version", r"version (\S+)"),
    CHECK_NTP_TIME: ("-V", r" v?(\S+)"),
    HTPDATE: ("-v", r"version (\S+)"),
}


def command(name: str) -> list[str]:
    """Return how a peer is called, without arguments; nothing if it is not installed."""
    if name == ROUGHLY:
        return _roughly()
    path = shutil.which(name.partition(" ")[0], path=_PATH)
    options = {CHRONYD: ["-Q", "-x", "-u", "root"], HTPDATE: ["-q"]}
    return [path, *options.get(name, [])] if path else []


def asking(name: str, *arguments: str) -> list[str]:
    """Return a peer's whole command line; nothing if it is not installed."""
    start = command(name)
    return [*start, *arguments] if start else []


def version(name: str) -> str:
    """Return the version of a peer that is installed."""
    if name == ROUGHLY:
        return next(_packages()).name.removeprefix("roughly-").removesuffix(".dist-info")
    option, pattern = _VERSION[name]
    done = subprocess.run(
        [command(name)[0], option], env=ENVIRON, check=False, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    found = re.search(pattern, done.stdout)
    return found[1] if found else "of unknown version"


def drift_s(name: str, printed: str) -> float | None:
    """Return local minus true time as a peer printed it; None if it printed no one number.

    roughly prints the time of each server, beside the machine's: that is a number if all agree.
    """
    if name == ROUGHLY:
        return _roughly_drift_s(printed)
    found = re.search(_PRINTED[name], printed)
    return -float(found[1]) if found else None


def _roughly_drift_s(printed: str) -> float | None:
    machine = re.search(r"At (\d+) \(machine time\)", printed)
    times = {int(found) for found in re.findall(r"time=(\d+)", printed)}
    return float(int(machine[1]) - times.pop()) if machine and len(times) == 1 else None


def _packages() -> Iterator[Path]:
    return (ROOT / ".venv-interop/lib").glob("python3*/site-packages/roughly-*.dist-info")


def _roughly() -> list[str]:
    """Return how roughly is run by the system's Python, where that has the version of its own."""
    for package in _packages():
        start = (
            f"import sys; sys.path.insert(0, {str(package.parent)!r}); "
            "from roughly.cli import cli; sys.argv[0] = 'roughly'; cli()"
        )
        return [PYTHON, "-c", start]
    return []


def only_installed(commands: dict[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Leave out what is not installed: commands that are empty."""
    return {name: command for name, command in commands.items() if command}
