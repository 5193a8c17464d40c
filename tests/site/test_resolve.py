"""The template, resolved for every way to deploy it, and what its parameters let pass."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest

from sources.record import Record
from tests.conftest import ROOT
from tests.support.site.resolve import (
    NO_VALUE,
    Attributes,
    Place,
    Refused,
    Stack,
    Unresolved,
    attributes,
    refusal,
    resolve,
)

TEMPLATE = json.loads((ROOT / "cloudformation/template.json").read_text(encoding="utf-8"))
NAME = "review.example.org"
GIVEN_ZONE = "Z0123456789ABCDEFGHIJ"
GIVEN_CERTIFICATE = (
    "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
)
TOKEN = "cmV2aWV3OmE/Yit+ZA=="  # noqa: S105 - base64 of an example, with every kind of character
ALWAYS = {"Distribution", "Headers", "OriginAccess", "Site", "SitePolicy"}

OTHER_PLACE = Place("eu-west-1", unique="00000000-0000-4000-8000-000000000000")


class Case(Record):
    """One way to deploy the stack."""

    region: str
    zone: str
    """new, delegated (new, and known to its parent) or given."""
    certificate: bool
    password: bool

    def parameters(self) -> dict[str, str]:
        """Return what would be given on the command line."""
        zones = {
            "new": {},
            "delegated": {"Delegated": "yes"},
            "given": {"HostedZoneId": GIVEN_ZONE},
        }
        return {
            "DomainName": NAME,
            **zones[self.zone],
            **({"CertificateArn": GIVEN_CERTIFICATE} if self.certificate else {}),
            **({"BasicAuthToken": TOKEN} if self.password else {}),
        }

    def __str__(self) -> str:
        """Return the name of the test."""
        more = [name for name in ("certificate", "password") if getattr(self, name)]
        return "-".join((self.region, self.zone, *more))


CASES = [
    Case(*values)
    for values in product(
        ("us-east-1", "eu-west-1"), ("new", "delegated", "given"), (False, True), (False, True)
    )
]

CERTIFICATES = {
    ("us-east-1", "new", False): None,
    ("us-east-1", "new", True): None,
    ("us-east-1", "delegated", False): "issued",
    ("us-east-1", "delegated", True): "given",
    ("us-east-1", "given", False): "issued",
    ("us-east-1", "given", True): "given",
    ("eu-west-1", "new", False): None,
    ("eu-west-1", "new", True): None,
    ("eu-west-1", "delegated", False): None,
    ("eu-west-1", "delegated", True): "given",
    ("eu-west-1", "given", False): None,
    ("eu-west-1", "given", True): "given",
}
"""Which certificate the site has, as the descriptions of the parameters promise."""


def deployed(case: Case, place: Place | None = None) -> Stack:
    """Return what there would be after deploying our template so."""
    where = place or Place(case.region)
    return resolve(TEMPLATE, case.parameters(), where, attributes(where))


def distribution(stack: Stack) -> dict[str, Any]:
    config: dict[str, Any] = stack.resources["Distribution"]["Properties"]["DistributionConfig"]
    return config


def trees(tree: Any) -> Iterator[Any]:
    """Go through everything that a tree holds."""
    yield tree
    for member in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(member, dict | list):
            yield from trees(member)
        else:
            yield member


@pytest.mark.parametrize("case", CASES, ids=str)
class TestEveryDeployment:
    """What is there, for every region, zone, certificate and password."""

    def test_resources(self, case: Case) -> None:
        """There is what was asked for, and nothing else."""
        certificate = CERTIFICATES[case.region, case.zone, case.certificate]
        more = {
            "Zone": case.zone != "given",
            "Certificate": certificate == "issued",
            "Records": certificate is not None,
            "Password": case.password,
        }

        assert set(deployed(case).resources) == ALWAYS | {name for name in more if more[name]}

    def test_name_and_certificate(self, case: Case) -> None:
        """The domain is bound with the certificate that was promised, or not at all."""
        stack = deployed(case)
        config = distribution(stack)
        promised = CERTIFICATES[case.region, case.zone, case.certificate]

        if promised is None:
            assert "Aliases" not in config
            assert config["ViewerCertificate"] == {"CloudFrontDefaultCertificate": True}
            return
        arn = stack.ids["Certificate"] if promised == "issued" else GIVEN_CERTIFICATE
        assert config["Aliases"] == [NAME]
        assert config["ViewerCertificate"] == {
            "AcmCertificateArn": arn,
            "MinimumProtocolVersion": "TLSv1.2_2021",
            "SslSupportMethod": "sni-only",
        }
        assert arn.startswith("arn:aws:acm:us-east-1:")  # CloudFront takes no other

    def test_outputs(self, case: Case) -> None:
        """WebsiteUrl is where the site can be reached; a new zone's name servers are reported."""
        stack = deployed(case)
        bound = CERTIFICATES[case.region, case.zone, case.certificate] is not None
        names = {"NameServers": "ns-1.awsdns-01.org ns-2.awsdns-02.com"}

        assert stack.outputs == {
            "BucketName": stack.ids["Site"],
            "DistributionId": stack.ids["Distribution"],
            "WebsiteUrl": f"https://{NAME if bound else 'd111111abcdef8.cloudfront.net'}/",
            **({} if case.zone == "given" else names),
        }

    def test_records(self, case: Case) -> None:
        """The name leads to the distribution over IPv4 and IPv6; its zone proves whose it is."""
        stack = deployed(case)
        zone = GIVEN_ZONE if case.zone == "given" else stack.ids["Zone"]
        target = {"DNSName": "d111111abcdef8.cloudfront.net", "HostedZoneId": "Z2FDTNDATAQYW2"}

        if "Records" in stack.resources:
            assert stack.resources["Records"]["Properties"] == {
                "HostedZoneId": zone,
                "RecordSets": [
                    {"Name": NAME, "Type": kind, "AliasTarget": target} for kind in ("A", "AAAA")
                ],
            }
        if "Certificate" in stack.resources:
            properties = stack.resources["Certificate"]["Properties"]
            assert properties["DomainName"] == NAME
            assert properties["DomainValidationOptions"] == [
                {"DomainName": NAME, "HostedZoneId": zone}
            ]
        if "Zone" in stack.resources:
            assert stack.resources["Zone"]["Properties"]["Name"] == NAME

    def test_password(self, case: Case) -> None:
        """Every request is asked for the password, if there is one."""
        stack = deployed(case)
        behaviour = distribution(stack)["DefaultCacheBehavior"]
        asking = {
            "EventType": "viewer-request",
            "FunctionARN": "arn:aws:cloudfront::123456789012:function/password",
        }

        assert behaviour.get("FunctionAssociations") == ([asking] if case.password else None)
        if case.password:
            assert f"'Basic {TOKEN}'" in stack.resources["Password"]["Properties"]["FunctionCode"]

    def test_only_this_distribution_reads(self, case: Case) -> None:
        """CloudFront may read for this distribution alone, and nobody may list or write."""
        stack = deployed(case)
        properties = stack.resources["SitePolicy"]["Properties"]
        allowed = [
            statement
            for statement in properties["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Allow"
        ]

        assert properties["Bucket"] == stack.ids["Site"]
        assert [(each["Principal"], each["Action"], each["Resource"]) for each in allowed] == [
            (
                {"Service": "cloudfront.amazonaws.com"},
                ["s3:GetObject"],
                [f"arn:aws:s3:::{stack.ids['Site']}/*"],
            )
        ]
        assert allowed[0]["Condition"] == {
            "StringEquals": {
                "AWS:SourceArn": "arn:aws:cloudfront::123456789012:distribution/E1ABCDEFGHIJKL"
            }
        }

    def test_nothing_is_left_to_resolve(self, case: Case) -> None:
        """No function, reference or condition remains, and no identity is made."""
        stack = deployed(case)
        found = list(trees([*stack.resources.values(), stack.outputs, stack.ids]))
        functions = [
            name
            for tree in found
            if isinstance(tree, dict)
            for name in tree
            if name == "Ref" or name.startswith("Fn::")
        ]

        assert not functions
        assert not [tree for tree in found if tree is NO_VALUE]
        assert not [tree for tree in found if isinstance(tree, str) and "${" in tree]
        assert not [kind for kind in stack.resources if "::IAM::" in stack.resources[kind]["Type"]]


def names(stack: Stack) -> dict[str, str]:
    """Return the names that must be the only ones in an account."""
    configs = {
        "Headers": "ResponseHeadersPolicyConfig",
        "OriginAccess": "OriginAccessControlConfig",
    }
    properties = {name: stack.resources[name]["Properties"] for name in (*configs, "Password")}
    return {
        name: (tree[configs[name]] if name in configs else tree)["Name"]
        for name, tree in properties.items()
    }


def test_two_stacks_do_not_collide() -> None:
    """No name that must be unique in the account is in two stacks, and each is a legal one."""
    one, other = (names(deployed(CASES[-1], place)) for place in (None, OTHER_PLACE))

    assert not set(one.values()) & set(other.values())
    assert len(set(one.values())) == len(one)
    assert all(re.fullmatch("[A-Za-z0-9_-]{1,64}", name) for name in one.values())


def test_no_identity_is_ever_made() -> None:
    """No condition can bring in an IAM resource: the stack deploys without --capabilities."""
    assert not [name for name, it in TEMPLATE["Resources"].items() if "::IAM::" in it["Type"]]


LONG = "a" * 63
ALLOWED = {
    "DomainName": [
        NAME,
        "example.org",
        "a.b.c.example.org",
        "2026.example.org",
        "xn--bcher-kva.example",
        "example.xn--p1ai",
        f"{LONG[:52]}.example.org",  # 64
        f"{LONG[:61]}.de",
    ],
    "HostedZoneId": ["", "Z1", GIVEN_ZONE, "Z" + "A" * 31],
    "Delegated": ["no", "yes"],
    "CertificateArn": ["", GIVEN_CERTIFICATE],
    "BasicAuthToken": ["", "dXNlcjpwYXNzd29yZA==", TOKEN, "YTpi", "A" * 256],
}
REFUSED = {
    "DomainName": [
        "",
        "Review.example.org",
        "review_.example.org",
        "review.example.org.",
        ".example.org",
        "review..example.org",
        "-review.example.org",
        "review-.example.org",
        "review.-example.org",
        "localhost",
        "192.0.2.1",
        "*.example.org",
        "b\u00fccher.example",
        "https://review.example.org",
        "review.example.org/",
        "review.example.org:443",
        " review.example.org",
        "review.example.org\n",
        "example.org\nexample.org",
        f"{LONG}a.de",
        f"{LONG[:53]}.example.org",  # 65
        f"{LONG}.example.org",
    ],
    "HostedZoneId": [
        "z0123456789ABC",
        "0123456789ABC",
        "/hostedzone/Z0123456789ABC",
        "Z",
        "Z" + "A" * 32,
        "Z0123456789ABC\n",
        " ",
    ],
    "Delegated": ["", "Yes", "true", "no\n"],
    "CertificateArn": [
        GIVEN_CERTIFICATE.replace("us-east-1", "eu-west-1"),
        GIVEN_CERTIFICATE.replace("acm", "iam"),
        GIVEN_CERTIFICATE.replace("123456789012:", ":"),
        GIVEN_CERTIFICATE[:-1],
        GIVEN_CERTIFICATE.upper(),
        GIVEN_CERTIFICATE + "\n",
        GIVEN_CERTIFICATE + "," + GIVEN_CERTIFICATE,
        "none",
    ],
    "BasicAuthToken": [
        "user:password",
        "YQ==' || true || '",
        'a"b',
        "a`b",
        "a\\b",
        "a\nb",
        "YTpi\n",
        "\n",
        "YTpi YTpi",
        "YTpi===",
        "=YTpi",
        "${AWS::StackId}",
        "A" * 257,
    ],
}


@pytest.mark.parametrize("name", TEMPLATE["Parameters"])
def test_what_a_parameter_lets_pass(name: str) -> None:
    """Each parameter takes what it describes; nothing else goes any further."""
    parameter = TEMPLATE["Parameters"][name]

    assert [value for value in ALLOWED[name] if refusal(parameter, value)] == []
    assert [value for value in REFUSED[name] if not refusal(parameter, value)] == []


def test_the_password_is_not_shown() -> None:
    """CloudFormation does not echo the password, and no output shows it."""
    stack = deployed(CASES[-1])

    assert TEMPLATE["Parameters"]["BasicAuthToken"]["NoEcho"] is True
    assert TOKEN not in json.dumps(stack.outputs)


AUTHORIZED = {"authorization": {"value": f"Basic {TOKEN}"}}
TURNED_AWAY: list[dict[str, dict[str, str]]] = [
    {},
    {"host": {"value": NAME}},
    {"authorization": {"value": ""}},
    {"authorization": {"value": "Basic "}},
    {"authorization": {"value": TOKEN}},
    {"authorization": {"value": f"Basic {TOKEN}x"}},
    {"authorization": {"value": f"Basic {TOKEN} "}},
    {"authorization": {"value": f"Basic {TOKEN.lower()}"}},
    {"authorization": {"value": f"Bearer {TOKEN}"}},
    {"x-authorization": {"value": f"Basic {TOKEN}"}},
]


def answers(node: str, code: str, headers: list[dict[str, dict[str, str]]]) -> list[Any]:
    """Return what the function makes of a request with each of these headers."""
    events = [{"request": {"method": "GET", "uri": "/", "headers": each}} for each in headers]
    program = f"{code}\nconsole.log(JSON.stringify({json.dumps(events)}.map(handler)))"
    done = subprocess.run(
        [node, "--use_strict", "-"],
        input=program,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    found: list[Any] = json.loads(done.stdout)
    return found


@pytest.mark.interop
def test_the_password_is_asked_for(needs: Callable[[str], str]) -> None:
    """Run by node, the function lets the right password pass and turns away the rest, unindexed."""
    code = deployed(CASES[-1]).resources["Password"]["Properties"]["FunctionCode"]

    *turned_away, passed = answers(needs("node"), code, [*TURNED_AWAY, AUTHORIZED])

    assert passed == {"method": "GET", "uri": "/", "headers": AUTHORIZED}
    for answer in turned_away:
        assert answer["statusCode"] == 401
        assert answer["headers"]["www-authenticate"]["value"].startswith("Basic realm=")
        assert "noindex" in answer["headers"]["x-robots-tag"]["value"]
        assert answer["headers"]["cache-control"]["value"] == "no-store"
        assert all(name == name.lower() for name in answer["headers"])  # CloudFront demands it
        assert TOKEN not in json.dumps(answer)
    assert len(code.encode()) <= 10_240  # CloudFront's limit


# The resolver itself.

SMALL: dict[str, Any] = {
    "Parameters": {"Mode": {"Type": "String", "Default": "on", "AllowedValues": ["on", "off"]}},
    "Conditions": {
        "On": {"Fn::Equals": [{"Ref": "Mode"}, "on"]},
        "Off": {"Fn::Not": [{"Condition": "On"}]},
        "Both": {"Fn::And": [{"Condition": "On"}, {"Condition": "Off"}]},
        "Either": {"Fn::Or": [{"Condition": "On"}, {"Condition": "Off"}]},
    },
    "Resources": {
        "Here": {"Type": "A::B::C"},
        "Sometimes": {"Type": "A::B::C", "Condition": "On"},
        "Never": {"Type": "A::B::C", "Condition": "Both"},
        "Always": {"Type": "A::B::C", "Condition": "Either"},
    },
}
THINGS: Attributes = {
    "Here": {"Ref": "here-1", "Arn": "arn:here", "Parts": ["x", "y"]},
    "Sometimes": {"Ref": "sometimes-1"},
    "Always": {"Ref": "always-1"},
}


def resolved(value: Any, **parameters: str) -> Any:
    """Return what a value is in an output of a small template."""
    template = SMALL | {"Outputs": {"It": {"Value": value}}}
    return resolve(template, parameters, Place("eu-west-1"), THINGS).outputs["It"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Ref": "Mode"}, "on"),
        ({"Ref": "Here"}, "here-1"),
        ({"Ref": "AWS::Region"}, "eu-west-1"),
        ({"Fn::GetAtt": ["Here", "Arn"]}, "arn:here"),
        ({"Fn::GetAtt": "Here.Arn"}, "arn:here"),
        ({"Fn::If": ["On", "yes", {"Ref": "Nowhere"}]}, "yes"),
        ({"Fn::If": ["Off", "yes", "no"]}, "no"),
        ({"Fn::Join": ["-", ["a", {"Ref": "Mode"}]]}, "a-on"),
        ({"Fn::Join": [" ", {"Fn::GetAtt": ["Here", "Parts"]}]}, "x y"),
        ({"Fn::Select": ["1", {"Fn::Split": ["/", "a/b/c"]}]}, "b"),
        ({"Fn::Sub": "${Mode} ${Here} ${Here.Arn} ${!Mode} ${AWS::Partition} $x"},
         "on here-1 arn:here ${Mode} aws $x"),
        ({"Fn::Sub": ["${own} ${Mode}", {"own": {"Ref": "Here"}}]}, "here-1 on"),
        ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}, 1]}, {"b": [1]}),
        ({"Condition": {"StringEquals": {"a": "b"}}}, {"Condition": {"StringEquals": {"a": "b"}}}),
    ],
)  # fmt: skip
def test_functions(value: Any, expected: Any) -> None:
    """Every function gives what CloudFormation's user guide says; only one branch is looked at."""
    assert resolved(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        {"Ref": "Nowhere"},
        {"Ref": "Never"},
        {"Fn::GetAtt": ["Never", "Arn"]},
        {"Fn::GetAtt": ["Here", "Nothing"]},
        {"Fn::If": ["Nobody", 1, 2]},
        {"Fn::Sub": "${Nowhere}"},
        {"Fn::Sub": "${Here.Parts}"},
        {"Fn::Join": ["", "text"]},
        {"Fn::FindInMap": ["a", "b", "c"]},
        {"Fn::Equals": ["a", "a"]},
    ],
)
def test_what_is_not_there_is_not_made_up(value: Any) -> None:
    """A reference to nothing, or to what this stack leaves out, raises as a deployment would."""
    with pytest.raises(Unresolved):
        resolved(value)


