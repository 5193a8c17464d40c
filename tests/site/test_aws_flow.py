"""deploy, publish and destroy, by our own command line and the real `aws`, against a local moto.

What moto shows: that the commands are right in form and order, that the template resolves to what
is meant in every combination, what lies in the bucket afterwards, and that nothing of the stack is
left at the end. What it cannot show: that CloudFront, ACM and Route 53 accept these values, that a
certificate gets validated, that the bucket's policy lets the distribution in and nobody else, how
long anything takes, and what CloudFormation itself is allowed to do. moto_server.py says what it
imitates.
"""

import base64
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from sources.record import Record
from tests.site.conftest import ACCOUNT, Aws

pytestmark = pytest.mark.interop

REGIONS = ("us-east-1", "eu-west-1")
EVERYWHERE = pytest.mark.parametrize("region", REGIONS)
TYPES = {
    "Certificate": "AWS::CertificateManager::Certificate",
    "Distribution": "AWS::CloudFront::Distribution",
    "Headers": "AWS::CloudFront::ResponseHeadersPolicy",
    "OriginAccess": "AWS::CloudFront::OriginAccessControl",
    "Password": "AWS::CloudFront::Function",
    "Records": "AWS::Route53::RecordSetGroup",
    "Site": "AWS::S3::Bucket",
    "SitePolicy": "AWS::S3::BucketPolicy",
    "Zone": "AWS::Route53::HostedZone",
}
ALWAYS = {"Distribution", "Headers", "OriginAccess", "Site", "SitePolicy"}
OUTPUTS = {"BucketName", "DistributionId", "WebsiteUrl"}
GIVEN_CERTIFICATE = (
    f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/0a1b2c3d-0000-4000-8000-00000000beef"
)
UNBOUND = r"https://[a-z0-9]+\.cloudfront\.net/"
PAGES_KEPT = "public, max-age=300, must-revalidate"
ARCHIVE_KEPT = "public, max-age=31536000, immutable"
OWN_RECORDS = [
    ["example.org.", "MX", ["10 mail.example.org."]],
    ["taken.example.org.", "A", ["192.0.2.1"]],
    ["_0f0f.other.example.org.", "CNAME", ["_1e1e.2d2d.acm-validations.aws."]],
]
"""What a given zone holds already: mail, a host, and the proof for somebody else's certificate."""


class Ran(Record):
    """A run of our command line that succeeded."""

    reported: dict[str, str]
    """The `Key: value` lines of stdout."""
    stdout: str
    stderr: str

    @property
    def commands(self) -> list[str]:
        """The commands of the AWS CLI that were announced."""
        return [line[2:] for line in self.stderr.splitlines() if line.startswith("$ ")]


def succeeds(aws: Aws, *arguments: str) -> Ran:
    done = aws.ours(*arguments)
    assert done.returncode == 0, done.stderr
    lines = [line.partition(": ") for line in done.stdout.splitlines()]
    return Ran({key: value for key, _, value in lines}, done.stdout, done.stderr)


def deploy(aws: Aws, stack: str, region: str, *more: str) -> Ran:
    """Deploy a stack for the name STACK.example.org."""
    name = ("--domain", f"{stack}.example.org")
    return succeeds(aws, "deploy", "--stack", stack, "--region", region, *name, *more)


def destroy(aws: Aws, stack: str, region: str) -> Ran:
    return succeeds(aws, "destroy", "--stack", stack, "--region", region, "--yes")


def delete_by_hand(aws: Aws, stack: str, region: str) -> None:
    aws.run("cloudformation", "delete-stack", "--stack-name", stack, "--region", region)


def made(aws: Aws, stack: str, region: str) -> set[str]:
    """Return what a stack is made of, each of the type that it ought to be of."""
    resolved = aws.resolved(stack, region)
    assert {name: TYPES[name] for name in resolved} == {
        name: resource["Type"] for name, resource in resolved.items()
    }
    return set(resolved)


def physical(aws: Aws, stack: str, region: str, resource: str) -> str:
    found: str = aws.resolved(stack, region)[resource]["PhysicalId"]
    return found


def distribution(aws: Aws, stack: str, region: str) -> dict[str, Any]:
    resolved = aws.resolved(stack, region)["Distribution"]["Properties"]
    found: dict[str, Any] = resolved["DistributionConfig"]
    return found


