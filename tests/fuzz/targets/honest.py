"""Files as honest people write them, with every key that there is: what edits are made of."""

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

_REPORTS = Path(__file__).resolve().parents[2] / "vectors" / "roughtime"
_RANDS = (
    "",
    "v/DirVBRQLGtictYD7mN3px02UlMT4J3haTRomt1NNM=",
    "lMvMVoLsakxc5ZmMzEFQ8hh1FaDo2gCXXIX/L4QPSxQ=",
)
"""Of the example of RFC 10049, Appendix B."""
_ROUGHTIME_KEY = "AW5uAoTSTDfG5NfY1bTh08GUnOqlRb+HVhbJ3ODJvsE="
_SETTINGS = f"""\
timeout = 2.5
evidence = "/var/lib/time-drift/evidence"
state = "/var/lib/time-drift"

[consensus]
min_operators = 3
min_kinds = 2
tolerance = 0.02

[[sources.ntp]]
host = "pool.example.org"
port = 123
pool = 4
operator = "A"
addresses = ["192.0.2.1", "2001:db8::1"]

[[sources.nts]]
host = "zeit.exämple.org"
port = 4460
operator = "B"
addresses = ["192.0.2.2"]
ca_file = "/dev/null"

[[sources.https]]
url = "https://www.example.org:8443/generate_204?a=%20"
operator = "C"
addresses = ["192.0.2.3"]
ca_file = "/dev/null"
date_lag = 0.6
ignore_headers = ["Age", "Via"]

[[sources.roughtime]]
host = "roughtime.example.org"
port = 2002
public_key = "{_ROUGHTIME_KEY}"
operator = "D"
addresses = ["192.0.2.4"]
transport = "udp"
dialect = "google"

[probe]
timeout = 5
rate = 100
min_interval = 600
agent = "time-drift/0.1 (+https://example.org/why)"
allow = ["10.0.0.0/8", "fd00::/8"]

[probe.modules.mychain]
kind = "bitcoin"
chain = "mine"
magic = "0a0b0c0d"
port = 9999
protocol = 70016
wall_clock = true

[probe.modules.rpc]
kind = "https"
port = 8545
date_lag = 1
verify = false
ca_file = "/dev/null"
"""


@cache
def settings() -> Any:
    """Return a config.toml, parsed."""
    return tomllib.loads(_SETTINGS)


@cache
def servers() -> Any:
    """Return a server list (RFC 10049 section 8.3)."""
    places = [
        {"protocol": "udp", "address": "roughtime.example.org:2002"},
        {"protocol": "tcp", "address": "[2001:db8::1]:2002"},
    ]
    server = {
        "name": "A",
        "version": "1",
        "publicKeyType": "ed25519",
        "publicKey": _ROUGHTIME_KEY,
        "addresses": places,
    }
    return {"servers": [server, server | {"version": "Google-Roughtime"}]}


@cache
def report() -> Any:
    """Return a malfeasance report: the example of RFC 10049, Appendix B."""
    responses = []
    for number, rand in enumerate(_RANDS, start=1):
        vector = json.loads((_REPORTS / f"report-{number}.json").read_text())
        entry = {"publicKey": vector["public_key"]}
        entry |= {name: vector[name] for name in ("request", "response")}
        responses.append(entry | ({"rand": rand} if rand else {}))
    return {"responses": responses}


@cache
def inventory() -> Any:
    """Return a file of file_sd."""
    return [
        {
            "targets": ["bitcoin://192.0.2.1:8333", "http://[2001:db8::1]/a"],
            "labels": {"chain": "btc", "n": "1"},
        },
        {"targets": ["kaspa://192.0.2.1"]},
    ]