def test_a_condition_that_is_none() -> None:
    """A condition can only be made of the functions for conditions."""
    template = SMALL | {"Conditions": {"On": {"Fn::Join": ["", []]}}}

    with pytest.raises(Unresolved):
        resolve(template, {}, Place("eu-west-1"), THINGS)


@pytest.mark.parametrize("parameters", [{"Mode": "maybe"}, {"Mood": "on"}])
def test_parameters_are_checked(parameters: dict[str, str]) -> None:
    """A value that is not allowed and a parameter that does not exist are refused."""
    with pytest.raises(Refused):
        resolved("it", **parameters)


def test_a_parameter_without_a_default_is_needed() -> None:
    """DomainName has no default."""
    with pytest.raises(Refused, match="DomainName: no value"):
        resolve(TEMPLATE, {}, OTHER_PLACE, attributes(OTHER_PLACE))


def test_resources_have_their_condition() -> None:
    """What a condition keeps out is not there; what has no properties has none."""
    stack = resolve(SMALL, {"Mode": "off"}, Place("eu-west-1"), THINGS)

    assert stack.resources == {
        "Here": {"Type": "A::B::C", "Properties": {}},
        "Always": {"Type": "A::B::C", "Properties": {}},
    }
    assert stack.ids == {"Here": "here-1", "Always": "always-1"}
    assert stack.of_type("A::B::C") == ["Here", "Always"]
