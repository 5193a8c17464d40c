"""`make release`: everything in one directory, the same bytes again, and tried from there."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from drift import __version__
from tests.conftest import ROOT
from tools.packages import verify

pytestmark = [pytest.mark.interop, pytest.mark.timeout(600)]

ENGINE = """\
#!/usr/bin/env python3
import io, json, sys, tarfile
print(*sys.argv[1:])
if sys.argv[1] == "save":
    with tarfile.open(sys.argv[3], "w") as image:
        for name, held in (
            ("manifest.json", [{"Config": "c.json"}]),
            ("c.json", {"config": {"Entrypoint": ["/opt/time-drift/time-drift.sh"]}}),
        ):
            data = json.dumps(held).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            image.addfile(entry, io.BytesIO(data))
"""
"""In place of docker, which takes a registry. tests/image builds the image itself."""


@pytest.fixture(scope="module")
def release(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of this checkout, in a directory of its own."""
    if not (ROOT / ".venv-supply").exists():
        if os.environ.get("CI"):
            pytest.fail("no .venv-supply, and CI may not skip")
        pytest.skip("no .venv-supply (`make tools`): this test did NOT run")
    place = tmp_path_factory.mktemp("release")
    engine = place / "engine"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    done = subprocess.run(
        ["make", "--silent", "release", f"RELEASE={place}/release", f"ENGINE={engine}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=550,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return place / "release"


def sha256(path: Path) -> str:
    """Of megabytes that differ pytest would show how, for minutes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_it_holds_all_that_is_handed_out(release: Path) -> None:
    """And nothing else: one file of each, and their sums."""
    kinds = sorted("".join(path.suffixes[-2:]) for path in release.iterdir())

    assert len(kinds) == 6
    assert {path.name.split(__version__)[0] for path in release.iterdir()} == {
        "time-drift-",
        "time-drift_",
        "time_drift-",
        "SHA256SUMS",
    }


def test_a_second_build_gives_the_same_bytes(release: Path, packages: Path) -> None:
    """Of the package and of the bundle, at another time and in another directory."""
    first = [*packages.glob("deb/*.deb"), *packages.glob("bundle/*.tar.gz")]

    assert len(first) == 2
    for path in first:
        assert sha256(path) == sha256(release / path.name), path.name


@pytest.mark.parametrize("broken", ["SHA256SUMS", "cdx.json", "extra"])
def test_what_is_not_right_is_no_release(release: Path, broken: str, tmp_path: Path) -> None:
    """A wrong sum, a file that changed after it was summed, a file without a sum."""
    for path in release.iterdir():
        (tmp_path / path.name).symlink_to(path)
    name = next((path.name for path in release.iterdir() if broken in path.name), broken)
    text = (release / name).read_text() if (release / name).exists() else ""
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).write_text(text.replace("0", "1") + "\n")

    with pytest.raises((subprocess.CalledProcessError, ValueError)):
        verify.main(tmp_path, __version__)
