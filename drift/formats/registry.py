"""Which output_format of output is which: the words of `--format`, each with what it needs to know."""

from collections.abc import Sequence
from itertools import pairwise

from drift.formats.base import OutputFormat, Plugin
from drift.options import Options


def format_of(options: Options) -> OutputFormat:
    """Return the output_format that the options want; only its own libraries are imported."""
    match options.format:
        case "json":
            from drift.formats.json import Json  # noqa: PLC0415 - one output_format a run

            return Json()
        case "prometheus":
            from drift.formats.prometheus import Prometheus  # noqa: PLC0415 - 80 ms
            from drift.textfile import last_success_unix_s  # noqa: PLC0415

            output = options.output
            return Prometheus(None if output is None else last_success_unix_s(output))
        case "influx":
            from drift.formats.influx import Influx  # noqa: PLC0415

            return Influx()
        case "nagios":
            from drift.formats.nagios import Nagios  # noqa: PLC0415 - 13 ms

            return Nagios(options.warning, options.critical, verbose=options.verbose)
        case "zabbix":
            from drift.formats.zabbix import Zabbix  # noqa: PLC0415

            return Zabbix()
    return Integer(Options())


def format_named_in(arguments: Sequence[str]) -> OutputFormat:
    """Return how to tell wrong usage, and that there is no output_format to be had; needs no library.

    The forms whose readers look at stdout, or at the exit status, alone are told apart.
    """
    named = ""
    for word, following in pairwise([*arguments, ""]):
        if word == "--format":
            named = following.lower()
        elif word.startswith("--format="):
            named = word.removeprefix("--format=").lower()
    if named == "zabbix":
        from drift.formats.zabbix import Zabbix  # noqa: PLC0415

        return Zabbix()
    return Plugin() if named == "nagios" else Integer(Options())
