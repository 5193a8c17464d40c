"""`make bench`: cost and error of time-drift beside ntpdig and chronyd -Q, as Markdown.

Needs root (a network namespace of its own, because ntpdig asks port 123 only) and Debian's chrony,
nginx-light and ntpsec-ntpdig. Both programs run on /usr/bin/python3, with nothing of the user's
environment.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drift.formats.registry import names
from tools.bench.measure import interleaved, once
from tools.bench.servers import configuration, nts_server, servers, web_servers

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/bin/python3"
ENVIRON = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent"}


def main() -> None:
    """Prepare a copy of the checkout outside, then measure inside a namespace."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=25, help="runs of each program (25)")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        measure(Path(options.inside), options.rounds)
        return
    with tempfile.TemporaryDirectory(prefix="time-drift-bench-") as directory:
        prepare(Path(directory))
        arguments = [sys.executable, "-m", "tools.bench.run", "--inside", directory]
        arguments += ["--rounds", str(options.rounds)]
        subprocess.run(["unshare", "-n", *arguments], check=True, cwd=ROOT)


def prepare(directory: Path) -> None:
    """Copy the program and let it make its environment by the system's Python."""
    for name in ("drift", "sources", "nodes", "fleet", "lab"):
        shutil.copytree(ROOT / name, directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("time-drift.sh", "requirements.txt", "config.toml"):
        shutil.copy2(ROOT / name, directory / name)
    subprocess.run(
        [directory / "time-drift.sh", "--version"],
        check=True,
        env=os.environ | {"TIME_DRIFT_PYTHON": PYTHON},
        stdout=subprocess.DEVNULL,
    )


def measure(directory: Path, rounds: int) -> None:
    """Print every table."""
    with servers(directory, 5) as addresses:
        five = configuration(addresses, directory / "five.toml")
        costs(directory, five, rounds)
        watching(directory, five)
        against_chronyd(directory, five, addresses)
        errors(directory, five, rounds)
        rough = directory / "rough.toml"
        with web_servers(directory, 3) as tables, crowd("tools.bench.rough", 3, rough):
            two = Path(five).read_text() + tables
            programs = {"HTTPS not needed": 1, "HTTPS needed": 2}
            paths = mixed(directory, "5 NTP and 3 HTTPS (nginx)", two, programs, rounds)
            errors(directory, paths["HTTPS needed"], rounds)
            programs = {"NTP and Roughtime decide": 2, "all three needed": 3}
            title = "5 NTP, 3 HTTPS (nginx) and 3 Roughtime (the lab's)"
            mixed(directory, title, two + rough.read_text(), programs, rounds)
            errors_while_importing(directory, tables, rounds)
        with nts_server(directory) as toml:
            nts(directory, toml, rounds)
    many_sources(directory, rounds)


def costs(directory: Path, five: str, rounds: int) -> None:
    """Print CPU and wall of five sources against ntpdig asking one."""
    script = str(directory / "time-drift.sh")
    table(
        {
            "python3 -c pass": [PYTHON, "-I", "-c", "pass"],
            "time-drift.sh, 5 servers": [script, "--config", five],
            **{
                f"time-drift.sh --format {name}, 5 servers": [
                    *(script, "--config", five, "--format", name)
                ]
                for name in names()[1:]
            },
        },
        rounds,
    )


def watching(directory: Path, five: str) -> None:
    """Print what one measurement of `watch` costs, of a hundred that are asked for by newlines."""
    asking = directory / "newlines"
    asking.write_text("\n" * 100)
    for name in ("integer", "prometheus"):
        command = f'exec "$0" watch --config "$1" --format {name} <"$2"'
        script = str(directory / "time-drift.sh")
        costs_s = [
            once(["sh", "-c", command, script, five, str(asking)], ENVIRON) for _ in range(3)
        ]
        cpu_s, wall_s = (statistics.median(each) for each in zip(*costs_s, strict=True))
        cost = f"{cpu_s * 10:.1f} ms of CPU, {wall_s * 10:.1f} ms"
        print(f"\nwatch --format {name}, a measurement of 5 servers: {cost}")


def nts(directory: Path, toml: str, rounds: int) -> None:
    """Print what one NTS server costs when keys are exchanged, and with cookies kept."""
    paths = {}
    for name, state in {"keys exchanged": "", "cookies kept": f"{directory}/state"}.items():
        path = directory / f"nts-{len(state)}.toml"
        path.write_text(f'state = "{state}"\n{toml}')
        paths[name] = [str(directory / "time-drift.sh"), "--config", str(path)]
    print("\n1 NTS server (chronyd)")
    table(paths, rounds)


def mixed(
    directory: Path, title: str, toml: str, programs: dict[str, int], rounds: int
) -> dict[str, str]:
    """Print the cost of a mix of kinds, by how many must agree; return the configurations."""
    script = str(directory / "time-drift.sh")
    paths = {}
    for name, kinds in programs.items():
        path = directory / f"{len(list(directory.iterdir()))}.toml"
        path.write_text(f"[consensus]\nmin_kinds = {kinds}\n{toml}")
        paths[name] = str(path)
    print(f"\n{title}")
    table({name: [script, "--config", path] for name, path in paths.items()}, rounds)
    return paths


def table(commands: dict[str, list[str]], rounds: int) -> None:
    """Print what the commands cost, and how that compares with ntpdig asking one server."""
    peer_name = "ntpdig, one server"
    found = interleaved({peer_name: ["ntpdig", "127.0.0.1"], **commands}, rounds, ENVIRON)
    peer = found[peer_name]
    print("| program | CPU ms (least) | x ntpdig | wall ms | x ntpdig |")
    print("|---|---|---|---|---|")
    for name, cost in found.items():
        print(
            f"| {name} | {cost.cpu_ms:.1f} ({cost.cpu_least_ms:.1f}) "
            f"| {cost.cpu_ms / peer.cpu_ms:.2f} | {cost.wall_ms:.1f} "
            f"| {cost.wall_ms / peer.wall_ms:.2f} |"
        )


def against_chronyd(directory: Path, five: str, addresses: list[str]) -> None:
    """Print the wall time of chronyd -Q with the same servers."""
    path = directory / "client.conf"
    lines = [f"server {address} iburst" for address in addresses]
    path.write_text("\n".join([*lines, "cmdport 0", f"pidfile {directory}/client.pid"]))
    _, theirs_s = once(["chronyd", "-Q", "-x", "-u", "root", "-f", str(path)], ENVIRON)
    ours_s = min(
        once([str(directory / "time-drift.sh"), "--config", five], ENVIRON)[1] for _ in range(5)
    )
    print(f"\nchronyd -Q, same servers: {theirs_s:.2f} s; we: 1/{theirs_s / ours_s:.0f} of it")


def errors(directory: Path, five: str, rounds: int) -> None:
    """Print the error of the estimate against a known drift of zero: servers on this clock."""
    found_us = []
    for _ in range(rounds):
        done = subprocess.run(
            [directory / "time-drift.sh", "--config", five, "--json"],
            env=ENVIRON,
            check=True,
            capture_output=True,
        )
        found_us.append(abs(json.loads(done.stdout)["drift_ns"]) / 1000)
    median_us = statistics.median(found_us)
    print(f"\nerror of the estimate: median {median_us:.1f} us, worst {max(found_us):.1f} us")


def errors_while_importing(directory: Path, https_tables: str, rounds: int) -> None:
    """Print the error when NTP replies arrive 0.2 s after the asking, while httpx is imported."""
    path = directory / "away.toml"
    with crowd("tools.bench.crowd", 3, path, "0.1"):
        path.write_text(f"[consensus]\nmin_kinds = 2\n{path.read_text()}\n{https_tables}")
        print("\nThe same with NTP servers 0.1 s away, each way: httpx is imported meanwhile:")
        errors(directory, str(path), rounds)


@contextmanager
def crowd(module: str, count: int, path: Path, *away_s: str) -> Iterator[None]:
    """Run so many servers in one process, which writes the configuration to `path`."""
    with subprocess.Popen(
        [sys.executable, "-m", module, str(count), str(path), *away_s],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        process.stdout.readline()
        yield
        process.terminate()


def many_sources(directory: Path, rounds: int) -> None:
    """Print the wall time of 10, 100 and 200 sources, each a port of one process on loopback."""
    script = str(directory / "time-drift.sh")
    with crowd("tools.bench.crowd", 200, directory / "crowd.toml"):
        tables = (directory / "crowd.toml").read_text().split("\n\n")
        commands = {}
        for count in (10, 100, 200):
            path = directory / f"crowd-{count}.toml"
            path.write_text("\n\n".join(tables[:count]))
            commands[str(count)] = [script, "--config", str(path)]
        found = interleaved(commands, rounds, ENVIRON)
    print("\n| sources | wall ms | x 10 | ms each beyond 10 | CPU ms |")
    print("|---|---|---|---|---|")
    ten = found["10"]
    for name, cost in found.items():
        each_ms = (cost.wall_ms - ten.wall_ms) / max(1, int(name) - 10)
        print(
            f"| {name} | {cost.wall_ms:.1f} | {cost.wall_ms / ten.wall_ms:.2f} | {each_ms:.2f} "
            f"| {cost.cpu_ms:.1f} |"
        )


if __name__ == "__main__":
    main()
