"""The real Ansible, which reaches nodes of ours by a program in place of ssh."""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sources.record import Record
from tests.conftest import ROOT
from tests.support.packaging.nodes import Node

ENVIRONMENT = ROOT / ".venv-ansible"
ROLES = ROOT / "packaging" / "ansible" / "roles"
_CONFIGURATION = f"""\
[defaults]
roles_path = {ROLES}
inventory = inventory.json
host_key_checking = false
interpreter_python = /usr/bin/python3
stdout_callback = ansible.builtin.default
retry_files_enabled = false
forks = 3
[ssh_connection]
pipelining = true
ssh_args =
ssh_executable = {{ssh}}
transfer_method = piped
"""
# Its last two arguments are the host, which is a process here, and what a shell of it is to do.
_SSH = """\
#!/bin/sh
while [ $# -gt 2 ]; do shift; done
exec nsenter -t "$1" -m -p -n -u -i -C -r -w env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    LC_ALL=C.UTF-8 sh -c "$2"
"""
_RECAP = re.compile(r"^(\S+) +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+) ", re.M)


class Recap(Record):
    """What a play came to on one node."""

    changed: int
    failed: int


class Played(Record):
    """A run of ansible-playbook."""

    status: int
    nodes: dict[str, Recap]
    output: str


class Control:
    """A control machine: a directory with playbooks and an inventory of nodes."""

    def __init__(self, directory: Path, nodes: Sequence[Node]) -> None:
        self.directory = directory
        ssh = directory / "ssh"
        ssh.write_text(_SSH, encoding="utf-8")
        ssh.chmod(0o755)
        text = _CONFIGURATION.format(ssh=ssh)
        (directory / "ansible.cfg").write_text(text, encoding="utf-8")
        self._hosts = {
            one.name: {"ansible_host": str(one.pid), "ansible_user": "root"} for one in nodes
        }

    def play(
        self, text: str, *options: str, more: dict[str, dict[str, Any]] | None = None
    ) -> Played:
        """Run a playbook on the group `nodes`; `more` has variables of some nodes."""
        hosts = {name: known | (more or {}).get(name, {}) for name, known in self._hosts.items()}
        inventory = {"nodes": {"hosts": hosts}}
        (self.directory / "inventory.json").write_text(json.dumps(inventory), encoding="utf-8")
        (self.directory / "playbook.yml").write_text(text, encoding="utf-8")
        done = subprocess.run(
            [ENVIRONMENT / "bin" / "ansible-playbook", "playbook.yml", *options],
            cwd=self.directory,
            env=environment(self.directory),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        recaps = {
            found[1]: Recap(changed=int(found[3]), failed=int(found[4]) + int(found[5]))
            for found in _RECAP.finditer(done.stdout)
        }
        return Played(status=done.returncode, nodes=recaps, output=done.stdout + done.stderr)


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a program of Ansible's that leaves its files in `home`."""
    return {
        "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
