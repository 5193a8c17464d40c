"""Seeds of the fuzzer, taken from real servers again."""

from pathlib import Path

import pytest

from tests.fuzz import capture
from tests.fuzz.inputs import CORPUS
from tests.fuzz.targets.registry import TARGETS

pytestmark = pytest.mark.interop


def test_real_servers_give_the_seeds_that_are_in_the_corpus(tmp_path: Path) -> None:
    """Those of the same names, which their targets take."""
    capture.main(tmp_path)

    taken = {str(path.relative_to(tmp_path)): path for path in tmp_path.glob("*/*")}
    assert len(taken) > 15
    assert all((CORPUS / name).is_file() for name in taken)
    for name, path in taken.items():
        TARGETS[name.split("/")[0]].run(path.read_bytes())
