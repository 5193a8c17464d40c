"""Whether a Roughtime response is what the holder of a long-term key signed for our request. Pure.

RFC 10049 section 5.4, in this order, so that the first failure names what is wrong: a version that
we offered, our nonce, a key delegated by the long-term key, the time inside the delegation, our
request in the Merkle tree that was signed (section 5.3.1), the signature over it.
"""

from functools import cache

from sources.base import Unavailable, Unverified
from sources.ciphers import is_signed
from sources.roughtime.wire_dialects import (
    Dialect,
    Framing,
    Reply,
    decode_reply,
    nonce_of,
    versions_in,
)

_LEAF, _NODE = b"\0", b"\1"
_KNOWN_KEY = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
_KNOWN_SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
    "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)
"""Of nothing, by RFC 8032 section 7.1, test 1."""


def verify(request: bytes, packet: bytes, framing: Framing, public_key: bytes) -> Reply:
    """Return the response; raise Malformed or Unverified if it is not a valid one to `request`."""
    reply = decode_reply(framing, packet)
    if reply.version is not None and reply.version not in versions_in(request):
        raise Unverified(f"version: {reply.version:#x} was not offered")
    if reply.nonce is not None and reply.nonce != nonce_of(framing, request):
        raise Unverified("nonce: another request's")
    contexts = _contexts_of_delegation(reply, public_key)
    if not reply.not_before_unix_ns <= reply.midpoint_unix_ns <= reply.not_after_unix_ns:
        raise Unverified("delegation: MIDP is outside MINT to MAXT")
    leaf = request if reply.dialect.leaf_is_request else nonce_of(framing, request)
    if _root(reply.dialect, leaf, reply.path, reply.leaf_index) != reply.root:
        raise Unverified("Merkle tree: PATH does not lead from our request to ROOT")
    if not is_signed(reply.delegated_key, reply.signature, contexts[1] + reply.signed):
        _check_machine()
        raise Unverified("response signature: not made with the delegated key")
    return reply


def _contexts_of_delegation(reply: Reply, public_key: bytes) -> tuple[bytes, bytes]:
    """Return the contexts that the delegation is signed with."""
    for contexts in reply.dialect.contexts:
        if is_signed(public_key, reply.delegation_signature, contexts[0] + reply.delegation):
            return contexts
    _check_machine()
    raise Unverified("delegation signature: not made with the server's long-term key")


def _root(dialect: Dialect, leaf: bytes, path: tuple[bytes, ...], index: int) -> bytes:
    """Return the root of the tree that has the leaf at `index`."""
    node = dialect.hashed(_LEAF + leaf)
    for sibling in path:
        pair = sibling + node if index & 1 else node + sibling
        node = dialect.hashed(_NODE + pair)
        index >>= 1
    if index:
        raise Unverified("Merkle tree: INDX has more bits than PATH has nodes")
    return node


@cache
def _check_machine() -> None:
    """Raise Unavailable where no signature holds on this machine: then nobody is to blame."""
    if not is_signed(_KNOWN_KEY, _KNOWN_SIGNATURE, b""):
        raise Unavailable("Ed25519 does not work here: a signature known to hold does not")
