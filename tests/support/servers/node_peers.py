"""Servers that other implementations of the nodes' protocols are: run in .venv-nodes, not in ours.

    python node_peers.py kaspa         gRPC's own server, protobuf's own encoder
    python node_peers.py avalanche     OpenSSL's server, which wants a certificate of its client

Prints its port, then serves until it is killed. Nothing of ours is imported: it is the other side.
The messages' definitions are those of rusty-kaspa's and avalanchego's .proto files, as far as they
go here.
"""

import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

Definitions = dict[str, list[tuple[int, str, str]]]
"""Of each message the fields: number, name and type."""
KASPA: Definitions = {
    "NetAddress": [(1, "timestamp", "int64"), (3, "ip", "bytes"), (4, "port", "uint32")],
    "VersionMessage": [
        (1, "protocolVersion", "uint32"),
        (2, "services", "uint64"),
        (3, "timestamp", "int64"),
        (4, "address", "NetAddress"),
        (5, "id", "bytes"),
        (6, "userAgent", "string"),
        (10, "network", "string"),
    ],
    "KaspadMessage": [(101, "response_id", "uint32"), (20, "version", "VersionMessage")],
}
AVALANCHE: Definitions = {
    "Client": [
        (1, "name", "string"),
        (2, "major", "uint32"),
        (3, "minor", "uint32"),
        (4, "patch", "uint32"),
    ],
    "BloomFilter": [(1, "filter", "bytes"), (2, "salt", "bytes")],
    "Handshake": [
        (1, "network_id", "uint32"),
        (2, "my_time", "uint64"),
        (3, "ip_addr", "bytes"),
        (4, "ip_port", "uint32"),
        (5, "upgrade_time", "uint64"),
        (6, "ip_signing_time", "uint64"),
        (7, "ip_node_id_sig", "bytes"),
        (9, "client", "Client"),
        (12, "known_peers", "BloomFilter"),
        (13, "ip_bls_sig", "bytes"),
        (14, "all_subnets", "bool"),
    ],
    "Message": [(13, "handshake", "Handshake")],
}
OFF_S = -4


def messages(definitions: Definitions) -> dict[str, Any]:
    """Return the classes of these messages, made by protobuf itself."""
    descriptor_pb2, descriptor_pool, message_factory = (
        import_module(f"google.protobuf.{name}")
        for name in ("descriptor_pb2", "descriptor_pool", "message_factory")
    )
    file = descriptor_pb2.FileDescriptorProto(name="m.proto", package="m", syntax="proto3")
    for name, fields in definitions.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            made = message.field.add(name=field, number=number, label=1)
            if kind in definitions:
                made.type, made.type_name = made.TYPE_MESSAGE, f".m.{kind}"
            else:
                made.type = getattr(made, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"m.{name}"))
        for name in definitions
    }


def kaspa() -> None:
    """Serve a Kaspa node: it speaks when a stream is opened, and waits."""
    grpc = import_module("grpc")
    made = messages(KASPA)

    def stream(requests: Any, context: Any) -> Iterator[Any]:
        agents = dict(context.invocation_metadata())
        stamp_ms = time.time_ns() // 1_000_000 + OFF_S * 1000
        address = made["NetAddress"](timestamp=1, ip=b"\x7f\0\0\1", port=16111)
        yield made["KaspadMessage"](
            version=made["VersionMessage"](
                protocolVersion=7,
                timestamp=stamp_ms,
                address=address,
                id=bytes(16),
                userAgent=f"/kaspad:1.0.0/heard:{agents['user-agent']}/",
                network="kaspa-mainnet",
            )
        )
        for _ in requests:
            pass

    handler = grpc.stream_stream_rpc_method_handler(
        stream,
        request_deserializer=made["KaspadMessage"].FromString,
        response_serializer=made["KaspadMessage"].SerializeToString,
    )
    server = grpc.server(futures.ThreadPoolExecutor(4))
    generic = grpc.method_handlers_generic_handler("protowire.P2P", {"MessageStream": handler})
    server.add_generic_rpc_handlers((generic,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()


def avalanche() -> None:
    """Serve an Avalanche node: it speaks once a client has shown a certificate, whichever."""
    ssl = import_module("OpenSSL.SSL")
    made = messages(AVALANCHE)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(x509.Name([]))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    context = ssl.Context(ssl.TLS_SERVER_METHOD)
    context.set_min_proto_version(ssl.TLS1_3_VERSION)
    context.use_privatekey(key)
    context.use_certificate(certificate)
    context.set_verify(ssl.VERIFY_PEER | ssl.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()

    def serve(link: socket.socket) -> None:
        secured = ssl.Connection(context, link)
        secured.set_accept_state()
        try:
            secured.do_handshake()
            shown = secured.get_peer_certificate(as_cryptography=True).public_key()
            name = shown.curve.name if isinstance(shown, ec.EllipticCurvePublicKey) else "other"
            handshake = made["Handshake"](
                network_id=5,
                my_time=int(time.time() + OFF_S),
                ip_addr=bytes(16),
                ip_port=9651,
                ip_node_id_sig=bytes(256),
                client=made["Client"](name=name, major=1, minor=13),
                known_peers=made["BloomFilter"](filter=bytes(3000), salt=bytes(32)),
            )
            data = made["Message"](handshake=handshake).SerializeToString()
            secured.sendall(len(data).to_bytes(4, "big") + data)
            secured.recv(1)
        except ssl.Error:
            pass
        finally:
            link.close()

    while True:
        threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    {"kaspa": kaspa, "avalanche": avalanche}[sys.argv[1]]()
