"""The arrows of the house, read from the imports: drift -> sources -> sources.wire, none back."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import drift
from lab.ntp import NtpServer
from sources.base import RELEASED_UNIX_S
from tests.conftest import ROOT

OUTSIDE = {
    "cryptography",
    "dns",
    "httpcore",
    "httpx",
    "idna",
    "nagiosplugin",
    "ntplib",
    "prometheus_client",
    "rich",
}
"""What may be imported beside the standard library."""


def modules() -> dict[str, Path]:
    found = {}
    for package in ("drift", "sources", "lab"):
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


MODULES = modules()
WIRE_MAY_KNOW = (
    "sources.net.addresses",
    "sources.base",
    "sources.clock",
    "sources.schema",
    "sources.record",
)
LAB_MAY_KNOW = (
    "sources.wire",
    "sources.net.addresses",
    "sources.base",
    "sources.clock",
    "sources.schema",
    "sources.record",
    "sources.nts.proof",
    "sources.roughtime.versions",
)
"""Of the sources: what both ends of a protocol share, and nothing that asks."""


def targets(name: str) -> set[str]:
    """Return our modules that this one imports."""
    return {
        longest
        for imported in imports(MODULES[name])
        for longest in [
            max((m for m in MODULES if (imported + ".").startswith(m + ".")), default="")
        ]
        if longest
    }


@pytest.mark.parametrize("name", sorted(MODULES))
def test_arrows_never_point_back(name: str) -> None:
    """sources know neither drift nor lab; the wire knows only errors, units, names and records."""
    for target in targets(name):
        if name.startswith("sources.wire"):
            assert target.startswith("sources.wire") or target in WIRE_MAY_KNOW
        elif name.startswith("sources"):
            assert target.startswith("sources")
        elif name.startswith("lab"):
            assert target.startswith(("lab", "sources")) or target in ("drift.config",)
            if target.startswith("sources."):
                assert target.startswith(LAB_MAY_KNOW)
        elif target.startswith("lab"):
            assert (name, target) == ("drift.cli", "lab.world")


def test_the_recipes_know_records_and_nothing_else() -> None:
    """What makes the files of monitoring/ reads no clock and asks nobody."""
    for path in (ROOT / "monitoring").glob("*.py"):
        for imported in imports(path):
            top = imported.partition(".")[0]
            assert top in {"monitoring", *sys.stdlib_module_names} or imported.startswith(
                "sources.record"
            )


@pytest.mark.parametrize("name", sorted(MODULES))
def test_only_named_libraries_are_imported(name: str) -> None:
    """Beside the standard library and ourselves there is only what the design names."""
    ours = {"drift", "sources", "lab"}
    for imported in imports(MODULES[name]):
        top = imported.partition(".")[0]
        assert top in ours | OUTSIDE | set(sys.stdlib_module_names)


@pytest.mark.parametrize(
    "name",
    [
        "drift.consensus.rule",
        "drift.consensus.cover",
        "drift.consensus.duplicates",
        "drift.consensus.verdict",
        "sources.base",
        "sources.nts.cookies",
        "sources.https.proof",
        "sources.ntp.proof",
        "sources.nts.proof",
        "sources.roughtime.proof",
        "sources.net.validity",
        "sources.roughtime.versions",
        "sources.roughtime.wire_dialects",
        "sources.ntp.wire",
        "sources.nts.wire",
        "sources.nts.wire_ke",
        "sources.roughtime.wire",
        "drift.run.result",
        "drift.formats.base",
        "drift.wording.advice",
        "drift.formats.influx",
        "drift.formats.json",
        "drift.wording.letters",
        "drift.wording.picture",
        "drift.wording.table",
        "drift.formats.nagios",
        "drift.formats.prometheus",
        "drift.wording.refusal",
        "drift.wording.sentences",
        "drift.formats.zabbix",
        "drift.run.schedule",
        "drift.evidence.server_list",
        "drift.wording.usage",
    ],
)
def test_pure_modules_touch_no_clock_and_no_socket(name: str) -> None:
    """What decides is handed its time and its bytes."""
    banned = {"time", "socket", "os", "random", "secrets", "threading", "logging", "datetime"}
    assert not {imported.partition(".")[0] for imported in imports(MODULES[name])} & banned


def test_nothing_sleeps() -> None:
    """time.sleep fails under faketime, so the product waits with timeouts only."""
    for name, path in MODULES.items():
        if not name.startswith("lab"):
            assert "time.sleep" not in path.read_text(encoding="utf-8"), name


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


def test_a_plain_run_imports_nothing_heavy() -> None:
    """The integer from literal NTP addresses needs no argparse, dataclasses, dns, rich or ssl."""
    loaded = loaded_by_a_run('[[sources.ntp]]\nhost = "127.0.0.1"\nport = 9\n')

    assert "ntplib" in loaded
    assert not loaded & {"argparse", "dataclasses", "pathlib", "logging", "asyncio", "json"}
    assert not {name for name in loaded if name.startswith(("dns", "rich", "ssl", "lab"))}


NTS = '[[sources.nts]]\nhost = "127.0.0.1"\nport = 9\noperator = "N"\n'
HTTPS = '[[sources.https]]\nurl = "https://127.0.0.1:9/"\noperator = "H"\n'


def test_https_that_is_not_needed_is_not_imported() -> None:
    """Where NTP decides, configured HTTPS sources cost neither ssl nor httpx."""
    quorum = "[consensus]\nmin_operators = 2\nmin_kinds = 1\n"
    with NtpServer("Alpha") as alpha, NtpServer("Bravo") as bravo:
        loaded = loaded_by_a_run(quorum + alpha.toml() + bravo.toml() + HTTPS)

    assert "sources.https" in loaded
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

    assert "sources.nts" in loaded
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


def test_the_release_date_is_the_changelogs() -> None:
    """The floor of every plausible time is tied to the version that the CHANGELOG dates."""
    from datetime import UTC, datetime

    date = datetime.fromtimestamp(RELEASED_UNIX_S, UTC).date().isoformat()
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f"## {drift.__version__} - {date}\n" in changelog
