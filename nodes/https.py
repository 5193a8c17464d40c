"""The same inside TLS. The certificate has to be of the host that was asked, at true time by the
observer's consensus; with `verify = false`, as nodes that are asked by their address need it,
nothing is judged and the stamp is not authenticated."""

from typing import ClassVar

from nodes import secure
from nodes.base import NodeTable, Question, flag
from nodes.http import KEYS, MOST_BYTES, HttpNode
from sources import schema
from sources.net import tls

_PORT = 443


class HttpsNode(HttpNode):
    """Servers that speak HTTP inside TLS."""

    kind = "https"
    is_light = False
    KEYS: ClassVar = {
        **KEYS,
        "port": schema.port(_PORT),
        "verify": flag("whether the certificate has to be the host's", default=True),
        "ca_file": schema.CA_FILE,
    }
    _usual_port = _PORT

    def __init__(self, table: NodeTable) -> None:
        """Configure it."""
        super().__init__(table)
        self._authenticates = table.flag("verify")
        self._ca_file = table.optional_text("ca_file")

    def _link(self, question: Question) -> secure.SecureLink:
        context = tls.context(self._ca_file) if self._authenticates else secure.unverified()
        return secure.SecureLink(question, MOST_BYTES, context)


NODE = HttpsNode
