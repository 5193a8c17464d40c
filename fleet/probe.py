"""The command `probe`: read nodes once, and print what was found."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from fleet import measuring, settings, targets
from fleet.arguments import ProbeOptions, parse_probe
from fleet.formats import integer, text
from fleet.formats.words import is_blind, is_success
from fleet.health import health
from fleet.observer import Observer
from fleet.rounds import Result
from fleet.sweep.asking import World
from fleet.sweep.names import Names
from fleet.sweep.pool import sweep
from fleet.targets import Target
from sources.base import ConfigError
from sources.clock import NS, Clock

OK, NO_ANSWER, BUG = 0, 3, 70
"""Exit statuses, as those of the plain run."""

PrintLine = Callable[[str], None]
"""Writes a line to stderr."""
Write = Callable[[str], int]
"""Writes a result, or the next piece of one, to stdout, and returns the exit status."""

_FEW = 5
"""So many nodes are read before anybody wonders how long it takes."""
_LONGEST_INVENTORY = 64 << 20


def probe(arguments: Sequence[str], clock: Clock, write: Write, print_line: PrintLine) -> int:
    """Read the nodes and return the exit status."""
    options = parse_probe(arguments)
    with ExitStack() as running:
        world, wanted = running.enter_context(
            _lab(clock) if options.demo else _real(options, clock)
        )
        if options.format == "integer" and len(wanted) != 1:
            raise ConfigError(f"--format integer goes with one target, not with {len(wanted)}")
        world.observer.renew()
        with _progress(len(wanted)) as progress:
            results = sweep(wanted, world, progress)
    status = _written(options, results, clock, write, print_line)
    if is_blind(results) and options.format != "nagios":
        print_line(results[0].note)
    elif options.format == "integer" and status == NO_ANSWER:
        print_line(integer.refusal(results))
    return status


def _written(
    options: ProbeOptions, results: list[Result], clock: Clock, write: Write, print_line: PrintLine
) -> int:
    """Write what was found where it is wanted, and return the exit status."""
    rendered, status = _rendered(options, results)
    statuses = (write(piece) for piece in rendered if piece)
    written = next((status for status in statuses if status != OK), OK)
    if options.format == "text" and not options.summary and _is_watched(len(results)):
        sys.stderr.write(_summary(options, results))
    if options.report is not None:
        try:
            _write_report(options.report, results, clock)
        except OSError as error:
            print_line(f"{options.report} cannot be written: {error.strerror or error}")
            return BUG
    return written or status


def _rendered(options: ProbeOptions, results: list[Result]) -> tuple[Iterable[str], int]:
    """Return the text of the output format that is wanted, in pieces, and the exit status."""
    status = OK if is_success(results) else NO_ANSWER
    if options.format == "nagios":
        from fleet.formats import nagios  # noqa: PLC0415 - 13 ms

        text_of_plugin, status = nagios.render(results, options.warning, options.critical)
        return [text_of_plugin], status
    if options.summary:
        return [_summary(options, results)], status
    if options.format == "json":
        from fleet.formats import json  # noqa: PLC0415 - one format a run

        return json.pieces(results), status
    return [_render(options.format)(results)], status


def _summary(options: ProbeOptions, results: list[Result]) -> str:
    if options.format == "json":
        from fleet.formats import json  # noqa: PLC0415 - one format a run

        return json.render_summary(health(results))
    from fleet.formats import summary  # noqa: PLC0415

    return summary.render(health(results))


def _render(name: str) -> Callable[[Sequence[Result]], str]:
    """Return how a format renders; only its own libraries are imported."""
    match name:
        case "integer":
            return integer.render
        case "prometheus":
            from fleet.formats import prometheus  # noqa: PLC0415 - 80 ms

            return prometheus.render
        case "influx":
            from fleet.formats import influx  # noqa: PLC0415

            return influx.render
    return text.render


@contextmanager
def _real(options: ProbeOptions, clock: Clock) -> Iterator[tuple[World, list[Target]]]:
    """Yield the world of the configuration, and the targets that are named."""
    path = measuring.find(options.config)
    ours = measuring.load(path)
    how = settings.load(path)
    wanted = []
    for written in options.targets:
        try:
            wanted.append(targets.parse(written, how.modules))
        except ValueError as error:
            raise ConfigError(f"target {written[:100]!r}: {error}") from error
    for inventory in options.inventories:
        wanted += targets.inventory(_read(inventory), inventory, how.modules)
    watcher = Observer(measuring.measuring(ours, clock), clock)
    yield World(how, watcher, Names(clock), clock), wanted


@contextmanager
def _lab(clock: Clock) -> Iterator[tuple[World, list[Target]]]:
    """Yield the world of --demo."""
    from lab.network import demo  # noqa: PLC0415 - only the demo needs a lab

    with demo() as network:
        how = settings.parse(network.toml, "the lab")
        wanted = [targets.parse(written, how.modules) for written in network.targets]
        watcher = Observer(measuring.measuring(network.config, clock, is_lab=True), clock)
        yield World(how, watcher, Names(clock), clock), wanted


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(_LONGEST_INVENTORY + 1)
        if len(data) > _LONGEST_INVENTORY:
            raise ConfigError(f"{path}: longer than {_LONGEST_INVENTORY} bytes")
        return data.decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start}: not UTF-8") from error


def _write_report(path: str, results: list[Result], clock: Clock) -> None:
    """Replace the file by a page of what was found, whole or not at all."""
    from fleet.formats import page  # noqa: PLC0415 - only --report needs it

    read = [result.read_unix_ns for result in results if result.read_unix_ns is not None]
    written = page.render(results, max(read, default=clock.wall_ns()) // NS)
    beside = f"{path}.{os.getpid()}.new"
    try:
        with open(beside, "w", encoding="utf-8") as file:
            file.write(written)
        os.replace(beside, path)
    except OSError:
        if os.path.exists(beside):
            os.unlink(beside)
        raise


@contextmanager
def _progress(total: int) -> Iterator[Callable[[Result], None] | None]:
    """Show how far it is on stderr, where a person looks on and it takes a while."""
    if not _is_watched(total):
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - only people at terminals need it
    from rich.progress import Progress  # noqa: PLC0415

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading nodes", total=total)
        yield lambda _: bar.advance(task)


def _is_watched(total: int) -> bool:
    """Whether it is more than a few nodes, and a person at a terminal looks on."""
    return total > _FEW and sys.stderr is not None and sys.stderr.isatty()
