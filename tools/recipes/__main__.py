"""Write the generated files of this directory again: python -m tools.recipes."""

from pathlib import Path

from tools.recipes import dashboard, network_dashboard, network_rules, rules

HERE = Path(__file__).resolve().parents[2] / "monitoring"


def generated() -> dict[Path, str]:
    """Return what is generated: the text of each file."""
    return {
        HERE / "prometheus" / "time-drift.rules.yml": rules.text(),
        HERE / "grafana" / "time-drift.json": dashboard.text(),
        HERE / "network" / "time-drift-nodes.rules.yml": network_rules.text(),
        HERE / "grafana" / "time-drift-nodes.json": network_dashboard.text(),
    }


def main() -> None:
    """Write each file."""
    for path, text in generated().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
