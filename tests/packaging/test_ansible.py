"""The role: a real Ansible rolls the real package and bundle out to three roots, and removes them.

Two of the nodes have a systemd that runs, the third is what a chroot is. They share one story, as
each step goes on from the one before; what each came to is looked at by tests of their own.
"""

import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from glob import glob
from pathlib import Path

import pytest
import yaml

from sources.record import Record
from tests.conftest import ROOT
from tests.docs.markdown import commands
from tests.docs.registry import taken
from tests.packaging.roots import EmptyRoot, three_chronyd
from tests.support.packaging.ansible import ENVIRONMENT, Control, Played, environment
from tests.support.packaging.nodes import Node, node, why_not
from tools.recipes import role
from tools.recipes.__main__ import generated
from tools.recipes.chains import CHAINS

pytestmark = [pytest.mark.interop, pytest.mark.timeout(900)]

ROLE = ROOT / "packaging" / "ansible" / "roles" / "time_drift"
NODES = ("node-1", "node-2", "node-3")
TELEGRAF = "/etc/telegraf/telegraf.d/time-drift.conf"
ZABBIX = "/etc/zabbix/zabbix_agentd.d/time-drift.conf"
NRPE = "/etc/nagios/nrpe.d/time-drift.cfg"
TEXTFILES = "/var/lib/node_exporter/textfile_collector"
RESULT = "/var/cache/time-drift/time-drift.prom"
CONFIGURATION = "/etc/time-drift/config.toml"
DIRECTORIES = (*(str(Path(name).parent) for name in (TELEGRAF, ZABBIX, NRPE)), TEXTFILES)
UNITS = ("/etc/systemd/system/time-drift.service", "/etc/systemd/system/time-drift.timer")
BARE = "- hosts: nodes\n  gather_facts: false\n  roles: [time_drift]\n"
"""A playbook that leaves all variables to the inventory."""
PLAY = "export ANSIBLE_ROLES_PATH=packaging/ansible/roles; ansible-playbook -i inventory bare.yml"
JOURNALS = re.compile(
    r"/var/log/dpkg\.log|/var/lib/dpkg/(status-old|lock.*|triggers/Lock)|/etc/\w+-"
)
"""What dpkg and useradd keep of everything they do."""
ANSIBLES = ("/root/.ansible", "/root/.ansible/tmp")
WRONG = {
    "node_1": ({"time_drift_agent": "telegraph"}, "must be one of: timer, execd, zabbix, nagios"),
    "node_2": ({"time_drift_artefact": "time-drift.rpm"}, "it has to be a package (.deb) or a"),
    "node_3": ({"time_drift_chain": "bitcion"}, "must be one of: , ethereum"),
}
"""One mistake each, and what is answered."""


class Seen(Record):
    """What nodes look like after a step."""

    there: dict[str, set[str]]
    """Of the files that the role may make, those that there are."""
    enabled: dict[str, str]
    """What systemctl says of the timer's being enabled, and of its being active."""


class Story(Record):
    """What each step came to."""

    played: dict[str, Played]
    seen: dict[str, Seen]
    before: dict[str, dict[str, str]]
    checked: dict[str, dict[str, str]]
    after: dict[str, dict[str, str]]
    """All files before the first step, after the first check, after the last step."""
    said: dict[str, str]
    """What programs on the nodes printed, by what they are."""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Node]]:
    """Three roots with the directories of all agents."""
    if reason := why_not() or ("" if ENVIRONMENT.exists() else "no .venv-ansible (`make tools`)"):
        missing(reason)
    place = tmp_path_factory.mktemp("nodes")
    with ExitStack() as running:
        found = {
            name: running.enter_context(node(name, place / name, systemd=name != "node-3"))
            for name in NODES
        }
        for one in found.values():
            for directory in DIRECTORIES:
                one.path(directory).mkdir(parents=True)
            assert one.call("useradd", "--system", "zabbix").returncode == 0
        yield found


def missing(what: str) -> None:
    """Skip for want of something, loudly; in CI that is a failure."""
    if os.environ.get("CI"):
        pytest.fail(f"{what}, and CI may not skip")
    pytest.skip(f"{what}: this test did NOT run")


