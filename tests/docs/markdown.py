"""What a page shows people to copy: its fenced blocks, and the commands within its sentences."""

import re
from collections.abc import Iterator
from pathlib import Path

from sources.record import Record
from tests.conftest import ROOT

INLINE = "inline"
"""The language of a command that stands between backticks in a sentence or a table."""

FENCED = re.compile(r"^```(\w*)[^\n`]*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_PROGRAMS = (
    "[", "apt-get", "aws", "cat", "cd", "chronyd", "cp", "curl", "dig", "docker", "echo", "editor",
    "env", "getent", "git", "icinga2", "id", "install", "journalctl", "jq", "kubectl", "ln", "make",
    "man", "mkdir", "nagios4", "pip", "pipenv", "pipx", "podman", "promtool", "python", "python3",
    "runuser", "gpg", "systemctl", "systemd-analyze", "telegraf", "time-drift", "time-drift.sh",
    "useradd", "zabbix_agentd",
)  # fmt: skip
COMMAND = re.compile(
    rf"(?:[.\w/-]*/[\w.-]+\.sh|{'|'.join(map(re.escape, _PROGRAMS))})\s+\S"
    r"|UserParameter|command_line|command\[|(?:[.\w/-]*/)?time-drift\.sh$"
)


class Block(Record):
    """Something that people copy."""

    page: str
    """Relative to the root of the repository."""
    language: str
    """What the fence says, which may be nothing; or INLINE."""
    text: str
    """As it stands there, each line with its newline; an inline one without."""

    def __str__(self) -> str:
        """Name the page and how the block begins."""
        return f"{self.page}: {self.text.split(chr(10), 1)[0]}"


def pages() -> list[Path]:
    """Return the pages whose commands are held to run."""
    return [
        *sorted(page for page in ROOT.glob("*.md") if page.name != "CHANGELOG.md"),
        *sorted((ROOT / "docs").rglob("*.md")),
        *sorted((ROOT / "monitoring").rglob("README.md")),
        ROOT / "cloudformation" / "README.md",
    ]


def blocks(text: str, page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page, and then its inline commands, each of these once."""
    for language, body in FENCED.findall(text):
        yield Block(page, language, body)
    seen = set()
    for span in SPAN.findall(FENCED.sub("", text)):
        command = " ".join(span.split())
        if COMMAND.match(command) and command not in seen:
            seen.add(command)
            yield Block(page, INLINE, command)


def every_block() -> list[Block]:
    """Return the blocks of all pages."""
    return [
        block
        for path in pages()
        for block in blocks(path.read_text(encoding="utf-8"), str(path.relative_to(ROOT)))
    ]


def commands(block: Block) -> str:
    """Return what a shell gets: of a console block what follows the prompts, else all of it."""
    if block.language != "console":
        return block.text
    return "".join(
        line[2:] + "\n" for line in block.text.split("\n") if line.startswith(("$ ", "# "))
    )


def printed(block: Block) -> str:
    """Return what a console block says that the commands print."""
    lines = block.text.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(("$ ", "# ")))
