"""What operators publish about how often they may be asked: our table, with sources. Pure.

Found by the host that is asked, since an operator's name is the configuration's to choose. All are
limits of one client address; none is known that an operator publishes for a fleet as a whole.
"""

from sources.record import Record


class Limit(Record):
    """So many queries in so many seconds, from one address."""

    queries: int
    in_s: int
    where: str
    """Who says so where."""


_LOOKED_UP = "2026-11"
"""When all of this was last looked up."""

_PUBLISHED = {
    "nist.gov": Limit(
        1, 4, "tf.nist.gov/tf-cgi/servers.cgi: once every 4 s, or service is refused"
    ),
    "nict.jp": Limit(
        20, 3600, "NICT's guidelines for clients (2012): 20 an hour on average, or 480 a day"
    ),
    "pool.ntp.org": Limit(1, 1800, "www.pool.ntp.org/tos.html, 4 (b): SNTP once in 30 minutes"),
    "api.github.com": Limit(
        60,
        3600,
        "docs.github.com, Rate limits for the REST API: 60 an hour without a token",
    ),
    "letsencrypt.org": Limit(40, 1, "letsencrypt.org/docs/rate-limits: 40 a second for /directory"),
}
_NONE_PUBLISHED = frozenset(
    (
        *("time.apple.com", "time.dfm.dk", "time.cloudflare.com", "nts.netnod.se", "ptb.de"),
        *("time.nl", "system76.com", "ntp.br", "roughtime.cloudflare.com", "int08h.com"),
        *("roughtime.se", "txryan.com", "google.com", "cloudflare.com", "sts.amazonaws.com"),
        *("time.aws.com", "time.facebook.com", "netnod.se"),
    )
)
"""Of their operators' pages on time none has a figure."""


def limit_of(host: str) -> Limit | None:
    """Return the published limit of a host; None where none is known."""
    return next((_PUBLISHED[name] for name in _domains(host) if name in _PUBLISHED), None)


def was_looked_up(host: str) -> bool:
    """Whether the host is one of those whose operators were searched for a figure."""
    return any(name in _PUBLISHED or name in _NONE_PUBLISHED for name in _domains(host))


def _domains(host: str) -> list[str]:
    """Return the host's name, and those of the domains that it is in, the nearest first."""
    labels = host.lower().rstrip(".").split(".")
    return [".".join(labels[index:]) for index in range(len(labels))]
