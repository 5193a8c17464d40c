"""Build what is asked for, in the clean root: python3 -m tools.packages.inside VERSION KIND..."""

import sys
from pathlib import Path

from tools.packages import bundle, deb, program
from tools.packages.clean_root import INSIDE


def main(version: str, *kinds: str) -> None:
    """Build each kind of package, from one tree."""
    work = Path(INSIDE)
    source, wheels, tree = work / "source", work / "wheels", work / "program"
    program.make(source, wheels, tree, version)
    for kind in kinds:
        out = work / "out" / kind
        out.mkdir(parents=True)
        if kind == "deb":
            deb.build(source, tree, out, version)
        else:
            bundle.build(source, tree, wheels, out, version)


if __name__ == "__main__":
    main(*sys.argv[1:])
