"""Whether a sequence of Roughtime responses proves that somebody lied. Pure.

Each request's nonce is made from the response before it, so the order of all of them is proven, and
every response says, signed, between which times it was made (RFC 10049 section 8.2). A response
whose times lie wholly after those of a later one contradicts it: one of the two servers lied. Which
one is proven if one contradicts itself; or, unless the others lied together, if only one key is in
all contradictions. Anybody can make keys: a report is worth what the other keys are trusted.
"""

import base64
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sources.base import DriftError, SourceError
from sources.clock import NS
from sources.record import Record
from sources.roughtime.proof import verify
from sources.roughtime.wire_dialects import Framing, Reply, framing_of, nonce_of, sha512

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLANKS = re.compile(r"\s")


class Unreadable(DriftError):
    """A file is no malfeasance report: what was found and what is wanted."""


class Link(Record):
    """One request and its response, to the byte, in the order in which they were exchanged."""

    public_key: bytes
    """The long-term key that the response is expected to lead to."""
    request: bytes
    response: bytes
    rand: bytes | None
    """What the nonce was made from, together with the response before; None in the first."""


class Judgement(Record):
    """What a report proves."""

    replies: tuple[Reply, ...]
    """The responses, verified, in order; empty where `flaw` says why the report proves nothing."""
    flaw: str | None
    contradictions: tuple[tuple[int, int], ...]
    """Pairs of numbers of responses, the earlier first, that cannot both be true."""
    convicted: bytes | None
    """The key that is in every contradiction, if there is exactly one."""


def chained_nonce(framing: Framing, response: bytes, rand: bytes) -> bytes:
    """Return the nonce of the request that follows a response (RFC 10049 section 8.2)."""
    return sha512(response + rand)[: framing.nonce_bytes]


def judge(links: Sequence[Link]) -> Judgement:
    """Return what the links prove: nothing at all if one of them does not hold."""
    replies: list[Reply] = []
    for number, link in enumerate(links):
        try:
            framing = framing_of(link.request)
            nonce = nonce_of(framing, link.request)
            replies.append(verify(link.request, link.response, framing, link.public_key))
        except SourceError as error:
            return Judgement((), f"response {number + 1}: {error}", (), None)
        if number and nonce != chained_nonce(framing, links[number - 1].response, link.rand or b""):
            flaw = f"request {number + 1}: its nonce is not made from response {number}"
            return Judgement((), flaw, (), None)
    contradictions = tuple(
        (earlier, later)
        for later, after in enumerate(replies)
        for earlier, before in enumerate(replies[:later])
        if before.midpoint_unix_ns - before.radius_ns > after.midpoint_unix_ns + after.radius_ns
    )
    return Judgement(tuple(replies), None, contradictions, _convicted(links, contradictions))


MOST_RESPONSES = 64
"""How many responses a report may have; all pairs of them are looked at."""


def _convicted(links: Sequence[Link], contradictions: tuple[tuple[int, int], ...]) -> bytes | None:
    """Return the key that contradicts itself, or else the only one in every contradiction."""
    pairs = [{links[one].public_key, links[other].public_key} for one, other in contradictions]
    by_itself = set().union(*(pair for pair in pairs if len(pair) == 1))
    common = by_itself or (set.intersection(*pairs) if pairs else set())
    return common.pop() if len(common) == 1 else None


def to_json(links: Sequence[Link]) -> str:
    """Return the report in the format of RFC 10049 section 8.4.1."""
    responses = []
    for link in links:
        entry = {
            "publicKey": _base64(link.public_key),
            "request": _base64(link.request),
            "response": _base64(link.response),
        }
        if link.rand is not None:
            entry["rand"] = _base64(link.rand)
        responses.append(entry)
    return json.dumps({"responses": responses}, indent=2) + "\n"


def parse(text: str) -> list[Link]:
    """Return the links of a report; raise Unreadable where it is none.

    Line breaks in strings are taken, as the RFC prints its example.
    """
    try:
        tree = json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {error}") from error
    responses = tree.get("responses") if isinstance(tree, dict) else None
    if not isinstance(responses, list) or not responses:
        raise Unreadable('no list "responses" in it (RFC 10049 section 8.4.1)')
    if len(responses) > MOST_RESPONSES:
        raise Unreadable(f"{len(responses)} responses: at most {MOST_RESPONSES} are looked at")
    return [_link(number, entry) for number, entry in enumerate(responses, start=1)]


def _link(number: int, entry: object) -> Link:
    if not isinstance(entry, dict):
        raise Unreadable(f"response {number}: not an object")
    rand = None if number == 1 and "rand" not in entry else _bytes(number, entry, "rand")
    return Link(
        _bytes(number, entry, "publicKey"),
        _bytes(number, entry, "request"),
        _bytes(number, entry, "response"),
        rand,
    )


def _bytes(number: int, entry: dict[str, object], key: str) -> bytes:
    value = entry.get(key)
    try:
        if isinstance(value, str):
            return base64.b64decode(_BLANKS.sub("", value), validate=True)
        raise ValueError(value)
    except ValueError as error:
        raise Unreadable(f'response {number}: "{key}" is not base64') from error


def described(links: Sequence[Link], judgement: Judgement) -> list[str]:
    """Return in words who signed what, in which order, and whom it convicts."""
    lines = [
        f"{number}. {_base64(link.public_key)} signed {_time(reply.midpoint_unix_ns)} "
        f"+- {reply.radius_ns / NS:g} s ({reply.dialect.name})"
        for number, (link, reply) in enumerate(zip(links, judgement.replies, strict=False), start=1)
    ]
    if judgement.flaw is not None:
        return [*lines, f"This proves nothing: {judgement.flaw}"]
    lines += [
        f"Response {earlier + 1} came before response {later + 1}, but says a later time."
        for earlier, later in judgement.contradictions
    ]
    if not judgement.contradictions:
        return [*lines, "This proves nothing: the times are consistent with their order."]
    if judgement.convicted is None:
        return [*lines, "This proves that one of the servers lied, but not which."]
    key = _base64(judgement.convicted)
    if any(links[a].public_key == links[b].public_key for a, b in judgement.contradictions):
        return [*lines, f"This convicts {key}: it contradicts itself."]
    only = "without it nothing contradicts, unless the others lied together"
    return [*lines, f"This convicts {key}: {only}."]


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _time(unix_ns: int) -> str:
    try:
        return (_EPOCH + timedelta(seconds=unix_ns // NS)).isoformat()
    except OverflowError:
        return f"{unix_ns // NS} s after 1970"
