"""Whose clock a node of Bitcoin's family shows, by its user agent (BIP 14) alone. Pure.

Software of that family used to answer its inbound peers with *network-adjusted* time: its wall
clock plus the median of what its own peers are off, up to 70 minutes. Such a node shows 0 although
its clock is wrong. Each row below says where that was read, or in which version it ended.
"""

import re
from functools import lru_cache

from sources.clock import NS
from sources.record import Record

_ELEMENT = re.compile(r"/([^/:()]+):v?([0-9]+(?:\.[0-9]+)*)")
"""Name and version of one element: "/Satoshi:27.1.0(comment)/Knots:20240801/" has two."""
_NEVER = (1 << 32,)


class Claim(Record):
    """What a `version` message's time is of."""

    verdict: str
    """Empty for the wall clock; else "adjusted", "coarse" or "unknown software"."""
    grain_ns: int
    note: str


DECLARED = Claim("", NS, "declared to show its wall clock")
"""What holds where a configuration says so."""


class _Software(Record):
    """From which version on a software shows its wall clock, and what it shows before."""

    wall_clock_since: tuple[int, ...]
    before: str
    grain_ns: int = NS


_KNOWN = {
    # bitcoin/bitcoin pull request 23695, merged in December 2021: 22.0 adjusts, 23.0 does not.
    "Satoshi": _Software((23,), "adjusted"),
    # litecoin-project/litecoin d8c8adc (0.21.5.5) src/net_processing.cpp:2659; and tried.
    "LitecoinCore": _Software(_NEVER, "adjusted"),
    # dogecoin/dogecoin up to 1.14.9: from Bitcoin Core 0.14, GetAdjustedTime() in PushNodeVersion.
    "Shibetoshi": _Software(_NEVER, "adjusted"),
    # bitcoin-cash-node 01ccb0d src/net_processing.cpp: PushNodeVersion(.., GetAdjustedTime()).
    "Bitcoin Cash Node": _Software(_NEVER, "adjusted"),
    # Bitcoin-ABC/bitcoin-abc f654010 took over Core's 23695 when 0.27.0 was being made.
    "Bitcoin ABC": _Software((0, 27), "adjusted"),
    # zcash/zcash doc/release-notes/release-notes-2.1.2.md: "Removal of time adjustment".
    "MagicBean": _Software((2, 1, 2), "adjusted"),
    # btcsuite/btcd 2c67bc2 wire/msgversion.go NewMsgVersion: time.Now(), as ever.
    "btcd": _Software((0,), "adjusted"),
    # ZcashFoundation/zebra 1c9b245 zebra-network/src/peer/handshake.rs:648: rounded down to five
    # minutes, "don't leak our exact clock skew".
    "Zebra": _Software(_NEVER, "coarse", 300 * NS),
}
_WORST_FIRST = ("adjusted", "coarse", "")


@lru_cache(1000)
def judge(agent: str) -> Claim:
    """Return what a node of this user agent shows; its worst element decides."""
    claims = []
    for name, digits in _ELEMENT.findall(agent):
        software = _KNOWN.get(name)
        if software is None:
            continue
        version = tuple(int(number[:9]) for number in digits.split("."))
        if version >= software.wall_clock_since:
            claims.append(Claim("", NS, ""))
        else:
            note = f"{name} {digits} does not show its own wall clock"
            if software.before == "coarse":
                note = f"{name} rounds its clock down to {software.grain_ns // NS} s"
            claims.append(Claim(software.before, software.grain_ns, note))
    if not claims:
        return Claim("unknown software", NS, "whether it shows its wall clock is not known")
    return min(claims, key=lambda claim: _WORST_FIRST.index(claim.verdict))
