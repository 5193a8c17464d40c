"""What `make audit`, `make sbom` and `make wheel` promise, by running them."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from drift import __version__
from tests.conftest import ROOT
from tests.supply.test_requirements import lock

pytestmark = [pytest.mark.interop, pytest.mark.timeout(400)]

_WITHIN_S = 300
SHARED = (
    "man/man1/time-drift.1",
    "man/man5/time-drift.toml.5",
    "bash-completion/completions/time-drift",
    "zsh/site-functions/_time-drift",
    "fish/vendor_completions.d/time-drift.fish",
)
"""Where an installation has them beneath its prefix's `share`."""


def make(
    *arguments: str, wrap: tuple[str, ...] = (), **environ: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*wrap, "make", "--silent", *arguments],
        cwd=ROOT,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=_WITHIN_S,
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    """The tools are installed already: nothing here fetches anything but what it is about."""
    if not (ROOT / ".venv-supply").exists():
        if os.environ.get("CI"):
            pytest.fail("no .venv-supply, and CI may not skip")
        pytest.skip("no .venv-supply (`make tools`): this test did NOT run")


def test_an_audit_without_its_database_fails(offline: tuple[str, ...]) -> None:
    """Who cannot know of a vulnerability may not say that there is none, and says so.

    It first has to find one that is known; so a service that answers without knowing fails, too.
    """
    done = make("audit", wrap=offline)

    assert done.returncode != 0
    assert "no database that knows of vulnerabilities can be asked" in done.stderr
    assert "No known vulnerabilities" not in done.stdout + done.stderr


def test_the_bill_of_materials_is_that_of_the_lock(script: str) -> None:
    """CycloneDX, with each package that is installed and the version that is pinned."""
    assert Path(script).exists()  # its environment is what is listed
    done = make("sbom")
    assert done.returncode == 0, done.stderr
    reported = json.loads((ROOT / "build" / "sbom.cdx.json").read_text(encoding="utf-8"))
    listed = {
        one["name"].lower().replace("_", "-"): one["version"] for one in reported["components"]
    }
    component = reported["metadata"]["component"]

    assert reported["bomFormat"] == "CycloneDX"
    assert (component["name"], component["version"]) == ("time-drift", __version__)
    assert listed == lock("requirements.txt")
    assert all(one.get("licenses") for one in reported["components"])


def test_it_is_a_product_of_the_build(script: str) -> None:
    """It names where packages come from, so it is written where git does not look."""
    assert Path(script).exists()
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git clone: what git ignores was NOT looked at")
    for product in ("build/sbom.cdx.json", "build/wheel/x.whl", "dist/x.whl"):
        subprocess.run(["git", "check-ignore", "-q", product], cwd=ROOT, check=True)


@pytest.fixture(scope="module")
def wheel() -> Path:
    """The wheel of this checkout."""
    done = make("wheel")
    assert done.returncode == 0, done.stderr
    (found,) = (ROOT / "build" / "wheel").glob("*.whl")
    return found


def test_the_source_distribution_holds_what_is_named(tmp_path: Path) -> None:
    """Whatever lies about in a checkout, a file with secrets for instance, is not in it."""
    checkout = tmp_path / "checkout"
    shutil.copytree(
        ROOT, checkout, ignore=shutil.ignore_patterns(".git", ".venv*", "build", "__pycache__")
    )
    (checkout / ".env").write_text("SECRET=1")
    python = str(ROOT / ".venv-supply" / "bin" / "python")
    command = [python, "-m", "build", "--sdist", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run(command, cwd=checkout, check=True, capture_output=True, timeout=_WITHIN_S)
    (made,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(made) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}

    assert {"drift/cli.py", "config.toml", "requirements.txt", "pyproject.toml"} <= names
    assert not {name for name in names if name.startswith((".env", "tests", "cloudformation"))}


def test_every_docker_line_of_the_page_takes_rights_away() -> None:
    """Read-only root, no capability, no new privilege: in each example that runs a container."""
    page = (ROOT / "docs/containers.md").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in page.split("\n") if re.search(r"\b(docker|podman) run\b", line)]

    assert len(lines) >= 4
    for line in lines:
        for wanted in ("--read-only", "--cap-drop ALL", "--security-opt no-new-privileges"):
            assert wanted in line, line


def test_the_wheel_holds_the_product_alone(wheel: Path) -> None:
    """Three packages, the configuration, the schema, what man and shells read; no tests or site."""
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
    tops = {name.split("/")[0] for name in names}

    assert wheel.name == f"time_drift-{__version__}-py3-none-any.whl"
    base = f"time_drift-{__version__}"
    packages = {"drift", "sources", "nodes", "fleet", "lab"}
    assert tops == packages | {f"{base}.dist-info", f"{base}.data"}
    assert {name for name in names if name.startswith(f"{base}.data")} == {
        f"{base}.data/data/share/{name}" for name in SHARED
    }
    assert {"drift/config.toml", "drift/formats/time-drift-1.schema.json"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_runs_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    """With the locked libraries, from any directory: the demo, and the shipped configuration."""
    python = tmp_path / "empty" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", str(tmp_path / "empty")],
        [*pip, "--require-hashes", "-r", str(ROOT / "requirements.txt")],
        [*pip, "--no-deps", "--no-index", str(wheel)],
    ):
        subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, timeout=_WITHIN_S)
    ran = [
        subprocess.run(
            [str(python.parent / "time-drift"), option],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            timeout=30,
        )
        for option in ("--demo", "--check-config")
    ]

    assert (ran[0].stdout, ran[0].returncode) == ("-4\n", 0)
    assert ran[1].returncode == 0, ran[1].stderr
    for name in SHARED:
        assert (python.parent.parent / "share" / name).read_bytes()
    assert str(tmp_path) in ran[1].stdout + ran[1].stderr  # the packaged file, not a checkout's
