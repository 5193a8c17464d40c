"""A plugin of coverage: what runs in threads that are started without `threading` counts too."""

import _thread
import sys
import threading
from collections.abc import Callable
from typing import Any

_start = _thread.start_new_thread


def coverage_init(_registry: object, _options: object) -> None:
    """Have such threads measured; called before what is measured is imported."""
    _thread.start_new_thread = start_traced


def start_traced(function: Callable[..., object], *arguments: Any) -> int:
    """Start a thread that is traced as those of `threading` are."""

    def traced(*ours: object, **named: object) -> None:
        sys.settrace(threading.gettrace())
        function(*ours, **named)

    return _start(traced, *arguments)
