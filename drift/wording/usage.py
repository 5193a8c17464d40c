"""What --help says beside the options, of the program and of each command. Pure."""

import textwrap
from collections.abc import Sequence

PROGRAM, WATCH, VERIFY, IMPORT = "", "watch", "verify-evidence", "import-servers"
PROBE, SERVE = "probe", "serve"
"""What has a help of its own: the program, which is called without a word, and its commands."""

Rows = Sequence[tuple[str, str]]

_HELP_AT = 24
"""The column where argparse, too, begins what is said of an option."""
_LEAST_GAP = 2

DESCRIPTIONS = {
    PROGRAM: (
        "Ask many independent time sources and print this machine's clock minus true time, in "
        "whole seconds: -4 means that this clock is 4 seconds BEHIND. It never sets a clock."
    ),
    WATCH: (
        "Stay, and print this machine's clock minus true time again and again: on a schedule with "
        "--every, and once for each newline on stdin. SIGHUP has it read the configuration again, "
        "SIGTERM ends it. Each measurement is printed as a run of its own would."
    ),
    PROBE: (
        "Read the clocks of nodes that somebody else runs, from outside: what each shows any peer "
        "of its own clock, against true time by this machine's own sources. Prints a line a "
        "target: node's clock minus true time in whole seconds (-4: the node is 4 seconds BEHIND), "
        "or ? where that is not proven. A target is MODULE://HOST, MODULE://HOST:PORT, or a URL. "
        "Modules: http, https, bitcoin, litecoin, dogecoin, bch, zcash, xrpl, avalanche, kaspa, "
        "and those of [probe.modules.NAME] in config.toml."
    ),
    SERVE: (
        "Serve the clocks of nodes to Prometheus: /probe?target=TARGET&module=MODULE reads one "
        "node, /metrics has this machine's own drift. SIGHUP has it read the configuration again, "
        "SIGTERM ends it."
    ),
    VERIFY: (
        "Check a Roughtime malfeasance report, whoever made it: who signed what, in which order, "
        "and whom it convicts. It asks nobody."
    ),
    IMPORT: (
        "Print tables for config.toml from a Roughtime server list (RFC 10049 section 8.3, and "
        "the ecosystem.json of before). What the configuration would refuse is left out; why "
        "stands in its place as a comment. It asks nobody."
    ),
}

COMMANDS = {
    WATCH: ("--every 60s", "stay, and measure every minute"),
    PROBE: ("TARGET...", "read the clocks of nodes of others, from outside"),
    SERVE: ("", "the same for Prometheus, as an exporter"),
    VERIFY: ("FILE", "check a Roughtime malfeasance report"),
    IMPORT: ("LIST.json", "make configuration of a Roughtime server list"),
}
"""What most often follows the name of each command, and what it does."""
EXAMPLES: dict[str, Rows] = {
    PROGRAM: (
        ("time-drift", "print the integer, e.g. -4"),
        ("time-drift --explain", "the same, and why: a table and a picture on stderr"),
        ("time-drift --json", "everything, as one JSON object"),
        (
            "time-drift --format nagios -w 0 -c 1",
            "warn from 1 s on, critical from 2 s on, ahead or behind",
        ),
        (
            "time-drift --format prometheus --output time-drift.prom",
            "for node_exporter, replaced whole at every run",
        ),
        ("time-drift --config my.toml --check-config", "who has how many votes; asks nobody"),
        (
            "time-drift --check-config --nodes 400 --behind-one-address",
            "how often 400 machines ask whom, and which published limits that passes",
        ),
        ("time-drift --demo", "run on a built-in little internet with a liar; prints -4"),
    ),
    WATCH: (
        ("time-drift watch --every 60s", "measure every minute, and for each newline"),
        ("time-drift watch --format influx", "for Telegraf's execd: for newlines only"),
    ),
    PROBE: (
        ("time-drift probe bitcoin://node.example xrpl://xrpl.example", "a line a node"),
        (
            "time-drift probe --format integer bitcoin://node.example",
            "the integer, or nothing, as a plain run has it",
        ),
        (
            "time-drift probe --targets nodes.json --summary --report clocks.html",
            "the health of each chain, and a page for browsers",
        ),
        ("time-drift probe --demo", "read a little network of its own, without internet"),
    ),
}

_BUG = ("70", "a bug, or stdout cannot be written")
STATUSES: dict[str, Rows] = {
    PROGRAM: (
        ("0", "an integer was printed"),
        ("2", "wrong usage or configuration"),
        ("3", "no trustworthy answer"),
        _BUG,
        ("130, 143", "interrupted, terminated"),
        ("--format nagios", "0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, whatever it is"),
    ),
    WATCH: (
        ("0", "stdin has ended, and everything that it asked for is done"),
        ("2", "wrong usage or configuration; nothing was ever to be measured"),
        _BUG,
        ("130, 143", "interrupted, terminated"),
    ),
    PROBE: (
        ("0", "every node is decided"),
        ("2", "wrong usage or configuration"),
        ("3", "some are not, or there is no consensus of our own"),
        ("70", "a bug, or stdout or the report cannot be written"),
        ("130, 143", "interrupted, terminated"),
        ("--format nagios", "0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN, whatever it is"),
    ),
    SERVE: (
        ("2", "wrong usage or configuration, or it cannot listen there"),
        ("70", "a bug"),
        ("130, 143", "interrupted, terminated"),
    ),
    VERIFY: (
        ("0", "proven: a server signed times that contradict each other"),
        ("1", "the report proves nothing"),
        ("2", "wrong usage, or FILE is no report that can be read"),
        _BUG,
    ),
    IMPORT: (
        ("0", "the tables were printed"),
        ("2", "wrong usage, or LIST.json is no list that can be read"),
        _BUG,
    ),
}
FILES = {VERIFY: "FILE", IMPORT: "LIST.json"}


def description(command: str, columns: int) -> str:
    """Return what the command does."""
    return textwrap.fill(DESCRIPTIONS[command], columns)


def epilog(command: str, columns: int, formats: Rows = ()) -> str:
    """Return formats, which are given, examples, other commands and exit statuses."""
    sections = [_section("formats", formats, columns)] if formats else []
    if command in EXAMPLES:
        sections.append(_section("examples", EXAMPLES[command], columns))
    if command == PROGRAM:
        rows = [
            (f"time-drift {name} {more}".rstrip(), text) for name, (more, text) in COMMANDS.items()
        ]
        rows.append(("", "each has a --help of its own"))
        sections.append(_section("other commands", rows, columns))
    sections.append(_section("exit status", STATUSES[command], columns))
    return "\n\n".join(sections)


def help_of(command: str, columns: int) -> str:
    """Return the whole help of a command that takes a file and nothing else."""
    first = f"usage: time-drift {command} [-h] {FILES[command]}"
    parts = (first, description(command, columns), epilog(command, columns))
    return "\n\n".join(parts) + "\n"


def _section(title: str, rows: Rows, columns: int) -> str:
    """Return what is on the left of each row, and from one column on what is said of it."""
    lines = [f"{title}:"]
    for left, right in rows:
        wrapped = textwrap.wrap(right, columns - _HELP_AT)
        head = f"  {left}"
        if left and len(head) + _LEAST_GAP > _HELP_AT:
            lines.append(head)
            head = ""
        lines.append(head.ljust(_HELP_AT) + wrapped[0])
        lines += [" " * _HELP_AT + more for more in wrapped[1:]]
    return "\n".join(lines)
