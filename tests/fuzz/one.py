"""Fuzz one target with atheris: `python -m tests.fuzz.one NAME CORPUS... [-flags of libFuzzer]`.

In a process of its own: what is instrumented is what is imported after atheris, and a crash ends
the process.
"""

import sys

import atheris

with atheris.instrument_imports(include=["sources", "nodes", "drift", "fleet"]):
    from tests.fuzz.registry import TARGETS


def main() -> None:
    """Fuzz until the flags say that it is enough."""
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target.run)
    atheris.Fuzz()


main()
