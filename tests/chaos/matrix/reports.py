"""What each output format, and `watch`, make of servers that are no good."""

from functools import partial

from lab import behaviour
from lab.behaviour import Behaviour, flooding, only
from lab.ntp import NtpServer, kiss
from lab.world import Server
from tests.chaos.fault import Fault, Make
from tests.chaos.servers import Closed, lab_time_unix_ns
from tests.support.output_formats import NAMES

_FORMATS = [name for name in NAMES if name != "integer"]
_APART_S = {"A": 3600, "B": -3600, "C": 86_400, "Y": 3600, "Z": -3600}


def _bent(operator: str, behave: Behaviour) -> Server:
    return NtpServer(operator, behave, time_unix_ns=lab_time_unix_ns)


def _lying(operator: str) -> Server:
    return _bent(operator, behaviour.shifted(_APART_S[operator]))


_SERVERS: dict[str, tuple[str, Make]] = {
    "silent": ("nobody answers", partial(_bent, behave=behaviour.silent)),
    "liars": ("each lies another way", _lying),
    "controls": ("a kiss that moves the cursor", partial(_bent, behave=kiss("\x1b[2J"))),
}
_STAYING: dict[str, tuple[str, Make]] = {
    "silent": _SERVERS["silent"],
    "liars": _SERVERS["liars"],
    "closed": ("nobody listens", partial(Closed, "ntp")),
    "flood": ("junk without end", partial(_bent, behave=flooding(only(b"\x24" + bytes(47))))),
}
FAULTS = [
    *(
        Fault(f"reports: {name}, {run}", does, server, run=run)
        for run in _FORMATS
        for name, (does, server) in _SERVERS.items()
    ),
    *(
        Fault(f"reports: {name}, watch", f"{does}, twice", server, run="watch")
        for name, (does, server) in _STAYING.items()
    ),
]