def assert_bound(aws: Aws, stack: str, region: str, certificate: str) -> None:
    """The distribution answers to the domain, with this certificate, over new TLS only."""
    config = distribution(aws, stack, region)
    assert config["Aliases"] == [f"{stack}.example.org"]
    assert config["ViewerCertificate"] == {
        "AcmCertificateArn": certificate,
        "MinimumProtocolVersion": "TLSv1.2_2021",
        "SslSupportMethod": "sni-only",
    }
    assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"


def assert_unbound(aws: Aws, stack: str, region: str) -> None:
    """The distribution answers to its own name only, still over HTTPS."""
    config = distribution(aws, stack, region)
    assert "Aliases" not in config
    assert config["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}
    assert config["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https"


def addresses(aws: Aws, stack: str, zone: str) -> dict[str, list[str]]:
    """Return what the records of a stack's own name point at, by their type."""
    name = f"{stack}.example.org."
    records = aws.account()["Zones"][zone]["Records"]
    return {kind: values for owner, kind, values in records if owner == name}


def validations(aws: Aws, zone: str) -> list[list[Any]]:
    """Return the records of a zone by which ACM validated a domain."""
    return [
        record for record in aws.account()["Zones"][zone]["Records"] if record[0].startswith("_")
    ]


def assert_gone(aws: Aws, before: dict[str, Any]) -> None:
    """Nothing is in the account that was not there before, stacks and zones included."""
    after = aws.account()
    for kind in ("Buckets", "Distributions", "Others"):
        assert after[kind] == before[kind], kind
    assert after["Zones"].keys() == before["Zones"].keys()
    assert _names(after["Stacks"]) == _names(before["Stacks"])


def _names(stacks: dict[str, dict[str, Any]]) -> set[tuple[str, str]]:
    return {(region, name) for region, there in stacks.items() for name in there}


def change_records(aws: Aws, zone: str, action: str, records: list[dict[str, Any]]) -> None:
    changes = [{"Action": action, "ResourceRecordSet": record} for record in records]
    batch = ("--change-batch", json.dumps({"Changes": changes}), "--region", "us-east-1")
    aws.run("route53", "change-resource-record-sets", "--hosted-zone-id", zone, *batch)


@pytest.fixture(scope="module")
def given_zone(aws: Aws) -> str:
    """A zone example.org that was there before any stack, with records of its own."""
    reference = ("--name", "example.org", "--caller-reference", "given", "--region", "us-east-1")
    zone: str = aws.run("route53", "create-hosted-zone", *reference)["HostedZone"]["Id"]
    own = [
        {
            "Name": name,
            "Type": kind,
            "TTL": 300,
            "ResourceRecords": [{"Value": value} for value in values],
        }
        for name, kind, values in OWN_RECORDS
    ]
    change_records(aws, zone, "CREATE", own)
    return zone.removeprefix("/hostedzone/")


@EVERYWHERE
def test_a_new_zone_takes_two_phases_and_goes_with_its_stack(
    aws: Aws, region: str, tmp_path: Path
) -> None:
    """Before the delegation: a site at CloudFront's name, and the name servers to enter.

    After it, us-east-1 issues a certificate and binds the name by itself; elsewhere a given one is
    needed. CloudFormation alone would not remove a bucket with objects in it, nor a zone with ACM's
    record in it; destroy gets out of that, too.
    """
    stack, before = f"new-{region}", aws.account()
    first = deploy(aws, stack, region, "--tag", "Project=time-drift")
    assert made(aws, stack, region) == ALWAYS | {"Zone"}
    assert first.reported.keys() == OUTPUTS | {"NameServers"}
    assert re.fullmatch(UNBOUND, first.reported["WebsiteUrl"])
    assert len(first.reported["NameServers"].split()) == 4
    assert_unbound(aws, stack, region)
    assert aws.account()["Stacks"][region][stack]["Tags"] == {"Project": "time-drift"}

    own = () if region == "us-east-1" else ("--certificate", GIVEN_CERTIFICATE)
    second = deploy(aws, stack, region, "--delegated", *own)
    issued = {"Certificate"} if region == "us-east-1" else set()
    assert made(aws, stack, region) == ALWAYS | {"Zone", "Records"} | issued
    assert second.reported["WebsiteUrl"] == f"https://{stack}.example.org/"
    assert second.reported["BucketName"] == first.reported["BucketName"]
    assert "--tags Project=time-drift" in second.commands[1]  # or it would lose them
    assert aws.account()["Stacks"][region][stack]["Tags"] == {"Project": "time-drift"}
    zone = physical(aws, stack, region, "Zone")
    assert addresses(aws, stack, zone).keys() == {"A", "AAAA"}
    certificate = physical(aws, stack, region, "Certificate") if issued else GIVEN_CERTIFICATE
    assert_bound(aws, stack, region, certificate)

    assert_kept_and_filled(aws, stack, region, second.reported, tmp_path)
    delete_by_hand(aws, stack, region)
    assert aws.account()["Stacks"][region][stack]["Status"] == "DELETE_FAILED"
    assert made(aws, stack, region) == {"Site"} | ({"Zone"} if issued else set())
    ran = destroy(aws, stack, region)
    assert re.match("aws cloudformation wait .*stack-delete-complete", ran.commands[-1])
    assert_gone(aws, before)


@EVERYWHERE
def test_a_given_zone_stays_as_it_was(
    aws: Aws, region: str, given_zone: str, tmp_path: Path
) -> None:
    """In us-east-1 the name is bound at once; elsewhere the site is up, and says what is missing.

    destroy takes the stack's records back and no others. The record by which ACM validated the
    name stays: it might serve another certificate too.
    """
    stack, before = f"given-{region}", aws.account()
    own = before["Zones"][given_zone]["Records"]
    ran = deploy(aws, stack, region, "--zone", given_zone)
    assert ran.reported.keys() == OUTPUTS
    if region == "us-east-1":
        assert made(aws, stack, region) == ALWAYS | {"Certificate", "Records"}
        assert ran.reported["WebsiteUrl"] == f"https://{stack}.example.org/"
        assert_bound(aws, stack, region, physical(aws, stack, region, "Certificate"))
        assert addresses(aws, stack, given_zone).keys() == {"A", "AAAA"}
    else:
        assert made(aws, stack, region) == ALWAYS
        assert re.fullmatch(UNBOUND, ran.reported["WebsiteUrl"])
        assert_unbound(aws, stack, region)
        assert "--certificate" in ran.stderr
    assert_kept_and_filled(aws, stack, region, ran.reported, tmp_path)

    proofs = validations(aws, given_zone)
    ran = destroy(aws, stack, region)
    assert_gone(aws, before)
    assert validations(aws, given_zone) == proofs
    left = aws.account()["Zones"][given_zone]["Records"]
    assert [record for record in left if record not in proofs] == [
        record for record in own if record not in proofs
    ]
    assert not any(" route53 " in command for command in ran.commands)


def deploy_all_given(aws: Aws, stack: str, region: str, zone: str, *more: str) -> Ran:
    """Deploy into a given zone with a given certificate: the name is bound in any region."""
    proofs = validations(aws, zone)
    given = ("--zone", zone, "--certificate", GIVEN_CERTIFICATE)
    ran = deploy(aws, stack, region, *given, *more)
    assert made(aws, stack, region) >= ALWAYS | {"Records"}
    assert "Certificate" not in made(aws, stack, region)
    assert "Zone" not in made(aws, stack, region)
    assert ran.reported.keys() == OUTPUTS
    assert ran.reported["WebsiteUrl"] == f"https://{stack}.example.org/"
    assert_bound(aws, stack, region, GIVEN_CERTIFICATE)
    assert addresses(aws, stack, zone).keys() == {"A", "AAAA"}
    assert validations(aws, zone) == proofs
    return ran


@EVERYWHERE
def test_publish_makes_the_bucket_what_the_directory_is(
    aws: Aws, region: str, given_zone: str, tmp_path: Path
) -> None:
    """Bytes, types and caching are what they ought to be, and what the directory lost is gone.

    The archive's name changes with its content, so caches keep it; they ask for pages again. Zone
    and certificate are given, so the name is bound at once in either region.
    """
    stack, before = f"publish-{region}", aws.account()
    reported = deploy_all_given(aws, stack, region, given_zone).reported
    again = deploy_all_given(aws, stack, region, given_zone)
    assert "No changes to deploy" in again.stderr
    assert again.reported == reported
    site, bucket = a_site(tmp_path / "site", "time-drift-000000000002.zip"), reported["BucketName"]
    page = site / "index.html"
    os.utime(page, (1e9, 1e9))
    # What an earlier publish left: its archive, and a page as long as ours and of a later date.
    aws.put(bucket, "time-drift-000000000001.zip", b"PK")
    aws.put(bucket, page.name, page.read_bytes().replace(b"02.zip", b"01.zip"))

    ran = publish(aws, stack, region, site)
    assert ran.stdout == reported["WebsiteUrl"] + "\n"
    assert_published(aws, bucket, site)
    assert aws.account()["Distributions"][reported["DistributionId"]] == [["/*"]]
    assert_fetched(aws, region, bucket, site, tmp_path / "back")

    destroy(aws, stack, region)
    assert_gone(aws, before)


def a_site(directory: Path, archive: str) -> Path:
    """Make a site that is none, but has a file of every kind."""
    directory.mkdir()
    data = bytes(range(256)) * 100
    (directory / archive).write_bytes(data)
    sums = f"{hashlib.sha256(data).hexdigest()}  {archive}\n"
    texts = {
        "index.html": f"<!doctype html><title>site</title><a href={archive}>zip</a>",
        "404.html": "<!doctype html><title>not here</title>",
        "robots.txt": "User-agent: *\nAllow: /\n",
        "style.css": "body { margin: 0 }\n",
        "favicon.svg": '<svg xmlns="http://www.w3.org/2000/svg"/>\n',
        "SHA256SUMS.txt": sums,
    }
    for name, text in texts.items():
        (directory / name).write_text(text, encoding="utf-8")
    return directory


def publish(aws: Aws, stack: str, region: str, site: Path) -> Ran:
    return succeeds(aws, "publish", "--stack", stack, "--region", region, "--site", str(site))


def assert_published(aws: Aws, bucket: str, site: Path) -> None:
    files = sorted(site.iterdir())
    assert aws.account()["Buckets"][bucket] == [file.name for file in files]
    kinds = {
        ".html": "text/html",
        ".txt": "text/plain",
        ".css": "text/css",
        ".svg": "image/svg+xml",
        ".zip": "application/zip",
    }
    for file in files:
        got = aws.fetch(bucket, file.name)
        assert got.body == file.read_bytes(), file.name
        assert got.headers["content-type"] == kinds[file.suffix]
        assert got.headers["x-amz-server-side-encryption"] == "AES256"
        if file.suffix == ".zip":
            assert got.headers["cache-control"] == ARCHIVE_KEPT
            assert got.headers["content-disposition"] == "attachment"
        else:
            assert got.headers["cache-control"] == PAGES_KEPT
            assert "content-disposition" not in got.headers


def assert_fetched(aws: Aws, region: str, bucket: str, site: Path, back: Path) -> None:
    """The AWS CLI brings back what was published, byte for byte."""
    done = aws.cli("s3", "sync", f"s3://{bucket}", str(back), "--region", region)
    assert done.returncode == 0, done.stderr
    found = {path.name: path.read_bytes() for path in back.iterdir()}
    assert found == {path.name: path.read_bytes() for path in site.iterdir()}


def assert_kept_and_filled(
    aws: Aws, stack: str, region: str, reported: dict[str, str], tmp_path: Path
) -> None:
    """Deploying again changes nothing, and what is published comes back."""
    again = deploy(aws, stack, region)
    assert "No changes to deploy" in again.stderr
    assert again.reported == reported
    site = a_site(tmp_path / "site", "time-drift-000000000003.zip")
    assert publish(aws, stack, region, site).stdout == reported["WebsiteUrl"] + "\n"
    assert_fetched(aws, region, reported["BucketName"], site, tmp_path / "back")


def test_a_password_comes_and_goes_and_is_never_shown(
    aws: Aws, given_zone: str, tmp_path: Path
) -> None:
    """The distribution asks for it as long as the parameter is there; no command shows it."""
    stack, region, before = "password", "us-east-1", aws.account()
    secret, file = "visitor:correct horse", tmp_path / "secret"
    file.write_text(secret + "\n", encoding="utf-8")
    token = base64.b64encode(secret.encode()).decode()
    asking = ("--basic-auth-file", str(file))
    ran = deploy_all_given(aws, stack, region, given_zone, *asking)
    assert made(aws, stack, region) == ALWAYS | {"Records", "Password"}
    assert f"'Basic {token}'" in json.dumps(aws.resolved(stack, region)["Password"]["Properties"])
    assert (
        len(distribution(aws, stack, region)["DefaultCacheBehavior"]["FunctionAssociations"]) == 1
    )
    for hidden in (token, secret, secret.partition(":")[2]):
        assert hidden not in ran.stderr + ran.stdout

    deploy(aws, stack, region, "--basic-auth-file", "")  # what is not given stays as it was
    assert made(aws, stack, region) == ALWAYS | {"Records"}
    assert "FunctionAssociations" not in distribution(aws, stack, region)["DefaultCacheBehavior"]
    assert_bound(aws, stack, region, GIVEN_CERTIFICATE)
    delete_by_hand(aws, stack, region)
    assert_gone(aws, before)


def test_a_stack_that_could_not_be_made_says_so_and_can_be_destroyed(
    aws: Aws, given_zone: str
) -> None:
    """A record of the domain is there already: the AWS CLI's exit status is ours, and no output."""
    stack, region, before = "taken", "us-east-1", aws.account()
    place = ("--stack", stack, "--region", region)
    done = aws.ours("deploy", *place, "--domain", f"{stack}.example.org", "--zone", given_zone)
    assert done.returncode == 255
    assert done.stdout == ""
    assert "Failed to create/update the stack" in done.stderr
    assert aws.account()["Stacks"][region][stack]["Status"] == "ROLLBACK_COMPLETE"
    destroy(aws, stack, region)
    assert_gone(aws, before)
    assert addresses(aws, stack, given_zone) == {"A": ["192.0.2.1"]}


def test_a_zone_of_the_stack_is_not_left_behind(aws: Aws, given_zone: str) -> None:
    """Another name, or a zone that is given, would replace it: refused, and what helps is said."""
    stack, region, before = "orphan", "us-east-1", aws.account()
    deploy(aws, stack, region)
    there = aws.account()
    place = ("--stack", stack, "--region", region)
    for more in (
        ("--domain", "other.example.org"),
        ("--domain", f"{stack}.example.org", "--zone", given_zone),
    ):
        done = aws.ours("deploy", *place, *more)
        assert done.returncode == 2
        assert "destroy it first" in done.stderr
    assert aws.account() == there

    aws.run("s3api", "delete-bucket", "--bucket", physical(aws, stack, region, "Site"))
    destroy(aws, stack, region)  # although the bucket is gone already
    assert_gone(aws, before)


def test_destroy_says_what_stands_in_its_way_and_may_be_run_again(aws: Aws) -> None:
    """A record of the user's own in the stack's zone is theirs: it stays until they remove it."""
    stack, region, before = "records", "eu-west-1", aws.account()
    deploy(aws, stack, region)
    zone = physical(aws, stack, region, "Zone")
    mail = {"Name": f"{stack}.example.org.", "Type": "MX", "TTL": 300}
    mail |= {"ResourceRecords": [{"Value": "10 mail.example.org."}]}
    change_records(aws, zone, "CREATE", [mail])

    done = aws.ours("destroy", "--stack", stack, "--region", region, "--yes")
    assert done.returncode == 255
    assert re.search(r"^Zone\s+\S", done.stderr, re.MULTILINE)
    change_records(aws, zone, "DELETE", [mail])
    destroy(aws, stack, region)
    assert_gone(aws, before)


def test_destroy_removes_nothing_unasked(aws: Aws) -> None:
    """Without --yes and without a terminal there is nobody to ask: 2, and no AWS command is run."""
    done = aws.ours("destroy", "--stack", "nobody", "--region", "us-east-1")
    assert done.returncode == 2
    assert "$ " not in done.stderr
    assert "--yes" in done.stderr


@pytest.mark.parametrize("verb", ["publish", "destroy"])
def test_a_stack_that_is_not_there(aws: Aws, verb: str, tmp_path: Path) -> None:
    """publish and destroy end as the AWS CLI does, which says that there is no such stack."""
    more = {
        "publish": ("--site", str(a_site(tmp_path / "site", "time-drift-00000000000a.zip"))),
        "destroy": ("--yes",),
    }
    done = aws.ours(verb, "--stack", "nobody", "--region", "us-east-1", *more[verb])
    assert done.returncode == 255
    assert "nobody does not exist" in done.stderr


def test_values_that_the_template_does_not_take_are_refused_before_anything_is_run(
    aws: Aws,
) -> None:
    """CloudFront takes certificates of us-east-1 only, and names are names: 2, and no command."""
    place = ("--stack", "wrong", "--region", "eu-west-1")
    elsewhere = GIVEN_CERTIFICATE.replace("us-east-1", "eu-west-1")
    for wrong in (
        ("--domain", "Review_Example"),
        ("--domain", "review.example.org", "--certificate", elsewhere),
        ("--domain", "review.example.org", "--zone", "example.org"),
    ):
        done = aws.ours("deploy", *place, *wrong)
        assert done.returncode == 2, wrong
        assert "$ " not in done.stderr


def test_the_policy_suffices_and_is_needed(aws: Aws, tmp_path: Path) -> None:
    """The whole flow works for a user who has no more rights than our policy, and not with fewer.

    moto shows this far only: it checks what the user calls, not what CloudFormation calls for the
    user. So the rights that are given to CloudFormation alone are left away, which shows that we
    need none of them ourselves. It takes every condition for a refusal, and knows ARNs of S3 only;
    so the rest is tested without conditions, and elsewhere than in S3 with any resource.
    """
    stack, region, before = "rights", "us-east-1", aws.account()
    place = ("--stack", stack, "--region", region)
    printed = succeeds(aws, "policy", "--account", ACCOUNT, *place).stdout
    direct = [as_moto_knows_it(one) for one in own_rights(json.loads(printed))]
    user = a_user(aws, "deployer", direct)
    fewer = a_user(aws, "fewer", without("cloudformation:CreateChangeSet", direct))
    site = a_site(tmp_path / "site", "time-drift-00000000000a.zip")
    with aws.checking_rights():
        refused = fewer.ours("deploy", *place, "--domain", f"{stack}.example.org")
        assert refused.returncode == 255
        assert "AccessDenied" in refused.stderr
        assert "cloudformation:CreateChangeSet" in refused.stderr

        reported = deploy(user, stack, region, "--delegated").reported
        deploy(user, stack, region, "--tag", "Project=time-drift")
        publish(user, stack, region, site)
        published = aws.account()
        assert published["Buckets"][reported["BucketName"]] == sorted(
            file.name for file in site.iterdir()
        )
        assert published["Stacks"][region][stack]["Tags"] == {"Project": "time-drift"}
        ran = destroy(user, stack, region)
    assert any("change-resource-record-sets" in command for command in ran.commands)
    assert_gone(aws, before)


def own_rights(policy: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the statements that do not only hold while CloudFormation is the one that calls."""
    return [
        statement
        for statement in policy["Statement"]
        if "aws:CalledVia" not in json.dumps(statement.get("Condition", {}))
    ]


def as_moto_knows_it(statement: dict[str, Any]) -> dict[str, Any]:
    """Return a statement without what moto misunderstands."""
    in_s3 = all(arn.startswith("arn:aws:s3:::") for arn in statement["Resource"])
    resource = statement["Resource"] if in_s3 else "*"
    return {"Effect": statement["Effect"], "Action": statement["Action"], "Resource": resource}


def without(action: str, statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the statements without an action that one of them does allow."""
    assert any(action in statement["Action"] for statement in statements)
    return [
        statement | {"Action": [one for one in statement["Action"] if one != action]}
        for statement in statements
    ]


def a_user(root: Aws, name: str, statements: list[dict[str, Any]]) -> Aws:
    """Make a user who may do this, and return the account as it is with the user's key."""
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    root.iam("CreateUser", UserName=name)
    root.iam("PutUserPolicy", UserName=name, PolicyName="deploy", PolicyDocument=document)
    key = root.iam("CreateAccessKey", UserName=name)
    return root.by(key["AccessKeyId"], key["SecretAccessKey"])
