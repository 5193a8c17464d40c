"""A root of the pages' own: a checkout in /opt/time-drift, a systemd, and a lab 4 s ahead."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.support.servers.systemd import Machine, machine, why_not

EXAMPLES = ("influxdb.example.org", "grafana.example.org")
"""Servers of the reader's, which the pages name: in the root they are the root itself."""


@contextmanager
def _booted(directory: Path) -> Iterator[Machine]:
    reason = why_not()
    if reason and os.environ.get("CI"):
        pytest.fail(f"no systemd can be run, and CI may not skip: {reason}")
    if reason:
        pytest.skip(f"no systemd can be run: this test did NOT run: {reason}")
    with machine(ROOT / "monitoring" / "systemd", directory) as running:
        for path in running.path("/etc/systemd/system").glob("time-drift*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        running.write("/etc/hosts", f"127.0.0.1 localhost {' '.join(EXAMPLES)}\n")
        yield running


@pytest.fixture(scope="module")
def root(script: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Run it. The checkout is prepared; nothing of the pages is installed."""
    with _booted(tmp_path_factory.mktemp("root")) as running:
        yield running


@pytest.fixture
def fresh_root(script: str, tmp_path: Path) -> Iterator[Machine]:
    """Run one that no other test has."""
    with _booted(tmp_path) as running:
        yield running
