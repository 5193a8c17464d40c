"""`time-drift probe`, as a process, against a network of lab nodes whose drifts are known."""

import json
import os
import pty
import random
import re
import resource
import socket
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lab import behaviour
from lab.network import Network, network
from lab.nodes.avalanche import AvalancheNode
from lab.nodes.base import LabNode
from lab.nodes.behaviour import begun, cut, drip, endless, followed_by_endless
from lab.nodes.bitcoin import BitcoinNode
from lab.nodes.http import HttpNode
from lab.nodes.https import HttpsNode
from lab.nodes.kaspa import KaspaNode
from lab.nodes.xrpl import XrplNode
from sources.clock import NS
from tests.conftest import Program
from tests.e2e.test_contract import assert_refused
from tests.support.servers.chrony import faked

NGINX = (("Server", "nginx/1.24.0"),)
READ = ("decided", "undecided")
CDN = (("Server", "cloudflare"), ("CF-Ray", "7"))
DEADLINE = "timeout = 2\nrate = 500"

Lab = Callable[..., tuple[str, Network]]


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Lab]:
    """Run nodes and time servers; return the path of the configuration, and the network."""
    with ExitStack() as running:

        def start(*members: LabNode, settings: str = DEADLINE) -> tuple[str, Network]:
            found = running.enter_context(network(*members, settings=settings, modules=modules()))
            path = tmp_path / "probe.toml"
            path.write_text(found.toml, encoding="utf-8")
            return str(path), found

        yield start


def modules() -> str:
    """Return how lab nodes with a certificate are read."""
    ca_file = HttpsNode().settings()["ca_file"]
    return f'[probe.modules.https]\nkind = "https"\nca_file = "{ca_file}"\n'


def test_a_line_a_target(program: Program, nodes: Lab) -> None:
    """In the order given: the integer or ?, the interval, the target, and what else there is."""
    path, lab = nodes(
        BitcoinNode(behaviour.shifted(-4)), XrplNode(), BitcoinNode(agent="/Satoshi:0.21.2/")
    )

    done = program("probe", "--config", path, *lab.targets)

    lines = done.stdout.splitlines()
    assert done.returncode == 3
    assert done.stderr == ""
    assert [line.split()[0] for line in lines] == ["-4", "0", "?"]
    assert [target in line for target, line in zip(lab.targets, lines, strict=True)] == [True] * 3
    assert "2 asked  /Satoshi:29.0.0/" in lines[0] or "3 asked  /Satoshi:29.0.0/" in lines[0]
    assert "1 asked  rippled-2.4.0" in lines[1]
    assert "adjusted" in lines[2]


def test_every_node_decided_is_a_success(program: Program, nodes: Lab) -> None:
    """And one target's integer keeps the contract of the plain run."""
    path, lab = nodes(KaspaNode(behaviour.shifted(3600)))

    done = program("probe", "--config", path, "--format", "integer", *lab.targets)

    assert (done.returncode, done.stdout, done.stderr) == (0, "3600\n", "")


def test_no_integer_that_is_not_proven(program: Program, nodes: Lab) -> None:
    """An adjusted or silent node has none, however sure it looks; one line says why, and 3."""
    path, lab = nodes(BitcoinNode(agent="/LitecoinCore:0.21.2/"), BitcoinNode(behaviour.silent))

    for target, why in zip(lab.targets, ("adjusted: shows ", "silent: 127.0.0.1"), strict=True):
        done = program("probe", "--config", path, "--format", "integer", target)

        assert_refused(done, 3, f"no answer: {why}")


