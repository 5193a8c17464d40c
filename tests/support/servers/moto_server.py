"""A stand-in for AWS: moto, with a CloudFormation that knows our template's resource types.

Run by the Python that has moto, as a process: `python -m tests.support.servers.moto_server`. It
serves on a free port of 127.0.0.1, prints that port as a line once it does, and ends when its stdin
ends, or on SIGTERM.

moto has no CloudFormation for CloudFront, certificates and bucket policies, leaves the outputs of
new stacks out, ignores conditions that flip on an update, and deletes whatever one asks it to. What
is here replaces its way of applying a change set and of deleting a stack, and puts the resources of
a stack into moto's own services, where its other APIs find them. Refusals of AWS are imitated that
who removes a stack has to know: a bucket that holds objects is not deleted, and neither is a hosted
zone that holds more than its NS and SOA; then the stack ends in DELETE_FAILED. A certificate leaves
its validation record in the zone, as ACM does.

GET /moto-api/account shows everything that is in the account, and the resolved properties of every
resource of every stack: `Account` below says in which form.

Not imitated: asynchrony (every operation is complete when its request returns), replacement (a
change that would replace a resource is refused), rollback of updates, and what test_aws_flow.py
says.
"""

import json
import logging
import re
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, TypedDict

from moto.acm.models import acm_backends  # type: ignore[import-not-found, unused-ignore]
from moto.cloudformation import (  # type: ignore[import-not-found, unused-ignore]
    responses,
)
from moto.cloudformation.exceptions import (  # type: ignore[import-not-found, unused-ignore]
    ValidationError,
)
from moto.cloudformation.models import (  # type: ignore[import-not-found, unused-ignore]
    CloudFormationBackend,
    Event,
    Stack,
    cloudformation_backends,
)
from moto.cloudformation.parsing import (  # type: ignore[import-not-found, unused-ignore]
    clean_json,
)
from moto.core.common_models import (  # type: ignore[import-not-found, unused-ignore]
    CloudFormationModel,
)
from moto.iam.access_control import (  # type: ignore[import-not-found, unused-ignore]
    IAMRequestBase,
)
from moto.moto_api._internal.urls import (  # type: ignore[import-not-found, unused-ignore]
    url_paths,
)
from moto.route53 import models as route53  # type: ignore[import-not-found, unused-ignore]
from moto.server import ThreadedMotoServer  # type: ignore[import-not-found, unused-ignore]

from tests.support.servers.moto_resources import (
    ACCOUNT,
    CLOUDFRONT,
    HEADERS_POLICIES,
    ROUTE53,
    S3,
    Properties,
    Resource,
)


class Account(TypedDict):
    """What GET /moto-api/account answers."""

    Stacks: dict[str, dict[str, Any]]
    """By region and name: {"Status", "Tags", "Resources"}, and those by logical id.

    A resource is {"Type", "Properties", "PhysicalId"}.
    """
    Buckets: dict[str, list[str]]
    """The keys of each bucket's objects."""
    Zones: dict[str, dict[str, Any]]
    """By id: {"Name", "Comment", "Records": [[name, type, values]]}, NS and SOA left out."""
    Distributions: dict[str, list[list[str]]]
    """The paths of every invalidation of each distribution."""
    Others: list[str]
    """Certificates, functions, origin access controls and headers policies."""


def _resources(stack: Any) -> dict[str, Resource]:
    """Return what there is of a stack, in the order in which it was made."""
    return {name: made for name, made in _listed(stack).items() if made.status != "DELETE_COMPLETE"}


def _listed(stack: Any) -> dict[str, Resource]:
    """Return what describe-stack-resources lists: what is deleted already is in there, too."""
    parsed = stack.resource_map._parsed_resources
    return {name: made for name, made in parsed.items() if isinstance(made, Resource)}


def _wanted(stack: Any) -> dict[str, Properties]:
    """Return the resources of a stack's template whose conditions hold."""
    holds = stack.resource_map.lazy_condition_map
    definitions: dict[str, Properties] = stack.resource_map._resource_json_map
    return {
        name: definition
        for name, definition in definitions.items()
        if "Condition" not in definition or holds[definition["Condition"]]
    }


def _apply(stack: Any, template: Properties, parameters: dict[str, str]) -> None:
    """Make the stack what the template says: add, change, and at last remove."""
    resources = stack.resource_map
    resources._template = stack.template_dict = template
    resources._resource_json_map = template["Resources"]
    resources.input_parameters = stack.parameters = parameters
    resources.load()
    wanted = _wanted(stack)
    for name, definition in wanted.items():
        made = resources[name]  # makes it if it is not there, and before it what it refers to
        properties = clean_json(definition.get("Properties", {}), resources)
        if properties != made.properties:
            made.update(properties)
    unwanted = set(_resources(stack)) - set(wanted)
    left = _delete(stack, unwanted)
    if left:
        raise ValueError(f"an update could not remove {left}")
    for name in unwanted:  # or it would not be made again
        del resources._parsed_resources[name]
    stack.output_map = stack._create_output_map()


