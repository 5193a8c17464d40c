"""The words of docs/simulation.md. Pure."""

from tools.simulation.cases import MIN_OPERATORS
from tools.simulation.count import OURS
from tools.simulation.peers import PEERS

HEAD = """# Simulation

<!-- Written by tools/simulation, not by hand. -->

{runs:,} runs on networks that do not exist, where the true drift is known. The rule and the
gathering are the program's own, `drift/consensus` and `drift/run/gather.py`, as they stand. Only
threads and clocks are replaced: answers come from a plan, and time goes on when somebody waits.

Seed {seed}. Every run has its own number and its own chance, so the result is the same whatever the
number of processes. It took {minutes:.0f} minutes of processor time, {ms:.2f} ms a run, most of it
the program's own. `make simulation` does a million again.

## What is simulated

- **Sources**: 7 to 17 operators of two to four kinds. One mix of four is the shipped configuration,
  give or take a source; in another a pool and others have several sources.
- **Networks**: quiet ones have round trips of 4 to 60 ms. Bad ones have 20 to 900 ms, all of it on
  one way at times, jitter of 30 ms, and lose 8 % of the answers.
- **Drift**: half of the runs are within 30 ms of where the integer turns, far more than in life.
- **Honest servers** hold the truth in what they certify. On a quiet network where nobody lies they
  are off by 1.5 ms (one standard deviation) beyond that, which the tolerance covers.
- **Liars** know the rule and have seen all honest answers. They are fewer than half of the
  operators, often just so. They choose their intervals, within what a kind may carry, and whether
  they answer first, last or mixed. `tools/simulation/liars.py` has the strategies.

## What is counted

- **wrong**: no drift that honest answers allow rounds to the integer. They allow all from the least
  to the greatest end of the honest likely intervals, the true drift included. [The
  guarantee](consensus.md#the-guarantee) excludes it.
- **not nearest**: the integer is not the one nearest to the true drift. Near to where the integer
  turns nobody can help that. It compares programs and proves nothing.
- **no answer**: the program refused.
- **interval misses**: the true drift is not in the interval that goes with the answer. It is
  counted apart where the honest were a majority of those who had answered by the moment of
  decision, and where they became one only afterwards.
- **not waited for**: sources that had not answered when the integer was printed.
- **error**: of the nanoseconds of an answer. The worst is of runs in which the honest were a
  majority by the moment of decision. Where coarse kinds alone are honest, it may be a second.

## With an honest majority
"""

OURS_COLUMNS = (
    "case",
    "runs",
    "wrong",
    "not nearest %",
    "no answer %",
    "interval misses",
    "misses, majority only later",
    "changed after stop",
    "not waited for %",
    "mean error ms",
    "worst error ms",
)

OURS_AFTER = """
Only runs in which more than half of the operators that answer by the deadline are honest in every
sample. "Changed after stop" counts early answers that the later ones would have changed.

Most refusals are "too coarse": near to where the integer turns, when HTTPS servers could not be
[asked again](consensus.md#asking-again) in time (D-68).

The integer needs an honest majority among those who answer by the deadline. The interval and the
nanoseconds of an early answer are of what had been measured by then, so they need the majority
[by then](decisions/consensus.md#d-102-the-interval-of-an-early-answer). Liars who hurry while the
honest are slow move them, and not the integer. So does a minority that smears, where it is quicker.

Where a minority smears, or stands just over the boundary, many integers are not nearest. The honest
intervals reach over the boundary there, half of the drifts being within 30 ms of it.
"""

PEERS_HEAD = """
## Beside other rules

The same answers, all of them, given to other rules. Each cell: wrong % / not nearest % / no answer
%. The runs are those of the table above.
"""

PEER_COLUMNS = ("case", OURS, *PEERS)

PEERS_AFTER = """
- **median**: of the middles of all samples. **Marzullo**: the narrowest place where most intervals
  meet; it asks for no majority, so it always answers.
- **chrony** and **ntpd-rs**: their selection and combination, restated from their sources and given
  one exchange with each server. They speak NTP and NTS only, so a majority of those may lie where
  the honest are a majority of all. Their filters over time, which a single run has none of, are not
  here. chrony 4's `SRC_SelectSource`; ntpd-rs's `select.rs` and `combiner.rs`, with a twentieth of
  the round trip as the deviation that eight polls would have shown.
- Neither knows operators, kinds, or addresses that several names share. The liars play against
  time-drift, which nobody would do to hurt another.
"""

EARLY_HEAD = """
## How early it stops

Quiet network, nobody lies.
"""

EARLY_COLUMNS = (
    "sources",
    "settled before the last answer %",
    "not waited for %",
    "mean error ms",
)

BROKEN_HEAD = """
## Without an honest majority

What happens where the assumption is broken, by `min_operators`. Nine operators of four kinds, an
honest clock; the lie is an hour. Each cell: wrong % / no answer %. In the last two rows 6 of 11
operators are plain NTP, and one box on the path answers for all of them while it blocks two NTS
servers. There each cell also has, in the middle, the integers that are not nearest.
"""

BROKEN_COLUMNS = ("who", *(f"min_operators = {least}" for least in MIN_OPERATORS))

BROKEN_AFTER = """
- Who can silence everybody else needs `min_operators` lying operators, of `min_kinds` kinds. This
  is what `min_operators` is for: 5 where the network is hostile.
- Who cannot silence others needs more than half of all that answer, and `min_operators` as well.
- One box that forges all plain NTP is one kind, and others have to agree with it. So it is refused,
  or stays within what they allow.
"""

TOLERANCE_HEAD = """
## The tolerance

Near servers that admit little: round trips of 0.5 to 6 ms, root distances of 0.05 to 1 ms. They are
off by 1.5 ms beyond what they admit, or by 6 ms ("loose"), one standard deviation. "3 + 1" is three
NTP servers and one HTTPS server. The liars are 3 of 11 operators, all NTP. They stand at the edge
of the majority, which the tolerance moves out.
"""

TOLERANCE_COLUMNS = (
    "tolerance s",
    "no answer %, 3 + 1",
    "honest outvoted %",
    "interval misses %",
    "no answer %, loose",
    "honest outvoted %, loose",
    "interval misses %, loose",
    "mean error ms, liars",
    "not nearest %, liars",
    "mean width of interval ms",
)

TOLERANCE_AFTER = """
A tolerance widens votes, never estimates. So it costs a wider interval, by twice the tolerance, and
gives liars no more of the estimate. Why it is 0.02 s by default:
[D-103](decisions/consensus.md#d-103-the-tolerance-is-twice-what-loose-servers-need).
"""
