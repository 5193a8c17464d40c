"""The index's line and the page's, with real agents: whatever the template asks is answered."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.docs.markdown import commands, printed
from tests.docs.registry import taken
from tests.support.servers.prometheus import until
from tests.support.servers.systemd import CONFIGURATION, Machine

pytestmark = pytest.mark.interop

RESTART = "systemctl restart zabbix-agent\n"
"""What every administrator does after a new file; the page says it, too."""
DEBIAN, VENDOR = "/etc/zabbix/zabbix_agentd.conf.d", "/etc/zabbix/zabbix_agentd.d"
"""Where the packages of Debian and of Zabbix have their agents look."""
SLOW = "timeout = 3.3\n" + "".join(
    f'[[sources.ntp]]\nhost = "127.0.0.1"\nport = {port}\noperator = "{port}"\n'
    for port in (7, 8, 9)
)
"""Longer than the 3 s that an agent waits by itself; nobody is there, and one is silent."""
ASK = """
import socket, sys
with socket.create_connection(("127.0.0.1", 10050), 20) as link:
    key = sys.argv[1].encode()
    link.sendall(b"ZBXD\\1" + len(key).to_bytes(8, "little") + key)
    reply = b""
    while part := link.recv(65536):
        reply += part
assert reply.startswith(b"ZBXD\\1"), reply
sys.stdout.buffer.write(reply[13:])
"""
"""A passive check, as the server makes one."""
HANG = """
import signal, socket
socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
for sock, port in zip(socks, (7, 8, 9)):
    sock.bind(("127.0.0.1", port))
open("/opt/hanging", "w").close()
signal.pause()
"""


@pytest.fixture(params=[DEBIAN, VENDOR])
def agent(
    fresh_root: Machine, needs: Callable[[str], str], request: pytest.FixtureRequest
) -> Machine:
    """A root with an agent that looks where that package has it look."""
    needs("zabbix_agentd")
    directory = str(request.param)
    main = fresh_root.read("/etc/zabbix/zabbix_agentd.conf")
    assert DEBIAN in main
    fresh_root.write("/etc/zabbix/zabbix_agentd.conf", main.replace(DEBIAN, directory))
    moved = f"mv {DEBIAN} {VENDOR}\n" if directory == VENDOR else ""
    assert fresh_root.shell(f"{moved}systemd-tmpfiles --create zabbix-agent.conf").returncode == 0
    return fresh_root


def asked(agent: Machine, key: str) -> str:
    """Return the value that the agent sends for a key."""
    done = agent.call("/usr/bin/python3", "-c", ASK, key)
    assert done.returncode == 0, done.stderr
    return done.stdout


def installed(agent: Machine, text: str) -> None:
    """Type the lines, and wait for the agent."""
    done = agent.shell(text)
    assert done.returncode == 0, done.stdout + done.stderr
    until(lambda: agent.call("/usr/bin/python3", "-c", ASK, "agent.ping").stdout == "1", "it runs")


def keys() -> Iterator[str]:
    """Yield the keys that the template asks an agent for, by its own question or the server's."""
    tree: Any = yaml.safe_load(
        (ROOT / "monitoring/zabbix/template.yaml").read_text(encoding="utf-8")
    )
    (template,) = tree["zabbix_export"]["templates"]
    for item in [*template["items"], *template["discovery_rules"]]:
        if item.get("type", "ZABBIX_PASSIVE") in ("ZABBIX_PASSIVE", "ZABBIX_ACTIVE"):
            yield item["key"]


def answers_everything(agent: Machine) -> None:
    """Every key of an agent's, by a passive check; and the integer's, which the page names."""
    wanted = list(keys())
    assert wanted
    for key in wanted:
        reported = json.loads(asked(agent, key))
        assert (reported["success"], reported["drift_s"]) == (1, -4)
    assert asked(agent, "time.drift") == "-4"


def test_readme_s_line_answers_what_the_template_asks(agent: Machine) -> None:
    """The one line, and a restart, with either package."""
    installed(agent, f"{commands(taken('index on Zabbix'))}\n{RESTART}")
    answers_everything(agent)


def test_the_page_s_lines_answer_what_the_template_asks(agent: Machine) -> None:
    """Tried by hand, too, it prints what the page says; what it keeps is the agent's own."""
    installed(agent, commands(taken("Zabbix")))
    answers_everything(agent)
    done = agent.shell(commands(taken("Zabbix tried")))
    kept = agent.call("sh", "-c", "stat -c %U /var/lib/zabbix-time-drift/*").stdout

    assert (done.stdout, done.returncode) == (printed(taken("Zabbix tried")), 0)
    assert set(kept.split()) == {"zabbix"}


@pytest.mark.parametrize("agent", [DEBIAN], indirect=True)
def test_a_slow_run_is_waited_for(agent: Machine) -> None:
    """The index's line brings the time that a run may take; without that the agent gives up."""
    agent.write(CONFIGURATION, SLOW)
    silent = agent.spawn("/usr/bin/python3", "-c", HANG)
    try:
        until(lambda: agent.path("/opt/hanging").exists(), "they are silent")
        installed(agent, f"{commands(taken('index on Zabbix'))}\n{RESTART}")
        waited = asked(agent, "time.drift.all")
        path = f"{DEBIAN}/time-drift.conf"
        agent.write(path, agent.read(path).replace("\nTimeout=8\n", "\n"))
        installed(agent, RESTART)
        impatient = asked(agent, "time.drift.all")
    finally:
        silent.kill()
        silent.wait()

    assert json.loads(waited)["success"] == 0
    assert impatient.startswith("ZBX_NOTSUPPORTED")


def test_the_triggers_are_of_the_key() -> None:
    """The expressions of the page name a key that the shipped file defines."""
    parameters = (ROOT / "monitoring/zabbix/time-drift.conf").read_text(encoding="utf-8")
    named = re.findall(r"/HOST/([a-z.]+),", taken("Zabbix triggers").text)

    assert len(named) == 3
    for key in named:
        assert f"\nUserParameter={key}," in parameters
