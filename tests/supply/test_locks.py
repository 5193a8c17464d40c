"""Each lock installs by the oldest pip that there is, whatever is released after it was made.

pip takes a requirement with an extra for another one than without. In hash mode a lock that pins
`coverage` while pytest-cov asks for `coverage[toml]` works only as long as no newer release is out.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from drift.bootstrap import _PIP
from tests.conftest import ROOT
from tests.support.package_index import Wheel, lock_of, write_files

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

ENVIRONMENTS = {
    "requirements.txt": ".venv",
    "requirements-dev.txt": ".venv-dev",
    "requirements-site.txt": ".venv-dev",
    "tests/tools/ansible.txt": ".venv-ansible",
    "tests/tools/aws.txt": ".venv-aws",
    "tests/tools/checkov.txt": ".venv-checkov",
    "tests/tools/datadog.txt": ".venv-datadog",
    "tests/tools/fuzz.txt": ".venv-fuzz",
    "tests/tools/nodes.txt": ".venv-nodes",
    "tests/tools/setups.txt": ".venv-setups",
    "tests/tools/supply.txt": ".venv-supply",
}
"""Where the packages of a lock are installed, maybe among others."""
NEWER = "99999"
"""What was released after the lock was made."""


def missing(what: str) -> None:
    """Skip for want of something, loudly; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}, and CI may not skip")
    pytest.skip(f"{what}: this test did NOT run")


def pinned(lock: str) -> list[Requirement]:
    """Return what a lock pins for this interpreter."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    lines = re.findall(r"^[a-z0-9][^\\\n#]*", text, re.MULTILINE)
    found = [Requirement(line) for line in lines]
    return [one for one in found if one.marker is None or one.marker.evaluate()]


def version(one: Requirement) -> str:
    return str(one.specifier).removeprefix("==")


def installed(lock: str) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return {(name, version): lines of metadata that require} in the lock's environment."""
    packages = ROOT / ENVIRONMENTS[lock] / "packages"
    if not packages.exists():
        missing(f"no {packages.parent.name} (`make tools`)")
    return {
        (canonicalize_name(one.metadata["Name"]), one.version): (
            *(f"Requires-Dist: {text}" for text in one.requires or ()),
            *(f"Provides-Extra: {text}" for text in one.metadata.get_all("Provides-Extra") or ()),
        )
        for one in distributions(path=[str(packages)])
    }


def test_each_lock_has_its_environment() -> None:
    """None is left out here."""
    locks = [*ROOT.glob("requirements*.txt"), *ROOT.glob("tests/tools/*.txt")]

    assert {path.relative_to(ROOT).as_posix() for path in locks} == ENVIRONMENTS.keys()


@pytest.mark.parametrize("lock", ENVIRONMENTS)
def test_locks_are_closed_under_extras(script: str, lock: str) -> None:
    """Who asks for `name[extra]`, by the metadata of what is installed, finds just that pinned."""
    assert Path(script).exists()  # its environment is one of them
    pins = {one.name: one.extras for one in pinned(lock)}
    asking = [
        (name, Requirement(line.removeprefix("Requires-Dist: ")), extra)
        for (name, _), lines in installed(lock).items()
        for line in lines
        if line.startswith("Requires-Dist: ") and name in pins
        for extra in ("", *pins[name])
    ]
    asked = {
        (name, canonicalize_name(one.name), frozenset(one.extras))
        for name, one, extra in asking
        if one.extras and (one.marker is None or one.marker.evaluate({"extra": extra}))
    }

    assert {one for one in asked if not one[2] <= pins[one[1]]} == set()
    if lock == "requirements-dev.txt":
        assert ("pytest-cov", "coverage", frozenset({"toml"})) in asked  # it does find them


class Pip:
    """The oldest one, in an environment that is empty and stays so."""

    def __init__(self, wheel: Path, environment: Path) -> None:
        self._command = [str(environment / "bin" / "python"), "-I", "-c", _PIP, str(wheel)]

    def __call__(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        environ = {name: text for name, text in os.environ.items() if not name.startswith("PIP_")}
        return subprocess.run(
            [*self._command, "--disable-pip-version-check", *arguments],
            env=environ | {"PIP_CONFIG_FILE": os.devnull},
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )


@pytest.fixture(scope="module")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Pip:
    """pip 23.0.1 of Debian 12's package python3-pip-whl."""
    wheels = sorted(Path("/usr/share/python-wheels").glob("pip-*.whl"))
    if not wheels:
        missing("no wheel of pip in /usr/share/python-wheels (python3-pip-whl)")
    environment = tmp_path_factory.mktemp("oldest") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    pip = Pip(wheels[0], environment)
    if (reported := pip("--version")).returncode:
        missing(f"{wheels[0].name} does not run with this Python: {reported.stderr[-200:]}")
    return pip


def made_of(lock: str) -> Iterator[Wheel]:
    """Return a package without content for each that the lock pins, with the real requirements."""
    metadata = installed(lock)
    for one in pinned(lock):
        assert (one.name, version(one)) in metadata, f"{one} is not what is installed"
        yield Wheel(one.name, version(one), metadata[one.name, version(one)])


def resolved(
    pip: Pip, lock: str, place: Path, *, extras: bool = True
) -> "subprocess.CompletedProcess[str]":
    """Have pip say what it would install of a lock where newer releases are on offer."""
    wheels = list(made_of(lock))
    write_files(place, wheels)
    write_files(place, (one._replace(version=NEWER) for one in wheels))
    with_extras = {
        one.name: f"{one.name}[{','.join(sorted(one.extras))}]"
        for one in pinned(lock)
        if one.extras and extras
    }
    text = re.sub(
        r"^[^ ]+?(?===)",
        lambda name: with_extras.get(name[0], name[0]),
        lock_of(wheels),
        flags=re.MULTILINE,
    )
    (place / "lock.txt").write_text(text)
    offered = ("--no-index", "--find-links", str(place))
    wanted = ("--require-hashes", "-r", str(place / "lock.txt"))
    return pip("install", "--dry-run", "--quiet", "--report", "-", *offered, *wanted)


@pytest.mark.parametrize("lock", ENVIRONMENTS)
def test_a_newer_release_changes_nothing(script: str, pip: Pip, lock: str, tmp_path: Path) -> None:
    """What is installed is what is pinned, although each package is on offer in a newer release."""
    assert Path(script).exists()
    done = resolved(pip, lock, tmp_path)

    assert done.returncode == 0, done.stderr
    chosen = [one["metadata"] for one in json.loads(done.stdout)["install"]]
    assert {(canonicalize_name(one["name"]), one["version"]) for one in chosen} == {
        (one.name, version(one)) for one in pinned(lock)
    }


def test_a_lock_without_extras_is_refused(pip: Pip, tmp_path: Path) -> None:
    """That the test before can fail: what it is about is refused, as it was in the past."""
    done = resolved(pip, "requirements-dev.txt", tmp_path, extras=False)

    assert done.returncode == 1
    assert re.search(r"pinned with ==\. These do not:\s+coverage\[toml\]", done.stderr)
