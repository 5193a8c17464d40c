"""Reading the clock of ONE node that somebody else runs: bytes and sockets in, a Stamp out.

Nothing in here knows of consensus, of intervals, of pacing or of output. A kind is one module of
this package (sockets) and one of nodes/wire (bytes, pure); its name is the scheme of a target
(`bitcoin://203.0.113.7`) and the `kind` of a [probe.modules.NAME] table.
"""

KINDS = ("http", "https", "bitcoin", "xrpl", "avalanche", "kaspa")
"""Every kind there is. A new kind is one module, its codec, its lab twin, and its name here."""
