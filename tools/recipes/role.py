"""What the Ansible role takes of the recipes: units, agents' files, the table of thresholds. Pure.

The role runs the program at a place of its own; all else of a recipe stays as it is.
"""

from collections.abc import Iterator

from tools.recipes.chains import CHAINS, DEFAULT

PROGRAM = "/opt/time-drift/time-drift.sh"
TEMPLATES = {
    "systemd/time-drift.service": "time-drift.service.j2",
    "systemd/time-drift.timer": "time-drift.timer.j2",
    "telegraf/execd.conf": "telegraf.conf.j2",
    "zabbix/time-drift.conf": "zabbix.conf.j2",
}
"""Recipes, and the role's templates that are made of them."""

_TAGS = """\
{% if time_drift_chain %}
  [inputs.execd.tags]
    chain = "{{ time_drift_chain }}"
{% endif %}
"""


def template(name: str, recipe: str) -> str:
    """Return the template of that name, made of the recipe's text."""
    text = recipe.replace(PROGRAM, "{{ time_drift_program }}")
    return text + _TAGS if name == "telegraf.conf.j2" else text


def thresholds() -> str:
    """Return the role's defaults with the thresholds of each chain."""
    return "\n".join(_thresholds()) + "\n"


def _thresholds() -> Iterator[str]:
    yield "---"
    yield "# Made by `python -m tools.recipes` of tools/recipes/chains.py, which says why."
    yield "# From how many whole seconds on a drift is a warning, and from how many it is critical."
    yield "time_drift_thresholds_s:"
    for chain in (DEFAULT, *CHAINS):
        name = chain.name or '""'
        yield f"  {name}: [{chain.warning_s}, {chain.critical_s}]"
    for number, name in enumerate(("warning", "critical")):
        known = "time_drift_thresholds_s[time_drift_chain] | default(time_drift_thresholds_s[''])"
        yield f'time_drift_{name}_s: "{{{{ ({known})[{number}] }}}}"'
