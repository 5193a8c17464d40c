"""A plugin of pytest for mutmut's runs: the quickest tests first, since most mutants fail many.

mutmut names the tests to run in no order. It has timed each of them before the first mutant.
"""

import pytest
from mutmut.state import state


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by the time that each test took without a mutant; none is known in the first run."""
    took_s = state().duration_by_test
    items.sort(key=lambda item: took_s.get(item.nodeid, 0.0))
