"""A directory served as CloudFront would serve it from the bucket, by the resolved template.

This is our emulation, not CloudFront. What it does is taken from the properties of the stack's
distribution, response headers policy and bucket policy, and a property that it does not know
raises Unemulated, so that nothing the template says is passed over. What it cannot show: TLS and
the redirect to it, HTTP/2 and HTTP/3, IPv6, names and certificates, caching and invalidation,
compression, ranges and conditional requests, the signature by which the bucket knows CloudFront,
and functions (their code is tested with node).

Two things were not found in AWS's documents and are assumed: CloudFront's own answers, such as that
to a method which is not allowed, carry the policy's headers; and they do not become an error page.
"""

import mimetypes
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sources.record import Record
from tests.support.site.resolve import Stack

LOOPBACK = "127.0.0.1"
SERVICE = "cloudfront.amazonaws.com"
Headers = dict[str, str]

_BY_NAME: Mapping[str, Callable[[Any], tuple[str, str]]] = {
    "ContentSecurityPolicy": lambda it: (
        "Content-Security-Policy",
        it.pop("ContentSecurityPolicy"),
    ),
    "ContentTypeOptions": lambda it: ("X-Content-Type-Options", "nosniff"),
    "FrameOptions": lambda it: ("X-Frame-Options", it.pop("FrameOption")),
    "ReferrerPolicy": lambda it: ("Referrer-Policy", it.pop("ReferrerPolicy")),
    "StrictTransportSecurity": lambda it: ("Strict-Transport-Security", _hsts(it)),
}
"""How each security header is made of its configuration."""
_NOT_SHOWN = frozenset(
    {"Aliases", "Comment", "HttpVersion", "IPV6Enabled", "PriceClass", "ViewerCertificate"}
)
"""What a distribution may say that makes no difference to a request here."""


class Unemulated(Exception):
    """The stack asks for something that this emulation does not do."""


class Thing(Record):
    """An object of the bucket."""

    headers: Headers
    body: bytes


class Answer(Record):
    """A response."""

    status: int
    headers: Headers
    body: bytes


class Edge:
    """What answers for a stack whose bucket holds these objects."""

    def __init__(self, stack: Stack, things: Mapping[str, Thing]) -> None:
        (name,) = stack.of_type("AWS::CloudFront::Distribution")
        config = dict(stack.resources[name]["Properties"]["DistributionConfig"])
        behaviour = dict(config.pop("DefaultCacheBehavior"))
        self._things = things
        self._root = config.pop("DefaultRootObject", "")
        self._errors = {
            error["ErrorCode"]: error for error in config.pop("CustomErrorResponses", [])
        }
        self._methods = behaviour.pop("AllowedMethods", ["GET", "HEAD"])
        self._headers = _policy(stack, behaviour.pop("ResponseHeadersPolicyId"))
        (self._origin,) = config.pop("Origins")
        if not config.pop("Enabled") or behaviour.pop("TargetOriginId") != self._origin["Id"]:
            raise Unemulated("the distribution does not serve its origin")
        _nothing_else("distribution", config.keys() - _NOT_SHOWN)
        shown = behaviour.keys() - {"CachePolicyId", "Compress", "ViewerProtocolPolicy"}
        _nothing_else("behaviour", shown)
        self._may = _Reader(stack, name, self._origin)

    def answer(self, method: str, target: str) -> Answer:
        """Return the response to a request for a target, which is a path and perhaps a query."""
        if method not in self._methods:
            return self._with_policy(Answer(403, {"Content-Type": "text/plain"}, b"Not allowed\n"))
        key = unquote(urlsplit(f"//host{target}").path)[1:] or self._root
        found = self._fetched(key)
        error = self._errors.get(found.status)
        if error is not None and "ResponsePagePath" in error:
            page = self._fetched(error["ResponsePagePath"][1:])
            found = page.replaced(status=error["ResponseCode"]) if page.status == 200 else page
        return self._with_policy(found)

    def _fetched(self, key: str) -> Answer:
        """Return the bucket's answer: only who may list it hears that something is missing."""
        if key in self._things and self._may.do("s3:GetObject", f"/{key}"):
            return Answer(200, self._things[key].headers, self._things[key].body)
        missing = key not in self._things and self._may.do("s3:ListBucket", "")
        text = {"Content-Type": "application/xml"}
        return Answer(404 if missing else 403, text, b"<Error/>\n")

    def _with_policy(self, answer: Answer) -> Answer:
        headers = {name.title(): value for name, value in answer.headers.items()}
        for name, value, override in self._headers:
            if override or name.title() not in headers:
                headers[name.title()] = value
        return answer.replaced(headers=headers)


