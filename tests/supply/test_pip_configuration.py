"""The set-up under every configuration of pip: where from is the user's, what and where to is not.

Real runs of time-drift.sh in copies of the checkout, with a lock of one tiny package and an index
on loopback that offers it, and a newer release, too.
"""

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.authority import Authority
from tests.support.checkout import assert_refused, assert_version, copy_to
from tests.support.package_index import PackageIndex, Wheel, lock_of, write_files

pytestmark = pytest.mark.timeout(120)

PINNED = Wheel("mdurl", "0.1.2")
OFFERED = (PINNED, Wheel("mdurl", "0.1.3"), Wheel("needless", "1"))


class Configured:
    """A checkout that never ran, and a home and an index of its own."""

    def __init__(self, place: Path) -> None:
        self.checkout = copy_to(place / "checkout")
        self.checkout.lock.write_text(lock_of([PINNED]))
        self.home = place / "home"
        self.home.mkdir()
        self.links = place / "links"
        self.links.mkdir()
        write_files(self.links, [PINNED])
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "XDG_")) and not name.lower().endswith("_proxy")
        } | {"HOME": str(self.home)}
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            self.environ.pop(name, None)

    def configure(self, *lines: str, path: str = ".config/pip/pip.conf") -> Path:
        """Write a pip.conf below the home."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(["[global]", *lines, ""]))
        return file

    @property
    def installed(self) -> list[str]:
        """What is in the environment."""
        found = self.checkout.venv.glob("packages/*.dist-info")
        return sorted(path.name.removesuffix(".dist-info") for path in found)

    def assert_prepared(self) -> None:
        """Run, and find just what the lock names."""
        assert_version(self.checkout(only=self.environ))
        assert self.installed == ["mdurl-0.1.2"]
        assert self.checkout.made == [".venv"]


@pytest.fixture
def configured(tmp_path: Path) -> Configured:
    """A checkout whose pip.conf is yet to be written."""
    return Configured(tmp_path)


@pytest.fixture(scope="module")
def index() -> Iterator[PackageIndex]:
    """An index that needs nothing."""
    with PackageIndex(OFFERED) as index:
        yield index


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    """Whom no client knows."""
    authority = Authority(time.time_ns())
    yield authority
    authority.close()


def _tls(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.identity(["127.0.0.1"]))
    return context


# Where packages come from


PLACES = {
    "user": (".config/pip/pip.conf", {}),
    "user, of old": (".pip/pip.conf", {}),
    "user, by XDG": ("xdg/pip/pip.conf", {"XDG_CONFIG_HOME": "xdg"}),
    "global, by XDG": ("xdg/pip/pip.conf", {"XDG_CONFIG_DIRS": "xdg"}),
    "named": ("my.conf", {"PIP_CONFIG_FILE": "my.conf"}),
}


@pytest.mark.parametrize("place", PLACES)
def test_each_place_of_a_configuration(
    configured: Configured, index: PackageIndex, place: str
) -> None:
    """The index is taken from wherever pip reads it, and what else is in there has no effect."""
    path, variables = PLACES[place]
    target = configured.home / "target"
    configured.configure(f"index-url = {index.url}", f"target = {target}", path=path)
    for name, value in variables.items():
        configured.environ[name] = str(configured.home / value)

    configured.assert_prepared()
    assert not target.exists()


def test_the_configuration_of_the_python_that_is_named(
    configured: Configured, index: PackageIndex
) -> None:
    """pip.conf in a virtual environment, whose Python is named, counts as it does for its pip."""
    python = configured.home / "own" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(os.path.realpath("/usr/bin/python3"))
    (configured.home / "own" / "pyvenv.cfg").write_text(f"home = {python.resolve().parent}\n")
    configured.configure(f"index-url = {index.url}", path="own/pip.conf")
    configured.environ["TIME_DRIFT_PYTHON"] = str(python)

    configured.assert_prepared()


def test_variables_count_more_than_files(configured: Configured, index: PackageIndex) -> None:
    """As with pip: the variable, then [install], then [global]."""
    configured.configure(
        "index-url = http://127.0.0.1:9/simple", "[install]", f"index-url = {index.url}"
    )
    configured.assert_prepared()

    again = Configured(configured.home)
    again.configure("retries = 0", "[install]", "index-url = http://127.0.0.1:9/simple")
    again.environ["PIP_INDEX_URL"] = index.url
    again.assert_prepared()


def test_extra_index(configured: Configured, index: PackageIndex) -> None:
    """extra-index-url is asked beside the index, each of several."""
    with PackageIndex([]) as empty:
        configured.configure(
            f"index-url = {empty.url}", f"extra-index-url = {empty.url}", f"    {index.url}"
        )
        configured.assert_prepared()


def test_find_links_without_an_index(configured: Configured, index: PackageIndex) -> None:
    """find-links is used, and with no-index nothing else is asked."""
    asked = len(index.requests)
    configured.configure(
        f"index-url = {index.url}", f"find-links = {configured.links}", "no-index = true"
    )

    configured.assert_prepared()
    assert len(index.requests) == asked


def test_no_index_alone(configured: Configured, index: PackageIndex) -> None:
    """Without any place to look in, nothing is found, and nobody is asked."""
    asked = len(index.requests)
    configured.configure(f"index-url = {index.url}", "no-index = true")

    assert_refused(configured.checkout(only=configured.environ), 3, "mdurl==0.1.2")
    assert len(index.requests) == asked


@pytest.mark.parametrize("key", ["", "cert", "trusted-host", "client-cert"])
def test_tls(configured: Configured, authority: Authority, key: str) -> None:
    """An index of one's own CA is believed by cert or trusted-host, and hears who we are."""
    context = _tls(authority)
    lines = {
        "": [],
        "cert": [f"cert = {authority.ca_file}"],
        "trusted-host": ["trusted-host = 127.0.0.1"],
        "client-cert": [f"cert = {authority.ca_file}", f"client-cert = {configured.home}/me.pem"],
    }[key]
    if key == "client-cert":
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.ca_file)
        mine = authority.identity(["me.example"])
        together = "".join(Path(path).read_text() for path in mine)
        (configured.home / "me.pem").write_text(together)
    with PackageIndex(OFFERED, context) as index:
        configured.configure(f"index-url = {index.url}", "retries = 0", *lines)
        if key:
            configured.assert_prepared()
        else:
            assert_refused(configured.checkout(only=configured.environ), 3, "mdurl==0.1.2")