def look(nodes: dict[str, Node]) -> Seen:
    """Look for files of the role, and at the timer."""
    paths = (TELEGRAF, ZABBIX, NRPE, *UNITS, f"{TEXTFILES}/time-drift.prom", RESULT, CONFIGURATION)
    more = ("/opt/time-drift", "/usr/bin/time-drift", "/var/lib/zabbix-time-drift")
    return Seen(
        there={
            name: {path for path in (*paths, *more) if os.path.lexists(one.path(path))}
            for name, one in nodes.items()
        },
        enabled={
            name: " ".join(
                one.call("systemctl", verb, "time-drift.timer").stdout.strip()
                for verb in ("is-enabled", "is-active")
            )
            for name, one in nodes.items()
        },
    )


@pytest.fixture(scope="module")
def chronyd() -> str:
    """The path of the real server."""
    found = shutil.which("chronyd", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None or not glob("/usr/lib/*/faketime/libfaketime.so.1"):
        missing("chrony or libfaketime is not installed")
    return str(found)


@pytest.fixture(scope="module")
def story(
    nodes: dict[str, Node],
    deb: Path,
    bundle: Path,
    chronyd: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Story:
    """Roll out by the page's very text, switch agents and artefacts, remove."""
    place = tmp_path_factory.mktemp("story")
    control = Control(place / "control", list(nodes.values()))
    playbook = taken("playbook").text
    control.write("rollout.yml", playbook)
    control.write("bare.yml", BARE)
    named = control.directory / re.findall(r"time_drift_artefact: (.*)", playbook)[0]
    named.parent.mkdir(parents=True)
    named.symlink_to(deb)
    exported, check, run = commands(taken("roll-out")).strip().split("\n")
    remove = commands(taken("roll-back")).strip()
    textfiles = {
        name.replace("-", "_"): {"time_drift_textfile_directory": TEXTFILES} for name in nodes
    }
    switched = {
        "node_1": {"time_drift_artefact": str(deb), "time_drift_agent": "execd",
                   "time_drift_chain": "ethereum"},
        "node_2": {"time_drift_artefact": f"http://127.0.0.1:8000/{bundle.name}",
                   "time_drift_checksum": "sha256:" + sums(bundle)},
        "node_3": {"time_drift_artefact": str(deb), "time_drift_agent": "nagios",
                   "time_drift_chain": "xrpl"},
    }  # fmt: skip
    zabbix = {"node_1": switched["node_1"] | {"time_drift_agent": "zabbix"}}
    zabbix["node_3"] = switched["node_3"] | {"time_drift_config": "timeout = 0\n"}
    played, seen, said = {}, {}, {}
    before = {name: one.files() for name, one in nodes.items()}

    played["wrong"] = control.run(PLAY, **{
        name: {"time_drift_artefact": str(deb)} | wrong for name, (wrong, _) in WRONG.items()
    })  # fmt: skip
    with serving(nodes["node-1"], place, chronyd) as text:
        control.write("my.toml", text)
        played["check"] = control.run(f"{exported}; {check} --limit node-1,node-3", **textfiles)
        checked = {name: one.files() for name, one in nodes.items()}
        played["first"] = control.run(f"{exported}; {run}", **textfiles)
        seen["first"] = look(nodes)
        # Root's own run, which would leave what it has parsed in root's home.
        own = nodes["node-1"].call("env", "STATE_DIRECTORY=/run/own", "time-drift")
        said["integer"] = own.stdout
        nodes["node-1"].call("rm", "-rf", "/run/own")
        nodes["node-1"].call("systemctl", "start", "time-drift.service")
        said["textfile"] = nodes["node-1"].path(RESULT).read_text(encoding="utf-8")
    played["second"] = control.run(f"{exported}; {run}", **textfiles)
    with downloads(nodes["node-2"], bundle.parent):
        played["switch"] = control.run(PLAY, **switched)
    seen["switch"] = look(nodes)
    said["telegraf"] = nodes["node-1"].path(TELEGRAF).read_text(encoding="utf-8")
    said["bundle"] = nodes["node-2"].call("/usr/local/bin/time-drift", "--demo").stdout
    said["started"] = nodes["node-2"].call("systemctl", "start", "time-drift.service").stderr
    said["measured"] = nodes["node-2"].path(RESULT).read_text(encoding="utf-8")
    said["nrpe"] = nodes["node-3"].path(NRPE).read_text(encoding="utf-8")
    played["check again"] = control.run(f"{PLAY} --check", **switched)
    played["zabbix"] = control.run(f"{PLAY} --limit node-1,node-3", **zabbix)
    seen["zabbix"] = look(nodes)
    said["kept"] = nodes["node-3"].path(CONFIGURATION).read_text(encoding="utf-8")
    played["absent"] = control.run(f"{exported}; {remove}")
    after = {name: one.files() for name, one in nodes.items()}
    return Story(played, seen, before, checked, after, said)


def sums(bundle: Path) -> str:
    """Return what SHA256SUMS has of the bundle."""
    return (bundle.parent / "SHA256SUMS").read_text(encoding="utf-8").split()[0]


@contextmanager
def serving(one: Node, place: Path, program: str) -> Iterator[str]:
    """Run three real servers, 4 s ahead, on a node's loopback; yield a configuration."""
    servers = place / "servers"
    servers.mkdir()
    with three_chronyd(EmptyRoot(one.pid, "/"), program, servers) as text:
        yield text


@contextmanager
def downloads(one: Node, directory: Path) -> Iterator[None]:
    """Serve a directory by HTTP on a node's loopback, port 8000."""
    server = [sys.executable, "-m", "http.server", "8000", "--bind", "127.0.0.1"]
    process = subprocess.Popen(
        one.beside(*server), cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        ends_s = time.monotonic() + 10
        while ":8000" not in subprocess.check_output(one.beside("ss", "-Htln"), text=True):
            assert time.monotonic() < ends_s, "nobody listens on port 8000"
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def changed(played: Played) -> dict[str, int]:
    """Return how many tasks changed something, by node; none may have failed."""
    assert played.status == 0, played.output
    assert "[WARNING]" not in played.output, played.output
    assert {one.failed for one in played.nodes.values()} == {0}
    return {name: one.changed for name, one in played.nodes.items()}


NOTHING = dict.fromkeys(NODES, 0)


def test_a_check_before_the_first_run_changes_nothing(story: Story) -> None:
    """On nodes where nothing is installed it says that there is something to do, and does not."""
    assert all(changed(story.played["check"]).values())
    for name in NODES:
        assert story.checked[name].keys() - story.before[name].keys() <= set(ANSIBLES)
        assert differences(story.before[name], story.checked[name]) == {}


def test_the_pages_playbook_is_the_whole_roll_out(story: Story) -> None:
    """Ten lines install, configure and start; the integer is what the node's servers say."""
    assert taken("playbook").text.count("\n") == 10
    assert all(changed(story.played["first"]).values())
    assert story.said["integer"] == "-4\n"
    assert "time_drift_seconds -4" in story.said["textfile"]
    for name in NODES:
        assert story.seen["first"].there[name] >= {
            "/usr/bin/time-drift", CONFIGURATION, f"{TEXTFILES}/time-drift.prom",
        }  # fmt: skip
    assert story.seen["first"].enabled == {
        "node-1": "enabled active",
        "node-2": "enabled active",
        "node-3": "enabled ",  # no systemd runs there
    }


def test_a_second_run_changes_nothing(story: Story) -> None:
    """Neither of the package and the timer, nor of the bundle and other agents."""
    assert changed(story.played["second"]) == NOTHING
    assert changed(story.played["check again"]) == NOTHING


def test_one_variable_switches_the_agent(story: Story) -> None:
    """What the former one had is gone: the timer and its result, then Telegraf's file."""
    assert all(changed(story.played["switch"]).values())
    there = story.seen["switch"].there
    agents = {TELEGRAF, ZABBIX, NRPE, RESULT, "/var/lib/zabbix-time-drift"}
    assert there["node-1"] & agents == {TELEGRAF}
    assert there["node-3"] & agents == {NRPE}
    assert not any(TEXTFILES in path for path in there["node-1"] | there["node-3"])
    assert story.seen["switch"].enabled["node-1"] == "disabled inactive"
    assert story.seen["switch"].enabled["node-3"] == "disabled "
    assert story.played["zabbix"].nodes["node-1"].changed > 0
    assert story.seen["zabbix"].there["node-1"] & agents == {ZABBIX, "/var/lib/zabbix-time-drift"}


def test_a_bundle_takes_the_packages_place(story: Story) -> None:
    """From a URL, by its checksum; its units are those of the recipes, and run."""
    there = story.seen["switch"].there["node-2"]

    assert there >= {"/opt/time-drift", *UNITS}
    assert not there & {"/usr/bin/time-drift", CONFIGURATION}
    assert story.said["bundle"] == "-4\n"
    assert story.said["started"] == ""
    assert "time_drift_success 0" in story.said["measured"]  # nobody to ask there
    assert story.seen["switch"].enabled["node-2"] == "enabled active"


def test_thresholds_are_those_of_the_chain(story: Story) -> None:
    """NRPE's command alerts from the chain's seconds on; Telegraf's points say whose they are."""
    xrpl = next(chain for chain in CHAINS if chain.name == "xrpl")
    bounds = f"-w {xrpl.warning_s - 1} -c {xrpl.critical_s - 1}"
    (plugin,) = tomllib.loads(story.said["telegraf"])["inputs"]["execd"]

    assert f"=/usr/bin/time-drift --format nagios {bounds}\n" in story.said["nrpe"]
    assert plugin["command"] == ["/usr/bin/time-drift", "watch", "--format", "influx"]
    assert plugin["tags"] == {"chain": "ethereum"}


def test_a_wrong_configuration_replaces_nothing(story: Story) -> None:
    """The program's own line says what is wrong; the one that was there stays."""
    played = story.played["zabbix"]

    assert (played.nodes["node-1"].failed, played.nodes["node-3"].failed) == (0, 1)
    assert "timeout = 0: allowed is more than 0" in " ".join(played.output.split())
    assert "operator" in story.said["kept"]


def test_mistakes_are_named(story: Story) -> None:
    """Each variable that is wrong, by its name, with what is allowed; nothing has changed."""
    output = " ".join(story.played["wrong"].output.split())

    assert {one.failed for one in story.played["wrong"].nodes.values()} == {1}
    for wrong, answer in WRONG.values():
        assert answer in output
        assert all(name in output for name in wrong)


def test_absent_leaves_nothing(story: Story) -> None:
    """Each file is what it was before the first run, but for the journals of other programs."""
    assert all(changed(story.played["absent"]).values())
    for name in NODES:
        assert story.after[name].keys() ^ story.before[name].keys() <= set(ANSIBLES)
        assert differences(story.before[name], story.after[name]) == {}


def differences(before: dict[str, str], after: dict[str, str]) -> dict[str, tuple[str, str]]:
    """Return the files of both that are not the same, but for their dates and for journals."""
    return {
        path: (what, after[path])
        for path, what in before.items()
        if path in after and not JOURNALS.fullmatch(path)
        if what.split()[:3] != after[path].split()[:3]
    }


def test_the_roles_templates_are_the_recipes() -> None:
    """Who changes a recipe or a threshold runs `python -m tools.recipes`."""
    made = {path: text for path, text in generated().items() if ROLE in path.parents}

    assert len(made) == len(role.TEMPLATES) + 1
    for path, text in made.items():
        assert path.read_text(encoding="utf-8") == text


def test_the_role_knows_every_chain() -> None:
    """What may be said of a node is what there are thresholds for, or nothing."""
    text = (ROLE / "meta/argument_specs.yml").read_text(encoding="utf-8")
    options = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    defaults = yaml.safe_load((ROLE / "defaults/main/main.yml").read_text(encoding="utf-8"))

    assert options["time_drift_chain"]["choices"] == ["", *(chain.name for chain in CHAINS)]
    assert {name: option["default"] for name, option in options.items() if "default" in option} == (
        defaults
    )


MISTAKEN = """\
---
- name: Write a file that is anybody's
  ansible.builtin.copy:
    content: text
    dest: /etc/mistaken
"""


def test_the_role_is_fit_for_production(tmp_path: Path) -> None:
    """By ansible-lint's strictest profile, offline; it sees the mistake of a role beside it."""
    if not ENVIRONMENT.exists():
        missing("no .venv-ansible (`make tools`)")
    shutil.copytree(ROOT / "packaging" / "ansible", tmp_path / "ansible")
    tasks = tmp_path / "ansible" / "roles" / "mistaken" / "tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text(MISTAKEN, encoding="utf-8")
    done = subprocess.run(
        [ENVIRONMENT / "bin" / "ansible-lint", "--offline", "--profile=production", "--strict",
         "-q", "--nocolor", "--format=pep8", "."],
        cwd=tmp_path / "ansible",
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    found = [line for line in done.stdout.split("\n") if line]

    assert done.returncode == 2, done.stdout + done.stderr
    assert found
    assert all(line.startswith("roles/mistaken/") for line in found), found
    assert "risky-file-permissions" in done.stdout
