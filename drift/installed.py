"""Compare what is installed with a lock: names and versions, as this interpreter needs them.

    python3 -I drift/installed.py PIP_WHEEL LOCK PACKAGES

A process of its own in the environment's Python: its markers count, and the library that evaluates
them is the one inside the wheel of pip. The first difference goes to stderr, with status 1.
"""

import re
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import distributions


def main(arguments: Sequence[str]) -> int:
    """Return 0 if just what the lock names is there."""
    wheel, lock, packages = arguments
    sys.path.insert(0, wheel)
    with open(lock, encoding="utf-8") as file:
        wanted = _wanted(file.read())
    found = {_normal(one.metadata["Name"]): one.version for one in distributions(path=[packages])}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            wants, has = wanted.get(name, "nothing"), found.get(name, "nothing")
            sys.stderr.write(f"ERROR: installed {name}: found {has}, wanted {wants}\n")
            return 1
    return 0


def _wanted(lock: str) -> dict[str, str]:
    """Return {name: version} of the lines of a lock that are for this interpreter."""
    requirement = import_module("pip._vendor.packaging.requirements").Requirement
    found = {}
    for line in re.findall(r"^[A-Za-z0-9][^\\\n#]*", lock, re.MULTILINE):
        one = requirement(line.partition(" --hash=")[0])
        if one.marker is None or one.marker.evaluate():
            found[_normal(one.name)] = str(one.specifier).removeprefix("==")
    return found


def _normal(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