def test_proxy(configured: Configured, index: PackageIndex) -> None:
    """What no name server knows is asked of the proxy."""
    configured.configure(
        f"proxy = http://{index.host}",
        "index-url = http://index.invalid/simple",
        "trusted-host = index.invalid",
    )

    configured.assert_prepared()
    assert "http://index.invalid/simple/mdurl/" in index.requests


def test_retries_and_timeout(configured: Configured) -> None:
    """A server that never answers is asked as often, and waited for as long, as is configured."""
    links = []

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                links.append(listener.accept()[0])
            except OSError:
                return

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=accept, args=(listener,), daemon=True).start()
    port = listener.getsockname()[1]
    configured.configure(
        f"index-url = http://127.0.0.1:{port}/simple", "retries = 1", "default-timeout = 0.5"
    )
    began = time.monotonic()
    result = configured.checkout(only=configured.environ)
    took_s = time.monotonic() - began
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for link in links:
        link.close()

    assert_refused(result, 3, "mdurl==0.1.2")
    assert len(links) == 2
    assert took_s < 30  # pip's own timeout, twice


# What is installed, and where


REFUSED = {
    "abi": "none",
    "build": "{}",
    "constraint": "{}/constraints.txt",
    "dry-run": "true",
    "editable": "{}",
    "exists-action": "i",
    "force-reinstall": "true",
    "global-option": "x",
    "ignore-installed": "true",
    "implementation": "pp",
    "log": "{}/log",
    "no-binary": ":all:",
    "no-clean": "true",
    "no-deps": "true",
    "only-binary": "none",
    "platform": "win32",
    "pre": "true",
    "prefix": "{}",
    "python": "{}/no-python",
    "python-version": "3.6",
    "quiet": "3",
    "report": "{}/report",
    "require-virtualenv": "true",
    "requirement": "{}/more.txt",
    "root": "{}",
    "src": "{}",
    "target": "{}",
    "upgrade": "true",
    "use-feature": "truststore",
    "user": "true",
    "verbose": "3",
}


_TOGETHER = 8
"""A set-up takes seconds, so some share one: whichever of them had an effect would show."""


@pytest.mark.parametrize(
    "keys",
    [
        sorted(REFUSED)[first :: len(REFUSED) // _TOGETHER]
        for first in range(len(REFUSED) // _TOGETHER)
    ],
    ids=" ".join,
)
def test_what_is_installed_is_not_configured(
    configured: Configured, index: PackageIndex, tmp_path: Path, keys: list[str]
) -> None:
    """None of these options has an effect: the environment is whole, and nothing is elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "constraints.txt").write_text("mdurl<0.1\n")
    (elsewhere / "more.txt").write_text("needless==1\n")
    wanted = [f"{key} = {REFUSED[key].format(elsewhere)}" for key in keys]
    configured.configure(f"index-url = {index.url}", *wanted)

    configured.assert_prepared()
    assert {path.name for path in elsewhere.iterdir()} == {"constraints.txt", "more.txt"}


def test_neither_by_variables(configured: Configured, index: PackageIndex, tmp_path: Path) -> None:
    """The same by the variables of them all, at once."""
    elsewhere = tmp_path / "elsewhere"
    configured.environ |= {
        f"PIP_{key.upper().replace('-', '_')}": value.format(elsewhere)
        for key, value in REFUSED.items()
    }
    configured.environ["PIP_INDEX_URL"] = index.url

    configured.assert_prepared()
    assert not elsewhere.exists()


# What was installed, compared


@pytest.mark.parametrize(
    ("marker", "installed"),
    [("python_version >= '3'", ["mdurl-0.1.2"]), ("python_version < '3'", [])],
)
def test_markers_are_evaluated(
    configured: Configured, index: PackageIndex, marker: str, installed: list[str]
) -> None:
    """A package that this Python does not need is neither installed nor missed."""
    lock = configured.checkout.lock
    lock.write_text(lock_of([PINNED]).replace("0.1.2", f"0.1.2 ; {marker}"))
    configured.configure(f"index-url = {index.url}")

    assert_version(configured.checkout(only=configured.environ))
    assert configured.installed == installed


def test_a_package_that_is_not_what_it_is_called(configured: Configured) -> None:
    """A package that also brings another one's metadata is found out, and nothing is left."""
    intruder = Wheel("mdurl", "0.1.2", files=("needless-1.dist-info/METADATA",))
    configured.checkout.lock.write_text(lock_of([intruder]))
    with PackageIndex([intruder]) as index:
        configured.configure(f"index-url = {index.url}")
        result = configured.checkout(only=configured.environ)

    assert_refused(result, 3, "needless")
    assert configured.checkout.made == []
