"""Files and texts: whatever stands in them, an error that names it, or what they mean."""

import io
import json
from pathlib import Path
from unittest.mock import patch

from drift import config
from drift.evidence import malfeasance, server_list
from drift.run import state
from fleet import settings, targets
from fleet.settings import Modules
from sources.memory import Entry, back_off
from sources.net import name_servers
from sources.net.addresses import is_address
from sources.nts import cookies
from sources.roughtime import versions
from tests.fuzz.target import Target, ours

_ROOT = Path(__file__).resolve().parent.parent.parent
_MODULES = Modules({})
_REPORTS = _ROOT / "tests" / "vectors" / "roughtime"


def _config(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    with ours():
        config.parse(text, "config.toml")
    with ours():
        settings.parse(text, "config.toml")


def _state(data: bytes) -> None:
    """A file of the state directory, and what the kinds make of such an entry."""
    try:
        entry = state._parsed(data.decode("utf-8", "replace"))
    except ValueError:
        return
    written = "".join(f"{key} = {state._toml(value)}\n" for key, value in entry.items())
    assert state._parsed(written) == entry
    _use(entry)


def _use(entry: Entry) -> None:
    back_off.left_ns(entry, 1 << 50)
    back_off.after_kiss(entry, "RATE", 1 << 50)
    back_off.after_silence(entry, 1 << 50)
    back_off.described(entry, 1)
    known = versions.known_in(entry)
    versions.offers_to(known)
    versions.entry_of(versions.after_silence(known, versions.offers_to(known)))
    established = cookies.established_in(entry)
    cookies.rest_of(entry)
    if established is not None:
        assert is_address(established.address)
        cookies.without(entry, established)
        cookies.with_more(entry, established, (b"more",))
        assert cookies.established_in(cookies.entry_of(established)) is not None


def _server_list(data: bytes) -> None:
    """What is made of a list is a configuration, whatever stands in the list."""
    with ours(server_list.Unreadable):
        tables = server_list.tables(data.decode("utf-8", "replace"))
        if "[[" in tables:
            config.parse(tables, "list")


def _report(data: bytes) -> None:
    with ours(malfeasance.Unreadable):
        links = malfeasance.parse(data.decode("utf-8", "replace"))
        malfeasance.described(links, malfeasance.judge(links))


def _inventory(data: bytes) -> None:
    with ours():
        for target in targets.inventory(data.decode("utf-8", "replace"), "targets.yaml", _MODULES):
            assert 0 < target.port < 1 << 16
            assert target.text.isprintable()


def _target(data: bytes) -> None:
    try:
        found = targets.parse(data.decode("utf-8", "replace"), _MODULES)
    except ValueError:
        return
    assert found.host
    assert "@" not in found.host
    assert found.path.startswith("/")


def _resolv_conf(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    with patch.object(name_servers, "open", lambda *_, **__: io.StringIO(text), create=True):
        found = name_servers.NameServers(lambda: 1.0)
    assert all(is_address(str(queue.server)) for queue in found._queues)


def _of_reports() -> list[bytes]:
    return [path.read_bytes() for path in sorted(_REPORTS.glob("report-*.json"))]


def _of_server_list() -> list[bytes]:
    place = {"protocol": "udp", "address": "roughtime.example.org:2002"}
    server = {
        "name": "A",
        "version": "1",
        "publicKeyType": "ed25519",
        "publicKey": "AW5uAoTSTDfG5NfY1bTh08GUnOqlRb+HVhbJ3ODJvsE=",
        "addresses": [place],
    }
    return [json.dumps({"servers": [server, server | {"version": "Google-Roughtime"}]}).encode()]


def _of_state() -> list[bytes]:
    boot = 'boot_id = "x"\nat_boot_ns = 123\n'
    kiss = 'code = "RATE"\ntimes = 3\nuntil_boot_ns = 900\n'
    keys = (
        f'client_to_server = "{"ab" * 32}"\nserver_to_client = "{"cd" * 32}"\n'
        f'cookies = ["{"01" * 100}", "{"02" * 100}"]\nhost = ""\naddress = "192.0.2.1"\n'
        'port = 123\nchain = ["1 2 subject"]\n'
    )
    return [(boot + kiss).encode(), (boot + keys).encode(), b'versions = ["1", "google"]\n']


TARGETS = {
    "config": Target(_config, lambda: [(_ROOT / "config.toml").read_bytes()]),
    "state": Target(_state, _of_state),
    "server-list": Target(_server_list, _of_server_list),
    "report": Target(_report, _of_reports),
    "inventory": Target(
        _inventory,
        lambda: [
            b'[{"targets": ["bitcoin://192.0.2.1:8333", "http://[2001:db8::1]/a"], '
            b'"labels": {"chain": "btc", "n": "1"}}]',
            b"- targets: [kaspa://192.0.2.1]\n  labels: {chain: kas}\n",
        ],
    ),
    "target": Target(
        _target, lambda: [b"bitcoin://192.0.2.1:8333", b"https://[2001:db8::1%eth0]:1/a?b"]
    ),
    "resolv-conf": Target(
        _resolv_conf,
        lambda: [b"nameserver 192.0.2.1\nsearch a.example b.example\noptions ndots:2 timeout:1\n"],
    ),
}
