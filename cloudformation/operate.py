"""Runs the AWS CLI's commands of deploy, publish and destroy, each printed before it is run."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cloudformation import commands
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


def deploy(place: Place, parameters: Mapping[str, str], tags: Mapping[str, str]) -> dict[str, str]:
    """Make or update the stack and return its outputs."""
    _run(commands.deploy(place, parameters, tags))
    return outputs(place)


def outputs(place: Place) -> dict[str, str]:
    """Return the outputs of the stack by name."""
    told = json.loads(_run(commands.outputs(place), read=True)) or []
    return {output["OutputKey"]: output["OutputValue"] for output in told}


def publish(place: Place, built: Path) -> str:
    """Put a site that was built where the stack serves it, and return its address."""
    if not (built / "index.html").is_file():
        raise Failed(f"{built} holds no site: `python -m cloudformation site --output {built}`")
    found = outputs(place)
    missing = {"BucketName", "DistributionId", "WebsiteUrl"} - found.keys()
    if missing:
        raise Failed(f"stack {place.stack} has no output {min(missing)}: is it ours, and deployed?")
    source = str(built.resolve())
    for command in commands.publish(place, found["BucketName"], found["DistributionId"], source):
        _run(command)
    return found["WebsiteUrl"]


def destroy(place: Place) -> None:
    """Remove the stack and what stands in its way; may be run again after it failed.

    Two things do: a bucket that is not empty, and the record by which ACM validated the domain,
    which stays in a zone of the stack's own when the certificate is gone.
    """
    told = json.loads(_run(commands.resources(place), read=True))["StackResources"]
    standing = {
        one["LogicalResourceId"]: one["PhysicalResourceId"]
        for one in told
        if one["ResourceStatus"] != "DELETE_COMPLETE" and one.get("PhysicalResourceId")
    }
    if "Site" in standing:
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
    listed: dict[str, Any] = json.loads(_run(commands.records(place, zone), read=True))
    unwanted = commands.left_by_validation(listed)
    if unwanted:
        _run(commands.forget(place, zone, unwanted))


def _run(command: Command, *, read: bool = False) -> str:
    """Print a command, run it, and return what it printed if that is to be read."""
    sys.stderr.write(f"$ {shown(command)}\n")
    sys.stderr.flush()
    try:
        done = subprocess.run(  # noqa: S603 - the AWS CLI, with words and no shell
            command,
            stdout=subprocess.PIPE if read else 2,  # stdout is for what we found
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
    if done.returncode:
        status = done.returncode if done.returncode > 0 else 128 - done.returncode  # a signal
        raise Failed(f"`{' '.join(command[:3])}` exited with {status}", status)
    return done.stdout or ""


def shown(command: Command) -> str:
    """Return a command as one would type it, a password masked."""
    return shlex.join(
        _SECRET + "***" if word.startswith(_SECRET) and word != _SECRET else word
        for word in command
    )