def _delete(stack: Any, names: set[str]) -> dict[str, str]:
    """Delete these resources of a stack; return why the others are still there."""
    left: dict[str, str] = {}
    before = len(names) + 1
    while len(names) < before:
        before, left = len(names), {}
        for name, made in reversed(_resources(stack).items()):
            if name not in names:
                continue
            try:
                made.delete()
            except Exception as error:  # noqa: BLE001 - any reason is AWS's answer
                left[name], made.status = str(error), "DELETE_FAILED"
            else:
                made.status = "DELETE_COMPLETE"
        names = set(left)
    return left


def _execute_change_set(backend: Any, change_set_name: str, stack_name: str | None = None) -> None:
    change_set = backend.describe_change_set(change_set_name)
    stack = backend.stacks[change_set.stack_id]
    kind = change_set.change_set_type
    stack._add_stack_event(f"{kind}_IN_PROGRESS", "User Initiated")
    try:
        _apply(stack, change_set.template_dict, change_set.parameters)
    except Exception as error:
        if kind != "CREATE":
            raise
        _roll_back(stack, str(error))
    else:
        stack.status = f"{kind}_COMPLETE"
        stack.template, stack.tags = change_set.template, change_set.tags or stack.tags
        change_set.execution_status = "EXECUTE_COMPLETE"
    stack._add_stack_event(stack.status)


def _roll_back(stack: Any, reason: str) -> None:
    """Remove what there is of a stack that could not be made; it has no outputs then."""
    _add_event(stack, stack.name, "AWS::CloudFormation::Stack", "ROLLBACK_IN_PROGRESS", reason)
    left = _delete(stack, set(_resources(stack)))
    stack.status = "ROLLBACK_FAILED" if left else "ROLLBACK_COMPLETE"
    stack.output_map = {}


def _delete_stack(backend: Any, name_or_stack_id: str) -> None:
    for stack in list(backend.stacks.values()):
        if name_or_stack_id in {stack.name, stack.stack_id}:
            stack._add_stack_event("DELETE_IN_PROGRESS", "User Initiated")
            left = _delete(stack, set(_resources(stack)))
            for name, reason in left.items():
                kind = stack.resource_map._resource_json_map[name]["Type"]
                _add_event(stack, name, kind, "DELETE_FAILED", reason)
            stack.status = "DELETE_FAILED" if left else "DELETE_COMPLETE"
            stack._add_stack_event(stack.status)
            if not left:
                backend.deleted_stacks[stack.stack_id] = backend.stacks.pop(stack.stack_id)


def _add_event(stack: Any, name: str, kind: str, status: str, reason: str) -> None:
    stack.events.append(
        Event(stack.stack_id, stack.name, name, stack.stack_id, kind, status, reason, None)
    )


def _create_change_set(original: Callable[..., tuple[str, str]]) -> Callable[..., tuple[str, str]]:
    """Return moto's method behind AWS's refusals; new tags are a change, too."""

    def create(backend: Any, **asked: Any) -> tuple[str, str]:
        stacks = [s for s in backend.stacks.values() if s.name == asked["stack_name"]]
        for stack in stacks:
            _check_status(stack)
        slots = Stack.parse_template(asked["template"])["Parameters"]
        _check_parameters(slots, asked["parameters"])
        change_set_id, stack_id = original(backend, **asked)
        change_set = backend.change_sets[change_set_id]
        if change_set.status == "FAILED" and asked["tags"] not in ({}, stacks[0].tags):
            change_set.status, change_set.execution_status = "CREATE_COMPLETE", "AVAILABLE"
        return change_set_id, stack_id

    return create


def _check_status(stack: Any) -> None:
    """Refuse to change what could not be made, or not be removed."""
    if re.search("ROLLBACK|FAILED", stack.status):
        state = f"is in {stack.status} state and can not be updated."
        raise ValidationError(message=f"Stack:{stack.stack_id} {state}")


