"""The rule under simulated networks: how often the integer is wrong, how early it is settled.

    python -m tools.bench.simulation [RUNS]

No socket and no clock: samples are made from a known truth, with the round trips, truncations and
admitted errors of each kind, handed to drift.consensus one by one in order of arrival. Two
estimators of peers stand beside it on the same samples.
"""

import random
import statistics
import sys
from collections.abc import Sequence

from drift.consensus.rule import Answer, Rule, rounded_s, settle
from sources.base import Interval, Outcome, Pending, Sample
from sources.clock import NS

MS = NS // 1000
RULE = Rule(3, 1, 20 * MS)
MIXES = {"5 NTP": (5, 0, 0), "3 NTP, 3 HTTPS": (3, 3, 0), "5 NTP, 3 HTTPS, 3 Roughtime": (5, 3, 3)}
RADII_S = (1, 1, 3, 3, 5, 10)


def main() -> None:
    """Print a table for each mix and number of liars."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    print(
        "| sources | liars | wrong integer % | off by more than 1 % | median of midpoints, wrong % "
        "| median error ms | settled before the last reply % |"
    )
    print("|---|---|---|---|---|---|---|")
    for name, mix in MIXES.items():
        for liars in range((sum(mix) + 1) // 2):
            print(f"| {name} | {liars} | {_row(mix, liars, runs)} |")


def _row(mix: tuple[int, int, int], liars: int, runs: int) -> str:
    rng = random.Random(f"{mix} {liars}")  # noqa: S311 - a simulation, the same every time
    wrong = far = wrong_midpoints = early = 0
    errors_ms = []
    for _ in range(runs):
        drift_ns = rng.randrange(-5, 6) * NS + round(rng.uniform(0, 0.4) * NS)
        samples = _samples(rng, mix, liars, drift_ns)
        answer, replies = _in_order_of_arrival(samples)
        if answer is None:
            raise SystemExit(f"no answer from {samples}: a minority of liars silenced the rule")
        wrong += answer.drift_s != rounded_s(drift_ns)
        far += abs(answer.drift_s - rounded_s(drift_ns)) > 1
        wrong_midpoints += rounded_s(_median_of_midpoints(samples)) != rounded_s(drift_ns)
        early += replies < len(samples)
        errors_ms.append(abs(answer.estimate_ns - drift_ns) / MS)
    shares = (wrong, far, wrong_midpoints)
    percents = " | ".join(f"{100 * share / runs:.1f}" for share in shares)
    return f"{percents} | {statistics.median(errors_ms):.1f} | {100 * early / runs:.0f}"


def _in_order_of_arrival(samples: Sequence[Sample]) -> tuple[Answer | None, int]:
    """Hand the samples over one by one; return the answer and after how many it was settled."""
    outcomes: list[Outcome] = [Pending(sample.operator, sample.kind) for sample in samples]
    order = sorted(range(len(samples)), key=lambda index: samples[index].rtt_ns)
    for replies, index in enumerate(order, start=1):
        outcomes[index] = samples[index]
        settled = settle(outcomes, RULE, 0)
        if isinstance(settled, Answer):
            return settled, replies
    return None, len(samples)


def _median_of_midpoints(samples: Sequence[Sample]) -> int:
    """What the Roughtime clients and Datadog do, each on its own kind of sample."""
    return statistics.median_low((s.certain.low_ns + s.certain.high_ns) // 2 for s in samples)


def _samples(
    rng: random.Random, mix: tuple[int, int, int], liars: int, drift_ns: int
) -> list[Sample]:
    """Return a sample of every source; the first `liars` share one lie that overlaps the truth."""
    kinds = [
        kind
        for kind, count in zip((_ntp, _https, _roughtime), mix, strict=True)
        for _ in range(count)
    ]
    lie_ns = rng.choice((-1, 1)) * round(rng.uniform(0.01, 1.2) * NS)
    samples = []
    for number, make in enumerate(kinds):
        off_ns = lie_ns if number < liars else 0
        samples.append(make(rng, f"operator {number}", drift_ns + off_ns))
    return samples


def _ntp(rng: random.Random, operator: str, drift_ns: int) -> Sample:
    there_ns, back_ns = (round(rng.uniform(5, 40) * MS / 2) for _ in range(2))
    interval = Interval(drift_ns - there_ns, drift_ns + back_ns)
    return _sample(operator, "ntp", interval, interval, there_ns + back_ns)


def _https(rng: random.Random, operator: str, drift_ns: int) -> Sample:
    there_ns, back_ns = (round(rng.uniform(10, 80) * MS / 2) for _ in range(2))
    into_second_ns = rng.randrange(NS)
    low_ns, high_ns = (
        drift_ns - there_ns - (NS - into_second_ns),
        drift_ns + back_ns + into_second_ns,
    )
    certain = Interval(low_ns - 600 * MS, high_ns)
    return _sample(operator, "https", certain, Interval(low_ns, high_ns), there_ns + back_ns)


def _roughtime(rng: random.Random, operator: str, drift_ns: int) -> Sample:
    there_ns, back_ns = (round(rng.uniform(10, 80) * MS / 2) for _ in range(2))
    into_second_ns = rng.randrange(NS)
    radius_ns = rng.choice(RADII_S) * NS
    low_ns, high_ns = drift_ns - there_ns + into_second_ns, drift_ns + back_ns + into_second_ns
    certain = Interval(low_ns - radius_ns, high_ns + radius_ns)
    return _sample(
        operator, "roughtime", certain, Interval(low_ns - NS, high_ns), there_ns + back_ns
    )


def _sample(operator: str, kind: str, certain: Interval, likely: Interval, rtt_ns: int) -> Sample:
    return Sample(operator, kind, False, certain, likely, rtt_ns, "simulated", "")


if __name__ == "__main__":
    main()
