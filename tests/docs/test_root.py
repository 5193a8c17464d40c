"""The blocks that need nothing but a root: each is run there, as it stands in its page."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.behaviour import shifted
from lab.ntp import NtpServer
from lab.roughtime import RoughtimeServer
from lab.world import world
from tests.conftest import ROOT, Program
from tests.docs.markdown import Block, commands, every_block, printed
from tests.docs.registry import ENTRIES, Make, Runs, names, taken
from tests.support.servers.systemd import CONFIGURATION, Machine

pytestmark = pytest.mark.interop

SERVERS = {
    "servers": [
        {
            "name": "one",
            "publicKeyType": "ed25519",
            "publicKey": "AW5uAoTSTDfG5NfY1bTh08GUnOqlRb+HVhbJ3ODJvsE=",
            "addresses": [{"protocol": "udp", "address": "one.example.org:2002"}],
        }
    ]
}
DIRECTORIES = (
    "/etc/telegraf/telegraf.d /etc/datadog-agent/checks.d /etc/grafana/provisioning/dashboards"
)
"""What packages that are not here would have made."""
INSTALLED = (
    ("telegraf/execd.conf", "/etc/telegraf/telegraf.d/time-drift.conf"),
    ("datadog/time_drift.py", "/etc/datadog-agent/checks.d/time_drift.py"),
    ("datadog/conf.yaml.example", "/etc/datadog-agent/conf.d/time_drift.d/conf.yaml"),
    ("grafana/time-drift.json", "/var/lib/grafana/dashboards/time-drift.json"),
    ("grafana/provider.yaml", "/etc/grafana/provisioning/dashboards/time-drift.yaml"),
)
_OF = [(block, entry.how) for block in every_block() for entry in ENTRIES if names(entry, block)]
RUN = [(block, how) for block, how in _OF if isinstance(how, Runs)]
MADE = [block for block, how in _OF if isinstance(how, Make)]


@pytest.fixture(scope="module")
def prepared(root: Machine) -> Machine:
    """The root, with what the pages take to be there."""
    configuration = root.read(CONFIGURATION)
    for name in ("/opt/time-drift/my.toml", "/etc/my.toml"):
        root.write(name, configuration)
    root.write("/opt/time-drift/LIST.json", json.dumps(SERVERS))
    assert root.shell(f"mkdir -p {DIRECTORIES}").returncode == 0
    return root


def typed(block: Block, how: Runs) -> str:
    """Return what is run of a block: all of it but the lines that are left out."""
    text = commands(block)
    for begins, _ in how.leaving:
        text = "\n".join(line for line in text.split("\n") if not line.startswith(begins))
    return text


@pytest.mark.parametrize(("block", "how"), RUN, ids=[str(block) for block, _ in RUN])
def test_it_runs_as_it_stands_there(
    prepared: Machine, needs: Callable[[str], str], block: Block, how: Runs
) -> None:
    """It ends with the status that it should have, and prints what the page says."""
    for program in how.programs:
        needs(program)
    text = typed(block, how)
    if how.stopped:
        text = f"exec timeout --preserve-status 1.5 {text}"
    done = prepared.shell(text)
    wanted = printed(block) if block.language == "console" else how.stdout

    assert done.returncode == how.status, done.stdout + done.stderr
    if wanted.endswith("\n"):
        assert done.stdout == wanted
    else:
        assert done.stdout.startswith(wanted)


def test_what_they_install_is_what_is_shipped(prepared: Machine) -> None:
    """After the blocks of monitors that are not here, their files are where these look for them."""
    for block, how in RUN:
        if how.leaving and "monitoring" in block.page:
            assert prepared.shell(typed(block, how)).returncode == 0
    for shipped, installed in INSTALLED:
        text = (ROOT / "monitoring" / shipped).read_text(encoding="utf-8")
        assert prepared.read(installed) == text
        assert prepared.path(installed).stat().st_mode & 0o777 == 0o644


def test_generators_change_nothing(prepared: Machine, needs: Callable[[str], str]) -> None:
    """Who opens the editor, changes nothing and generates, has what is shipped, and passes."""
    needs("promtool")
    for block in (taken("other thresholds"), taken("another dashboard")):
        done = prepared.shell(commands(block))
        assert done.returncode == 0, done.stdout + done.stderr
    for name in ("prometheus/time-drift.rules.yml", "grafana/time-drift.json"):
        shipped = (ROOT / "monitoring" / name).read_text(encoding="utf-8")
        assert prepared.read(f"/opt/time-drift/monitoring/{name}") == shipped


def test_a_report_is_checked(program: Program, root: Machine, tmp_path: Path) -> None:
    """One that a run wrote, where the page has FILE: it is proven."""
    three = [RoughtimeServer("D"), RoughtimeServer("E"), RoughtimeServer("Liar", shifted(3600))]
    kept = f'timeout = 4\nevidence = "{tmp_path}/kept"\n[consensus]\nmin_kinds = 2\n'
    with world(*(NtpServer(name) for name in "ABC"), *three, settings=kept) as lab:
        (tmp_path / "lab.toml").write_text(lab.toml, encoding="utf-8")
        assert program("--config", str(tmp_path / "lab.toml")).stdout == "0\n"
    (report,) = (tmp_path / "kept").iterdir()
    root.write("/opt/time-drift/FILE", report.read_text(encoding="utf-8"))
    done = root.shell(commands(taken("evidence")))

    assert (done.returncode, done.stderr) == (0, "")
    assert "convicts" in done.stdout


@pytest.mark.parametrize("block", MADE, ids=str)
def test_make_knows_the_target(block: Block) -> None:
    """It would do something, and everything that takes part is there."""
    done = subprocess.run(
        ["make", "-n", *block.text.split()[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


CLONES = (taken("clone"), taken("install's clone"))


@pytest.mark.parametrize("block", CLONES, ids=str)
def test_the_clone_of_the_page(root: Machine, needs: Callable[[str], str], block: Block) -> None:
    """From the address in the page, which stands for here: a checkout that others may read.

    Its packages are installed here already, and the first run in a clone is another test's.
    """
    needs("apt-get")
    *before, clone, last = commands(block).strip().split("\n")
    assert last.startswith("/opt/time-drift/time-drift.sh --version")
    packages = "\n".join(line for line in before if line.startswith("apt-get")) or ":"
    umask = "\n".join(line for line in before if line.startswith("umask")) or "umask 022"
    update, again = commands(taken("update")).strip().split("\n")
    assert again == "/opt/time-drift/time-drift.sh --version"
    here = f"git config --system --replace-all url.{ROOT}.insteadOf {clone.split()[2]}"
    anybody = "runuser -u nobody -- grep -rq . time-drift.sh config.toml drift sources"
    alone = (
        f"cd /\nmount -t tmpfs none /opt\n{umask}\n{clone}\n{update}\ncd /opt/time-drift\n{anybody}"
    )
    for text in (
        packages,
        f"umask 022; {here}; git config --system safe.directory '*'",
        f"exec unshare -m sh -euc '{alone}'",
    ):
        done = root.shell(text)
        assert done.returncode == 0, done.stdout + done.stderr

    assert root.shell(f"{umask}\n{last}").stdout.startswith("time-drift ")
