"""The template of the hand-over site: what anybody may rely on without asking AWS."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cloudformation import template
from tests.conftest import ROOT

COMMITTED = ROOT / "cloudformation" / "template.json"


@pytest.fixture(scope="module")
def built() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(template.text())
    return found


def test_the_committed_template_is_the_built_one() -> None:
    """`python -m cloudformation template >cloudformation/template.json` after every change."""
    assert COMMITTED.read_text(encoding="utf-8") == template.text()


def test_building_is_the_same_in_every_process(tmp_path: Path) -> None:
    """Neither the hash seed nor the directory matters."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "cloudformation", "template"],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "4711"},
    )

    assert done.stdout == template.text()
    assert done.stderr == ""


def test_no_identity_is_made(built: dict[str, Any]) -> None:
    """No IAM resource, so the stack deploys without --capabilities; and nothing runs our code."""
    kinds = {resource["Type"] for resource in built["Resources"].values()}

    assert not {kind for kind in kinds if kind.startswith(("AWS::IAM", "AWS::Lambda", "Custom::"))}
    assert "Transform" not in built


def test_nothing_is_kept_and_no_bucket_is_named(built: dict[str, Any]) -> None:
    """Deleting the stack deletes everything, and two stacks never collide."""
    bucket = built["Resources"]["Site"]

    assert bucket["DeletionPolicy"] == bucket["UpdateReplacePolicy"] == "Delete"
    assert "BucketName" not in bucket["Properties"]
    assert not {
        name
        for name, resource in built["Resources"].items()
        if "Retain"
        in json.dumps([resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")])
    }


def test_nobody_but_the_distribution_reads_the_bucket(built: dict[str, Any]) -> None:
    """Public access is blocked four ways, and the policy allows one service for one source."""
    blocked = built["Resources"]["Site"]["Properties"]["PublicAccessBlockConfiguration"]
    statements = built["Resources"]["SitePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    allowed = [one for one in statements if one["Effect"] == "Allow"]
    source = "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/${Distribution}"

    assert list(blocked.values()) == [True] * 4
    assert len(allowed) == 1
    assert allowed[0]["Action"] == ["s3:GetObject"]
    assert allowed[0]["Principal"] == {"Service": ["cloudfront.amazonaws.com"]} or allowed[0][
        "Principal"
    ] == {"Service": "cloudfront.amazonaws.com"}
    assert allowed[0]["Condition"] == {"StringEquals": {"AWS:SourceArn": {"Fn::Sub": source}}}


def test_what_is_left_out_has_its_reason(built: dict[str, Any]) -> None:
    """A reviewer finds them in the template; what a checker skips is one of them."""
    reasons = built["Metadata"]["LeftOut"]

    assert {"Versioning", "AccessLogs", "Firewall"} <= reasons.keys()
    assert all(len(reason) > 20 for reason in reasons.values())


def test_every_response_is_kept_from_search_engines(built: dict[str, Any]) -> None:
    """The one behaviour of the distribution has the one policy, so no path is without it."""
    config = built["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
    policy = built["Resources"]["Headers"]["Properties"]["ResponseHeadersPolicyConfig"]
    custom = {item["Header"]: item["Value"] for item in policy["CustomHeadersConfig"]["Items"]}

    assert "CacheBehaviors" not in config
    assert config["DefaultCacheBehavior"]["ResponseHeadersPolicyId"] == {"Ref": "Headers"}
    assert custom["X-Robots-Tag"] == "noindex, nofollow, noarchive"
    assert custom["X-Robots-Tag"] in template._ASK