def test_without_a_consensus_nobody_is_asked(program: Program, nodes: Lab, tmp_path: Path) -> None:
    """Not one packet to a node, no drift in any format; one line says why, and 3."""
    _, lab = nodes(BitcoinNode())
    path = tmp_path / "blind.toml"
    sources = '[[sources.ntp]]\nhost = "127.0.0.1"\nport = 9\noperator = "A"\n'
    path.write_text(f'timeout = 0.5\n{sources}[probe]\nallow = ["127.0.0.0/8"]\n', encoding="utf-8")

    integer = program("probe", "--config", str(path), "--format", "integer", *lab.targets)
    metrics = program("probe", "--config", str(path), "--format", "prometheus", *lab.targets)

    assert_refused(integer, 3, "no answer")
    assert metrics.returncode == 3
    assert "time_drift_node_seconds" not in metrics.stdout
    assert 'verdict="not read"} 1.0' in metrics.stdout
    assert lab.nodes[0].connections == 0


def test_without_a_consensus_no_packet_leaves(script: str, needs: Callable[[str], str]) -> None:
    """By the system's own count, in a network of its own; with a consensus it counts many."""
    for name in ("unshare", "ip"):
        needs(name)
    sources = '[[sources.ntp]]\nhost = "127.0.0.1"\nport = 9\noperator = "A"\n'
    toml = f'timeout = 0.5\n{sources}[probe]\nallow = ["127.0.0.0/8"]\n'
    opened = "grep ^Tcp: /proc/net/snmp"
    probe = f"{script} probe --config /dev/stdin http://127.0.0.1:80 kaspa://127.0.0.1:81"
    demo = f"{script} probe --demo"
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", f"ip link set lo up; {probe}; {opened}; {demo}; {opened}"],
        input=toml,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("Tcp:")]
    before, after = (
        dict(zip(names, values, strict=True))
        for names, values in zip(lines[::2], lines[1::2], strict=True)
    )

    assert "no answer" in done.stderr
    assert (before["ActiveOpens"], before["OutSegs"]) == ("0", "0")
    assert int(after["ActiveOpens"]) >= 7


