"""A plugin of pytest for mutmut's runs: the quickest tests first, since most mutants fail many.

mutmut names the tests to run one by one and in no order. It has timed each before the first mutant.
"""

import pytest
from mutmut.state import state

_NAMED = pytest.StashKey[frozenset[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Collect files as a whole: a thousand names take longer than what one mutant has to fail."""
    config.stash[_NAMED] = frozenset(name for name in config.args if "::" in name)
    config.args[:] = dict.fromkeys(name.partition("::")[0] for name in config.args)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep what was named, if any was, in the order of the time that it took without a mutant."""
    named, took_s = config.stash[_NAMED], state().duration_by_test
    kept = [item for item in items if not named or item.nodeid in named]
    items[:] = sorted(kept, key=lambda item: took_s.get(item.nodeid, 0.0))
