"""Which packages tests may want, and what becomes of a test that wants one that is not here."""

import sys
from collections.abc import Generator, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.util import find_spec

import pytest

PACKAGES = (
    *("awacs", "cryptography", "dns", "httpcore", "httpx", "hypothesis", "idna", "jsonschema"),
    *("nagiosplugin", "ntplib", "packaging", "prometheus_client", "pytest_timeout", "rich"),
    *("troposphere", "xdist", "yaml"),
)
"""As they are imported; requirements-dev.txt installs all."""


@cache
def absent() -> tuple[str, ...]:
    """Return those that are not installed."""
    return tuple(name for name in PACKAGES if find_spec(name) is None)


class SkipsWithoutPackages:
    """A plugin of pytest: who fails for want of a package is skipped, and says of which.

    Also a finder, last in sys.meta_path, so asked only for what is not there: what is tested may
    have answered a failed import with something else than an error.
    """

    def __init__(self) -> None:
        self._missed: set[str] = set()

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        """Take note; there is nothing to be found."""
        if (package := name.partition(".")[0]) in absent():
            self._missed.add(package)

    def pytest_sessionstart(self) -> None:
        """Begin to take note."""
        sys.meta_path.append(self)

    def pytest_sessionfinish(self) -> None:
        """Leave the interpreter as it was."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Skip a file that imports what is not installed; one that leaves Python ends no run."""
        self._missed.clear()
        try:
            report = yield
        except SystemExit as leaving:
            report = pytest.CollectReport(collector.nodeid, "failed", f"SystemExit: {leaving}", [])
        if report.failed and self._missed:
            report.outcome = "skipped"
            report.longrepr = (str(collector.path), 1, self._reason())
            _forget(str(collector.path))
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: "pytest.CallInfo[None]"
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Skip a test that failed when it, or what it tests, did not find what is not installed."""
        report = yield
        if call.excinfo is not None:  # a fixture of many tests fails but once
            self._missed |= set(_names(call.excinfo.value))
        if report.failed and self._missed:
            report.outcome = "skipped"
            report.longrepr = (str(item.path), (item.location[1] or 0) + 1, self._reason())
        self._missed.clear()
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was not there, also where no test showed it."""
        if absent():
            terminalreporter.section("not installed: not all tests did run", yellow=True)
            terminalreporter.line(", ".join(absent()))

    def _reason(self) -> str:
        missed = ", ".join(sorted(self._missed))
        return f"Skipped: {missed}: not installed: this test did NOT run"


def _forget(path: str) -> None:
    """Drop a module half imported, so that who imports it in turn misses the same."""
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) == path:
            del sys.modules[name]


def _names(error: BaseException | None) -> Iterator[str]:
    """Yield which packages could not be imported or found, all along the causes of an error."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError) and error.name:
            name = error.name.partition(".")[0]
            if name in absent() or isinstance(error, PackageNotFoundError):
                yield name
        error = error.__cause__ or error.__context__
