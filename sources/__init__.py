"""Asking ONE time source: bytes and sockets in, a Sample or a SourceError out.

Nothing in here knows of consensus, of configuration files or of output. A kind of source is one
module of this package; its name is the kind's name in config.toml (`[[sources.ntp]]`).
"""

KINDS = ("ntp", "nts", "roughtime", "https")
"""Every kind there is. A new kind is one module plus its name here."""
