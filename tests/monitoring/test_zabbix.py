"""The Zabbix recipe: a real agent runs the parameters, the template reads what it returns."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from tests.conftest import ROOT
from tests.support.bent import Lab, bent, lab, recipe

pytestmark = pytest.mark.interop

TEMPLATE = ROOT / "monitoring/zabbix/template.yaml"
NAME = "Time drift by Zabbix agent"
MACRO = r"\{\$[A-Z0-9_.]+\}"
STATE = "/var/lib/zabbix-time-drift"
YEAR_S = 365 * 86_400

Node = dict[str, Any]
Ask = Callable[[str, Path, str], str]


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("zabbix"), ("Alpha, Inc.", "Bravo's", "Charlie é")) as running:
        yield running


@pytest.fixture
def ask(needs: Callable[[str], str], script: str, tmp_path: Path) -> Ask:
    """Let zabbix_agentd evaluate a key, with the shipped file and a program of a bent clock."""
    agent = needs("zabbix_agentd")
    needs("faketime")

    def value(key: str, config: Path, offset: str = "-4s", *, without: str = "") -> str:
        program = bent(tmp_path / "program.sh", script, config, offset)
        parameters = tmp_path / "time-drift.conf"
        text = recipe("zabbix/time-drift.conf", program).replace(STATE, str(tmp_path / "state"))
        parameters.write_text(text.replace(without, "") if without else text, encoding="utf-8")
        settings = tmp_path / "zabbix_agentd.conf"
        settings.write_text(
            "LogType=console\nServer=127.0.0.1\nAllowRoot=1\nTimeout=8\n"
            f"PidFile={tmp_path}/pid\nInclude={parameters}\n",
            encoding="utf-8",
        )
        done = subprocess.run(
            [agent, "-c", settings, "-t", key],
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        found = re.fullmatch(rf"{re.escape(key)}\s+\[t\|(.*)\]\n", done.stdout, re.DOTALL)
        assert found, done.stdout
        return found[1]

    return value


@pytest.mark.parametrize(
    ("offset", "value"), [("-4s", "-4"), ("+0s", "0"), ("+10y", str(10 * YEAR_S))]
)
def test_a_real_agent_returns_the_integer(labs: Lab, ask: Ask, offset: str, value: str) -> None:
    """The key time.drift is the integer and nothing else, however wrong the clock is."""
    assert ask("time.drift", labs.honest, offset) == value


def test_without_an_answer_the_integers_key_is_empty(labs: Lab, ask: Ask) -> None:
    """No answer and a broken configuration give an empty value, which is no number in Zabbix."""
    assert ask("time.drift", labs.refusing, "-4s") == ""
    assert ask("time.drift", labs.broken, "-4s") == ""


def test_stderr_would_be_in_the_value(labs: Lab, ask: Callable[..., str]) -> None:
    """The agent does mix stderr in: it is the redirection of the shipped file that keeps it out."""
    value = ask("time.drift", labs.refusing, without=" 2>/dev/null")

    assert value.startswith("time-drift: no answer: ")


def test_the_objects_key_has_the_answer(labs: Lab, ask: Ask) -> None:
    """The key time.drift.all is an object with the drift, its bounds and each source."""
    found = json.loads(ask("time.drift.all", labs.honest, "-4s"))

    assert (found["success"], found["drift_s"]) == (1, -4)
    assert abs(found["drift_ns"] + 4_000_000_000) < 100_000_000
    assert found["low_ns"] <= found["drift_ns"] <= found["high_ns"]
    assert (found["operators"], found["kinds"]) == (3, 1)
    assert len(found["sources"]) == 4
    operators = [source["operator"] for source in found["sources"]]
    assert operators == ["Alpha, Inc.", "Bravo's", "Charlie é", "Mallory"]
    assert not {"reason", "refusal"} & set(found)


def test_the_objects_key_has_the_refusal(labs: Lab, ask: Ask) -> None:
    """Without an answer there is an object that says why, and in it nothing like a drift."""
    text = ask("time.drift.all", labs.refusing, "-4s")
    found = json.loads(text)

    assert found["success"] == 0
    assert found["reason"] == "no_quorum"
    assert "quorum missed: 1 operator" in found["refusal"]
    assert found["answered"] == 1
    verdicts = [source["verdict"] for source in found["sources"]]
    assert verdicts[1:] == ["timeout", "timeout"]
    assert not re.search(r'"(drift|low|high|offset)_', text)


def test_the_objects_key_has_the_configurations_error(labs: Lab, ask: Ask) -> None:
    """A configuration that cannot be read is reported in an object, too."""
    found = json.loads(ask("time.drift.all", labs.broken, "-4s"))

    assert (found["success"], found["reason"], found["sources"]) == (0, "configuration", [])
    assert "nonsense" in found["refusal"]
    assert "drift_s" not in found


def export() -> Node:
    loaded: Node = yaml.safe_load(TEMPLATE.read_text(encoding="utf-8"))["zabbix_export"]
    return loaded


def template() -> Node:
    (only,) = export()["templates"]
    found: Node = only
    return found


def discovery() -> Node:
    (only,) = template()["discovery_rules"]
    found: Node = only
    return found


def prototypes() -> list[Node]:
    found: list[Node] = discovery()["item_prototypes"]
    return found


def nodes(tree: object) -> Iterator[Node]:
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from nodes(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from nodes(value)


def path_of(item: Node) -> str:
    first: Node = item["preprocessing"][0]
    assert first["type"] == "JSONPATH"
    (path,) = first["parameters"]
    return str(path)


def discards(item: Node) -> bool:
    return bool(item["preprocessing"][0].get("error_handler") == "DISCARD_VALUE")


def test_the_template_is_of_the_format_of_zabbix_6_0() -> None:
    """It is an export of 6.0, which later versions load too, with one template."""
    assert export()["version"] == "6.0"
    assert template()["template"] == template()["name"] == NAME
    assert template()["groups"] == [{"name": group["name"]} for group in export()["groups"]]


def test_the_uuids_are_of_version_4_and_no_two_are_equal() -> None:
    """Zabbix refuses a UUID that is not of version 4, and takes equal ones for the same object."""
    uuids = [str(node["uuid"]) for node in nodes(export()) if "uuid" in node]

    assert len(uuids) == len(set(uuids)) > 20
    for text in uuids:
        assert re.fullmatch(r"[0-9a-f]{32}", text)
        assert (UUID(text).version, UUID(text).hex) == (4, text)


def test_one_passive_check_feeds_everything() -> None:
    """The master is a passive check of the shipped key and not stored; all others depend on it."""
    master, *others = template()["items"]
    parameters = (ROOT / "monitoring/zabbix/time-drift.conf").read_text(encoding="utf-8")

    assert f"\nUserParameter={master['key']}," in parameters
    assert master.get("type", "ZABBIX_PASSIVE") == "ZABBIX_PASSIVE"
    assert (master["value_type"], master["history"], master["trends"]) == ("TEXT", "0", "0")
    for item in [*others, discovery(), *prototypes()]:
        assert (item["type"], item["delay"]) == ("DEPENDENT", "0")
        assert item["master_item"] == {"key": master["key"]}


def test_every_path_is_in_what_the_program_prints(labs: Lab, ask: Ask) -> None:
    """Each path of an item leads to a value with an answer or without one, in no case to a null."""
    answer = json.loads(ask("time.drift.all", labs.honest, "-4s"))
    refusal = json.loads(ask("time.drift.all", labs.refusing, "-4s"))
    seen = set()
    for item in template()["items"][1:]:
        found = re.fullmatch(r"\$\.([a-z_]+)", path_of(item))
        assert found, path_of(item)
        key = found[1]
        seen.add(key)
        given = [reported[key] for reported in (answer, refusal) if key in reported]
        assert given, key
        text = item.get("value_type") in {"TEXT", "CHAR"}
        assert all(isinstance(value, str if text else int) for value in given), key
        assert len(given) == 2 or discards(item), f"{key} is missing at times: discard the value"

    assert seen == (answer.keys() | refusal.keys()) - {"sources"}


def test_a_drift_is_numeric_float() -> None:
    """What can be negative is no unsigned number, and nanoseconds become seconds."""
    signed = {
        "time.drift.seconds",
        "time.drift.estimate",
        "time.drift.low",
        "time.drift.high",
        "time.drift.offset[{#KIND},{#OPERATOR},{#SOURCE}]",
    }
    found = {item["key"]: item for item in [*template()["items"], *prototypes()]}

    floats = {key for key, item in found.items() if item.get("value_type") == "FLOAT"}
    assert floats == signed
    for key in signed:
        item = found[key]
        scaled = [step["parameters"] for step in item["preprocessing"][1:]]
        assert item["units"] == "s"
        assert scaled == ([["0.000000001"]] if "_ns" in path_of(item) else [])


def test_every_source_is_discovered_and_found_again(
    labs: Lab, ask: Ask, needs: Callable[[str], str]
) -> None:
    """Discovery keeps who the sources are, and each prototype finds its own source."""
    reported = json.loads(ask("time.drift.all", labs.honest, "-4s"))
    first, none, code, _same = discovery()["preprocessing"]
    assert first["parameters"] == ["$.sources"]
    assert none["type"] == "NOT_MATCHES_REGEX"
    assert re.search(none["parameters"][0], json.dumps([]))
    assert not re.search(none["parameters"][0], json.dumps(reported["sources"]))
    done = subprocess.run(
        [
            needs("node"),
            "-e",
            "const run = new Function('value', process.argv[1]);"
            "process.stdout.write(run(process.argv[2]))",
            code["parameters"][0],
            json.dumps(reported["sources"]),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    discovered = json.loads(done.stdout)

    assert len(discovered) == 4
    macros = {path["lld_macro"]: path["path"] for path in discovery()["lld_macro_paths"]}
    assert macros == {f"{{#{key.upper()}}}": f"$.{key}" for key in discovered[0]}
    for wanted, source in zip(discovered, reported["sources"], strict=True):
        for item in prototypes():
            assert discards(item)
            assert _chosen(path_of(item), wanted, reported["sources"]) == [
                source[key] for key in [_leaf(path_of(item))] if key in source
            ]


def _leaf(path: str) -> str:
    return path.removesuffix(".first()").rpartition(".")[2]


def _chosen(path: str, macros: Node, sources: list[Node]) -> list[Any]:
    found = re.fullmatch(r"\$\.sources\[\?\((.+)\)\]\.([a-z_]+)\.first\(\)", path)
    assert found, path
    wanted = {}
    for term in found[1].split(" && "):
        pair = re.fullmatch(r'@\.([a-z]+) == "\{#([A-Z]+)\}"', term)
        assert pair, term
        wanted[pair[1]] = macros[pair[2].lower()]
    matching = [one for one in sources if all(one[key] == wanted[key] for key in wanted)]
    return [one[found[2]] for one in matching if found[2] in one][:1]


def test_triggers_name_items_and_macros_that_exist() -> None:
    """Each item of a trigger's expression is in the template; each macro is defined, and used."""
    keys = {item["key"] for item in [*template()["items"], *prototypes()]}
    expressions = [node["expression"] for node in nodes(template()) if "expression" in node]
    for expression in expressions:
        used = re.findall(rf"/{re.escape(NAME)}/(time\.drift\.[a-z]+(?:\[[^\]]*\])?)", expression)
        assert used, expression
        assert set(used) <= keys
    defined = {macro["macro"] for macro in template()["macros"]}
    assert set(re.findall(MACRO, " ".join(map(str, nodes(template()["items"]))))) == defined


def test_triggers_for_drift_for_no_answer_and_for_silence() -> None:
    """Drift alerts by its size, either sign; what is not known, by triggers of its own."""
    found = {node["name"]: node["expression"] for node in nodes(template()) if "expression" in node}
    text = "\n".join(found.values()).replace(f"/{NAME}/", "")

    for macro in ("WARN", "CRIT"):
        assert (
            f"abs(last(time.drift.seconds,#1))>={{$TIME.DRIFT.{macro}}} and "
            f"abs(last(time.drift.seconds,#2))>={{$TIME.DRIFT.{macro}}}"
        ) in text
    assert "max(time.drift.success,#3)=0" in text
    assert "nodata(time.drift.success,{$TIME.DRIFT.NODATA})=1" in text
    names = [dependency["name"] for node in nodes(template()) for dependency in _depends(node)]
    assert names
    assert set(names) <= set(found)


def _depends(node: Node) -> list[Node]:
    found: list[Node] = node.get("dependencies", [])
    return found
