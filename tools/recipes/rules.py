"""Prometheus's recording and alerting rules, as text with its reasons beside it. Pure.

Everything that a rule compares is a constant here, and the dashboard uses the same ones.
"""

from tools.recipes.chains import CHAINS, DEFAULT, Chain
from tools.recipes.rule_file import Alert, alert, comment, record

STALE_S = 900
"""Fifteen of the timer's minutes. Nothing that is only slow takes so long."""
BRIDGED = "15m"
"""How long the last known drift is used while answers are missing, so that a node that answers only
now and then does not look right. After STALE_S other alerts take over."""
FEW = 3
"""The default of min_operators: with one operator less there is no answer."""
DISAGREEING = 0.3
"""At a half there is no answer. One of three is 0.33, one of four 0.25."""
RATE_PPM = 50
"""4.3 s a day, or half a second in under three hours."""
SURE_S = 0.05
"""Errors within plus or minus u, however they fall, tilt a line that is fitted over t by at most
3 u / t. There are 50 minutes or more, and for this u that makes RATE_PPM."""

VOTES = "agrees|falseticker|undecided"
DISSENT = "falseticker|undecided"


def no_answer(where: str = "") -> str:
    """Return the expression that finds nodes without a trustworthy answer."""
    return f"time_drift_success{where} == 0"


def stale(where: str = "") -> str:
    """Return the expression that finds answers that nobody renews, and their age in seconds."""
    return (
        f"time() - time_drift_last_success_timestamp_seconds{where} > {STALE_S}"
        f" and time_drift_success{where} == 1"
    )


def gone(where: str = "") -> str:
    """Return the expression that finds nodes that had the metrics within a day and have not now."""
    return (
        f"last_over_time(time_drift_success{where}[1d])"
        f" unless on (job, instance) time_drift_success{where}"
    )


def _operators(verdicts: str) -> str:
    """Return the expression that counts a node's operators with one of these verdicts."""
    return (
        "count without (operator) (group without (source, kind, verdict) (\n"
        f'  time_drift_source_verdict{{verdict=~"{verdicts}"}}))'
    )


def _drift(severity: str) -> tuple[str, ...]:
    now = f"last_over_time(time_drift_seconds[{BRIDGED}])"
    limit = f'time_drift:limit_seconds{{severity="{severity}"}}'
    return (now, f"and abs({now}) >= ignoring (severity) {limit}")


_NODE = "{{ $labels.instance }}{{ with $labels.chain }} ({{ . }}){{ end }}"
_SIDE = "{{ if lt $value 0.0 }}behind{{ else }}ahead of{{ end }} true time"
_DRIFT_DO = (
    "Look at its time service (chronyc tracking, timedatectl timesync-status) and at its"
    " hypervisor;"
    " /opt/time-drift/time-drift.sh --explain on that node shows who says so."
)

ALERTS = (
    Alert(
        name="TimeDriftWarning",
        severity="warning",
        wait="5m",
        why="More than a passing step or a suspended machine; less than what a synchroniser needs.",
        expression=_drift("warning"),
        summary=f"{_NODE}: clock {{{{ $value }}}} s off",
        description=f"For five minutes this node's clock has been {{{{ $value }}}} s off, {_SIDE}."
        f" {_DRIFT_DO}",
    ),
    Alert(
        name="TimeDriftCritical",
        severity="critical",
        wait="2m",
        why="Two or three measurements in a row.",
        expression=_drift("critical"),
        summary=f"{_NODE}: clock {{{{ $value }}}} s off",
        description=f"This node's clock is {{{{ $value }}}} s off, {_SIDE}: more than its chain"
        f" tolerates. {_DRIFT_DO} If it signs, stop it from signing until its clock is right.",
    ),
    Alert(
        name="TimeDriftNoAnswer",
        severity="warning",
        wait="10m",
        why="Nobody knows this clock. Whoever can block packets can cause it: it is no reason"
        " for calm.",
        expression=(no_answer(),),
        summary=f"{_NODE}: no trustworthy time for 10 minutes",
        description="No majority of independent operators says what this node's clock is worth."
        " Its log has one line on the reason (journalctl -u time-drift);"
        " /opt/time-drift/time-drift.sh --explain on that node shows each source. Blocked UDP port"
        " 123 or TCP port 443 and DNS are the usual reasons.",
    ),
    Alert(
        name="TimeDriftStale",
        severity="warning",
        wait="5m",
        why="The file stands still, and with it the drift that it holds. True time is in the"
        " file, so"
        " that no node's wrong clock has a say; but time() is Prometheus's clock: measure that,"
        " too.",
        expression=(stale(),),
        summary=f"{_NODE}: no measurement for {{{{ $value | humanizeDuration }}}}",
        description="What this node reports of its clock is {{ $value | humanizeDuration }} old."
        " Is time-drift.timer (or time-drift-watch.service) running, is the disk full, may it write"
        " to node_exporter's directory? If all nodes are stale, Prometheus's own clock is ahead.",
    ),
    Alert(
        name="TimeDriftGone",
        severity="warning",
        wait="10m",
        why="It had the metrics within the last day. For a node that was taken down, silence it, or"
        " wait for a day.",
        expression=(gone(),),
        summary=f"{_NODE}: its clock is measured no longer",
        description="This node had time_drift_success within the last day and has it no longer: the"
        " file was removed (or node_exporter refuses it: node_textfile_scrape_error), node_exporter"
        " is down (up), or the node is.",
    ),
    Alert(
        name="TimeDriftSourcesDisagree",
        severity="warning",
        wait="15m",
        why="Servers that lie, or somebody on the path who makes them: while fewer than half do,"
        " the"
        " answer holds.",
        expression=(f"time_drift:disagreeing_operators:ratio >= {DISAGREEING}",),
        summary=f"{_NODE}: {{{{ $value | humanizePercentage }}}} of the time sources disagree",
        description="Of the operators that answered this node, {{ $value | humanizePercentage }}"
        " are"
        " outside what a majority proves, or no majority proves anything. time_drift_source_verdict"
        " names them. The same operators on all nodes: they are wrong, take them out of the"
        " configuration. Other ones on each node: look for who forges on their paths.",
    ),
    Alert(
        name="TimeDriftFewOperators",
        severity="info",
        wait="30m",
        why="Three is min_operators unless configured: when one more fails, there is no answer. A"
        " run ends when its answer is certain; whom it did not need counts as well.",
        expression=(
            *_operators("agrees|not needed").split("\n"),
            f"  <= {FEW} and time_drift_success == 1",
        ),
        summary=f"{_NODE}: only {{{{ $value }}}} operators are left",
        description="The answer is still trustworthy, but only {{ $value }} operators agree or were"
        " not needed. time_drift_source_verdict says what the others did. Add sources, or repair"
        " the way to them.",
    ),
    Alert(
        name="TimeDriftRate",
        severity="warning",
        wait="1h",
        why="One step of the clock tilts the line, too, but is out of the hour before this fires.",
        expression=(
            "time_drift:rate_ppm",
            f"and abs(time_drift:rate_ppm) >= {RATE_PPM}",
            f"and max_over_time(time_drift:uncertainty_seconds[1h]) <= {SURE_S}",
        ),
        summary=_NODE + ': clock runs {{ $value | printf "%.0f" }} ppm wrong',
        description="For an hour this node's clock has gained"
        ' {{ $value | printf "%.0f" }}'
        " microseconds a second (below zero: lost; 50 are 4.3 s a day): nothing keeps it right."
        " Is chronyd, ntpd or"
        " systemd-timesyncd running there, and does it reach its servers?",
    ),
)

