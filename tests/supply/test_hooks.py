"""What runs before a commit, and what an editor reads: the same as `make lint` and `make type`."""

import configparser
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.supply.test_locks import missing

HOOKS = {
    hook["id"]: hook
    for repository in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"]
    for hook in repository["hooks"]
}
WRONG_PYTHON = '"""A mistake of each sort."""\nimport os\nWORD : int = "one"\n'
WRONG_SHELL = "\nrm $1\n"
SEEN = {"lint": "F401", "format": "would be reformatted", "type": "[assignment]", "shell": "SC2086"}
"""What each says of the mistakes."""


def test_nothing_is_fetched() -> None:
    """Each hook is a command of this machine, and looks at the whole tree."""
    text = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    repositories = yaml.safe_load(text)["repos"]

    assert [one["repo"] for one in repositories] == ["local"]
    assert {hook["language"] for hook in HOOKS.values()} == {"system"}
    assert not any(hook["pass_filenames"] for hook in HOOKS.values())
    assert set(HOOKS) == set(SEEN)


def test_the_hooks_are_what_make_runs() -> None:
    """Who passes them passes `make lint type`, and the other way round."""
    done = subprocess.run(
        ["make", "--dry-run", "lint", "type"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    for hook in HOOKS.values():
        assert hook["entry"] in done.stdout


@pytest.mark.interop
@pytest.mark.timeout(300)
@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_sees_mistakes_offline(
    clone: Path, offline: tuple[str, ...], needs: Callable[[str], str], hook: str
) -> None:
    """As it stands there, in a copy of the tree: clean as it is, and not with a mistake."""
    needs("shellcheck")
    environment = ROOT / ".venv-dev"
    if not environment.exists():
        missing("no .venv-dev")
    (clone / ".venv-dev").symlink_to(environment.resolve())
    if (ROOT / ".mypy_cache").is_dir():  # saves a minute
        shutil.copytree(ROOT / ".mypy_cache", clone / ".mypy_cache")

    def run() -> "subprocess.CompletedProcess[str]":
        command = [*offline, *shlex.split(HOOKS[hook]["entry"])]
        return subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)

    clean = run()
    (clone / "tools" / "mistaken.py").write_text(WRONG_PYTHON, encoding="utf-8")
    with (clone / "time-drift.sh").open("a", encoding="utf-8") as script:
        script.write(WRONG_SHELL)
    mistaken = run()

    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert mistaken.returncode != 0
    assert SEEN[hook] in mistaken.stdout + mistaken.stderr


def editors() -> configparser.ConfigParser:
    """Return .editorconfig; what stands above its sections is in one named `top`."""
    read = configparser.ConfigParser()
    read.read_string("[top]\n" + (ROOT / ".editorconfig").read_text(encoding="utf-8"))
    return read


def test_the_tree_is_as_an_editor_would_leave_it(clone: Path) -> None:
    """UTF-8, line feeds, a last one, no blanks at an end; tabs where make wants them alone."""
    every = editors()["*"]
    assert (every["charset"], every["end_of_line"], every["indent_style"]) == (
        "utf-8",
        "lf",
        "space",
    )
    assert every.getboolean("insert_final_newline")
    assert every.getboolean("trim_trailing_whitespace")

    (foreign,) = (name for name in editors() if editors()[name].get("charset") == "unset")
    assert set(editors()[foreign].values()) == {"unset"}
    assert foreign.endswith("/**")
    tabbed = set()
    for path in filter(Path.is_file, clone.rglob("*")):
        if path.is_relative_to(clone / foreign.removesuffix("/**")):
            continue
        text = path.read_bytes().decode("utf-8")
        assert "\r" not in text, path
        assert not text or text.endswith("\n"), path
        assert not [line for line in text.split("\n") if line != line.rstrip()], path
        if any(line.startswith("\t") for line in text.split("\n")):
            tabbed.add(path.name)
    assert tabbed == {name for name in editors() if "tab" in editors()[name].values()}


def test_the_editor_and_ruff_agree() -> None:
    """The longest line is the same."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        longest = tomllib.load(file)["tool"]["ruff"]["line-length"]

    assert editors()["*.py"].getint("max_line_length") == longest
