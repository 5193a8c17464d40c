"""The modules that are there without being configured: a name, its kind, and its table. Pure.

A target's scheme names one (`litecoin://198.51.100.7`); [probe.modules.NAME] adds more or
replaces one. Values are as a configuration would write them.
"""

from nodes import KINDS

BITCOIN_FAMILY: dict[str, dict[str, object]] = {
    "litecoin": {"magic": "fbc0b6db", "port": 9333, "protocol": 70017},
    "dogecoin": {"magic": "c0c0c0c0", "port": 22556, "protocol": 70015},
    "bch": {"magic": "e3e1f3e8", "port": 8333, "protocol": 70016},
    "zcash": {"magic": "24e92764", "port": 8233, "protocol": 170160},
}
"""What differs between the networks whose nodes speak Bitcoin's protocol."""

MODULES: dict[str, tuple[str, dict[str, object]]] = {
    **{kind: (kind, {}) for kind in KINDS},
    **{name: ("bitcoin", table) for name, table in BITCOIN_FAMILY.items()},
}
"""Name to kind and table."""
