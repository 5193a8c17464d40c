"""How lab nodes behave badly, beyond what suits every lab server (lab/behaviour.py)."""

from collections.abc import Iterable, Iterator

from lab.behaviour import Behaviour, Honest, Reply
from lab.nodes.base import Closed

_CHUNK = 1 << 14


def drip(seconds: float) -> Behaviour:
    """Answer truthfully, a byte every so many seconds."""

    def behave(reply: Honest) -> Iterable[Reply]:
        data = reply(0)
        return [Reply(data[i : i + 1], delay_s=i * seconds) for i in range(len(data))]

    return behave


def endless(data: bytes) -> Behaviour:
    """Answer with these bytes for as long as anybody listens."""

    def behave(reply: Honest) -> Iterator[Reply]:  # noqa: ARG001 - that is the point
        chunk = data * (1 + _CHUNK // len(data))
        while True:
            yield Reply(chunk)

    return behave


def begun(count: int) -> Behaviour:
    """Send the first bytes of the true answer, and then nothing."""
    return lambda reply: [Reply(reply(0)[:count])]


def cut(count: int) -> Behaviour:
    """Send the first bytes of the true answer, and close."""

    def behave(reply: Honest) -> Iterator[Reply]:
        if count:
            yield Reply(reply(0)[:count])
        raise Closed

    return behave


def followed_by_endless(data: bytes) -> Behaviour:
    """Answer truthfully, and go on with these bytes for ever."""

    def behave(reply: Honest) -> Iterator[Reply]:
        yield Reply(reply(0))
        yield from endless(data)(reply)

    return behave
