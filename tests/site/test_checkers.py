"""What checkers that know AWS say of the template and of the policy."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cloudformation import policy, template
from tests.conftest import ROOT
from tests.site.conftest import ACCOUNT, tool

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

TEMPLATE = str(ROOT / "cloudformation" / "template.json")
CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"
MANAGED_POLICY_LIMIT = 6144
"""Characters of a managed policy, white space not counted (IAM quotas)."""
OFFLINE = ["--framework", "cloudformation", "--skip-download", "--compact", "-o", "json"]
STRICTLY = ["-e", "-c", "I", "-i", "I4010", "-x", "E3012:strict=true"]
"""Experimental and informational results too; I4010 asks for a key that only its vendor reads."""
LONGEST_STACK = "s" * 128

_REGIONS = """
from cfnlint.helpers import REGIONS
print(*sorted(r for r in REGIONS if not r.startswith(("cn-", "us-gov-", "us-iso", "eu-isoe"))))
"""
_HANDLERS = """
import json, sys
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER as schemas
found = {}
for kind in sys.argv[1:]:
    schema = schemas.get_resource_schema("us-east-1", kind).schema
    found[kind] = {name: one["permissions"] for name, one in schema.get("handlers", {}).items()}
print(json.dumps(found))
"""


def printed_by(code: str, *arguments: str) -> str:
    """Run a program by the interpreter that has cfn-lint."""
    done = subprocess.run(
        [tool("python"), "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout


def linted(path: str, *regions: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [tool("cfn-lint"), "-t", path, *STRICTLY, "-r", *regions],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_template_is_right_in_every_commercial_region() -> None:
    """cfn-lint, with its experimental rules and strict types, has nothing to say."""
    regions = printed_by(_REGIONS).split()
    done = linted(TEMPLATE, *regions)

    assert len(regions) >= 33
    assert (done.stdout, done.returncode) == ("", 0)


def test_the_linter_would_say_so(tmp_path: Path) -> None:
    """What troposphere lets through, cfn-lint does not: a TLS version that nobody has."""
    spoilt = tmp_path / "template.json"
    spoilt.write_text(template.text().replace("TLSv1.2_2021", "TLSv9_2021"))

    assert "TLSv9_2021" in linted(str(spoilt), "us-east-1").stdout


def test_checkov_fails_nothing_that_is_not_a_decision() -> None:
    """Each skipped result has its reason in the template."""
    if not CHECKOV.exists():
        tool(".venv-checkov")  # skips, or fails in CI
    done = subprocess.run(
        [str(CHECKOV), "-f", TEMPLATE, *OFFLINE],
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    skipped = found["results"]["skipped_checks"]

    assert found["results"]["failed_checks"] == []
    assert found["summary"]["parsing_errors"] == 0
    assert found["summary"]["passed"] >= 10
    assert {check["check_id"] for check in skipped} == {
        check for one in template._SKIPPED.values() for check in one
    }
    assert all(len(check["check_result"]["suppress_comment"]) > 20 for check in skipped)
    assert done.returncode == 0


@pytest.fixture(scope="module")
def handlers() -> dict[str, dict[str, list[str]]]:
    """What the registry's handlers of our types may call, as AWS publishes it."""
    kinds = {str(one.resource_type) for one in template.build().resources.values()}
    found: dict[str, dict[str, list[str]]] = json.loads(printed_by(_HANDLERS, *sorted(kinds)))
    return found


def granted(*, only_via_cloudformation: bool) -> set[str]:
    """Return the actions that CloudFormation may call in the caller's name, in lower case.

    IAM compares them without regard to case, and the handlers' spelling varies.
    """
    return {
        action.lower()
        for grant in policy.build(ACCOUNT, "us-east-1", "site")
        if "aws:CalledVia" in grant.statement.to_json() or not only_via_cloudformation
        for action in policy._names(grant.statement.Action)
    }


def test_every_permission_of_the_handlers_is_granted_or_unneeded(
    handlers: dict[str, dict[str, list[str]]],
) -> None:
    """And none is both; and what is listed as unneeded exists."""
    needed = {action for one in handlers.values() for part in one.values() for action in part}
    unneeded = {action for actions in policy.UNNEEDED.values() for action in actions}
    folded = granted(only_via_cloudformation=False)

    assert needed >= {"s3:CreateBucket", "cloudfront:CreateDistribution", "acm:RequestCertificate"}
    assert {action for action in needed if action.lower() not in folded} == unneeded


def test_nothing_is_granted_that_no_handler_calls(
    handlers: dict[str, dict[str, list[str]]],
) -> None:
    """RecordSetGroup publishes no handlers: what it calls is known from Route 53's own guide."""
    needed = {a.lower() for one in handlers.values() for part in one.values() for a in part}
    by_hand = {"route53:ListResourceRecordSets", "s3:GetBucketAcl"}

    assert handlers["AWS::Route53::RecordSetGroup"] == {}
    assert granted(only_via_cloudformation=True) - needed <= {action.lower() for action in by_hand}


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
@pytest.mark.parametrize("stack", ["site", LONGEST_STACK])
def test_the_policy_is_one_that_iam_takes(region: str, stack: str, tmp_path: Path) -> None:
    """Its actions exist, its resources fit them, and it is short enough for a managed policy."""
    document = json.loads(policy.text(policy.build(ACCOUNT, region, stack)))
    wrapped = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "Wanted": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"PolicyDocument": document},
            }
        },
    }
    path = tmp_path / "wrapped.json"
    path.write_text(json.dumps(wrapped))

    assert linted(str(path), "us-east-1").stdout == ""
    assert len(json.dumps(document, separators=(",", ":"))) <= MANAGED_POLICY_LIMIT
    assert ("acm:RequestCertificate" in path.read_text()) == (region == "us-east-1")


def test_a_wrong_action_would_be_found(tmp_path: Path) -> None:
    """awacs has actions that IAM has not; the linter knows."""
    document = policy.text(policy.build(ACCOUNT, "us-east-1", "site"))
    spoilt = document.replace(
        "cloudfront:CreateDistribution", "cloudfront:CreateDistributionWithTags"
    )
    path = tmp_path / "wrapped.json"
    path.write_text(
        '{"Resources": {"W": {"Type": "AWS::IAM::ManagedPolicy", "Properties": '
        f'{{"PolicyDocument": {spoilt}}}}}}}}}'
    )

    assert "createdistributionwithtags" in linted(str(path), "us-east-1").stdout.lower()


def test_only_creating_is_granted_on_everything() -> None:
    """Every other right names what it is on; nothing is granted by a wildcard of actions."""
    for grant in policy.build(ACCOUNT, "us-east-1", "site"):
        statement = json.loads(grant.statement.to_json())
        assert not [action for action in statement["Action"] if "*" in action]
        if statement["Resource"] == ["*"]:
            assert statement["Sid"] == "CreateByCloudFormation"
            assert all(
                action.split(":")[1].startswith(("Create", "Request"))
                for action in statement["Action"]
            )


def test_every_statement_is_explained() -> None:
    """For the account's owner: the reason of each, and of what is not granted."""
    grants = policy.build(ACCOUNT, "eu-west-1", "site")
    reported = policy.explained(grants)

    for grant in grants:
        assert grant.statement.Sid in reported
        assert " ".join(grant.why.split()) in " ".join(reported.split())
    assert all(why in reported for why in policy.UNNEEDED)
