"""Recording and alerting rules of Prometheus as lines of YAML, their reasons beside them. Pure."""

from textwrap import wrap

from sources.record import Record


class Alert(Record):
    """An alerting rule."""

    name: str
    severity: str
    wait: str
    """Its `for`."""
    why: str
    expression: tuple[str, ...]
    summary: str
    description: str


def comment(text: str) -> list[str]:
    """Return a text as comments, a paragraph a line of it."""
    return [f"      # {line}" for part in text.split("\n") for line in wrap(part, 92)]


def record(name: str, expression: str, labels: dict[str, str]) -> list[str]:
    """Return a recording rule."""
    lines = [f"      - record: {name}"]
    if "\n" in expression:
        lines += ["        expr: |-", *(f"          {line}" for line in expression.split("\n"))]
    else:
        lines += [f"        expr: {expression}"]
    if labels:
        lines += ["        labels:", *(f"          {key}: {labels[key]}" for key in labels)]
    return lines


def alert(rule: Alert, wait: str) -> list[str]:
    """Return an alerting rule that waits so long."""
    return [
        *comment(rule.why),
        f"      - alert: {rule.name}",
        "        expr: |-",
        *(f"          {line}" for line in rule.expression),
        f"        for: {wait}",
        "        labels:",
        f"          severity: {rule.severity}",
        "        annotations:",
        f"          summary: '{rule.summary}'",
        f"          description: '{rule.description.replace(chr(39), chr(39) * 2)}'",
        "",
    ]
