"""Tiny wheels, and an index on loopback that offers them: enough for pip to resolve and install."""

import base64
import hashlib
import ssl
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, Self
from zipfile import ZipFile, ZipInfo


class Wheel(NamedTuple):
    """A package without content: its metadata is all that matters."""

    name: str
    version: str
    metadata: tuple[str, ...] = ()
    """Further lines: Requires-Dist, Provides-Extra."""
    files: tuple[str, ...] = ()
    """Paths of modules, one line each, in addition to an empty one of its own name."""

    @property
    def file_name(self) -> str:
        return f"{self._stem}-py3-none-any.whl"

    @property
    def _stem(self) -> str:
        return f"{self.name.replace('-', '_')}-{self.version}"

    def build(self) -> bytes:
        """Return the file, the same bytes each time."""
        head = f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}"
        info = f"{self._stem}.dist-info"
        content = {
            **dict.fromkeys((f"{self.name.replace('-', '_')}_.py", *self.files), "whole = True\n"),
            f"{info}/METADATA": "\n".join([head, *self.metadata, ""]),
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        record = [f"{path},{_digest(text)},{len(text)}" for path, text in content.items()]
        content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
        file = BytesIO()
        with ZipFile(file, "w") as opened:
            for path, text in content.items():
                opened.writestr(ZipInfo(path, (1980, 1, 1, 0, 0, 0)), text)
        return file.getvalue()


def _digest(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256={digest.decode().rstrip('=')}"


def lock_of(wheels: Iterable[Wheel]) -> str:
    """Return a lock that pins just these, by hash."""
    hashed = ((one, hashlib.sha256(one.build()).hexdigest()) for one in wheels)
    return "".join(f"{one.name}=={one.version} \\\n    --hash=sha256:{h}\n" for one, h in hashed)


def write_files(directory: Path, wheels: Iterable[Wheel]) -> None:
    """Write the files side by side, as --find-links takes them."""
    for one in wheels:
        (directory / one.file_name).write_bytes(one.build())


class PackageIndex:
    """The simple API (PEP 503) for some wheels, by HTTP or HTTPS, until it is closed.

    As a proxy it answers for whatever host is asked for in its hearing.
    """

    def __init__(self, wheels: Sequence[Wheel], tls: ssl.SSLContext | None = None) -> None:
        """Serve in a thread."""
        self.requests: list[str] = []
        """What was asked for, as it stood in the request."""
        offered = {one.file_name: one.build() for one in wheels}
        pages = {
            name: [one.file_name for one in wheels if one.name == name]
            for name in (one.name for one in wheels)
        }
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(_Handler, self, offered, pages)
        )
        scheme = "http" if tls is None else "https"
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"{scheme}://{self.host}/simple"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(
        self,
        index: PackageIndex,
        files: dict[str, bytes],
        pages: dict[str, list[str]],
        *arguments: object,
    ) -> None:
        self._index = index
        self._files = files
        self._pages = pages
        initialise: Callable[..., None] = super().__init__
        initialise(*arguments)

    def do_GET(self) -> None:
        """Answer with a page of links, or with a file."""
        self._index.requests.append(self.path)
        last = self.path.rstrip("/").rpartition("/")[2]
        if last in self._files:
            self._send("application/octet-stream", self._files[last])
        elif last in self._pages:
            links = "".join(f'<a href="/files/{one}">{one}</a>' for one in self._pages[last])
            self._send("text/html", f"<!DOCTYPE html><html><body>{links}</body></html>".encode())
        else:
            self.send_error(404)

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be silent; the index keeps its requests."""
