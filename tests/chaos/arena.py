"""One run of the program under one fault, in a network and mounts of its own."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from lab.behaviour import honest, late
from lab.https import HttpsServer
from lab.nodes import network as lab_nodes
from lab.nodes.base import LabNode
from lab.nodes.kaspa import KaspaNode
from lab.ntp import NtpServer
from lab.nts import NtsServer
from lab.roughtime import RoughtimeServer
from lab.world import Server
from tests.chaos import namespaces
from tests.chaos.contract import GRACE_S, HONEST_NODES, MEASUREMENTS, Ran
from tests.chaos.fault import Fault, Names
from tests.chaos.servers import lab_time_unix_ns
from tests.conftest import ROOT
from tests.support.servers.dns_server import DnsServer, outside
from tests.support.servers.exporter import serving

PORTS = {"a.lab.test": 10_001, "b.lab.test": 10_002, "c.lab.test": 10_003}
"""Names that lead to clocks, and the ports of those."""
MANY = 50
NODE_TIMEOUT_S = 1
_HANGS_S = 12
"""How long after its deadline a run is given up."""
_LATE_S = 0.3
_KEPT = re.compile(r"state/(lock|[^/]+\.toml|configuration-[0-9])")
"""What runs leave for later ones."""
_RUNNING: list[ExitStack] = []
"""What nobody ends, so that nothing of it is put away before the process itself."""
_SETTINGS = "timeout = {}\n[consensus]\nmin_kinds = {}\n[probe]\ntimeout = {}\nrate = 500\n"
_ALLOW = 'allow = ["127.0.0.0/8"]\n'


def play(fault: Fault, folder: Path, *, beside: bool) -> Ran:
    """Enter namespaces, for good, and run the program there; return what came of it.

    What has been started is not ended, as there may be no file system left to do it on: that is
    for the end of this process, and for whoever removes the folder.
    """
    network = namespaces.enter()
    tempfile.tempdir = str(folder / "lab")
    for name in ("state", "tmp", "home", "lab"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    _shell(fault.machine.early, folder)
    running = ExitStack()
    _RUNNING.append(running)
    config, targets = running.enter_context(_lab(fault, folder, beside=beside))
    (folder / "config.toml").write_text(config, encoding="utf-8")
    _shell(fault.machine.prepare, folder)
    before = {*_files(folder), *network.others()}
    ran = _ran(fault, folder, targets)
    left = {*_files(folder), *network.others()} - before
    return ran.replaced(left=tuple(sorted(left)))


def _shell(commands: str, folder: Path) -> None:
    if commands:
        prepare = f"export FOLDER={folder}\n{commands}"
        subprocess.run(["sh", "-ec", prepare], check=True, stdout=sys.stderr)


def _files(folder: Path) -> set[str]:
    """Return what is in the folders that a run might leave something in, but for entries."""
    found = set()
    for name in ("state", "tmp", "home"):
        with suppress(OSError):  # some faults replace them by something else
            found |= {f"{name}/{entry}" for entry in os.listdir(folder / name)}
    return {file for file in found if not _KEPT.fullmatch(file)}


@contextmanager
def _lab(fault: Fault, folder: Path, *, beside: bool) -> Iterator[tuple[str, Sequence[str]]]:
    """Run what is honest and what is not; yield the configuration, and targets among nodes."""
    with ExitStack() as running:
        of_nodes = fault.run in ("probe", "serve")
        servers = _honest(fault) if beside or of_nodes else []
        if fault.names is None and not of_nodes:
            servers += [fault.server(name) for name in ("YZ" if beside else "ABC")]
        for server in servers:
            running.enter_context(server)
        tables = [server.toml() for server in servers]
        if fault.names is not None:
            tables += _named(running, fault.names, folder, beside=beside)
        nodes = [*_honest_nodes(fault, beside=beside), *fault.nodes()]
        running.enter_context(lab_nodes.network(nodes))
        targets = [node.target for node in nodes]
        settings = _SETTINGS.format(fault.timeout_s, fault.min_kinds, NODE_TIMEOUT_S)
        yield "\n".join([settings + _ALLOW, *tables]), targets


def _honest(fault: Fault) -> list[Server]:
    delay = honest if fault.run in ("probe", "serve", "many") else late(_LATE_S)
    address = "2001:db8::1" if fault.honest == "ipv6" else "127.0.0.1"
    found: list[Server] = [
        NtpServer(f"Honest {n}", delay, time_unix_ns=lab_time_unix_ns, address=address)
        for n in range(3)
    ]
    if fault.honest == "all":
        found += [
            kind(f"Honest {kind.kind}", time_unix_ns=lab_time_unix_ns)
            for kind in (NtsServer, HttpsServer, RoughtimeServer)
        ]
    return found


def _honest_nodes(fault: Fault, *, beside: bool) -> list[LabNode]:
    if not beside or fault.run not in ("probe", "serve"):
        return []
    return [KaspaNode() for _ in range(HONEST_NODES if fault.run == "probe" else 1)]


def _named(running: ExitStack, names: Names, folder: Path, *, beside: bool) -> list[str]:
    """Run clocks and name servers; return the tables of sources that are asked by name."""
    from tests.chaos.matrix.servers.names import BEHAVIOURS

    zone = {host: ["127.0.0.1"] for host in PORTS} | {k: list(v) for k, v in names.zone.items()}
    zone, hosts = outside(zone, "127.0.0.1 localhost\n")
    conf = "".join(f"nameserver {address}\n" for address in names.servers)
    files = {
        "/etc/resolv.conf": conf if names.resolv_conf is None else names.resolv_conf,
        "/etc/hosts": hosts,
        "/etc/nsswitch.conf": "hosts: files dns\n",
    }
    for target, text in files.items():
        source = folder / Path(target).name
        source.write_text(text, encoding="latin-1")
        subprocess.run(["mount", "--bind", str(source), target], check=True)
    for address, behaviour in names.servers.items():
        if behaviour != "dead":
            server = DnsServer(zone, BEHAVIOURS[behaviour](), address=address, port=53)
            running.enter_context(server)
    for port in PORTS.values():
        clock = NtpServer("", time_unix_ns=lab_time_unix_ns, port=port)
        running.enter_context(clock)
    asked = list(PORTS.items())[: 2 if beside else 3]
    return [
        f'[[sources.ntp]]\nhost = "{host}"\nport = {port}\noperator = "{host}"\n'
        for host, port in asked
    ]


def _ran(fault: Fault, folder: Path, targets: Sequence[str]) -> Ran:
    environ = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "STATE_DIRECTORY": str(folder / "state"),
        "TMPDIR": str(folder / "tmp"),
        "HOME": str(folder / "home"),
        **{k: v.replace("$FOLDER", str(folder)) for k, v in fault.machine.environ.items()},
    }
    if fault.run == "serve":
        return _scraped(fault, folder, targets)
    command = [*fault.machine.wrap, str(ROOT / "time-drift.sh"), *_words(fault, folder, targets)]
    deadline_s = _deadline_s(fault)
    if fault.run == "many":
        return _rarest([_started(command, environ) for _ in range(MANY)], deadline_s)
    began_s = time.monotonic()
    process = _started(command, environ)
    meanwhile = fault.machine.during
    if meanwhile is not None:
        thread = threading.Thread(target=meanwhile, args=(process.pid, str(folder)), daemon=True)
        thread.start()
    stdin = "\n" * MEASUREMENTS if fault.run == "watch" else ""
    return _ended(process, began_s, deadline_s, stdin)


def _words(fault: Fault, folder: Path, targets: Sequence[str]) -> list[str]:
    """Return the arguments of the program."""
    config = ["--config", str(folder / "config.toml")]
    options = [word.replace("$FOLDER", str(folder)) for word in fault.machine.options]
    if fault.run == "probe":
        one = ["--format", "integer"] if len(targets) == 1 else []
        return ["probe", *config, *one, *options, *targets]
    if fault.run == "watch":
        return ["watch", *config, *options]
    output_format = "integer" if fault.run == "many" else fault.run
    return [*config, "--format", output_format, *options]


def _deadline_s(fault: Fault) -> float:
    """Return by when a run has to have ended, counted from its start."""
    deadline_s = fault.timeout_s + GRACE_S
    if fault.run == "watch":
        return MEASUREMENTS * deadline_s + GRACE_S  # and once to start
    if fault.run == "probe":
        return deadline_s + NODE_TIMEOUT_S  # after the consensus
    return deadline_s


def _started(command: Sequence[str], environ: dict[str, str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        env=environ,
        cwd="/",
    )


def _ended(
    process: "subprocess.Popen[str]", began_s: float, deadline_s: float, stdin: str = ""
) -> Ran:
    try:
        stdout, stderr = process.communicate(stdin, timeout=deadline_s + _HANGS_S)
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
    wall_s = time.monotonic() - began_s
    return Ran(stdout, stderr, process.returncode, wall_s, deadline_s=deadline_s)


def _rarest(processes: Sequence["subprocess.Popen[str]"], deadline_s: float) -> Ran:
    """Return what fewest of these came to, and how long the last one took."""
    began_s = time.monotonic()
    all_ = [_ended(process, began_s, deadline_s) for process in processes]
    outcomes = Counter((ran.stdout, ran.status) for ran in all_)
    rarest = min(all_, key=lambda ran: outcomes[ran.stdout, ran.status])
    return rarest.replaced(wall_s=max(ran.wall_s for ran in all_))


def _scraped(fault: Fault, folder: Path, targets: Sequence[str]) -> Ran:
    """Return what the exporter says of each target, and how it ends; stdout are its metrics."""
    environ = {"STATE_DIRECTORY": str(folder / "state"), "TMPDIR": str(folder / "tmp")}
    script = folder / "serve"
    words = " ".join([*fault.machine.wrap, str(ROOT / "time-drift.sh"), '"$@"'])
    script.write_text(f"#!/bin/sh\nexec {words}\n", encoding="utf-8")
    script.chmod(0o755)
    bodies, slowest_s = [], 0.0
    with serving(str(script), folder / "config.toml", environ) as exporter:
        for target in targets:
            began_s = time.monotonic()
            status, body, _ = exporter.get(f"/probe?target={target}")
            slowest_s = max(slowest_s, time.monotonic() - began_s)
            bodies.append(body if status in (200, 503) else f"status {status}: {body}")
        exporter.process.terminate()
        ended = exporter.process.wait(timeout=_HANGS_S)
        stderr = exporter.process.stderr.read() if exporter.process.stderr else ""
    return Ran("\n".join(bodies), stderr, ended, slowest_s, deadline_s=NODE_TIMEOUT_S + 2 * GRACE_S)


def is_possible() -> str:
    """Return why chaos cannot be made here; empty if it can."""
    if os.geteuid():
        return "it takes root, for networks and mounts of its own"
    missing = [name for name in ("ip", "nft", "prlimit", "setpriv") if shutil.which(name) is None]
    return f"not installed: {', '.join(missing)}" if missing else ""