class _Reader:
    """What the bucket lets the distribution do, when CloudFront asks by TLS 1.2 for it."""

    def __init__(self, stack: Stack, distribution: str, origin: Mapping[str, Any]) -> None:
        place = stack.place
        (access,) = stack.of_type("AWS::CloudFront::OriginAccessControl")
        (bucket,) = stack.of_type("AWS::S3::Bucket")
        (policy,) = stack.of_type("AWS::S3::BucketPolicy")
        config = stack.resources[access]["Properties"]["OriginAccessControlConfig"]
        properties = stack.resources[policy]["Properties"]
        name = stack.ids[bucket]
        if (
            origin.get("OriginAccessControlId") != stack.ids[access]
            or (config["SigningBehavior"], config["SigningProtocol"]) != ("always", "sigv4")
            or config["OriginAccessControlOriginType"] != "s3"
            or origin["DomainName"] != f"{name}.s3.{place.region}.amazonaws.com"
            or properties["Bucket"] != name
        ):
            raise Unemulated("the origin is not the stack's bucket, asked with signatures")
        source = f"arn:aws:cloudfront::{place.account}:distribution/{stack.ids[distribution]}"
        self._bucket = f"arn:aws:s3:::{name}"
        self._statements = properties["PolicyDocument"]["Statement"]
        self._context = {
            "aws:sourcearn": source,
            "aws:securetransport": "true",
            "s3:tlsversion": "1.2",
        }

    def do(self, action: str, what: str) -> bool:
        """Return whether the policy allows an action on the bucket, or on an object of it."""
        effects = {
            each["Effect"]
            for each in self._statements
            if each["Principal"] in ("*", {"Service": SERVICE})
            and any(fnmatchcase(action, pattern) for pattern in each["Action"])
            and any(fnmatchcase(self._bucket + what, pattern) for pattern in each["Resource"])
            and self._holds(each.get("Condition", {}))
        }
        return effects == {"Allow"}

    def _holds(self, condition: Mapping[str, Mapping[str, Any]]) -> bool:
        tests: dict[str, Callable[[str, str], bool]] = {
            "StringEquals": lambda given, wanted: given == wanted,
            "Bool": lambda given, wanted: given == wanted.lower(),
            "NumericLessThan": lambda given, wanted: float(given) < float(wanted),
        }
        _nothing_else("bucket policy", condition.keys() - tests.keys())
        return all(
            tests[operator](self._context[key.lower()], str(wanted))
            for operator, keys in condition.items()
            for key, wanted in keys.items()
        )


def things(directory: Path, metadata: Mapping[str, Headers] | None = None) -> dict[str, Thing]:
    """Return a directory's files as the bucket has them; metadata adds headers, by key."""
    kinds = mimetypes.MimeTypes()
    found = {}
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            key = path.relative_to(directory).as_posix()
            kind = kinds.guess_type(key)[0] or "binary/octet-stream"
            more = (metadata or {}).get(key, {})
            found[key] = Thing({"Content-Type": kind, **more}, path.read_bytes())
    return found


@contextmanager
def serving(edge: Edge) -> Iterator[str]:
    """Serve on loopback until the end of the block; give the base URL, without a slash."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def _reply(self) -> None:
            # self.path is not what was asked for if that begins with two slashes.
            answer = edge.answer(self.command, self.requestline.split()[1])
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _reply  # noqa: N815 - http.server's names

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _policy(stack: Stack, wanted: str) -> list[tuple[str, str, bool]]:
    """Return the headers that a response headers policy sets: name, value, whether in any case."""
    (name,) = (
        name
        for name in stack.of_type("AWS::CloudFront::ResponseHeadersPolicy")
        if stack.ids[name] == wanted
    )
    config = dict(stack.resources[name]["Properties"]["ResponseHeadersPolicyConfig"])
    custom = config.pop("CustomHeadersConfig", {}).get("Items", [])
    security = config.pop("SecurityHeadersConfig", {})
    _nothing_else("headers policy", config.keys() - {"Name", "Comment"})
    _nothing_else("security headers", security.keys() - _BY_NAME.keys())
    headers = [(item["Header"], item["Value"], item["Override"]) for item in custom]
    for kind, configured in security.items():
        left = dict(configured)
        override = left.pop("Override")
        headers.append((*_BY_NAME[kind](left), override))
        _nothing_else(kind, left.keys())
    return headers


def _hsts(config: dict[str, Any]) -> str:
    parts = [f"max-age={config.pop('AccessControlMaxAgeSec')}"]
    flags = {"IncludeSubdomains": "includeSubDomains", "Preload": "preload"}
    return "; ".join(parts + [flags[name] for name in flags if config.pop(name, False)])


def _nothing_else(where: str, names: Any) -> None:
    if names:
        raise Unemulated(f"{where}: {', '.join(sorted(names))}")
