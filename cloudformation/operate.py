"""Runs the AWS CLI's commands of deploy, publish and destroy, each printed before it is run."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudformation import commands, site
from cloudformation.commands import Command, Place

_SECRET = "BasicAuthToken="  # noqa: S105 - the name of one
_ROOT = Path(__file__).resolve().parent.parent
"""Where the commands are run, so that the template's path is right as printed."""


class Failed(Exception):
    """A command failed, or there is nothing to do it with; the message says what helps."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status
        """What to exit with: that of the AWS CLI where it has one."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack as it is."""

    parameters: dict[str, str]
    tags: dict[str, str]
    outputs: dict[str, str]


def deploy(place: Place, parameters: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """Make or update the stack and return its outputs. Tags that it has stay, or are replaced."""
    before = look_at(place, may_be_missing=True)
    _refuse_to_orphan_a_zone(place, before.parameters, parameters)
    # The AWS CLI takes "no tags given" for "have no tags".
    _run(commands.deploy(place, parameters, {**before.tags, **tags}))
    return look_at(place).outputs


def look_at(place: Place, *, may_be_missing: bool = False) -> Stack:
    """Return the stack; an empty one if there is none and that is no failure."""
    try:
        described = _read(commands.described(place))
    except Failed as failure:
        if may_be_missing and "does not exist" in str(failure):
            return Stack({}, {}, {})
        raise
    (one,) = described["Stacks"]
    return Stack(
        {entry["ParameterKey"]: entry["ParameterValue"] for entry in one.get("Parameters", [])},
        {entry["Key"]: entry["Value"] for entry in one.get("Tags", []) if _is_ours(entry["Key"])},
        {entry["OutputKey"]: entry["OutputValue"] for entry in one.get("Outputs", [])},
    )


def _is_ours(tag: str) -> bool:
    """Whether a tag can be given: those of this prefix are AWS's own."""
    return not tag.startswith("aws:")


def _refuse_to_orphan_a_zone(
    place: Place, before: Mapping[str, str], wanted: Mapping[str, str]
) -> None:
    """Refuse what would replace the zone that the stack made.

    CloudFormation could not delete it, for ACM's record in it, and would forget it; and the new one
    would be taken for delegated, on whose certificate the deployment then waits for days.
    """
    if not before or before.get("HostedZoneId"):
        return
    after = {**before, **wanted}
    if after["DomainName"] != before["DomainName"] or after.get("HostedZoneId"):
        raise Failed(
            f"stack {place.stack} has a zone of its own for {before['DomainName']}, which would be "
            "left behind: destroy it first, or deploy under another --stack",
            2,
        )


def publish(place: Place, built: Path) -> str:
    """Put a site that was built where the stack serves it, and return its address."""
    if not (built / "index.html").is_file():
        raise Failed(f"{built} holds no site: `python -m cloudformation site --output {built}`")
    site.check(built)
    found = look_at(place).outputs
    missing = {"BucketName", "DistributionId", "WebsiteUrl"} - found.keys()
    if missing:
        raise Failed(f"stack {place.stack} has no output {min(missing)}: is it ours, and deployed?")
    if found["WebsiteUrl"] not in (built / "index.html").read_text(encoding="utf-8"):
        sys.stderr.write(
            f"note: the page's own commands name another address than {found['WebsiteUrl']}: "
            "build it with --url\n"
        )
    source = str(built.resolve())
    for command in commands.publish(place, found["BucketName"], found["DistributionId"], source):
        _run(command)
    return found["WebsiteUrl"]


def destroy(place: Place) -> None:
    """Remove the stack and what stands in its way; may be run again after it failed.

    Two things do: a bucket that is not empty, and the record by which ACM validated the domain,
    which stays in a zone of the stack's own when the certificate is gone.
    """
    resources = _read(commands.resources(place))["StackResources"]
    standing = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in resources
        if one["ResourceStatus"] != "DELETE_COMPLETE" and one.get("PhysicalResourceId")
    }
    if "Site" in standing:
        with suppress(Failed):  # gone already; if it is not, CloudFormation is going to say so
            _run(commands.empty(place, standing["Site"]))
    if "Zone" in standing:
        _forget_validation(place, standing["Zone"])
    delete, wait = commands.delete(place)
    _run(delete)
    try:
        _run(wait)
    except Failed:
        _run(commands.refusals(place))  # for instance a zone with records of the user's own
        raise


def _forget_validation(place: Place, zone: str) -> None:
    unwanted = commands.left_by_validation(_read(commands.records(place, zone)))
    if unwanted:
        _run(commands.forget(place, zone, unwanted))


def _read(command: Command) -> dict[str, Any]:
    """Run a command and return the JSON object that it prints; what it says is the failure's."""
    done = _process(command, subprocess.PIPE)
    if done.returncode:
        raise _failure(command, done.returncode, " ".join(done.stderr.split()))
    try:
        reply: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise Failed(f"`{' '.join(command[:3])}` printed no JSON") from error
    return reply


def _run(command: Command) -> None:
    """Run a command; what it prints goes to stderr, since stdout is for what we found."""
    done = _process(command, 2)
    if done.returncode:
        raise _failure(command, done.returncode)


def _failure(command: Command, returncode: int, said: str = "") -> Failed:
    status = returncode if returncode > 0 else 128 - returncode  # a signal
    why = f": {said}" if said else ""
    return Failed(f"`{' '.join(command[:3])}` exited with {status}{why}", status)


def _process(command: Command, output: int) -> "subprocess.CompletedProcess[str]":
    sys.stderr.write(f"$ {shown(command)}\n")
    sys.stderr.flush()
    try:
        return subprocess.run(  # noqa: S603 - the AWS CLI, with words and no shell
            command,
            stdout=output,
            stderr=subprocess.PIPE if output == subprocess.PIPE else None,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"AWS_PAGER": ""},
            cwd=_ROOT,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise Failed(
            "the AWS CLI is not installed: `aws` is not on PATH (Debian, Ubuntu: awscli)"
        ) from error


def shown(command: Command) -> str:
    """Return a command as one would type it, a password masked."""
    return shlex.join(
        _SECRET + "***" if word.startswith(_SECRET) and word != _SECRET else word
        for word in command
    )
