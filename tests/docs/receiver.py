"""A server of TLS that keeps what is posted to it: run in a root, on the port of the page."""

import ssl
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Keep the request's target, two of its headers and its body."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        reported = f"{self.path}\n{self.headers['Authorization']}\n{self.headers['Content-Type']}\n"
        Path(sys.argv[3]).write_bytes(reported.encode() + body)
        self.send_response(200)
        self.end_headers()


def _main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server = HTTPServer(("127.0.0.1", 443), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_request()


if __name__ == "__main__":
    _main()
