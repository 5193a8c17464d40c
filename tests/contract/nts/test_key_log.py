"""Where the keys of a TLS session are read from, and where no such place is."""

import errno
import os
import ssl
from pathlib import Path
from types import SimpleNamespace

import pytest

from lab.nts import ERROR, NtsServer
from sources.base import Refused, SourceError
from sources.net import tls
from tests.support.sources.nts import asked, but, holds_the_truth


def test_without_files_in_memory_a_private_one_serves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As on macOS: readable by nobody else, and gone afterwards, whatever came of it."""
    seen: list[tuple[str, int]] = []
    real = tls.bare

    def bare(ca_file: str | None, protocol: str) -> ssl.SSLContext:
        seen.extend((path.name, path.stat().st_mode & 0o777) for path in tmp_path.iterdir())
        return real(ca_file, protocol)

    monkeypatch.delattr(os, "memfd_create")
    monkeypatch.setattr(tls, "bare", bare)
    with NtsServer("Alpha") as server:
        monkeypatch.setattr("lab.nts.tempfile.tempdir", str(tmp_path))
        assert holds_the_truth(asked(server))
        server.manner = but(ERROR, b"\0\2")
        with pytest.raises(Refused):
            asked(server)

    assert [mode for name, mode in seen if not name.startswith("time-drift-lab")] == [0o600] * 2
    assert list(tmp_path.iterdir()) == []


def test_memory_that_is_refused_is_our_error_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has such files, but not for us (seccomp, too many open ones)."""

    def refuse(_name: str, _flags: int = 0) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(os, "memfd_create", refuse)
    with NtsServer("Alpha") as server:
        try:
            assert holds_the_truth(asked(server))
        except SourceError:
            return


def test_no_place_for_a_key_log_is_our_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in memory nor on a disk."""

    def refuse(*_: object, **__: object) -> object:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.delattr(os, "memfd_create")
    with NtsServer("Alpha") as server:
        monkeypatch.setattr(
            "sources.nts.key_exchange.tempfile", SimpleNamespace(NamedTemporaryFile=refuse)
        )
        with pytest.raises(SourceError):
            asked(server)
