"""What is fuzzed: a function of bytes that raises for a bug and for nothing else."""

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

from sources.base import ConfigError, SourceError
from sources.record import Record


class Target(Record):
    """One entry point, and what to begin with."""

    run: Callable[[bytes], None]
    """Takes any bytes; raises for what is a bug."""
    seeds: Callable[[], list[bytes]]
    """Makes inputs that get far."""
    talks: bool = False
    """Whether it holds conversations by sockets: thousands a second slower than a codec."""


def ours(*errors: type[Exception]) -> AbstractContextManager[None]:
    """Let pass what may be raised: errors of sources and configurations, and these."""
    return suppress(SourceError, ConfigError, *errors)
