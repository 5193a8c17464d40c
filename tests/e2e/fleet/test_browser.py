"""The report of `probe` and the landing page of `serve`, as a real browser shows them."""

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lab import behaviour
from lab.network import network
from lab.nodes.bitcoin import BitcoinNode
from lab.nodes.kaspa import KaspaNode
from lab.nodes.xrpl import XrplNode
from tests.conftest import ROOT, Program
from tests.site.conftest import tool
from tests.support.servers.exporter import serving
from tests.support.servers.web import found

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

SMALLEST_PX = 13
CONTRAST = 4.5
"""What WCAG 2.2 asks of text, 1.4.3, level AA."""
HOSTILE = "/Satoshi:29.0.0(<script>document.title=1</script><img src=x>)/"
SETTINGS = "timeout = 2\nrate = 500\nmin_interval = 60"

Seen = dict[str, Any]


def looked_at(base: str, path: str, directory: Path) -> Seen:
    """Return what a browser saw of a page: on a phone and on a desk, light and dark."""
    done = subprocess.run(
        [
            *(tool("python"), "-I", ROOT / "tests/support/site/browser.py"),
            *(base, directory, found("chromium"), path),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    seen: Seen = json.loads(done.stdout)
    return seen


@contextmanager
def page_server(page: bytes) -> Iterator[str]:
    """Serve a page at every path but that of an icon; yield the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404 if self.path == "/favicon.ico" else 200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            """Keep stderr clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def assert_good(seen: Seen, base: str) -> None:
    """Readable on both screens in both schemes; nothing loaded, nothing that a policy stopped."""
    assert len(seen["views"]) == 4
    for view in seen["views"]:
        what = f"{view['name']} {view['screenshot']}"
        width = 390 if view["name"].startswith("phone") else 1280
        assert view["texts"] > 3, what
        assert view["inner_width"] == width, what
        assert view["scroll_width"] <= width, what
        assert view["smallest"]["px"] >= SMALLEST_PX, f"{what} {view['smallest']}"
        assert view["faintest"]["contrast"] >= CONTRAST, f"{what} {view['faintest']}"
        assert (sum(view["paper"][:3]) < 3 * 128) == view["name"].endswith("dark"), what
        about = [urlsplit(it["at"]["url"]).path for it in view["console"]]
        assert set(about) <= {"/favicon.ico"}, view["console"]  # which no page named
        assert view["errors"] == [], what
        assert view["violations"] == [], what
        own = {urlsplit(url).netloc for url in view["requests"]}
        assert own == {urlsplit(base).netloc}, what
        assert {urlsplit(url).path for url in view["requests"]} <= {view["path"], "/favicon.ico"}


def test_the_report(program: Program, tmp_path: Path) -> None:
    """One page that needs nothing else, whatever the nodes call themselves."""
    nodes = (
        *(BitcoinNode(behaviour.shifted(off)) for off in (0, 0, 0, -7200)),
        BitcoinNode(behaviour.silent),
        BitcoinNode(behaviour.shifted(-90), agent=HOSTILE),
        BitcoinNode(agent="/Zebra:2.0.0/"),
        XrplNode(behaviour.shifted(21)),
        KaspaNode(),
    )
    report = tmp_path / "clocks.html"
    with network(*nodes, settings=SETTINGS) as lab:
        (tmp_path / "probe.toml").write_text(lab.toml, encoding="utf-8")
        program(
            "probe", "--config", str(tmp_path / "probe.toml"), "--report", str(report), *lab.targets
        )
    with page_server(report.read_bytes()) as base:
        seen = looked_at(base, "/clocks", tmp_path)

    assert_good(seen, base)
    assert {view["title"] for view in seen["views"]} == {"Clocks of 9 nodes"}


def test_the_landing_page(script: str, tmp_path: Path) -> None:
    """A form that asks, and links that lead somewhere."""
    with network(KaspaNode(), settings=SETTINGS) as lab:
        (tmp_path / "serve.toml").write_text(lab.toml, encoding="utf-8")
        with serving(script, tmp_path / "serve.toml") as exporter:
            base = f"http://127.0.0.1:{exporter.port}"
            seen = looked_at(base, "/", tmp_path)

    assert_good(seen, base)
    own = {urlsplit(url).path: status for url, status in seen["links"].items()}
    assert own == {"/metrics": 200, "/-/healthy": 200}
