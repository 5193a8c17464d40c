"""The arrows between the packages, read from the imports, none of which points back.

drift -> sources -> wire        fleet -> nodes, drift        nodes -> sources (base, net)
"""

import ast
import re
import sys
from pathlib import Path

import pytest

import drift
from sources import kinds
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
    "yaml",
}
"""What may be imported beside the standard library."""


PACKAGES = ("drift", "sources", "nodes", "fleet", "lab")


def modules() -> dict[str, Path]:
    found = {}
    for package in PACKAGES:
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
_UNITS = (
    "sources.base",
    "sources.clock",
    "sources.net.addresses",
    "sources.record",
    "sources.schema",
)
"""Errors, units, names and records: what everybody may know."""
_SHARED = (
    *_UNITS,
    "sources.nts.exporter",
    "sources.nts.proof",
    "sources.roughtime.versions",
)
"""And what both ends of a protocol may."""


_CALENDARS = ("fleet.formats.page", "nodes.wire.xrpl", "sources.https.wire_date")
"""What turns seconds into dates and back, of which the standard library knows how."""
_SOCKETS = ("sources.net.steps", "sources.net.tcp", "sources.net.tls", "sources.net.validity")
"""What a node is asked with, beside units and errors."""
_DATE = "sources.https.wire_date"
"""The one codec of a source that nodes speak, too."""
_OF_DRIFT = {
    "fleet.arguments": {
        "drift.arguments",
        "drift.formats.nagios",
        "drift.wording.terminal",
        "drift.wording.usage",
    },
    "fleet.exporter.answers": {"drift"},
    "fleet.formats.nagios": {"drift.formats.nagios"},
    "fleet.readings": {"drift.consensus.rule"},
    "fleet.settings": {"drift", "drift.config"},
}
"""What of drift the other half knows, beside what measures its observer: how to round, what ranges
of plugins mean, how a command line and a
configuration are read and their errors are worded, and the version."""
_DISPATCH = "drift.cli"
"""The one module of drift that knows that there is another half."""


def is_wire(name: str) -> bool:
    """Whether a module turns bytes into records and back."""
    return name.startswith("nodes.wire") or name.rpartition(".")[2].startswith("wire")


def is_shared(name: str) -> bool:
    """Whether both ends of a protocol may know a module: nothing that asks."""
    return is_wire(name) or name in _SHARED


def is_pure(name: str) -> bool:
    """Whether a module decides, and so is handed its time and its bytes: by its name or place."""
    if name.startswith(("drift.consensus.", "drift.formats.", "drift.load.", "drift.wording.")):
        return name not in _WRITERS
    if name.startswith("fleet.formats"):
        return True
    if name.startswith(("sources.", "nodes.wire")):
        return is_wire(name) or name.endswith((".load", ".proof")) or name in _PURE
    return name in _PURE


_PURE = {
    "drift.evidence.server_list",
    "drift.run.result",
    "drift.run.schedule",
    "fleet.addresses",
    "fleet.chains",
    "fleet.exporter.messages",
    "fleet.health",
    "fleet.readings",
    "fleet.rounds",
    "fleet.sweep.aim",
    "fleet.targets",
    "nodes.base",
    "nodes.modules",
    "sources.base",
    "sources.net.validity",
    "sources.ciphers",
    "sources.nts.cookies",
    "sources.nts.exporter",
    "sources.roughtime.versions",
}


_WRITERS = ("drift.formats.explain", "drift.formats.registry", "drift.wording.terminal")
"""What lists formats, or writes to a terminal."""


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


def of(*packages: str) -> list[str]:
    """Return the modules of these packages."""
    return sorted(name for name in MODULES if name.partition(".")[0] in packages)


@pytest.mark.parametrize("name", of("sources"))
def test_sources_know_neither_drift_nor_lab(name: str) -> None:
    """A codec knows codecs and units; of another kind a kind knows what is pure."""
    for target in targets(name):
        if is_wire(name):
            assert is_wire(target) or target in _UNITS
        else:
            assert target.startswith("sources")
            assert kind_of(target) in (None, kind_of(name)) or is_pure(target)


@pytest.mark.parametrize("name", of("drift"))
def test_drift_knows_sources_and_no_kind_of_them(name: str) -> None:
    """But for Roughtime, of which evidence is. One module starts the lab and the other half."""
    for target in targets(name):
        if target.startswith(("lab", "fleet")):
            assert name == _DISPATCH
            assert target in {"lab.world", "fleet.commands", "fleet.settings"}
        else:
            assert target.startswith(("drift", "sources"))
            assert kind_of(target) in (None, "roughtime")