def test_loopback_is_refused_unless_allowed(program: Program, nodes: Lab, tmp_path: Path) -> None:
    """By the address that a name leads to; nothing is connected to."""
    path, lab = nodes(BitcoinNode())
    text = Path(path).read_text(encoding="utf-8").replace('allow = ["127.0.0.0/8"]', "")
    Path(path).write_text(text, encoding="utf-8")
    port = lab.nodes[0].port

    done = program(
        "probe", "--config", path, f"bitcoin://127.0.0.1:{port}", f"bitcoin://localhost:{port}"
    )

    assert done.returncode == 3
    assert done.stdout.count("not allowed") == 2
    assert lab.nodes[0].connections == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ("no target",)),
        (("bitcoin://node.example/path",), ("bitcoin://node.example/path", "paths")),
        (("ripple://a.example",), ("no module is called ripple", "xrpl")),
        (("https://me:secret@a.example",), ("passwords",)),
        (("http://a.onion",), ("hidden",)),
        (("--format", "integer", "http://a.example", "http://b.example"), ("one target",)),
        (("--format", "xml", "http://a.example"), ("--format", "prometheus")),
        (("--summary", "--format", "influx", "http://a.example"), ("--summary",)),
        (("--targets", "/nowhere/nodes.json"), ("/nowhere/nodes.json", "cannot be read")),
        (("--demo", "http://a.example"), ("--demo",)),
        (("-w", "1", "http://a.example"), ("nagios",)),
        (("--nonsense",), ("--nonsense",)),
    ],
)
def test_wrong_usage(
    program: Program, nodes: Lab, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    """One line that says what is allowed, and 2."""
    path, _ = nodes()
    config = () if "--demo" in arguments else ("--config", path)

    assert_refused(program("probe", *config, *arguments), 2, *words)


def test_mistakes_in_the_configuration(program: Program, nodes: Lab) -> None:
    """File, table, key and what is allowed; nagios has it on stdout, UNKNOWN."""
    path, _ = nodes(settings="rate = 501")

    assert_refused(program("probe", "--config", path, "http://a.example"), 2, "[probe] rate", "500")
    done = program("probe", "--config", path, "--format", "nagios", "http://a.example")
    assert done.returncode == 3
    assert "UNKNOWN" in done.stdout


def test_check_config_prints_modules_and_limits(program: Program, nodes: Lab) -> None:
    """Beside the votes, where the configuration says anything of nodes; mistakes are 2."""
    path, lab = nodes()
    wrong = Path(f"{path}.wrong")
    wrong.write_text(lab.toml.replace("rate = 500", "rate = 0"), encoding="utf-8")

    done = program("--config", path, "--check-config")

    assert done.returncode == 0
    assert "3 votes" in done.stdout
    assert "at most 500 connections a second" in done.stdout
    assert "module litecoin: bitcoin, port 9333, chain litecoin (built in)" in done.stdout
    assert_refused(program("--config", str(wrong), "--check-config"), 2, "[probe] rate", "1 to 500")


def test_an_inventory(program: Program, nodes: Lab, tmp_path: Path) -> None:
    """file_sd as Prometheus has it, JSON and YAML, beside targets of the command line."""
    path, lab = nodes(*(KaspaNode(behaviour.shifted(off)) for off in (0, 5, 9)))
    first, second, third = lab.targets
    one, two = tmp_path / "one.json", tmp_path / "two.yml"
    one.write_text(json.dumps([{"targets": [first], "labels": {"dc": "a"}}]), encoding="utf-8")
    bare = second.partition("://")[2]
    two.write_text(
        f"- targets: ['{bare}']\n  labels: {{__param_module: kaspa, dc: b}}\n", encoding="utf-8"
    )

    done = program(
        "probe", "--config", path, "--format", "json", "--targets", str(one),
        "--targets", str(two), third,
    )  # fmt: skip

    found = json.loads(done.stdout)
    assert [one["target"] for one in found] == [third, first, bare]
    assert [one["drift_s"] for one in found] == [9, 0, 5]
    assert [one["labels"] for one in found] == [{}, {"dc": "a"}, {"dc": "b"}]
    assert done.returncode == 0


def test_the_demo(program: Program) -> None:
    """Without internet: right ones, one 4 s behind, one adjusted, one silent, one behind a CDN."""
    done = program("probe", "--demo")

    found = [line.split() for line in done.stdout.splitlines()]
    integers = {line[0] for line in found}
    assert {"0", "-4", "1", "?"} <= integers
    words = {line[1] for line in found if line[0] == "?"}
    assert {"adjusted", "silent", "proxy"} <= words
    assert all(re.fullmatch(r"-?[0-9]+|\?", line[0]) for line in found)
    assert done.returncode == 3
    assert done.stderr == ""


def test_the_nodes_see_who_asks(program: Program, nodes: Lab) -> None:
    """True time by the consensus, not the local clock, and our own agent."""
    path, lab = nodes(BitcoinNode(), settings=f'{DEADLINE}\nagent = "watch/1 (+https://a.example)"')

    program("probe", "--config", path, *lab.targets)

    node = lab.nodes[0]
    assert isinstance(node, BitcoinNode)
    assert "watch" in node.heard[0].agent
    assert "a.example" in node.heard[0].agent


# --- A whole network ------------------------------------------------------------------------


SORTS: tuple[tuple[str, Callable[..., LabNode]], ...] = (
    ("", BitcoinNode),
    ("", partial(BitcoinNode, agent="/btcd:0.24.2/")),
    ("silent", lambda _, **more: BitcoinNode(behaviour.silent, **more)),
    ("adjusted", partial(BitcoinNode, agent="/Satoshi:0.21.2/")),
    ("proxy", partial(HttpNode, headers=CDN)),
    ("", partial(HttpNode, headers=NGINX)),
    ("", partial(HttpsNode, headers=NGINX)),
    ("", XrplNode),
    ("", AvalancheNode),
    ("", KaspaNode),
)
"""A verdict, and a node that gets it; empty for one whose clock can be read."""


class Member(NamedTuple):
    """A node of a network, its drift, and what is to be found."""

    node: LabNode
    off_ns: int
    verdict: str


def members() -> list[Member]:
    """Return 300 nodes of all protocols, most of them right, some off by whatever."""
    dice = random.Random(20261128)  # noqa: S311 - a test that can be repeated
    found = []
    for number in range(300):
        off_s = dice.choice([0, 0, 0, 0, 0, -4, 17.3, 3600, -86_400]) + dice.gauss(0, 0.02)
        verdict, make = SORTS[number % len(SORTS)]
        node = make(behaviour.shifted(off_s))
        found.append(Member(node, round(off_s * NS), verdict))
    return found


@pytest.mark.parametrize("offset", ["", "-4s", "+10y"])
def test_a_network(
    program: Program,
    nodes: Lab,
    needs: Callable[[str], str],
    tmp_path: Path,
    offset: str,
) -> None:
    """Every integer right, every interval holds the truth, nobody counted as what it is not.

    Always. That few stay undecided may take a slower sweep: this machine plays 300 nodes beside
    other tests, and at 500 connections a second they answer late.
    """
    if offset:
        needs("faketime")
    wanted = members()
    undecided: list[float] = []
    with network(*(one.node for one in wanted), settings=DEADLINE, modules=modules()) as lab:
        path, inventory = tmp_path / "probe.toml", tmp_path / "nodes.json"
        inventory.write_text(json.dumps([{"targets": lab.targets}]), encoding="utf-8")
        for rate in (500, 100, 50):
            path.write_text(lab.toml.replace("rate = 500", f"rate = {rate}"), encoding="utf-8")
            done = program(
                "probe", "--config", str(path), "--format", "json", "--targets", str(inventory),
                environ=faked(offset) if offset else {},
            )  # fmt: skip
            assert done.returncode == 3, done.stderr
            undecided.append(share_undecided(json.loads(done.stdout), wanted))
            if undecided[-1] <= 0.02:
                break

    assert undecided[-1] <= 0.02, undecided


def share_undecided(found: list[dict[str, Any]], wanted: list[Member]) -> float:
    """Hold what a sweep found to what is true; return how many of those to be read are open."""
    for one, member in zip(found, wanted, strict=True):
        assert one["verdict"] in ((member.verdict,) if member.verdict else READ), one
        if member.verdict:
            assert one["drift_s"] is None
            continue
        low_ns, high_ns = one["interval_ns"]
        assert low_ns <= member.off_ns <= high_ns, one
        assert one["drift_s"] in (None, round(member.off_ns / NS)), one
    assert max(one["probes"] for one in found) <= 4
    still_open = [one for one in found if one["verdict"] == "undecided"]
    return len(still_open) / len([member for member in wanted if not member.verdict])


def test_summary_and_report(program: Program, nodes: Lab, tmp_path: Path) -> None:
    """The health of each chain on stdout, and one page that needs nothing else."""
    path, lab = nodes(
        *(BitcoinNode(behaviour.shifted(off)) for off in (0, 0, 0, -7200)),
        BitcoinNode(behaviour.silent),
        BitcoinNode(agent="/Zebra:2.0.0/"),
        XrplNode(behaviour.shifted(21)),
    )
    page = tmp_path / "clocks.html"

    done = program("probe", "--config", path, "--summary", "--report", str(page), *lab.targets)

    assert done.stdout.startswith("bitcoin: 6 nodes, 5 answered: 4 decided, 1 ")
    assert "of 67% of the nodes; beyond 60 s: 1 surely, 1 possibly" in done.stdout
    assert "beyond 20 s: 1 surely, 1 possibly" in done.stdout
    text = page.read_text(encoding="utf-8")
    assert "Clocks of 7 nodes" in text
    assert lab.targets[3] in text
    assert not re.search(r"(?:src|href)=|<script|https?://(?!127)", text)
    assert list(tmp_path.glob("*.new")) == []


def test_at_a_terminal_there_is_a_picture(script: str) -> None:
    """How far it is while nodes are read, then the distribution; stdout is lines as ever."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [script, "probe", "--demo"], stdout=subprocess.PIPE, stderr=theirs, text=True
    ) as process:
        os.close(theirs)
        assert process.stdout is not None
        lines = process.stdout.read().splitlines()
    shown = b""
    with suppress(OSError):  # EIO is the end
        while data := os.read(ours, 4096):
            shown += data
    os.close(ours)

    assert len(lines) >= 7
    assert b"reading nodes" in shown
    assert b"bitcoin: " in shown
    assert b"-4 .. -2 s" in shown


def test_a_report_that_cannot_be_written(program: Program, nodes: Lab) -> None:
    """The result is out, and the status says that not all was done."""
    path, lab = nodes(KaspaNode())

    done = program("probe", "--config", path, "--report", "/nowhere/x.html", *lab.targets)

    assert done.returncode == 70
    assert "/nowhere/x.html cannot be written" in done.stderr
    assert done.stdout.split()[0] == "0"


def test_bad_nodes_cost_their_own_verdict(program: Program, nodes: Lab) -> None:
    """One that drips, floods, sends junk, hangs up, or is not there, beside a good one."""
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        closed = nobody.getsockname()[1]
    path, lab = nodes(
        BitcoinNode(drip(0.5)),
        HttpNode(endless(b"x" * 1000)),
        XrplNode(behaviour.only(b"\0" * 50)),
        KaspaNode(behaviour.late(9)),
        HttpsNode(drip(1)),
        KaspaNode(),
    )

    done = program(
        "probe", "--config", path, "--format", "json", f"bitcoin://127.0.0.1:{closed}", *lab.targets
    )

    found = [one["verdict"] for one in json.loads(done.stdout)]
    assert found[0] == "unreachable"
    assert found[-1] == "decided"
    assert Counter(found[1:-1]) == {"silent": 3, "malformed": 2}


BAD = (
    lambda: BitcoinNode(drip(0.5)),
    lambda: BitcoinNode(behaviour.silent),
    lambda: HttpNode(endless(b"x" * 1000)),
    lambda: HttpNode(followed_by_endless(b"x" * 1000)),
    lambda: KaspaNode(behaviour.late(9)),
    lambda: KaspaNode(begun(30)),
    lambda: XrplNode(behaviour.only(b"\0" * 50)),
    lambda: BitcoinNode(cut(40)),
)
"""Nodes that drip, say nothing, flood, never close, answer too late, stop in the middle, send junk
and hang up."""


@pytest.mark.timeout(120)
def test_two_thousand_bad_nodes_do_not_keep_a_good_one_waiting(
    program: Program, nodes: Lab, many_files: None
) -> None:
    """A hundred good ones are decided as before, none later by more than its own timeout."""
    good = [BitcoinNode() if number % 2 else KaspaNode() for number in range(100)]
    bad = [BAD[number % len(BAD)]() for number in range(2000)]
    mixed = [one for at in range(100) for one in (good[at], *bad[20 * at : 20 * at + 20])]
    settings = "timeout = 2\nrate = 500"
    path, lab = nodes(*mixed, settings=settings)
    inventories = Path(path).with_name("good.json"), Path(path).with_name("all.json")
    for inventory, targets in zip(inventories, (lab.targets[::21], lab.targets), strict=True):
        inventory.write_text(json.dumps([{"targets": list(targets)}]), encoding="utf-8")

    def found(inventory: Path) -> list[dict[str, object]]:
        done = program(
            "probe", "--config", path, "--format", "json", "--targets", str(inventory),
            timeout=90,
        )  # fmt: skip
        read: list[dict[str, object]] = json.loads(done.stdout)
        return read

    alone, beside = found(inventories[0]), found(inventories[1])

    assert {one["verdict"] for one in alone} == {"decided"}
    assert {one["verdict"] for one in beside[::21]} == {"decided"}
    slowest_ns = max(int(str(one["elapsed_ns"])) for one in alone)
    assert all(int(str(one["elapsed_ns"])) <= slowest_ns + 2 * NS for one in beside[::21])


@pytest.fixture
def many_files() -> Iterator[None]:
    """Let this process, which has the nodes, hold as many files as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