HEAD = """\
# Made by `python -m tools.recipes` from chains.py and rules.py in tools/recipes: change those.
#
# Sign: the drift is local clock minus true time; -4 is a clock that is 4 s BEHIND. It is rounded to
# nearest, so that 1 means half a second or more.
#
# The label `chain` comes from the scrape configuration, see README.md. A node without it, or with a
# chain that is not below, has the strictest thresholds.
groups:
  - name: time-drift
    rules:
"""


def _thresholds(chain: Chain) -> list[str]:
    lines = comment(f"{chain.name or 'any other node'}: {chain.limit}\n({chain.source})")
    for severity, seconds in (("warning", chain.warning_s), ("critical", chain.critical_s)):
        labels = ({"chain": chain.name} if chain.name else {}) | {"severity": severity}
        lines += record("time_drift:threshold_seconds", f"vector({seconds})", labels)
    return lines


def _limits(severity: str) -> list[str]:
    node = f"0 * last_over_time(time_drift_success[{BRIDGED}])"
    expression = "\n".join(
        [
            node,
            f'  + on (chain) group_left () time_drift:threshold_seconds{{severity="{severity}"}}',
            "or",
            f"({node}",
            f'    unless on (chain) time_drift:threshold_seconds{{severity="{severity}"}})',
            "  + on () group_left ()"
            f' time_drift:threshold_seconds{{chain="",severity="{severity}"}}',
        ]
    )
    return record("time_drift:limit_seconds", expression, {"severity": severity})


def text(*, at_once: bool = False) -> str:
    """Return the rules; `at_once` is for tests, which will not wait for any `for`."""
    lines = comment(
        "How far off a node may be. What a chain tolerates is quoted; the seconds are our judgement"
        " (tools/recipes/chains.py says how we judge)."
    )
    for chain in (*CHAINS, DEFAULT):
        lines += _thresholds(chain)
    lines += ["", *comment("The same for each node, by its chain.")]
    lines += _limits("warning") + _limits("critical")
    lines += ["", *comment("Plus or minus: half of what a majority of operators holds possible.")]
    lines += record(
        "time_drift:uncertainty_seconds",
        "(time_drift_interval_high_seconds - time_drift_interval_low_seconds) / 2",
        {},
    )
    lines += [
        "",
        *comment(
            "How fast the clock runs away, as fitted over an hour: microseconds gained (below zero:"
            " lost) a second. 11.6 ppm are a second a day. A clock that is kept right has about 0,"
            " one that nothing keeps right up to 100. Only where there are data of the last 50"
            " minutes or more."
        ),
    ]
    lines += record(
        "time_drift:rate_ppm",
        "1e6 * deriv(time_drift_estimate_seconds[1h])\n"
        "  and last_over_time(time_drift_estimate_seconds[10m] offset 50m)",
        {},
    )
    lines += [
        "",
        *comment("Of the operators that answered, the share that is outvoted or in no majority."),
    ]
    lines += record(
        "time_drift:disagreeing_operators:ratio",
        f"(\n{_indented(_operators(DISSENT))}\n  or\n"
        f"  0 * {_indented(_operators(VOTES)).lstrip()}\n)\n/\n{_operators(VOTES)}",
        {},
    )
    lines += [""]
    for rule in ALERTS:
        lines += alert(rule, "0s" if at_once else rule.wait)
    return HEAD + "\n".join(lines).rstrip("\n") + "\n"


def _indented(expression: str) -> str:
    return "\n".join(f"  {line}" for line in expression.split("\n"))
