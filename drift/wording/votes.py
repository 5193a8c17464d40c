"""Who has how many votes, for --check-config. Pure."""

from drift.config import Config
from drift.consensus.rule import counted, operator_key
from sources.base import Source
from sources.clock import NS


def votes(config: Config) -> str:
    """Return the votes per operator, the quorum, and what to know about the mix."""
    by_operator: dict[str, list[Source]] = {}
    for source in config.sources:
        by_operator.setdefault(operator_key(source.operator), []).append(source)
    rule = config.rule
    lines = [
        f"{config.where}: {counted(len(config.sources), 'source')}, "
        f"{counted(len(by_operator), 'vote')}, timeout {config.timeout_ns / NS:g} s",
        f"quorum: {counted(rule.min_operators, 'operator')} of {counted(rule.min_kinds, 'kind')}, "
        f"tolerance {rule.tolerance_ns / NS:g} s",
    ]
    for sources in by_operator.values():
        names = ", ".join(f"{source.kind} {source.name}" for source in sources)
        lines.append(f"  1 vote  {sources[0].operator}: {names}")
    return "\n".join([*lines, *_warnings(config, by_operator)]) + "\n"


def _warnings(config: Config, by_operator: dict[str, list[Source]]) -> list[str]:
    warnings = []
    precise = sum(
        sum(source.precise for source in sources) / len(sources) for sources in by_operator.values()
    )
    if 2 * precise <= len(by_operator):
        kinds = ", ".join(sorted({source.kind for source in config.sources if source.precise}))
        warnings.append(
            f"note: precise kinds ({kinds or 'none here'}) hold {precise:g} of "
            f"{len(by_operator)} votes; with half or fewer the integer may be off by one near a "
            "half second"
        )
    if len({source.kind for source in config.sources}) == 1:
        warnings.append(
            "note: all sources are of one kind; a router that intercepts it can be all of them"
        )
    if len(by_operator) < 3:  # noqa: PLR2004 - the least number of which a minority can lie
        warnings.append("note: with fewer than 3 operators no liar can be outvoted")
    return warnings
