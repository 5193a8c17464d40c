"""What CloudFormation would make of a template: its conditions and functions, worked out here.

No AWS, no network, and nothing of moto, so that the two check each other. What a resource would be
called once it exists (`Ref`, `Fn::GetAtt`) comes in as a table. Anything not understood, not given
or referring to a resource that is not there raises: nothing is left out in silence.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from sources.record import Record

Attributes = Mapping[str, Mapping[str, Any]]
"""By logical id: what `Ref` (under that name) and each attribute give once the resource exists."""
Resource = dict[str, Any]

NO_VALUE = object()
_SUBSTITUTED = re.compile(r"\$\{([^}]*)\}")


class Unresolved(Exception):
    """The template asks for something that is not there, or that is not understood here."""


class Refused(Exception):
    """A parameter's value is not one that the template allows."""


class Place(Record):
    """Where a stack is made, and as what."""

    region: str
    account: str = "123456789012"
    stack: str = "site"
    unique: str = "51af3dc0-da77-11e4-872e-1234567db123"
    """The last part of the stack's id."""

    def pseudo(self) -> dict[str, Any]:
        """Return the pseudo parameters."""
        stack_id = f"stack/{self.stack}/{self.unique}"
        return {
            "AWS::AccountId": self.account,
            "AWS::NoValue": NO_VALUE,
            "AWS::Partition": "aws",
            "AWS::Region": self.region,
            "AWS::StackId": f"arn:aws:cloudformation:{self.region}:{self.account}:{stack_id}",
            "AWS::StackName": self.stack,
            "AWS::URLSuffix": "amazonaws.com",
        }


class Stack(Record):
    """What there would be."""

    place: Place
    resources: dict[str, Resource]
    """Type and Properties of each resource whose condition holds."""
    outputs: dict[str, Any]
    ids: dict[str, Any]
    """What `Ref` gives for each of the resources."""

    def of_type(self, kind: str) -> list[str]:
        """Return the logical ids of the resources of a type."""
        return [name for name, resource in self.resources.items() if resource["Type"] == kind]


def resolve(
    template: Mapping[str, Any],
    parameters: Mapping[str, str],
    place: Place,
    attributes: Attributes,
) -> Stack:
    """Return what the template makes of these parameters; raise Refused or Unresolved."""
    evaluation = _Evaluation(template, _checked(template, parameters), place, attributes)
    there = evaluation.there("Resources")
    return Stack(
        place,
        {
            name: {
                "Type": resource["Type"],
                "Properties": evaluation.value(resource.get("Properties", {})),
            }
            for name, resource in there.items()
        },
        {
            name: evaluation.value(output["Value"])
            for name, output in evaluation.there("Outputs").items()
        },
        {name: evaluation.value({"Ref": name}) for name in there},
    )


def refusal(parameter: Mapping[str, Any], value: str) -> str | None:
    """Return why a parameter does not allow a value, or None if it does.

    CloudFormation matches an AllowedPattern with the whole value.
    """
    if "AllowedValues" in parameter and value not in parameter["AllowedValues"]:
        return f"{value!r} is none of {parameter['AllowedValues']}"
    if not re.fullmatch(parameter.get("AllowedPattern", "(?s:.*)"), value):
        return f"{value!r} does not match {parameter['AllowedPattern']}"
    if not parameter.get("MinLength", 0) <= len(value) <= parameter.get("MaxLength", 4096):
        return f"{value!r} has {len(value)} characters"
    return None


