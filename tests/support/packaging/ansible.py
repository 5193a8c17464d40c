"""The real Ansible, which reaches nodes of ours by a program in place of ssh."""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sources.record import Record
from tests.conftest import ROOT
from tests.support.packaging.nodes import Node

ENVIRONMENT = ROOT / ".venv-ansible"
_CONFIGURATION = """\
[defaults]
interpreter_python = /usr/bin/python3
forks = 3
[ssh_connection]
pipelining = true
ssh_args =
ssh_executable = {ssh}
transfer_method = piped
"""
# Its last two arguments are the host, which is a process here, and what a shell of it is to do.
_SSH = """\
#!/bin/sh
while [ $# -gt 2 ]; do shift; done
exec nsenter -t "$1" -m -p -n -u -i -C -r -w env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
    LC_ALL=C.UTF-8 sh -c "$2"
"""
_LONGEST_S = 400
_RECAP = re.compile(r"^(\S+) +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+) ", re.M)


class Recap(Record):
    """What a play came to on one node."""

    changed: int
    failed: int


class Played(Record):
    """A run of ansible-playbook."""

    status: int
    """Of the line of shell: 0 if all went well."""
    nodes: dict[str, Recap]
    output: str


class Control:
    """A control machine: a directory with an inventory of nodes, and what else is put there."""

    def __init__(self, directory: Path, nodes: Sequence[Node]) -> None:
        self.directory = directory
        directory.mkdir()
        (directory / "packaging").symlink_to(ROOT / "packaging")
        ssh = directory / "ssh"
        ssh.write_text(_SSH, encoding="utf-8")
        ssh.chmod(0o755)
        self.write("ansible.cfg", _CONFIGURATION.format(ssh=ssh))
        self._hosts = {
            one.name: {"ansible_host": str(one.pid), "ansible_user": "root"} for one in nodes
        }

    def write(self, name: str, text: str) -> None:
        """Write a file of the control machine."""
        (self.directory / name).write_text(text, encoding="utf-8")

    def run(self, line: str, **variables: dict[str, str]) -> Played:
        """Run a line of shell that runs a playbook; nodes may have variables (node_1={...})."""
        known = {name.replace("_", "-"): more for name, more in variables.items()}
        hosts = {name: host | known.get(name, {}) for name, host in self._hosts.items()}
        self.write("inventory", json.dumps({"nodes": {"hosts": hosts}}))
        done = subprocess.run(
            ["sh", "-euc", line],
            cwd=self.directory,
            env=environment(self.directory),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LONGEST_S,
        )
        output = done.stdout + done.stderr
        recaps = {
            found[1]: Recap(changed=int(found[3]), failed=int(found[4]) + int(found[5]))
            for found in _RECAP.finditer(output)
        }
        return Played(status=done.returncode, nodes=recaps, output=output)


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a program of Ansible's that leaves its files in `home`."""
    return {
        "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
        "ANSIBLE_HOME": str(home / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }
