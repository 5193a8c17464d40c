"""The locks hold what is needed and nothing else, by hash; and the licences are reported."""

import ast
import re
import tomllib
from functools import cache
from importlib.metadata import distribution

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import drift
from drift.__main__ import _LIBRARIES
from tests.conftest import ROOT

LOCKS = sorted([*ROOT.glob("requirements*.txt"), *(ROOT / "tests" / "tools").glob("*.txt")])
LOCKED_LINE = re.compile(
    r"[a-z0-9][a-z0-9.-]*(\[[a-z0-9, -]+\])?==\S+( ; [^-]*)?( --hash=sha256:[0-9a-f]{64})+"
)
IMPORTED_AS = {"dnspython": "dns", "prometheus-client": "prometheus_client", "pyyaml": "yaml"}
PRODUCT = ("drift", "sources", "nodes", "fleet", "lab")
CLASSIFIERS = {
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
}


def lock(name: str) -> dict[str, str]:
    """Return {package: version} of what a lock installs on this Python."""
    found = {}
    for line in (ROOT / name).read_text(encoding="utf-8").split("\n"):
        if re.match(r"[a-z0-9]", line):
            one = Requirement(line.removesuffix("\\"))
            if one.marker is None or one.marker.evaluate():
                found[one.name] = str(one.specifier).removeprefix("==")
    return found


def direct(name: str) -> set[str]:
    """Return what a list of requirements names itself."""
    lines = (ROOT / name).read_text(encoding="utf-8").split("\n")
    return {line for line in lines if line and not line.startswith(("#", "-r"))}


def reached(name: str) -> set[str]:
    """Return what a list of requirements names, by itself or by a list that it includes."""
    lines = (ROOT / name).read_text(encoding="utf-8").split("\n")
    included = [line.removeprefix("-r ") for line in lines if line.startswith("-r ")]
    return direct(name).union(*map(reached, included))


RUNTIME = lock("requirements.txt")
LOCKED = (ROOT / "requirements.txt").read_text(encoding="utf-8")


@cache
def asked_for_by(name: str) -> frozenset[str]:
    """Return what an installed package requires here, by its own metadata."""
    wanted = [Requirement(text) for text in distribution(name).requires or []]
    return frozenset(
        canonicalize_name(one.name)
        for one in wanted
        if one.marker is None or one.marker.evaluate({"extra": ""})
    )


def imported_by_the_product() -> set[str]:
    """Return the first names of all that the product's modules import, wherever they do."""
    found = set()
    for path in (path for name in PRODUCT for path in (ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found


def test_the_runtime_lock_holds_nothing_that_is_not_imported() -> None:
    """Each package is imported by the product, or required by one that is."""
    modules = imported_by_the_product()
    used = {name for name in RUNTIME if IMPORTED_AS.get(name, name) in modules}
    found: set[str] = set()
    while used - found:
        found |= used
        used = {needed for name in found for needed in asked_for_by(name)} & RUNTIME.keys()

    assert {
        name for name in direct("requirements.in") if IMPORTED_AS.get(name, name) in modules
    } == direct("requirements.in")
    assert RUNTIME.keys() - found == set()


def test_a_lost_library_is_known_by_its_name() -> None:
    """Each name that the packages of the lock are imported by is watched for."""
    names = {
        path.parts[0].partition(".")[0]
        for name in RUNTIME
        for path in distribution(name).files or []
        if path.suffix in {".py", ".so"}
    }

    assert names - {".."} == _LIBRARIES


def test_every_list_names_the_same_libraries() -> None:
    """The wheel's metadata and the Pipfile ask for what the locks were made from."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        wheel = tomllib.load(file)["project"]["dependencies"]
    with (ROOT / "Pipfile").open("rb") as file:
        pipfile = tomllib.load(file)

    assert {Requirement(one).name for one in wheel} == direct("requirements.in")
    assert pipfile["packages"].keys() == direct("requirements.in")
    assert pipfile["dev-packages"].keys() == reached("requirements-dev.in") - reached(
        "requirements.in"
    )


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_locks_pin_by_hash_and_name_no_index(path: object) -> None:
    """Each requirement has one version and its hashes; where from is the user's choice."""
    text = re.sub(r"\s*\\\n\s*", " ", (ROOT / str(path)).read_text(encoding="utf-8"))
    lines = [line for line in text.split("\n") if line and not line.lstrip().startswith("#")]

    assert lines
    for line in lines:
        assert LOCKED_LINE.fullmatch(line), line
    assert "://" not in text


def test_the_image_is_labelled_with_this_version() -> None:
    """Also where it is built without `make image`."""
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")

    assert f"\nARG VERSION={drift.__version__}\n" in dockerfile


def test_each_purpose_has_its_lock() -> None:
    """Whoever runs the program installs no tool of a developer, and the other way round."""
    names = {path.relative_to(ROOT).as_posix() for path in LOCKS}

    assert {f"requirements{end}.txt" for end in ("", "-dev", "-site")} <= names
    assert not {"pytest", "mypy", "troposphere"} & RUNTIME.keys()
    assert not {"httpx", "pytest"} & lock("requirements-site.txt").keys()


def test_what_is_tested_is_what_runs() -> None:
    """The developers' lock holds the program's libraries in the same versions."""
    other = lock("requirements-dev.txt")

    assert {package: other[package] for package in RUNTIME} == RUNTIME


def licence(name: str) -> str:
    """Return a package's licence by its metadata, as SPDX names it."""
    reported = distribution(name).metadata
    text = (reported.get_all("License-Expression") or reported.get_all("License") or [""])[0]
    known = [CLASSIFIERS[one] for one in reported.get_all("Classifier") or [] if one in CLASSIFIERS]
    return text if text and len(text) < 60 else known[0]


def test_the_licences_are_reported() -> None:
    """THIRD-PARTY.md lists just what is installed, with the licence that each package states."""
    text = (ROOT / "THIRD-PARTY.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| ([a-z0-9-]+) \| ([^|]+) \|", text, re.MULTILINE))
    listed.pop("package", None)

    assert listed.keys() >= RUNTIME.keys()
    assert all(f"\n{name}==" in "\n" + LOCKED for name in listed)
    assert {name: listed[name] for name in RUNTIME} == {name: licence(name) for name in RUNTIME}
