"""What a run asks of a web server: nothing where others decide, and else some requests. Pure."""

from sources.base import Source
from sources.https.proof import MOST_REQUESTS
from sources.load import Circumstances, Tier


def tiers(source: Source, given: Circumstances) -> tuple[Tier, ...]:  # noqa: ARG001 - like the others
    """Return the one tier there is: requests, all on one connection."""
    return (Tier(source.kind, False, 1, MOST_REQUESTS),)