def _checked(template: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    parameters = template.get("Parameters", {})
    if unknown := given.keys() - parameters.keys():
        raise Refused(f"not in the template: {sorted(unknown)}")
    values = {}
    for name, parameter in parameters.items():
        value = given.get(name, parameter.get("Default"))
        why = "no value" if value is None else refusal(parameter, value)
        if why is not None:
            raise Refused(f"{name}: {why}")
        values[name] = value
    return values


def attributes(place: Place) -> dict[str, dict[str, Any]]:
    """Return what AWS might call the resources of our template."""
    bucket = f"{place.stack}-site-1abcdefghijkl"
    return {
        "Certificate": {
            "Ref": f"arn:aws:acm:{place.region}:{place.account}:certificate/issued-by-the-stack"
        },
        "Distribution": {"Ref": "E1ABCDEFGHIJKL", "DomainName": "d111111abcdef8.cloudfront.net"},
        "Headers": {"Ref": "6e3e6b5c-headers"},
        "OriginAccess": {"Ref": "E2ORIGINACCESS"},
        "Password": {
            "Ref": "password-function",
            "FunctionARN": f"arn:aws:cloudfront::{place.account}:function/password",
        },
        "Records": {"Ref": f"{place.stack}-Records-1"},
        "Site": {
            "Ref": bucket,
            "Arn": f"arn:aws:s3:::{bucket}",
            "RegionalDomainName": f"{bucket}.s3.{place.region}.amazonaws.com",
        },
        "SitePolicy": {"Ref": bucket},
        "Zone": {
            "Ref": "Z1MADEBYTHESTACK",
            "NameServers": ["ns-1.awsdns-01.org", "ns-2.awsdns-02.com"],
        },
    }


class _Evaluation:
    def __init__(
        self,
        template: Mapping[str, Any],
        parameters: Mapping[str, str],
        place: Place,
        attributes: Attributes,
    ) -> None:
        self._template = template
        self._known = {**place.pseudo(), **parameters}
        self._attributes = attributes
        self._functions: dict[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._attribute,
            "Fn::If": self._if,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::Sub": self._sub,
        }
        self._tests: dict[str, Callable[[Any], bool]] = {
            "Condition": self.holds,
            "Fn::And": lambda tests: all(self._truth(test) for test in tests),
            "Fn::Or": lambda tests: any(self._truth(test) for test in tests),
            "Fn::Not": lambda tests: not self._truth(*tests),
            "Fn::Equals": lambda pair: bool(self.value(pair[0]) == self.value(pair[1])),
        }

    def there(self, section: str) -> dict[str, Any]:
        """Return the members of a section whose condition holds."""
        return {
            name: member
            for name, member in self._template.get(section, {}).items()
            if "Condition" not in member or self.holds(member["Condition"])
        }

    def holds(self, name: str) -> bool:
        """Return whether a named condition holds."""
        if name not in self._template.get("Conditions", {}):
            raise Unresolved(f"no condition {name}")
        return self._truth(self._template["Conditions"][name])

    def _truth(self, test: Any) -> bool:
        function, argument = _call(test)
        if function not in self._tests:
            raise Unresolved(f"not a condition: {test}")
        return self._tests[function](argument)

    def value(self, tree: Any) -> Any:
        """Return the tree with every function worked out, and what has no value gone."""
        function, argument = _call(tree)
        if function == "Ref" or function.startswith("Fn::"):
            if function not in self._functions:
                raise Unresolved(f"{function} is not known here")
            return self._functions[function](argument)
        if isinstance(tree, dict):
            pairs = ((name, self.value(member)) for name, member in tree.items())
            return {name: member for name, member in pairs if member is not NO_VALUE}
        if isinstance(tree, list):
            return [found for found in map(self.value, tree) if found is not NO_VALUE]
        return tree

    def _ref(self, name: str) -> Any:
        if name in self._known:
            return self._known[name]
        return self._attribute([name, "Ref"])

    def _attribute(self, named: Any) -> Any:
        name, attribute = named.split(".", 1) if isinstance(named, str) else named
        if name not in self.there("Resources"):
            raise Unresolved(f"{name}.{attribute}: the stack has no such resource")
        try:
            return self._attributes[name][attribute]
        except KeyError:
            raise Unresolved(f"{name}.{attribute} is not in the table") from None

    def _if(self, argument: Any) -> Any:
        condition, yes, no = argument
        return self.value(yes if self.holds(condition) else no)

    def _join(self, argument: Any) -> str:
        between, parts = argument
        return str(between).join(_texts(self.value(parts)))

    def _select(self, argument: Any) -> Any:
        index, parts = argument
        return self.value(parts)[int(index)]

    def _split(self, argument: Any) -> list[str]:
        between, text = argument
        return str(self.value(text)).split(between)

    def _sub(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument

        def put(match: re.Match[str]) -> str:
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                found = self.value(own[name])
            else:
                found = self._attribute(name) if "." in name else self._ref(name)
            return _texts([found])[0]

        return _SUBSTITUTED.sub(put, text)


def _call(tree: Any) -> tuple[str, Any]:
    """Return the only name of a table and what it stands for, or no name."""
    if isinstance(tree, dict) and len(tree) == 1:
        (pair,) = tree.items()
        return pair
    return "", None


def _texts(parts: Any) -> list[str]:
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        raise Unresolved(f"not a list of texts: {parts}")
    return parts