def _check_parameters(slots: dict[str, Properties], given: dict[str, str]) -> None:
    """Refuse what AWS would refuse: moto takes any value."""
    for name in given.keys() - slots.keys():
        raise ValidationError(message=f"Parameters: [{name}] do not exist in the template")
    for name, slot in slots.items():
        value = given.get(name, slot.get("Default"))
        if value is None:
            raise ValidationError(message=f"Parameters: [{name}] must have values")
        fits = re.fullmatch(slot.get("AllowedPattern", "(?s).*"), value)
        allowed = value in slot.get("AllowedValues", [value])
        if not (fits and allowed and len(value) <= slot.get("MaxLength", len(value))):
            why = slot.get("ConstraintDescription", "not an allowed value")
            raise ValidationError(message=f"Parameter '{name}' failed to satisfy constraint: {why}")


def _parameter_list(stack: Any) -> list[dict[str, str]]:
    """Return a stack's parameters as describe-stacks shows them; moto shows the secret ones too."""
    resources = stack.resource_map
    return [
        {
            "ParameterKey": name,
            "ParameterValue": "****" if name in resources.no_echo_parameter_keys else value,
        }
        for name, value in resources.resolved_parameters.items()
    ]


def _account(request: Any, url: str, headers: Any) -> tuple[int, dict[str, str], str]:
    """Answer a request for everything that is in the account."""
    stacks: dict[str, dict[str, Any]] = {}
    for region, backend in cloudformation_backends[ACCOUNT].items():
        for stack in backend.stacks.values():
            stacks.setdefault(region, {})[stack.name] = {
                "Status": stack.status,
                "Tags": stack.tags,
                "Resources": {
                    name: {
                        "Type": made.TYPE,
                        "Properties": made.properties,
                        "PhysicalId": made.physical_resource_id,
                    }
                    for name, made in _resources(stack).items()
                },
            }
    account = Account(
        Stacks=stacks,
        Buckets={name: sorted(bucket.keys) for name, bucket in S3.buckets.items()},
        Zones={
            zone.resource_id: {
                "Name": zone.name,
                "Comment": zone.comment,
                "Records": [
                    [record.name, record.type, record.records or [record.alias_target["DNSName"]]]
                    for record in zone.rrsets
                    if record.type not in {"NS", "SOA"}
                ],
            }
            for zone in ROUTE53.zones.values()
        },
        Distributions={
            name: [made.paths for made in CLOUDFRONT.invalidations.get(name, [])]
            for name in CLOUDFRONT.distributions
        },
        Others=[
            *CLOUDFRONT.functions,
            *CLOUDFRONT.origin_access_controls,
            *HEADERS_POLICIES,
            *(arn for backend in acm_backends[ACCOUNT].values() for arn in backend._certificates),
        ],
    )
    return 200, {"Content-Type": "application/json"}, json.dumps(account)


class Described:
    """One resource in the answer to describe-stack-resources; moto gives all the stack's status."""

    timestamp = "2026-01-01T00:00:00Z"

    def __init__(self, stack: Any, made: Resource) -> None:
        self.stack_id, self.stack_name = stack.stack_id, stack.name
        self.logical_resource_id = made.logical_resource_id
        self.physical_resource_id = made.physical_resource_id
        self.resource_type, self.resource_status = made.TYPE, made.status


def _teach() -> None:
    """Put the above into moto; it looks for resource types among the subclasses of one class."""
    kinds = Resource.__subclasses__()
    _types.extend(type(kind.__name__, (kind, CloudFormationModel), {}) for kind in kinds)
    CloudFormationBackend.create_change_set = _create_change_set(
        CloudFormationBackend.create_change_set
    )
    CloudFormationBackend.execute_change_set = _execute_change_set
    CloudFormationBackend.delete_stack = _delete_stack
    # Otherwise a change set that changes nothing is refused; AWS makes it, and calls it FAILED.
    responses.CloudFormationResponse._validate_different_update = lambda *_: None
    Stack.has_parameters = lambda stack, others: stack.stack_parameters == others
    Stack.parameter_list = property(_parameter_list)
    # moto's would make what is not there.
    Stack.stack_resources = property(lambda stack: list(_listed(stack).values()))
    responses.StackResourceDTO = Described
    # Where rights are checked, the key says who asks: moto miscalculates Route 53's signatures.
    IAMRequestBase.check_signature = lambda _: None
    # The ids of AWS's zones begin with Z, and our own command line refuses others.
    any_id = route53.create_route53_zone_id
    route53.create_route53_zone_id = lambda *args, **more: "Z" + any_id(*args, **more)[1:]
    url_paths["{0}/moto-api/account"] = _account


_types: list[type] = []
"""Kept: what nobody refers to is no subclass any more."""


def main() -> None:
    """Serve until stdin ends."""

    def stop(number: int, frame: FrameType | None) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    logging.getLogger("moto").setLevel(logging.ERROR)
    _teach()
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    sys.stdout.write(f"{server.get_host_and_port()[1]}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
