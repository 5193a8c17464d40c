"""What a run imports: each module is a decision, since it is paid for in every run."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import ntplib  # type: ignore[import-untyped]

from lab import behaviour
from lab.ntp import NtpServer
from lab.roughtime import RoughtimeServer
from sources.ciphers import RUST
from tests.conftest import ROOT

OURS = {
    *("drift", "drift.__main__", "drift.cli", "drift.config", "drift.console", "drift.options"),
    *("drift.consensus", "drift.consensus.cover", "drift.consensus.rule", "drift.plugin"),
    *("drift.formats", "drift.formats.base", "drift.formats.integer"),
    *("drift.run", "drift.run.gather", "drift.run.kept_tree", "drift.run.measure"),
    *("drift.run.own_file", "drift.run.state"),
    *("sources", "sources.base", "sources.clock", "sources.departures", "sources.latch"),
    *("sources.record",),
    *("sources.schema", "sources.memory", "sources.memory.back_off"),
    *("sources.net", "sources.net.addresses", "sources.net.resolver", "sources.net.udp"),
    *("sources.ntp", "sources.ntp.proof", "sources.ntp.source", "sources.ntp.wire"),
}
OF_THE_SYSTEM = {
    *("contextlib", "errno", "fcntl", "gc", "math", "select", "struct"),
    *("os", "os.path", "posixpath", "genericpath", "stat"),
    *("datetime", "socket"),  # by ntplib, and what they import:
    *("array", "collections", "collections.abc", "enum", "functools", "itertools", "keyword"),
    *("operator", "reprlib", "selectors", "types"),
}
"""Those without an underscore before their names, which depend on the version of Python."""

PRINTED = """
import os, sys
leave = os._exit
def listing(status):
    print(*(name for name, module in sys.modules.items() if module))
    sys.stdout.flush()
    leave(status)
