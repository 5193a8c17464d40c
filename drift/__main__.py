"""Start-up and exit of `python -m drift` and of the console script `time-drift`.

This file must stay readable to every Python 3: to users of old ones it says what is needed.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - older ones get one line instead of a SyntaxError
    sys.stderr.write(
        "time-drift: this is Python %d.%d; 3.11 or newer is needed\n" % sys.version_info[:2]  # noqa: UP031
    )
    sys.exit(2)

import gc
import os

from drift.plugin import is_plugin

TYPE_CHECKING = False  # as typing has it, whose import is a sixth of a whole run
if TYPE_CHECKING:
    import signal
else:
    import _signal as signal  # what `signal` makes enums of, at a millisecond a run

_SWITCH_S = 0.02
"""How long a thread may compute before others may interrupt it. Python's own 5 ms wake hundreds of
waiting threads so often that 200 sources take a fifth longer."""

_LIBRARIES = frozenset(
    (
        *("_cffi_backend", "_yaml", "anyio", "certifi", "cffi", "cryptography", "dns", "h11"),
        *("httpcore", "httpx", "idna", "markdown_it", "mdurl", "nagiosplugin", "ntplib"),
        *("prometheus_client", "pycparser", "pygments", "rich", "typing_extensions", "yaml"),
    )
)
"""What the packages of the lock are imported as."""


class _Loss:
    """Last in sys.meta_path, so asked only for missing modules: is the environment damaged?"""

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        if name.partition(".")[0] not in _LIBRARIES:
            return
        from drift.bootstrap import give_up_if_damaged  # noqa: PLC0415 - only now

        damage = give_up_if_damaged(os.path.dirname(os.path.dirname(sys.executable)))
        if damage is not None:
            raise ModuleNotFoundError(damage, name=name)


def main() -> None:
    """Run, and leave at once: hung threads are not waited for, nothing is torn down."""
    # First thing, because as PID 1 of a container a signal without a handler is ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGALRM))
    gc.disable()  # a run allocates little and ends soon
    sys.setswitchinterval(_SWITCH_S)
    sys.meta_path.append(_Loss)
    try:
        from drift import cli  # noqa: PLC0415 - inside the try: a broken environment is reported too

        status = cli.main(sys.argv[1:])
    except Exception as bug:  # noqa: BLE001 - the last resort: one line and status 70
        status = _report(bug)
    os._exit(status)


def _leave(number: int, _frame: object) -> None:
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)  # twice is as good as once
    if is_plugin(sys.argv[1:]):
        os.write(1, b"TIME DRIFT UNKNOWN - no answer: ended by a signal\n")
        os._exit(3)
    os._exit(128 + number)


def _report(bug: Exception) -> int:
    """Report a bug before anything else could: one line, with -v the traceback too, and 70.

    A plugin of Nagios reports it on stdout, and is UNKNOWN.
    """
    text = "bug: %s: %s" % (type(bug).__name__, " ".join(str(bug).split())[:300])  # noqa: UP031
    if is_plugin(sys.argv[1:]):
        os.write(1, ("TIME DRIFT UNKNOWN - %s\n" % text).encode("utf-8", "replace"))  # noqa: UP031
        return 3
    if sys.stderr is not None and any(a.startswith("-v") or a == "--verbose" for a in sys.argv):
        import traceback  # noqa: PLC0415 - only now

        traceback.print_exception(bug)
    _write_line(text)
    return 70


def _write_line(line: str) -> None:
    """Write a line to stderr, if there is one."""
    try:
        sys.stderr.write("time-drift: " + line + "\n")
        sys.stderr.flush()
    except (AttributeError, OSError):
        pass


if __name__ == "__main__":
    main()
