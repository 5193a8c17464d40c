"""The site in a directory: the archive, its digest, and the pages of pages/ filled in."""

import fcntl
import hashlib
import os
import pty
import re
import shutil
import struct
import subprocess
import tempfile
import termios
import threading
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from string import Template

from cloudformation.archive import Archive, write
from cloudformation.picture import Picture, draw, session

PAGES = Path(__file__).parent / "pages"
SUMS = "SHA256SUMS.txt"
_INDEX = "index.html"
_ARCHIVE = re.compile(r"time-drift-[0-9a-f]{12}\.zip")
_ROWS, _COLUMNS = 60, 108
"""The terminal that the demo is shown in: wide enough for its picture, narrow enough for a page."""
_PREPARED_WITHIN_S = 600
_SHOWN_WITHIN_S = 60


class SiteError(Exception):
    """The site cannot be built; the message says why and what helps."""


@dataclass(frozen=True, slots=True)
class Site:
    """A site that was built."""

    directory: Path
    archive: Archive
    sha256: str


def build(repository: Path, output: Path, url: str) -> Site:
    """Build the site of HEAD in a directory, which is replaced; url is where it is going to be.

    Raises SiteError, ArchiveError (a dirty or shallow clone) or OSError.
    """
    output = output.resolve()
    if output.exists():
        check(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}-") as work:
        aside = Path(work, "site")
        aside.mkdir()
        archive = write(repository, aside)
        sha256 = hashlib.sha256(archive.path.read_bytes()).hexdigest()
        picture = draw(_demo(repository / "time-drift.sh"), "The demo of time-drift in a terminal")
        _fill(aside, _texts(archive, sha256, url, picture))
        (aside / "demo.svg").write_text(picture.svg, encoding="utf-8")
        (aside / SUMS).write_text(f"{sha256}  {archive.path.name}\n", encoding="utf-8")
        if output.exists():
            output.rename(Path(work, "before"))
        aside.rename(output)
    return Site(output, replace(archive, path=output / archive.path.name), sha256)


def check(directory: Path) -> None:
    """Raise SiteError if there is anything else in a directory than a site built earlier."""
    if not directory.is_dir():
        raise SiteError(f"{directory} is no directory")
    ours = {path.name for path in PAGES.iterdir()} | {"demo.svg", SUMS}
    for path in sorted(directory.iterdir()):
        if path.name not in ours and not _ARCHIVE.fullmatch(path.name):
            raise SiteError(
                f"{directory} holds {path.name!r}, which is not of a site: name a new or empty "
                "directory to build one in"
            )


def _texts(archive: Archive, sha256: str, url: str, picture: Picture) -> dict[str, str]:
    """Return what the pages say of this archive, escaped for HTML."""
    committed = datetime.fromtimestamp(archive.committed_unix_s, UTC)
    values = {
        "archive": archive.path.name,
        "commit": archive.commit,
        "date": f"{committed:%-d %B %Y, %H:%M} UTC",
        "date_iso": f"{committed:%Y-%m-%dT%H:%M:%SZ}",
        "digest": sha256,
        "folder": archive.folder,
        "git": archive.git,
        "picture_height": str(picture.height),
        "picture_width": str(picture.width),
        "size": f"{archive.path.stat().st_size / 1000:,.0f} kB",
        "subject": archive.subject,
        "url": url,
    }
    return {name: escape(text) for name, text in values.items()}


def _fill(directory: Path, values: dict[str, str]) -> None:
    """Write the pages, all as they are but the one that describes the archive."""
    for page in sorted(PAGES.iterdir()):
        if page.name == _INDEX:
            text = Template(page.read_text(encoding="utf-8")).substitute(values)
            (directory / page.name).write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(page, directory / page.name)


def _demo(script: Path) -> str:
    """Return what `time-drift.sh --demo` shows on a terminal, its colours included."""
    # The first run makes the environment and says so; that is no part of the picture.
    _run([str(script), "--version"], subprocess.PIPE, _PREPARED_WITHIN_S)
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", _ROWS, _COLUMNS, 0, 0))
        output: list[bytes] = []
        reader = threading.Thread(target=_read_all, args=(ours, output), daemon=True)
        reader.start()
        printed = _run([str(script), "--demo"], theirs, _SHOWN_WITHIN_S)
    finally:
        os.close(theirs)
    reader.join(_SHOWN_WITHIN_S)
    os.close(ours)
    shown = b"".join(output).decode(errors="replace")
    return session("./time-drift.sh --demo", printed, shown)


def _read_all(terminal: int, output: list[bytes]) -> None:
    """Read until nobody has the other end open any more, which Linux reports as an error."""
    with suppress(OSError):
        while data := os.read(terminal, 65536):
            output.append(data)


def _run(command: list[str], stderr: int, within_s: float) -> str:
    """Run a command of ours and return its stdout; raise SiteError if it fails."""
    environ = os.environ | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        environ.pop(name, None)
    try:
        done = subprocess.run(  # noqa: S603 - our own script
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            stdin=subprocess.DEVNULL,
            env=environ,
            text=True,
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SiteError(f"{' '.join(command)} did not end within {within_s:g} s") from error
    if done.returncode:
        said = f": {' '.join(done.stderr.split())}" if done.stderr else ""
        raise SiteError(f"{' '.join(command)} exited with {done.returncode}{said}")
    return done.stdout
