"""Part `costs`: CPU, wall and memory of time-drift beside its peers, in turns."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from drift.formats.registry import names
from tools.bench.measure import peers
from tools.bench.measure.checkout import PYTHON, ROOT
from tools.bench.measure.cost import Cost, Run, interleaved, once, summed_up
from tools.bench.names import (
    ALL,
    CHECK,
    CHECK_NTP_TIME,
    CHRONYD,
    COOKIES,
    EMPTY,
    FIVE,
    HTPDATE,
    KEPT,
    NTPDIG,
    ONE,
    PAGE,
    PLAIN,
    QUERY,
    ROUGH,
    ROUGHLY,
    WEB,
)
from tools.bench.servers.real import (
    configuration,
    lab_process,
    nts_servers,
    servers,
    web_servers,
)

_FEW = {"ntp": 5, "nts": 1, "roughtime": 3, "https": 3}
_WATCHED = 100
_AT_ONCE = 13
_LEAST_ROUNDS = 5


def costs(script: Path, directory: Path, rounds: int) -> dict[str, Any]:
    """Measure; every figure is a Cost as a mapping, by what was run."""
    with servers(directory, 5) as addresses:
        five = configuration(addresses, directory / "five.toml")
        found = {
            "plain": _measured(_plain(script, five, addresses), rounds),
            "chronyd": _beside_chronyd(script, directory, addresses, rounds),
            "watch": _watch(script, directory, five, rounds),
        }
        with _kinds(directory, five) as tables:
            found["kinds"] = _measured(_mixes(script, directory, tables), rounds)
            found["other"] = _measured(_others(tables), min(rounds, _LEAST_ROUNDS))
    found["many"] = _many(script, directory, rounds)
    return found


def _measured(commands: dict[str, Sequence[str]], rounds: int) -> dict[str, Any]:
    return _plainly(interleaved(peers.only_installed(commands), rounds))


def _plainly(found: Mapping[str, Cost]) -> dict[str, Any]:
    return {name: cost._asdict() for name, cost in found.items()}


def _plain(script: Path, five: str, addresses: Sequence[str]) -> dict[str, Sequence[str]]:
    """Return what is measured against five chronyd, by peers against one of them."""
    ours = [str(script), "--config", five]
    return {
        EMPTY: [PYTHON, "-I", "-S", "-c", ""],
        PLAIN: ours,
        ONE: peers.asking(NTPDIG, addresses[0]),
        FIVE: peers.asking(NTPDIG, *addresses),
        CHECK: peers.asking(CHECK_NTP_TIME, "-H", addresses[0]),
        **{f"time-drift.sh --format {name}": [*ours, "--format", name] for name in names()[1:]},
    }


def _beside_chronyd(
    script: Path, directory: Path, addresses: Sequence[str], rounds: int
) -> dict[str, Any]:
    """Measure chronyd -Q with the same servers: it mostly waits, so that many runs go at once."""
    ours = [str(script), "--config", str(directory / "five.toml")]
    theirs = [_chronyd(directory, addresses, number) for number in range(rounds)]
    if not theirs[0]:
        return {}
    found_theirs: list[Run] = []
    found_ours: list[Run] = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for first in range(0, rounds, _AT_ONCE):
            batch = theirs[first : first + _AT_ONCE]
            found_theirs += pool.map(once, batch)
            found_ours += [once(ours) for _ in batch]
    return _plainly({CHRONYD: summed_up(found_theirs), PLAIN: summed_up(found_ours)})


def _chronyd(directory: Path, addresses: Sequence[str], number: int) -> Sequence[str]:
    path = directory / f"client-{number}.conf"
    lines = [f"server {address} iburst" for address in addresses]
    path.write_text("\n".join([*lines, "cmdport 0", f"pidfile {path}.pid"]))
    return peers.asking(CHRONYD, "-f", str(path))


def _watch(script: Path, directory: Path, five: str, rounds: int) -> dict[str, Any]:
    """Measure one measurement of `watch`: a hundredth of a run asked for so many by newlines."""
    asking = directory / "newlines"
    asking.write_text("\n" * _WATCHED)
    found = {}
    for name in ("integer", "prometheus"):
        line = f'exec "$0" watch --config "$1" --format {name} <"$2"'
        command = ["sh", "-c", line, str(script), five, str(asking)]
        runs = [once(command) for _ in range(min(rounds, _LEAST_ROUNDS))]
        found[name] = summed_up(
            [
                run._replace(cpu_ms=run.cpu_ms / _WATCHED, wall_ms=run.wall_ms / _WATCHED)
                for run in runs
            ]
        )
    return _plainly(found)


@contextmanager
def _kinds(directory: Path, five: str) -> Iterator[dict[str, list[str]]]:
    """Run servers of every kind; yield the tables that ask them, by kind."""
    rough = directory / "rough.toml"
    most = {kind: max(count, _FEW[kind]) for kind, count in _shipped().items()}
    with (
        web_servers(directory, most["https"]) as https,
        lab_process("rough", most["roughtime"], rough),
        nts_servers(directory, most["nts"]) as nts,
    ):
        yield {
            "ntp": _tables(Path(five)),
            "nts": nts,
            "roughtime": _tables(rough),
            "https": https,
        }


def _shipped() -> dict[str, int]:
    """Return how many sources of each kind the shipped configuration has."""
    shipped = tomllib.loads((ROOT / "config.toml").read_text(encoding="utf-8"))["sources"]
    return {kind: len(shipped[kind]) for kind in _FEW}


def _tables(path: Path) -> list[str]:
    return [f"[[{table}" for table in path.read_text().split("[[")[1:]]


def _mixes(
    script: Path, directory: Path, tables: Mapping[str, Sequence[str]]
) -> dict[str, Sequence[str]]:
    """Return runs of mixed kinds, of which so many are needed; and ntpdig to hold them against."""
    state = f'state = "{directory}/state"\n'
    web, dated = {"ntp": 5, "https": 3}, {"ntp": 5, "roughtime": 3, "https": 3}
    runs = {
        "NTP; HTTPS configured, not needed": ("", 1, web),
        WEB: ("", 2, web),
        ROUGH: ("", 2, dated),
        KEPT: (state, 2, _shipped()),
        ALL: (state, 4, _FEW),
        "one NTS server, keys exchanged": ('state = ""\n', 1, {"nts": 1}),
        COOKIES: (state, 1, {"nts": 1}),
    }
    commands: dict[str, Sequence[str]] = {ONE: peers.asking(NTPDIG, "127.0.0.1")}
    for number, (name, (settings, kinds, asked)) in enumerate(runs.items()):
        path = directory / f"mix-{number}.toml"
        chosen = [table for kind, count in asked.items() for table in tables[kind][:count]]
        path.write_text("\n".join([f"{settings}[consensus]\nmin_kinds = {kinds}", *chosen]))
        commands[name] = [str(script), "--config", str(path)]
    return commands


def _others(tables: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Return the peers of other kinds: htpdate waits for a new second, roughly asks one server."""
    first = dict(
        line.replace('"', "").split(" = ")
        for line in tables["roughtime"][0].splitlines()
        if " = " in line
    )
    where = [first["host"], first["port"], first["public_key"]]
    return {
        PAGE: peers.asking(HTPDATE, "http://127.0.1.1/"),
        QUERY: peers.asking(ROUGHLY, "query", *where),
    }


def _many(script: Path, directory: Path, rounds: int) -> dict[str, Any]:
    """Measure 10, 100 and 200 sources, each a port of one process on loopback."""
    with lab_process("crowd", 200, directory / "crowd.toml"):
        tables = (directory / "crowd.toml").read_text().split("\n\n")
        commands: dict[str, Sequence[str]] = {}
        for count in (10, 100, 200):
            path = directory / f"crowd-{count}.toml"
            path.write_text("\n\n".join(tables[:count]))
            commands[str(count)] = [str(script), "--config", str(path)]
        return _measured(commands, rounds)
