"""Write the generated files of monitoring/ and of the role again: python -m tools.recipes."""

from pathlib import Path

from tools.recipes import dashboard, network_dashboard, network_rules, role, rules

HERE = Path(__file__).resolve().parents[2] / "monitoring"
ROLE = HERE.parent / "packaging" / "ansible" / "roles" / "time_drift"


def generated() -> dict[Path, str]:
    """Return what is generated: the text of each file."""
    return {
        HERE / "prometheus" / "time-drift.rules.yml": rules.text(),
        HERE / "grafana" / "time-drift.json": dashboard.text(),
        HERE / "network" / "time-drift-nodes.rules.yml": network_rules.text(),
        HERE / "grafana" / "time-drift-nodes.json": network_dashboard.text(),
        ROLE / "defaults" / "main" / "thresholds.yml": role.thresholds(),
        **{
            ROLE / "templates" / name: role.template(name, (HERE / recipe).read_text("utf-8"))
            for recipe, name in role.TEMPLATES.items()
        },
    }


def main() -> None:
    """Write each file."""
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
