"""The process of the exporter: what keeps it going, and the signals that it obeys."""

import signal
import threading
from collections.abc import Sequence

from fleet import measuring, settings
from fleet.arguments import ServeOptions, parse_serve
from fleet.exporter.answers import Answers
from fleet.exporter.rounds_kept import Rounds
from fleet.exporter.server import Server
from fleet.observer import Observer
from fleet.probe import PrintLine
from fleet.sweep.asking import World
from fleet.sweep.names import Names
from fleet.sweep.pool import most_open
from sources.base import ConfigError
from sources.clock import NS, Clock

_MOST_REQUESTS = 1000
_SHORTEST_WAIT_NS = NS // 10
_LOOPBACK = ("127.", "::1")


def serve(arguments: Sequence[str], clock: Clock, print_line: PrintLine) -> int:
    """Serve until a signal ends the process; raise ConfigError on wrong usage."""
    options = parse_serve(arguments)
    path = measuring.find(options.config)
    measuring.load(path)
    how = settings.load(path)
    watcher = Observer(measuring.measuring_apart(path, clock), clock)
    world = World(how, watcher, Names(clock), clock)
    kept = Rounds(world)
    answers = Answers(how, kept, watcher, clock)
    server = _server(options, answers, how, clock)
    keeper = _Keeper(path, world, kept, answers, print_line)
    signal.signal(signal.SIGHUP, keeper.note_change)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGHUP,))
    watcher.renew()
    if watcher.reference() is None:
        print_line(f"{watcher.why_not()}; nobody is read until there is one")
    threading.Thread(target=keeper.keep_on, daemon=True).start()
    address, _ = options.listen
    print_line(f"listening on {_shown(address, server.port)}")
    if not address.startswith(_LOOPBACK):
        print_line("whoever reaches this port can have nodes asked; it has no passwords of its own")
    server.serve_forever()
    return 0


def _server(
    options: ServeOptions, answers: Answers, how: settings.Settings, clock: Clock
) -> Server:
    # Each request may have a connection of its own to a node.
    most = max(1, min(_MOST_REQUESTS, most_open(how.rate, 60 * NS) // 2))
    try:
        return Server(options.listen, answers.answer, most, clock)
    except OSError as error:
        place = _shown(*options.listen)
        raise ConfigError(f"--listen {place}: {error.strerror or error}") from error


class _Keeper:
    """Renews the consensus each minute, and reads the configuration again when that is wanted."""

    def __init__(
        self, path: str, world: World, kept: Rounds, answers: Answers, print_line: PrintLine
    ) -> None:
        self._path = path
        self._world = world
        self._kept = kept
        self._answers = answers
        self._print_line = print_line
        self._wake = threading.Event()

    def note_change(self, _number: int, _frame: object) -> None:
        """Have the configuration read again, outside of the handler of the signal."""
        self._wake.set()

    def keep_on(self) -> None:
        """Go on for ever."""
        watcher, clock = self._world.observer, self._world.clock
        while True:
            wait_ns = max(watcher.due_raw_ns - clock.raw_ns(), _SHORTEST_WAIT_NS)
            if self._wake.wait(wait_ns / NS):
                self._wake.clear()
                self._reload()
            else:
                watcher.renew()

    def _reload(self) -> None:
        """Read the configuration again; where it is bad the old one stays."""
        try:
            measuring.load(self._path)
            how = settings.load(self._path)
        except ConfigError as error:
            self._print_line(f"{error}; the configuration of before stays")
            return
        self._world = self._world.replaced(settings=how)
        self._kept.take_over(self._world)
        self._answers.take_over(how)
        self._world.observer.renew()
        self._print_line("the configuration was read again")


def _shown(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
