"""`python -m cloudformation`: the template, its policy, the site; deploy, publish and destroy.

The last three run the AWS CLI's own commands, each printed before it is run. Exit status: 0, that
of the AWS command that failed, 1 for what cannot be done, 2 for usage.
"""

import argparse
import base64
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

try:
    from cloudformation import operate, policy, site, template
except ModuleNotFoundError as missing:
    sys.exit(
        f"cloudformation: {missing.name} is not installed: `make .venv-site`, and then "
        "`.venv-site/bin/python -m cloudformation ...`"
    )
from cloudformation.archive import ArchiveError
from cloudformation.commands import Place

Verb = Callable[[argparse.Namespace], None]

ROOT = Path(__file__).resolve().parent.parent
BUILT = Path("build/site")
_OPTIONS = {
    "domain": "DomainName",
    "zone": "HostedZoneId",
    "certificate": "CertificateArn",
}
_STACK = re.compile("[A-Za-z][A-Za-z0-9-]{0,127}")
_REGION = re.compile("(?!cn-)[a-z]{2}-[a-z]+-[0-9]+")
_LONGEST_TOKEN = 256
_TAG = re.compile(r"[^=]{1,128}=.{0,256}")


class Usage(Exception):
    """An argument that cannot be: the message says what was found and what is allowed."""


def main(arguments: Sequence[str]) -> int:
    """Run one of the verbs and return the exit status."""
    parsed = _parser().parse_args(arguments)
    verb: Verb = parsed.verb
    try:
        verb(parsed)
    except Usage as mistake:
        return _report(str(mistake), 2)
    except operate.Failed as failure:
        return _report(str(failure), failure.status)
    except (ArchiveError, site.SiteError, OSError) as failure:
        return _report(str(failure), 1)
    except KeyboardInterrupt:
        return 130
    return 0


def _report(reason: str, status: int) -> int:
    sys.stderr.write(f"cloudformation: {reason}\n")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cloudformation",
        description="The hand-over site on AWS. deploy, publish and destroy print each command of "
        "the AWS CLI before they run it; cloudformation/README.md has them to type.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def add(name: str, what: str, verb: Verb) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=what, description=what)
        added.set_defaults(verb=verb)
        return added

    add("template", "print the CloudFormation template that template.json holds", _template)

    one = add("policy", "print the least IAM policy that deploy, publish and destroy need", _policy)
    one.add_argument("--account", required=True, metavar="ID", help="the account's 12 digits")
    one.add_argument("--explain", action="store_true", help="the reasons, statement by statement")
    one.add_argument(
        "--zone", metavar="ID", help="a zone that is there already: no other is touched"
    )
    _add_place(one, needed=True)

    one = add("site", "build the site of HEAD: archive, digest, pages", _site)
    one.add_argument("--url", default="https://example.org/", help="where the site is going to be")
    one.add_argument("--output", type=Path, default=BUILT, metavar="DIR", help=f"default: {BUILT}")

    one = add("deploy", "make or update the stack, and print its outputs", _deploy)
    _add_place(one)
    one.add_argument("--domain", required=True, metavar="NAME", help="as in review.example.org")
    one.add_argument(
        "--zone",
        metavar="ID",
        help="the Route 53 zone that NAME lies in; without, the stack makes one named NAME",
    )
    one.add_argument(
        "--delegated",
        action="store_true",
        help="the zone that the stack made is delegated by now: bind the name",
    )
    one.add_argument(
        "--certificate",
        metavar="ARN",
        help="an issued certificate for NAME in us-east-1; needed in every other region",
    )
    one.add_argument(
        "--basic-auth-file",
        metavar="FILE",
        help="holds user:password that visitors must give; an empty name opens the site again",
    )
    one.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a tag of the stack and all in it; may be repeated",
    )

    one = add("publish", "upload a site that was built, and invalidate the caches", _publish)
    _add_place(one)
    one.add_argument("--site", type=Path, default=BUILT, metavar="DIR", help=f"default: {BUILT}")

    one = add("destroy", "remove the site, the stack and everything in it", _destroy)
    _add_place(one)
    one.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _add_place(parser: argparse.ArgumentParser, *, needed: bool = False) -> None:
    parser.add_argument("--stack", required=True, metavar="NAME", help="the stack's name")
    parser.add_argument("--region", required=needed, help="where it is; default: as `aws` has it")


def _place(parsed: argparse.Namespace) -> Place:
    if not _STACK.fullmatch(parsed.stack):
        raise Usage(
            f"--stack {parsed.stack!r}: allowed are letters, digits and hyphens, a letter first"
        )
    if parsed.region is not None and not _REGION.fullmatch(parsed.region):
        raise Usage(f"--region {parsed.region!r}: allowed is a commercial region, as in eu-west-1")
    return Place(parsed.stack, parsed.region)


