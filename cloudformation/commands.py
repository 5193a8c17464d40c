"""The AWS CLI commands of deploy, publish and destroy, as lists of words. Pure: runs nothing.

cloudformation/README.md shows the same ones to people who type them; a test compares.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

TEMPLATE = "cloudformation/template.json"
PAGES_KEPT = "public, max-age=300, must-revalidate"
ARCHIVE_KEPT = "public, max-age=31536000, immutable"
"""The archive's name holds its commit, so what a cache has under that name stays right."""
_VALIDATION = ".acm-validations.aws."
"""What the names end in that ACM has domains point at, to see that they are the caller's."""

Command = list[str]


@dataclass(frozen=True, slots=True)
class Place:
    """Which stack, and in which region; None means the one that the AWS CLI is configured for."""

    stack: str
    region: str | None

    def aws(self, verb: str, *rest: str) -> Command:
        """Return a command of the AWS CLI, of two words or three, in this region."""
        region = ["--region", self.region] if self.region else []
        return ["aws", *verb.split(), *region, *rest]

    def cloudformation(self, verb: str, *rest: str) -> Command:
        """Return a command about this stack."""
        return self.aws(f"cloudformation {verb}", "--stack-name", self.stack, *rest)


def deploy(place: Place, parameters: Mapping[str, str], tags: Mapping[str, str]) -> Command:
    """Make or update the stack; parameters that are not given keep their value."""
    return place.cloudformation(
        "deploy",
        *("--template-file", TEMPLATE, "--no-fail-on-empty-changeset", "--parameter-overrides"),
        *_pairs(parameters),
        *(["--tags", *_pairs(tags)] if tags else []),
    )


def described(place: Place) -> Command:
    """Print the stack's parameters, tags and outputs as JSON."""
    return place.cloudformation("describe-stacks", "--output", "json")


def publish(place: Place, bucket: str, distribution: str, site: str) -> list[Command]:
    """Upload the archive, then the pages that name it; remove the old; invalidate the caches."""
    target = f"s3://{bucket}"
    archive = ("--exclude", "*", "--include", "*.zip", "--cache-control", ARCHIVE_KEPT)
    saved = ("--content-disposition", "attachment")
    pages = ("--recursive", "--exclude", "*.zip", "--cache-control", PAGES_KEPT)
    whose = ("--distribution-id", distribution)
    return [
        place.aws("s3 sync", site, target, *archive, *saved),
        # cp, since sync would skip a page of the same size that was built before the last upload.
        place.aws("s3 cp", site, target, *pages),
        # All is there by now, so this only removes.
        place.aws("s3 sync", site, target, "--delete", "--size-only"),
        place.aws("cloudfront create-invalidation", *whose, "--paths", "/*"),
    ]


def resources(place: Place) -> Command:
    """Print what the stack is made of, as JSON: also what an earlier removal left."""
    return place.cloudformation("describe-stack-resources", "--output", "json")


def empty(place: Place, bucket: str) -> Command:
    """Remove everything from the bucket: CloudFormation deletes empty ones only."""
    return place.aws("s3 rm", f"s3://{bucket}", "--recursive")


def records(place: Place, zone: str) -> Command:
    """Print the records of a zone as JSON."""
    return place.aws(
        "route53 list-resource-record-sets", "--hosted-zone-id", zone, "--output", "json"
    )


def left_by_validation(listed: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Choose, of a zone's records, those by which ACM validated the domain."""
    return [
        record
        for record in listed["ResourceRecordSets"]
        if record["Type"] == "CNAME"
        and all(
            value["Value"].rstrip(".").endswith(_VALIDATION.rstrip("."))
            for value in record.get("ResourceRecords", [{"Value": ""}])
        )
    ]


def forget(place: Place, zone: str, unwanted: Iterable[Mapping[str, Any]]) -> Command:
    """Remove records from a zone: CloudFormation deletes zones without records of others only."""
    batch = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": one} for one in unwanted]}
    change = ("--hosted-zone-id", zone, "--change-batch", json.dumps(batch))
    return place.aws("route53 change-resource-record-sets", *change)


def delete(place: Place) -> list[Command]:
    """Delete the stack and wait until it is gone; a distribution takes some ten minutes."""
    return [
        place.cloudformation("delete-stack"),
        place.cloudformation("wait stack-delete-complete"),
    ]


def refusals(place: Place) -> Command:
    """Print what could not be deleted, and why."""
    query = "StackEvents[?ResourceStatus=='DELETE_FAILED'].[LogicalResourceId,ResourceStatusReason]"
    return place.cloudformation("describe-stack-events", "--query", query, "--output", "text")


def _pairs(named: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in named.items()]
