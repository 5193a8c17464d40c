"""Lines for containers and clusters. No image and no cluster is here: podman reads every option."""

import re
import shlex
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.docs.markdown import Block, commands
from tests.docs.registry import taken
from tests.support.servers.crontab import Entry, parsed

pytestmark = pytest.mark.interop

STORAGE = """\
[storage]
driver = "vfs"
graphroot = "{place}/images"
runroot = "{place}/run"
"""
RUN = re.compile(r"\b(docker|podman) run\b")


@pytest.fixture
def create(
    needs: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], "subprocess.CompletedProcess[str]"]:
    """Let podman make the container of a line, which it does not start: the image is an empty one.

    Its options are docker's, by their names and their values.
    """
    podman = needs("podman")
    settings = tmp_path / "storage.conf"
    settings.write_text(STORAGE.format(place=tmp_path), encoding="utf-8")
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(settings))
    (tmp_path / "my.toml").touch()
    (tmp_path / "file").touch()
    with tarfile.open(tmp_path / "image.tar", "w") as image:
        image.add(tmp_path / "file", "file")
    imported = [podman, "import", "-q", str(tmp_path / "image.tar"), "time-drift"]
    subprocess.run(imported, check=True, capture_output=True)

    def made(line: str) -> "subprocess.CompletedProcess[str]":
        text = RUN.sub(f"{podman} create --pull=never", line) + " --json"
        return subprocess.run(
            ["sh", "-euc", text], capture_output=True, text=True, check=False, cwd=tmp_path
        )

    return made


def crontab() -> Entry:
    """Return the entry of a user's crontab, who is no part of it."""
    fields = taken("container from cron").text.split(" ", 5)
    (entry,) = parsed(" ".join([*fields[:5], "root", fields[5]]))
    return entry


def lines(*blocks: Block) -> list[str]:
    """Return the lines that run a container, each as one."""
    text = "\n".join(commands(block).replace("\\\n", " ") for block in blocks)
    return [line for line in text.split("\n") if RUN.search(line)]


def test_every_option_is_one(create: Callable[[str], "subprocess.CompletedProcess[str]"]) -> None:
    """Names and values of README's options, those of the crontab too, are taken."""
    cron, _, logged = crontab().command.partition(" 2>&1 | ")
    found = [*lines(taken("containers"), taken("container with volumes")), cron]

    assert len(found) == 4
    assert logged == "logger -t time-drift"
    for line in found:
        done = create(line)
        assert (done.returncode, done.stderr) == (0, ""), line


@pytest.mark.parametrize(
    ("stands", "wrong"),
    [("--read-only", "--readonly"), ("type=bind", "type=bound"), ("dst=", "dest=")],
)
def test_another_option_would_be_refused(
    create: Callable[[str], "subprocess.CompletedProcess[str]"], stands: str, wrong: str
) -> None:
    """A name or a value that no engine knows fails the test above."""
    (line,) = lines(taken("container with volumes"))

    assert stands in line
    assert create(line.replace(stands, wrong)).returncode != 0


def test_the_crontab_of_a_container_is_one() -> None:
    """A schedule of five fields and a command, none of which cron takes for input."""
    entry = crontab()

    assert (entry.schedule, entry.stdin) == ("*/5 * * * *", "")


def options(service: dict[str, Any]) -> Iterator[str]:
    """Yield the options of `docker run` that a service of compose.yaml means."""
    for key, value in service.items():
        match key:
            case "image":
                continue
            case "read_only":
                assert value is True
                yield "--read-only"
            case "cap_drop":
                yield from (f"--cap-drop {one}" for one in value)
            case "security_opt":
                yield from (f"--security-opt {one.removesuffix(':true')}" for one in value)
            case "volumes":
                yield from map(mount, value)
            case _:
                raise AssertionError(f"nobody knows {key}")


def mount(volume: dict[str, Any]) -> str:
    """Return the option that mounts a volume of compose.yaml, by its long syntax."""
    known = {"type", "source", "target", "read_only", "bind"}
    assert volume.keys() <= known
    assert volume.get("bind", {"create_host_path": False}) == {"create_host_path": False}
    read_only = ",readonly" if volume.get("read_only") else ""
    source = volume["source"].replace("./", "$PWD/").replace("state", "time-drift")
    return f"--mount type={volume['type']},src={source},dst={volume['target']}{read_only}"


def test_compose_means_the_same() -> None:
    """It is the line with the volumes, in another language; every named volume is declared."""
    tree = yaml.safe_load(taken("compose").text)
    (line,) = lines(taken("container with volumes"))
    typed = shlex.split(line)
    ((name, service),) = tree["services"].items()
    named = {one["source"] for one in service["volumes"] if one["type"] == "volume"}

    assert typed[:3] == ["docker", "run", "--rm"]
    assert shlex.split(" ".join(options(service))) == typed[3:-1]
    assert service["image"] == name == typed[-1]
    assert tree.keys() == {"services", "volumes"}
    assert tree["volumes"].keys() == named


def test_make_image_builds_with_either_engine() -> None:
    """The page's verb, and the variable of its comment."""
    verb, comment = commands(taken("containers")).split("\n")[0].split("#")
    (other,) = re.findall(r"ENGINE=\w+", comment)
    done = [
        subprocess.run(
            ["make", "-n", *verb.split()[1:], *extra],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()[:2]
        for extra in ([], [other])
    ]

    assert done == [["docker", "build"], ["podman", "build"]]


def test_kubectl_names_what_there_is() -> None:
    """Each file is beside the page, each object in one of them; nothing is left out.

    The CronJob and the exporter of other nodes have pages of their own.
    """
    block = taken("kubectl")
    here = ROOT / Path(block.page).parent
    text = commands(block)
    files = re.findall(r"-f (\S+)", text)
    objects = {
        f"{tree['kind'].lower()}/{tree['metadata']['name']}"
        for name in files
        for tree in [yaml.safe_load((here / name).read_text(encoding="utf-8"))]
    }
    (mounted,) = re.findall(r"configmap (\S+) --from-file=config.toml=(\S+)", text)
    daemons = yaml.safe_load((here / "daemonset.yaml").read_text(encoding="utf-8"))
    pod = daemons["spec"]["template"]["spec"]

    assert set(re.findall(r"\b(\w+/time-drift)\b", text.replace("/opt/", ""))) <= objects
    assert {one.name for one in here.glob("*.yaml")} - set(files) == {
        "cronjob.yaml",
        "exporter.yaml",
    }
    assert mounted == ("time-drift", "/opt/time-drift/config.toml")
    assert {"name": "config", "configMap": {"name": mounted[0]}} in pod["volumes"]
    assert re.findall(r"-c (\S+)", text) == [pod["containers"][0]["name"]]
