"""Fuzz one target with atheris: `python -m tests.fuzz.one NAME CORPUS... [-flags of libFuzzer]`.

In a process of its own: what is instrumented is what is imported after atheris, and a crash ends
the process.
"""

import sys

import atheris

with atheris.instrument_imports(include=["sources", "nodes", "drift", "fleet"]):
    from tests.fuzz.targets.registry import TARGETS


def main() -> None:
    """Fuzz until the flags say that it is enough."""
    name = sys.argv.pop(1)
    sys.argv[0] = f"{sys.executable} -m tests.fuzz.one {name}"  # what -merge=1 starts again
    atheris.Setup(sys.argv, TARGETS[name].run)
    atheris.Fuzz()


main()
