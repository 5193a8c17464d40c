"""One run: ask the sources, print what they prove, and collect evidence if that is wanted."""

import os
import sys
from contextlib import suppress
from functools import partial

from drift.config import Config
from drift.consensus.rule import Answer
from drift.console import Console, print_line
from drift.formats.base import NO_ANSWER, OK
from drift.options import Options
from drift.run import state
from drift.run.gather import Gathered, gather
from sources.base import Run, lack_in
from sources.clock import NS, BeyondReach, Clock
from sources.memory import Memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from drift.run.result import Result

_LAST_WORDS_NS = 30 * NS // 1000
"""Kept back from the timeout for deciding, printing and leaving."""
_STATE_NS = 50 * NS // 1000
"""How long the state may take to be written when all else is done."""
_RESERVED_DESCRIPTORS = 3
_RESERVED_BYTES = 2 << 20
_PICTURE_NS = 300 * NS // 1000
"""Kept back for --explain: importing rich and drawing."""


def measure(
    options: Options, settings: Config, console: Console, clock: Clock, began_raw_ns: int
) -> int:
    """Ask the sources, print what they prove, and return the exit status."""
    timeout_ns = settings.timeout_ns
    if options.timeout_s is not None:
        timeout_ns = round(options.timeout_s * NS)
    end_raw_ns = began_raw_ns + timeout_ns
    kept_back_ns = _PICTURE_NS if options.picture else _LAST_WORDS_NS
    asking = "no answer: still asking at the deadline"
    console.leave_after(end_raw_ns, partial(console.fail, asking, NO_ANSWER))
    deadline_raw_ns = end_raw_ns - min(kept_back_ns, timeout_ns // 4)
    memory = _memory(options, settings, clock)
    try:
        status = _measured(options, settings, console, clock, memory, (deadline_raw_ns, end_raw_ns))
    except (MemoryError, ImportError, OSError) as error:
        if isinstance(error, ModuleNotFoundError):
            raise  # what is not there at all was not installed
        raise BeyondReach(f"this machine lacks what a run takes: {lack_in(error)}") from error
    # Other threads may be writing state; leaving now would leave it half written.
    left_ns = min(_STATE_NS, end_raw_ns - clock.raw_ns())
    memory.finish(max(0, left_ns) / NS)
    return status


class _Reserve:
    """Descriptors and memory for deciding and reporting, kept from sources, which may use up all.

    Several are needed: one that an import has closed may be taken by another thread.
    """

    def __init__(self) -> None:
        self._descriptors = []
        for _ in range(_RESERVED_DESCRIPTORS):
            with suppress(OSError):  # less is kept then
                self._descriptors.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        self._memory = bytes(_RESERVED_BYTES)  # zeros: taken from the system, but not touched

    def release(self) -> None:
        """Give it back to whoever is quickest."""
        self._memory = b""
        while self._descriptors:
            os.close(self._descriptors.pop())


def _measured(
    options: Options,
    settings: Config,
    console: Console,
    clock: Clock,
    memory: Memory,
    until_raw_ns: tuple[int, int],
) -> int:
    """Measure: ask until the first moment, be done by the second."""
    deadline_raw_ns, end_raw_ns = until_raw_ns
    reserve = _Reserve()
    gathered = gather(
        settings.sources,
        settings.rule,
        deadline_raw_ns,
        clock,
        patient=options.picture,
        awaited_kind=None if settings.evidence is None else "roughtime",
        memory=memory,
    )
    reserve.release()
    # Collecting evidence may hang, but must not cost what is settled.
    if options.plain and isinstance(gathered.decision, Answer):
        text = f"{gathered.decision.drift_s}\n"
        if settings.evidence is not None:
            console.leave_after(end_raw_ns, partial(console.write_at_once, text))
            _collect(settings, gathered, clock, deadline_raw_ns)
        return console.write(text, end_raw_ns)
    status = _report(options, settings, console, gathered, end_raw_ns)
    for note in memory.notes if options.verbose else []:
        print_line(note)
    if settings.evidence is not None:
        console.leave_after(end_raw_ns, lambda: status)
        for note in _collect(settings, gathered, clock, deadline_raw_ns):
            if options.verbose:
                print_line(note)
    return status


def _memory(options: Options, settings: Config, clock: Clock) -> Memory:
    """Return what earlier runs left; the lab's servers are new each time."""
    directory = None if options.demo else state.directory_of(settings.state)
    return Memory() if directory is None else state.State(directory, clock)


def _collect(settings: Config, gathered: Gathered, clock: Clock, deadline_raw_ns: int) -> list[str]:
    """Collect evidence against Roughtime servers, if there is time; return notes for -v."""
    if settings.evidence is None or clock.raw_ns() >= deadline_raw_ns:
        return []
    from drift.evidence.collect import collect  # noqa: PLC0415 - only where a directory is configured
    from sources.net.resolver import Resolver  # noqa: PLC0415

    run = Run(deadline_raw_ns, clock, Resolver(deadline_raw_ns, clock).addresses, os.urandom)
    try:
        return collect(gathered, settings.evidence, run, settings.rule.tolerance_ns)
    except Exception as error:  # noqa: BLE001 - evidence is no reason to take back the answer
        return [f"evidence: could not be collected: {type(error).__name__}: {error}"]


def _report(
    options: Options, settings: Config, console: Console, gathered: Gathered, end_raw_ns: int
) -> int:
    """Print everything that the options want, the result first; return the exit status."""
    from drift.run.result import find  # noqa: PLC0415 - a plain answer needs no report

    result = find(gathered, settings.rule)
    output_format = console.output_format
    status = output_format.exit_status(OK if result.refusal is None else NO_ANSWER, result)
    text = output_format.render(result)
    if text or options.output is not None:
        written = console.write(text, end_raw_ns)
        if written != OK:
            return written
    if options.picture:
        console.leave_after(end_raw_ns, partial(_leave_undrawn, status))
        _draw(result)
    if result.refusal is not None and output_format.on_stderr:
        console.refuse(result.refusal, end_raw_ns, status)
    if options.verbose and output_format.on_stderr:
        from drift.wording.notes import notes  # noqa: PLC0415

        for note in notes(result.verdicts):
            print_line(note)
    return status


def _leave_undrawn(status: int) -> int:
    print_line("the picture was not done by the deadline")
    return status


def _draw(result: "Result") -> None:
    """Draw the picture if anybody can see it. The result is out; failures here are reported."""
    from drift.formats.explain import explain  # noqa: PLC0415 - rich costs 60 ms

    if sys.stderr is None:
        return
    try:
        explain(result)
    except Exception as error:  # noqa: BLE001 - a picture is no reason to take back the result
        print_line(f"the picture could not be drawn: {type(error).__name__}: {error}")
