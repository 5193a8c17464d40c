"""What one run found, as every report needs it: the decision, a verdict on each source, and when.

Pure. A Result without an answer holds no drift anywhere a report could mistake for one.
"""

from drift.consensus.rule import Answer, NoAnswer, Rule
from drift.consensus.verdict import Verdict, verdicts
from drift.run.gather import Gathered
from sources.record import Record


class Result(Record):
    """The result of one run."""

    decision: Answer | NoAnswer
    verdicts: tuple[Verdict, ...]
    """One a configured source, in their order."""
    rule: Rule
    refusal: str | None
    """Why there is no answer, in one line; None with an answer."""
    elapsed_ns: int
    """From the first question to the decision."""
    decided_unix_ns: int | None
    """True time at the moment of decision, by the consensus; None without an answer."""

    def count(self, word: str) -> int:
        """Return how many sources got this verdict."""
        return sum(verdict.word == word for verdict in self.verdicts)

    @property
    def answered(self) -> int:
        """How many sources yielded a sample."""
        return sum(verdict.sample is not None for verdict in self.verdicts)


def find(gathered: Gathered, rule: Rule) -> Result:
    """Return what came of a run, judged by the rule that it was decided by."""
    found = verdicts(gathered, rule.tolerance_ns)
    decision = gathered.decision
    decided_unix_ns = why = None
    if isinstance(decision, NoAnswer):
        from drift.wording.refusal import refusal  # noqa: PLC0415 - an answer needs no words

        why = refusal(decision, found)
    else:
        decided_unix_ns = (
            gathered.decided_raw_ns + gathered.wall_minus_raw_ns - decision.estimate_ns
        )
    return Result(
        decision,
        tuple(found),
        rule,
        why,
        gathered.elapsed_ns,
        decided_unix_ns,
    )
