"""The whole result as a table and a picture, for people at a terminal. Rich is imported for it."""

from rich.console import Console
from rich.text import Text

from drift.consensus.rule import Answer
from drift.consensus.verdict import span_text
from drift.formats.picture import picture
from drift.run.result import Result
from drift.wording.letters import Letters, letters_of
from drift.wording.sentences import agreement, sentence
from drift.wording.table import table, wrapped
from drift.wording.terminal import columns
from sources.base import Interval
from sources.clock import NS

_USUAL_COLUMNS = 120
"""Where neither $COLUMNS nor a terminal says how many."""


def explain(result: Result) -> None:
    """Write table, picture and, with an answer, the sentence to stderr."""
    wide = columns(2, _USUAL_COLUMNS)
    console = Console(stderr=True, width=wide, highlight=False, emoji=False, markup=False)
    lines = explained(result, wide, letters_of(console.encoding))
    console.print(Text("\n").join(lines), soft_wrap=True)


def explained(result: Result, wide: int, letters: Letters) -> list[Text]:
    """Return the lines, none of them wider than `wide`. Pure."""
    lines = table(result.verdicts, wide, letters)
    decision = result.decision
    if decision.agreed:
        band = Interval(decision.agreed[0].low_ns, decision.agreed[-1].high_ns)
        lines += [Text(""), *picture(result.verdicts, band, wide, letters), Text("")]
    if isinstance(decision, Answer):
        said = _evidence(decision, result.elapsed_ns)
        lines.append(Text(sentence(decision.drift_s), style="bold"))
        lines += [Text(line, style="dim") for line in wrapped(said, wide)]
    return lines


def _evidence(answer: Answer, elapsed_ns: int) -> str:
    drift = f"drift {answer.estimate_ns / NS:+.6f} s"
    return f"{agreement(answer)}: {drift}, settled after {span_text(elapsed_ns)}"
