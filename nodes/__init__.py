"""Reading the clock of ONE node that somebody else runs: bytes and sockets in, a Stamp out.

Nothing in here knows of consensus, of intervals, of pacing or of output. A kind is one module of
this package (sockets) and one of nodes/wire (bytes, pure); its name is the scheme of a target
(`bitcoin://203.0.113.7`) and the `kind` of a [probe.modules.NAME] table.
"""

import os

_HELPERS = ("__init__", "base", "link", "modules", "secure")

KINDS = tuple(
    sorted(
        name
        for name, ending in map(os.path.splitext, os.listdir(os.path.dirname(__file__)))
        if ending == ".py" and name not in _HELPERS
    )
)
"""Every kind there is: each file of this folder that is not a helper of theirs."""
