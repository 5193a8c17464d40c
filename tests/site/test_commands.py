"""The AWS commands of the hand-over site: as documented, in order, and safe to print."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from cloudformation import commands, operate
from cloudformation.__main__ import main
from cloudformation.commands import Place
from tests.conftest import ROOT

README = (ROOT / "cloudformation" / "README.md").read_text(encoding="utf-8")
PLACE = Place("site", "eu-west-1")
FORGET = commands.forget(PLACE, "ZONE", [{"RECORD": 1}])


def documented() -> list[str]:
    """Return every aws command of the README's shell blocks, line continuations joined."""
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").split("\n")
    return [line for line in lines if line.startswith("aws ")]


@pytest.mark.parametrize(
    "command",
    [
        commands.deploy(
            PLACE,
            {"DomainName": "review.example.org", "HostedZoneId": "Z0123456789ABCDEFGHIJ"},
            {"Project": "time-drift"},
        ),
        commands.described(PLACE),
        *commands.publish(PLACE, "BUCKET", "DISTRIBUTION", "build/site"),
        commands.empty(PLACE, "BUCKET"),
        commands.resources(PLACE),
        commands.records(PLACE, "ZONE"),
        [word.replace('{"RECORD": 1}', "RECORD") for word in FORGET],
        *commands.delete(PLACE),
    ],
    ids=lambda command: " ".join(command[1:3]),
)
def test_the_readme_shows_what_is_run(command: list[str]) -> None:
    """Who types the commands does exactly what the program does."""
    assert command in [shlex.split(line, comments=True) for line in documented()]


def test_the_readme_can_be_typed_in_any_shell() -> None:
    """No word that zsh or sh would look for among the files is without quotes."""
    bare = [re.sub(r"'[^']*'|\"[^\"]*\"", "", line.partition("#")[0]) for line in documented()]

    assert len(bare) > 10
    assert [line for line in bare if re.search(r"[*?\[\]{}]", line)] == []


def test_the_archive_is_there_before_the_page_that_names_it() -> None:
    """And what is old goes last, so that no moment has a page without its archive."""
    archive, pages, tidying, reported = commands.publish(PLACE, "B", "D", "build/site")

    assert archive[archive.index("--include") + 1] == "*.zip"
    assert pages[pages.index("--exclude") + 1] == "*.zip"
    assert "--delete" in tidying
    assert not {"--delete"} & {*archive, *pages}
    assert reported[2] == "create-invalidation"


def test_a_password_is_not_printed() -> None:
    """The printed command shows that there is one; that one is taken away may be seen."""
    given = commands.deploy(PLACE, {"BasicAuthToken": "c2VjcmV0"}, {})
    taken = commands.deploy(PLACE, {"BasicAuthToken": ""}, {})

    assert "c2VjcmV0" not in operate.shown(given)
    assert "'BasicAuthToken=***'" in operate.shown(given)
    assert operate.shown(taken).endswith("BasicAuthToken=")


def record(name: str, kind: str, value: str) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "ResourceRecords": [{"Value": value}]}


RECORDS = {
    "ResourceRecordSets": [
        record("d.", "NS", "ns-1.awsdns-1.com."),
        {"Name": "d.", "Type": "A", "AliasTarget": {"DNSName": "x.cloudfront.net."}},
        record("_a.d.", "CNAME", "_b.acm-validations.aws."),
        record("_c.d.", "CNAME", "_d.acm-validations.aws"),
        record("www.d.", "CNAME", "d."),
        {"Name": "alias.d.", "Type": "CNAME", "AliasTarget": {"DNSName": "d."}},
        record("_e.d.", "CNAME", "acm-validations.aws.evil."),
        record("_f.d.", "TXT", '"_b.acm-validations.aws."'),
    ]
}


def test_only_validation_records_are_forgotten() -> None:
    """What a person put into the zone is theirs, and stops the removal."""
    chosen = commands.left_by_validation(RECORDS)

    assert [record["Name"] for record in chosen] == ["_a.d.", "_c.d."]


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        ("deploy --stack site --domain Review.example.org", "a full domain name in lower case"),
        ("deploy --stack site --domain example", "a full domain name"),
        (f"deploy --stack site --domain {'a' * 60}.org", None),
        (f"deploy --stack site --domain {'a' * 61}.org", "at most 64 characters"),
        ("deploy --stack site --domain d.org --zone example.org", "id of a public hosted zone"),
        (
            "deploy --stack site --domain d.org --certificate "
            "arn:aws:acm:eu-west-1:123456789012:certificate/01234567-0123-0123-0123-0123456789ab",
            "us-east-1",
        ),
        ("deploy --stack 1site --domain d.org", "--stack '1site': allowed are letters"),
        ("deploy --stack site --region cn-north-1 --domain d.org", "a commercial region"),
        ("deploy --stack site --region Ireland --domain d.org", "a commercial region"),
        ("deploy --stack site --domain d.org --tag Project", "KEY=VALUE"),
        ("policy --account 1234 --region us-east-1 --stack site", "twelve digits"),
        ("policy --account 123456789012 --region us-east-1 --stack *", "letters, digits"),
        ("site --url http://example.org/", "https://"),
        ("site --url https://[", "https://"),
        ("policy --account 123456789012 --region eu-isoe-west-1 --stack s", "a commercial region"),
        ("policy --account 123456789012 --region eu-west-1 --stack s --zone x", "hosted zone"),
        ("destroy --stack site", "--yes"),
    ],
)
def test_bad_arguments_name_what_is_allowed(
    arguments: str,
    reported: str | None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Status 2 and one line, before anything is run."""
    monkeypatch.setenv("PATH", str(tmp_path))  # no aws here

    status = main(arguments.split())

    said = capsys.readouterr()
    assert said.out == ""
    if reported is None:
        assert (status, "aws" in said.err) == (1, True)
    else:
        assert status == 2
        assert reported in said.err
        assert said.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("user:pass word\n", "dXNlcjpwYXNzIHdvcmQ="),
        ("u:p", "dTpw"),
        ("nothing\n", None),
        (":x", None),
        ("u:" + "s3cret" * 40, None),
        ("u:s3cret\nv:s3cret", None),
    ],
)
def test_a_password_comes_from_a_file(
    text: str,
    token: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """As user:password on one line; neither the printed command nor a refusal shows it."""
    (tmp_path / "secret").write_text(text)
    (tmp_path / "aws").write_text(
        '#!/bin/sh\nfor word; do echo "$word"; done >>"$0.asked"\n'
        '[ "$2" = deploy ] && exit 7\necho "site does not exist" >&2; exit 255\n'
    )
    (tmp_path / "aws").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    secret = str(tmp_path / "secret")

    status = main(["deploy", "--stack", "s", "--domain", "d.org", "--basic-auth-file", secret])

    said = capfd.readouterr().err
    assert status == (7 if token else 2)
    assert text.strip() not in said
    if token:
        assert token not in said
        assert f"BasicAuthToken={token}" in (tmp_path / "aws.asked").read_text().split("\n")
