"""Files and texts: whatever stands in them, an error that names it, or what they mean."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
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
from tests.fuzz.targets import honest
from tests.fuzz.targets.target import Target, ours
from tests.fuzz.targets.trees import ODD_IN_JSON, ODD_IN_TOML, bent, document

_ROOT = Path(__file__).resolve().parents[3]
_MODULES = Modules({})
_TABLE = "[[sources.roughtime]]\n"
_BENT = b"\xff"


def _text(data: bytes, tree: object, written: Callable[[Any], str]) -> str:
    """Return the text of any bytes; behind a first byte that begins none, an honest tree, bent."""
    if data[:1] != _BENT:
        return data.decode("utf-8", "replace")
    odd = ODD_IN_TOML if written is document else ODD_IN_JSON
    return written(bent(tree, data[1:], odd))


def _config(data: bytes) -> None:
    text = _text(data, honest.settings(), document)
    with ours():
        config.parse(text, "config.toml")
    with ours():
        settings.described(settings.parse(text, "config.toml"))


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
    try:
        tables = server_list.tables(_text(data, honest.servers(), json.dumps))
    except server_list.Unreadable:
        return
    if 0 < tables.count(_TABLE) <= config.MOST_SOURCES:
        config.parse(tables, "list")


def _report(data: bytes) -> None:
    with ours(malfeasance.Unreadable):
        links = malfeasance.parse(_text(data, honest.report(), json.dumps))
        malfeasance.described(links, malfeasance.judge(links))


def _inventory(data: bytes) -> None:
    text = _text(data, honest.inventory(), json.dumps)
    for where in ("targets.yaml", "targets.json"):
        with ours():
            for target in targets.inventory(text, where, _MODULES):
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


def _of_edits() -> list[bytes]:
    """Return edits of one place each, of every sort, and none."""
    places = (b"\1\0", b"\2\1\0", b"\3\1\0\0", b"\4\4\1\0\1")
    edits = (place + bytes([what, 3, 7]) for place in places for what in range(6))
    return [_BENT, *(_BENT + edit for edit in edits)]


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
    "config": Target(_config, lambda: [(_ROOT / "config.toml").read_bytes(), *_of_edits()]),
    "state": Target(_state, _of_state),
    "server-list": Target(
        _server_list, lambda: [json.dumps(honest.servers()).encode(), *_of_edits()]
    ),
    "report": Target(_report, lambda: [json.dumps(honest.report()).encode(), *_of_edits()]),
    "inventory": Target(
        _inventory,
        lambda: [
            json.dumps(honest.inventory()).encode(),
            b"- targets: [kaspa://192.0.2.1]\n  labels: {chain: kas}\n",
            *_of_edits(),
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