def _template(_parsed: argparse.Namespace) -> None:
    sys.stdout.write(template.text())


def _policy(parsed: argparse.Namespace) -> None:
    if not re.fullmatch("[0-9]{12}", parsed.account):
        raise Usage(f"--account {parsed.account!r}: allowed are twelve digits")
    place = _place(parsed)
    zone = _zone_id(parsed.zone)
    _check({"HostedZoneId": zone or ""})
    made = policy.build(parsed.account, parsed.region, place.stack, zone)
    sys.stdout.write(policy.explained(made) if parsed.explain else policy.text(made))


def _site(parsed: argparse.Namespace) -> None:
    try:
        parts = urlsplit(parsed.url)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme != "https" or not parts.netloc or parts.query or parts.fragment:
        raise Usage(f"--url {parsed.url!r}: allowed is an address like https://review.example.org/")
    built = site.build(ROOT, parsed.output, parsed.url.rstrip("/") + "/")
    sys.stdout.write(f"{built.sha256}  {built.archive.path}\n")


def _deploy(parsed: argparse.Namespace) -> None:
    given = {name: getattr(parsed, option) for option, name in _OPTIONS.items()}
    if parsed.delegated:
        given["Delegated"] = "yes"
    if parsed.basic_auth_file is not None:
        given["BasicAuthToken"] = _token(parsed.basic_auth_file)
    given["HostedZoneId"] = _zone_id(given["HostedZoneId"])
    parameters = {name: value for name, value in given.items() if value is not None}
    _check(parameters)
    for tag in parsed.tag:
        if not _TAG.fullmatch(tag):
            raise Usage(f"--tag {tag!r}: allowed is KEY=VALUE")
    tags = dict(tag.split("=", 1) for tag in parsed.tag)
    found = operate.deploy(_place(parsed), parameters, tags)
    sys.stdout.writelines(f"{name}: {value}\n" for name, value in sorted(found.items()))
    if urlsplit(found.get("WebsiteUrl", "")).hostname != parsed.domain:
        sys.stderr.write(f"note: {parsed.domain} is not bound yet: {_what_is_missing(found)}\n")


def _zone_id(given: str | None) -> str | None:
    """Return a zone's id without what some commands of the AWS CLI print before it."""
    return given and given.removeprefix("/hostedzone/")


def _what_is_missing(found: dict[str, str]) -> str:
    if "NameServers" in found:
        return (
            "enter the NameServers at its registrar or in its parent zone, then deploy again with "
            "--delegated (outside us-east-1 with --certificate too)"
        )
    return "outside us-east-1 an issued certificate of us-east-1 is needed: --certificate"


def _token(path: str) -> str:
    """Return what a browser sends for the user:password in a file; nothing for no file."""
    if not path:
        return ""
    text = Path(path).read_text(encoding="utf-8", errors="replace").rstrip("\r\n")
    user, colon, password = text.partition(":")
    token = base64.b64encode(text.encode()).decode()
    fits = text.isprintable() and "\ufffd" not in text and len(token) <= _LONGEST_TOKEN
    if not (user and colon and password and fits):
        raise Usage(
            f"--basic-auth-file {path}: allowed is one line of UTF-8, user:password, "
            f"at most {_LONGEST_TOKEN * 3 // 4} bytes"
        )
    return token


def _check(parameters: dict[str, str]) -> None:
    """Hold the values to the template's own rules, before AWS does after a minute."""
    rules = template.build().parameters
    options = {name: f"--{option}" for option, name in _OPTIONS.items()}
    for name, value in parameters.items():
        rule = rules[name].properties
        fits = re.fullmatch(rule.get("AllowedPattern", ".*").removesuffix("$"), value)
        if not fits or len(value) > rule.get("MaxLength", len(value)):
            raise Usage(
                f"{options.get(name, name)} {value!r}: allowed is {rule['ConstraintDescription']}"
            )


def _publish(parsed: argparse.Namespace) -> None:
    sys.stdout.write(operate.publish(_place(parsed), parsed.site) + "\n")


def _destroy(parsed: argparse.Namespace) -> None:
    place = _place(parsed)
    if not parsed.yes:
        if not sys.stdin.isatty():
            raise Usage("destroy asks first, and nobody is there to answer: add --yes")
        sys.stderr.write(f"This removes stack {parsed.stack} and the site. Its name, to go on: ")
        sys.stderr.flush()
        if sys.stdin.readline().strip() != parsed.stack:
            raise operate.Failed("not removed")
    operate.destroy(place)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