os._exit = listing
sys.path += sys.argv[1:3]
del sys.argv[1:3]
from drift.__main__ import main
main()
"""


def loaded_by_a_run(toml: str) -> set[str]:
    """Return the modules that a run with this configuration loads, in a process of its own."""
    code = (
        "import sys; sys.stdout.write('')\n"
        "from drift import cli, config; from sources.clock import Clock\n"
        "from drift.run.gather import gather\n"
        "found = config.parse(sys.argv[1], 'x')\n"
        "gather(found.sources, found.rule, Clock().raw_ns() + 10**9, Clock())\n"
        "print(' '.join(name for name, module in sys.modules.items() if module))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, toml], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def started(code: str, *arguments: str) -> list[str]:
    """Return the command that runs the code as time-drift.sh would."""
    packages = str(Path(ntplib.__file__).parent)
    return [sys.executable, "-I", "-S", "-c", code, str(ROOT), packages, *arguments]


def loaded_by(code: str, *arguments: str) -> set[str]:
    """Return the modules that the start of time-drift.sh has loaded at its end."""
    command = started(code, *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
    return set(done.stdout.split("\n")[-2].split())


def test_a_plain_run_imports_these_and_no_others(tmp_path: Path) -> None:
    """The integer from literal NTP addresses, by a configuration that was parsed before."""
    path = tmp_path / "config.toml"
    quorum = "[consensus]\nmin_operators = 2\nmin_kinds = 1\n"
    with NtpServer("Alpha") as alpha, NtpServer("Bravo") as bravo:
        path.write_text(quorum + alpha.toml() + bravo.toml())
        loaded_by(PRINTED, "--config", str(path))
        loaded = loaded_by(PRINTED, "--config", str(path))
    empty = loaded_by("import sys; print(*sys.modules)")

    found = {name for name in loaded - empty if not name.startswith("_")}
    assert {name for name in found if name.startswith(("drift", "sources"))} == OURS
    assert found - OURS - OF_THE_SYSTEM == {"ntplib"}
    assert sys.version_info[:2] != (3, 11) or found - OURS - {"ntplib"} == OF_THE_SYSTEM


NTS = '[[sources.nts]]\nhost = "127.0.0.1"\nport = 9\noperator = "N"\n'
HTTPS = '[[sources.https]]\nurl = "https://127.0.0.1:9/"\noperator = "H"\n'


def test_https_that_is_not_needed_is_not_imported() -> None:
    """Where NTP decides, configured HTTPS sources cost neither ssl nor httpx."""
    quorum = "[consensus]\nmin_operators = 2\nmin_kinds = 1\n"
    with NtpServer("Alpha") as alpha, NtpServer("Bravo") as bravo:
        loaded = loaded_by_a_run(quorum + alpha.toml() + bravo.toml() + HTTPS)

    assert "sources.https.source" in loaded
    assert not loaded & {
        "ssl",
        "httpx",
        "httpcore",
        "h11",
        "sources.https.client",
        "sources.net.tls",
    }


def test_nts_that_is_not_needed_is_not_imported() -> None:
    """Where NTP decides, configured NTS sources cost neither ssl nor cryptography."""
    quorum = "[consensus]\nmin_operators = 2\nmin_kinds = 1\n"
    with NtpServer("Alpha") as alpha, NtpServer("Bravo") as bravo:
        loaded = loaded_by_a_run(quorum + alpha.toml() + bravo.toml() + NTS)

    assert "sources.nts.source" in loaded
    assert not loaded & {
        "ssl",
        "cryptography",
        "tempfile",
        "sources.nts.key_exchange",
        "sources.net.tls",
    }


def test_nts_without_a_key_server_costs_no_cryptography() -> None:
    """Who has no keys has nothing to seal, and no HTTP is spoken."""
    loaded = loaded_by_a_run(NTS)

    assert "sources.nts.key_exchange" in loaded
    unwanted = ("httpx", "httpcore", "h11", "dns", "rich", "lab", "cryptography")
    assert not {name for name in loaded if name.startswith(unwanted)}


def test_https_comes_without_what_nobody_calls() -> None:
    """Of httpx neither its command line, nor anyio, nor the CA bundle of certifi is loaded."""
    loaded = loaded_by_a_run(HTTPS)

    assert "httpx" in loaded
    unwanted = ("rich", "click", "pygments", "anyio", "certifi.", "importlib.resources", "lab")
    assert not {name for name in loaded if name.startswith(unwanted)}


IN_ORDER = """
import os, sys
events = []
def note(event, arguments):
    if event == "socket.connect":
        events.append("sent")
    elif event == "import" and arguments[0] in ("sources.roughtime.proof", RUST):
        events.append(arguments[0])
sys.path += sys.argv[1:3]
from sources.ciphers import RUST
from sources.net import udp
judge = udp.Datagram.__init__
def noted(*arguments):
    events.append("heard")
    judge(*arguments)
udp.Datagram.__init__ = noted
leave = os._exit
def listing(status):
    print(*events)
    sys.stdout.flush()
    leave(status)
os._exit = listing
del sys.argv[1:3]
sys.addaudithook(note)
from drift.__main__ import main
main()
"""


def test_libraries_are_loaded_while_replies_are_on_their_way(tmp_path: Path) -> None:
    """Of plain NTP and Roughtime all have sent before any is loaded, and then none has replied."""
    late = behaviour.late(0.3)
    servers: list[NtpServer | RoughtimeServer] = [NtpServer(name, late) for name in "AB"]
    servers += [RoughtimeServer(name, late) for name in "CD"]
    path = tmp_path / "config.toml"
    with ExitStack() as running:
        for server in servers:
            running.enter_context(server)
        path.write_text("".join(server.toml() for server in servers))
        done = subprocess.run(
            started(IN_ORDER, "--config", str(path)), capture_output=True, text=True, check=True
        )

    events = done.stdout.split("\n")[-2].split()
    first_heard = events.index("heard")
    assert events[:4] == ["sent"] * 4
    assert set(events[4:first_heard]) == {"sources.roughtime.proof", RUST}
