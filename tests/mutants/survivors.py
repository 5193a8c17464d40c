"""Which mutants no test noticed, beside those that nobody can notice. Pure: texts in, texts out.

A mutant is known by its function and by the lines that it changes, not by a number: numbers move
when a line is added.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sources.record import Record


class Mutant(Record):
    """One change to one function."""

    function: str
    """With its module, and its class if it has one: drift.consensus.cover.hull."""
    was: str
    """The lines that it takes away, without indentation."""
    becomes: str
    """The lines that it puts there."""


def of_difference(key: str, difference: str) -> Mutant:
    """Return what mutmut calls `key`, from the unified difference that it shows."""
    lines = [line for line in difference.splitlines() if not line.startswith(("---", "+++"))]
    was, becomes = (
        "\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    return Mutant(_function(key), was, becomes)


def _function(key: str) -> str:
    """Return a.b.Class.name for a.b.xǁClassǁname__mutmut_3, and a.b.name for a.b.x_name__mutmut_3.

    That is how mutmut names what it made of them.
    """
    module, _, name = key.rpartition(".")
    name = name.rpartition("__mutmut_")[0]
    parts = name.split("ǁ")[1:] if "ǁ" in name else [name.removeprefix("x_")]
    return ".".join([module, *parts])


def listed(table: Mapping[str, Any]) -> dict[Mutant, str]:
    """Return {equivalent mutant: why nobody can notice it} of the file that lists them."""
    return {
        Mutant(one["function"], one["was"].strip(), one["becomes"].strip()): one["why"]
        for one in table.get("equivalent", ())
    }


def unlisted(survivors: Iterable[Mutant], equivalent: Mapping[Mutant, str]) -> list[Mutant]:
    """Return the survivors for which a test is missing."""
    return [mutant for mutant in survivors if mutant not in equivalent]


def stale(
    survivors: Sequence[Mutant], equivalent: Mapping[Mutant, str], modules: Iterable[str]
) -> list[Mutant]:
    """Return what is listed of these modules, and did not survive or is not made any more."""
    prefixes = tuple(f"{module}." for module in modules)
    return [
        mutant
        for mutant in equivalent
        if mutant.function.startswith(prefixes) and mutant not in survivors
    ]