@pytest.mark.parametrize("name", of("lab"))
def test_the_lab_knows_what_both_ends_share(name: str) -> None:
    """Of sources and nodes nothing that asks."""
    for target in targets(name):
        assert target.startswith(("lab", "sources")) or target == "drift.config" or is_wire(target)
        assert not target.startswith("sources.") or is_shared(target)


@pytest.mark.parametrize("name", of("nodes"))
def test_nodes_know_sockets_and_units_and_no_more(name: str) -> None:
    """Of the sources what asks a socket; their codecs one another, and the Date."""
    for target in targets(name):
        if is_wire(name):
            assert is_wire(target) or target in _UNITS
            assert not target.startswith("sources.") or target in (*_UNITS, _DATE)
        else:
            assert target.startswith("nodes") or target in (*_UNITS, *_SOCKETS)


@pytest.mark.parametrize("name", of("fleet"))
def test_the_fleet_knows_nodes_and_of_drift_what_is_named(name: str) -> None:
    """No kind of source, no codec of a node, and of drift's measuring one module of its own."""
    for target in targets(name):
        if target.startswith("drift"):
            assert name == "fleet.measuring" or target in _OF_DRIFT.get(name, ())
        elif target.startswith("lab"):
            assert (name, target) == ("fleet.probe", "lab.network")
        elif target.startswith("sources"):
            assert target in (*_UNITS, "sources.memory", "sources.net.steps")
        else:
            assert not is_wire(target)


def kind_of(name: str) -> str | None:
    """Return the kind of source whose package a module is in."""
    _, _, rest = name.partition("sources.")
    package = rest.partition(".")[0]
    return package if package in kinds() else None


def test_the_recipes_know_records_and_nothing_else() -> None:
    """What makes the files of monitoring/ reads no clock and asks nobody."""
    for path in (ROOT / "tools/recipes").glob("*.py"):
        for imported in imports(path):
            top = imported.partition(".")[0]
            assert top in sys.stdlib_module_names or imported.startswith(
                ("tools.recipes", "fleet.chains", "sources.clock.NS", "sources.record")
            )


def test_what_makes_the_pages_makes_text() -> None:
    """The manual pages and completions depend on the tree alone: one file reads and writes."""
    banned = {"datetime", "locale", "os", "pathlib", "shutil", "socket", "subprocess", "time"}
    for path in (ROOT / "tools/pages").glob("*.py"):
        if path.stem not in ("__main__", "demo"):
            assert not {imported.partition(".")[0] for imported in imports(path)} & banned


@pytest.mark.parametrize("name", sorted(MODULES))
def test_only_named_libraries_are_imported(name: str) -> None:
    """Beside the standard library and ourselves there is only what the design names."""
    ours = set(PACKAGES)
    for imported in imports(MODULES[name]):
        top = imported.partition(".")[0]
        assert top in ours | OUTSIDE | set(sys.stdlib_module_names)


@pytest.mark.parametrize("name", sorted(filter(is_pure, MODULES)))
def test_pure_modules_touch_no_clock_and_no_socket(name: str) -> None:
    """What decides is handed its time and its bytes."""
    banned = {"time", "socket", "os", "random", "secrets", "threading", "logging", "datetime"}
    if name in _CALENDARS:
        banned.discard("datetime")
        assert not re.search(r"\b(now|today|utcnow)\(", MODULES[name].read_text(encoding="utf-8"))
    assert not {imported.partition(".")[0] for imported in imports(MODULES[name])} & banned


@pytest.mark.parametrize(
    "folder",
    sorted(
        {
            path.parent.relative_to(ROOT)
            for top in (*PACKAGES, "tools", "tests")
            for path in (ROOT / top).rglob("*.py")
        }
    ),
    ids=str,
)
def test_no_folder_is_a_heap(folder: Path) -> None:
    """A stranger finds the file: a dozen side by side at most, beside what names the package."""
    files = {path.name for path in (ROOT / folder).glob("*.py")} - {"__init__.py", "conftest.py"}

    assert len(files) <= 12


def test_nothing_sleeps() -> None:
    """time.sleep fails under faketime, so the product waits with timeouts only."""
    for name, path in MODULES.items():
        if not name.startswith("lab"):
            assert "time.sleep" not in path.read_text(encoding="utf-8"), name


def test_the_release_date_is_the_changelogs() -> None:
    """The floor of every plausible time is tied to the version that the CHANGELOG dates."""
    from datetime import UTC, datetime

    date = datetime.fromtimestamp(RELEASED_UNIX_S, UTC).date().isoformat()
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert f"## {drift.__version__} - {date}\n" in changelog
