"""A locale changes nothing: neither what programs read nor what is said of a failure."""

import os
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from lab.behaviour import shifted
from lab.ntp import NtpServer
from lab.world import world
from tests.conftest import Program
from tests.e2e.conftest import Start

MADE = {
    "tr_TR.UTF-8": ("tr_TR", "UTF-8"),  # whose small I has no dot
    "tr_TR.ISO-8859-9": ("tr_TR", "ISO-8859-9"),
    "de_DE.ISO-8859-1": ("de_DE", "ISO-8859-1"),  # which writes 0,5
    "zh_CN.GB2312": ("zh_CN", "GB2312"),
    "ja_JP.EUC-JP": ("ja_JP", "EUC-JP"),
}
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
_CATEGORIES = (
    *("IDENTIFICATION", "CTYPE", "NUMERIC", "MONETARY", "TIME", "MESSAGES", "PAPER"),
    *("NAME", "ADDRESS", "TELEPHONE", "MEASUREMENT"),
)


def _without_order(language: str) -> str:
    """Return the source of a locale that sorts by code: the orders of letters take seconds each."""
    copied = [*((name, language) for name in _CATEGORIES), ("COLLATE", "POSIX")]
    return "".join(f'LC_{name}\ncopy "{whose}"\nEND LC_{name}\n' for name, whose in copied)


@pytest.fixture(scope="module")
def locales(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """Make a locale of each kind; return the environments, the first of which is the C locale."""
    place = tmp_path_factory.mktemp("locales")
    for name, (language, charset) in MADE.items():
        source = place / language
        source.write_text(_without_order(language), encoding="ascii")
        command = ["localedef", "--no-archive", "-i", str(source), "-f", charset, str(place / name)]
        with suppress(FileNotFoundError):
            # Its status is 1 where it has warned, as it does of half of these.
            subprocess.run(command, capture_output=True, check=False)
    if not all((place / name).is_dir() for name in MADE):
        if os.environ.get("CI"):
            pytest.fail("Debian's package locales is not installed, and CI may not skip")
        pytest.skip("without Debian's package locales this test did NOT run")
    environs = [{"LC_ALL": name} for name in ("C", "POSIX", "C.UTF-8", "xx_YY.nonsense", *MADE)]
    environs += [{"LANG": "tr_TR.UTF-8", "LC_ALL": ""}, {"LC_CTYPE": "ja_JP.EUC-JP", "LC_ALL": ""}]
    return [{"LOCPATH": str(place), **environ} for environ in environs]


def test_they_are_in_force(locales: list[dict[str, str]]) -> None:
    """The system's own programs use what was made."""
    found = {
        environ["LC_ALL"]: subprocess.run(
            ["locale", "charmap"],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | environ,
        ).stdout.strip()
        for environ in locales
        if environ["LC_ALL"] in MADE
    }

    assert found == {name: charset for name, (_, charset) in MADE.items()}


@pytest.mark.parametrize("name", ["integer", "json", "prometheus"])
def test_what_programs_read(
    program: Program, tmp_path: Path, locales: list[dict[str, str]], name: str
) -> None:
    """The same bytes but for the numbers of each run, which no locale's comma gets into.

    The format is named in capitals: in Turkish the small letter of I has no dot.
    """
    servers = [
        NtpServer(operator, shifted(4))
        for operator in ("I i \u0130 \u0131", "\u65e5\u672c", "\u00c4")
    ]
    path = tmp_path / "lab.toml"
    with world(*servers) as running:
        path.write_text(running.toml, encoding="utf-8")
        results = [
            program("--config", str(path), "--format", name.upper(), environ=environ)
            for environ in locales
        ]

    assert {(result.stderr, result.returncode) for result in results} == {("", 0)}
    assert len({_NUMBER.sub("0", result.stdout) for result in results}) == 1


def test_what_is_said_of_a_failure(
    program: Program, lab: Start, tmp_path: Path, locales: list[dict[str, str]]
) -> None:
    """ASCII, but for the names that users give, and the same in each locale."""
    refused = lab(shifted(1), shifted(50), shifted(900))
    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[[sources.NTP]]\nhost = "I"\n', encoding="utf-8")

    for arguments, status in (
        (("--config", refused), 3),
        (("--config", str(wrong)), 2),
        (("--format", "intcgcr"), 2),
        (("--config", "/nonexistent"), 2),
    ):
        results = [program(*arguments, environ=environ) for environ in locales]
        said = {_NUMBER.sub("0", result.stderr) for result in results}

        assert {(result.stdout, result.returncode) for result in results} == {("", status)}
        assert len(said) == 1, said
        assert said.pop().isascii()
