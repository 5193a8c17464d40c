"""Real web servers on loopback: nginx, caddy, apache2, lighttpd, varnish.

nginx serves any number of sites from one process, and stands in front of what speaks no TLS here:
varnish, and lighttpd, whose TLS is a package of its own. `environ=faked("+3600s")` makes a liar of
any of them but caddy: a Go program asks the kernel for the time, not the C library.
"""

import http.client
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import NoReturn

import pytest

from sources.record import Record
from tests.support.servers.chrony import faketime_library

LOOPBACK = "127.0.0.1"
NOTHING: Mapping[str, str] = MappingProxyType({})

NGINX = """\
master_process off;  # one process: who ends it has ended all
user root;           # where that can be: by default it gives its files to another user
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{}}
http {{
    log_format asked '$connection $request_method $uri "$args"';
    access_log {directory}/access.log asked;
    client_body_temp_path {directory}/temporary;
    proxy_temp_path {directory}/temporary;
    fastcgi_temp_path {directory}/temporary;
    uwsgi_temp_path {directory}/temporary;
    scgi_temp_path {directory}/temporary;
{sites}}}
"""
CADDY = """\
{{
    admin off
    auto_https off
    storage file_system {directory}
    servers {{
        protocols h1 h2
    }}
}}
https://{address}:{port} {{
    bind {address}
    tls {chain} {key}
    respond 204
}}
"""
APACHE = """\
ServerRoot {directory}
ServerName {address}
DefaultRuntimeDir {directory}
DocumentRoot {directory}
PidFile {directory}/apache.pid
ErrorLog {directory}/error.log
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so
User www-data
Group www-data
StartServers 1
Listen {address}:{port}
SSLEngine on
SSLCertificateFile {chain}
SSLCertificateKeyFile {key}
"""
LIGHTTPD = """\
server.document-root = "{directory}"
server.errorlog = "{directory}/error.log"
server.bind = "{address}"
server.port = {port}
"""
VARNISH = """\
vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{origin}"; }}
sub vcl_recv {{ if (req.url ~ "^/pass") {{ return (pass); }} }}
sub vcl_hash {{ hash_data(regsub(req.url, "[?].*", "")); return (lookup); }}
"""
"""A cache that leaves the query out of its key, so that a query never asked before is a hit."""


class Identity(Record):
    """What a server proves its name with."""

    chain: str
    key: str


class Asked(Record):
    """One line of nginx's access log."""

    connection: int
    method: str
    path: str
    query: str


def found(tool: str) -> str:
    """Return the path of a program of Debian's packages; skip without it, fail in CI."""
    path = shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        not_here(f"{tool} is not installed")
    return path


def not_here(why: str) -> NoReturn:
    """Skip the test, or fail it in CI."""
    if os.environ.get("CI"):
        pytest.fail(f"{why}, and CI may not skip")
    pytest.skip(f"{why}: this interop test did NOT run")


def free_port(address: str = LOOPBACK) -> int:
    """Return a TCP port above 10000 that nobody uses."""
    with socket.create_server((address, 0), family=_family(address)) as link:
        port: int = link.getsockname()[1]
    return port


def site(
    port: int,
    identity: Identity | None,
    content: str = "return 204;",
    address: str = LOOPBACK,
) -> str:
    """Return one site for nginx; over plain HTTP if there is no identity."""
    listen = f"listen {_host(address)}:{port}"
    if identity is None:
        return f"    server {{ {listen}; {content} }}\n"
    tls = f"ssl_certificate {identity.chain}; ssl_certificate_key {identity.key};"
    return f"    server {{ {listen} ssl; {tls} {content} }}\n"


def in_front_of(port: int) -> str:
    """Return what makes a site of nginx hand everything, the Date too, on to a server behind it."""
    return f"location / {{ proxy_pass http://{LOOPBACK}:{port}; proxy_pass_header Date; }}"


def nginx_settings(directory: Path, *sites: str) -> str:
    """Make the directory, write nginx's settings to it, and return their path."""
    return _written(
        directory, "nginx.conf", NGINX.format(directory=directory, sites="".join(sites))
    )


@contextmanager
def nginx(
    directory: Path,
    port: int,
    *sites: str,
    address: str = LOOPBACK,
    environ: Mapping[str, str] = NOTHING,
) -> Iterator[None]:
    """Run nginx with these sites until the end of the block; one of them listens on `port`."""
    settings = nginx_settings(directory, *sites)
    command = [found("nginx"), "-g", "daemon off;", "-c", settings]
    with _running(command, directory, port, address=address, environ=environ):
        yield


@contextmanager
def caddy(directory: Path, port: int, identity: Identity) -> Iterator[None]:
    """Run a caddy until the end of the block."""
    text = CADDY.format(
        directory=directory, address=LOOPBACK, port=port, chain=identity.chain, key=identity.key
    )
    settings = _written(directory, "Caddyfile", text)
    command = [found("caddy"), "run", "--adapter", "caddyfile", "--config", settings]
    home = {name: str(directory) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    with _running(command, directory, port, environ=home):
        yield


@contextmanager
def apache(
    directory: Path, port: int, identity: Identity, environ: Mapping[str, str] = NOTHING
) -> Iterator[None]:
    """Run an apache2 until the end of the block."""
    text = APACHE.format(
        directory=directory, address=LOOPBACK, port=port, chain=identity.chain, key=identity.key
    )
    settings = _written(directory, "apache.conf", text)
    command = [found("apache2"), "-D", "FOREGROUND", "-f", settings]
    with _running(command, directory, port, environ=environ):
        yield


@contextmanager
def lighttpd(directory: Path, port: int, environ: Mapping[str, str] = NOTHING) -> Iterator[None]:
    """Run a lighttpd, which speaks plain HTTP, until the end of the block."""
    text = LIGHTTPD.format(directory=directory, address=LOOPBACK, port=port)
    settings = _written(directory, "lighttpd.conf", text)
    command = [found("lighttpd"), "-D", "-f", settings]
    with _running(command, directory, port, environ=environ):
        yield


@contextmanager
def varnish(
    directory: Path, port: int, origin: int, environ: Mapping[str, str] = NOTHING
) -> Iterator[None]:
    """Run a varnish, which speaks plain HTTP, in front of the port `origin`.

    It does not remember what is below /pass.
    """
    settings = _written(directory, "cache.vcl", VARNISH.format(origin=origin))
    listen = f"{LOOPBACK}:{port}"
    memory = ["-s", "malloc,1m", "-p", "thread_pools=1", "-p", "thread_pool_min=10"]
    own = ["-F", "-j", "none", "-T", "none", "-n", str(directory / "varnish")]
    command = [found("varnishd"), *own, *memory, "-a", listen, "-f", settings]
    with _running(command, directory, port, environ=environ):
        yield


def late(seconds: float) -> dict[str, str]:
    """Return the environment that makes the Date of a busy lighttpd late by so much.

    It makes a new Date whenever its monotonic second begins: how late that is depends on when the
    machine was started. With both of its clocks bent, libfaketime lets their seconds begin as one.
    """
    return {"LD_PRELOAD": faketime_library(), "FAKETIME": f"-{seconds}s"}


@contextmanager
def kept_busy(port: int) -> Iterator[None]:
    """Ask a plain HTTP server 50 times a second: idle, lighttpd reads its clock once in one."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(0.02):
            client = http.client.HTTPConnection(LOOPBACK, port, timeout=5)
            client.request("HEAD", "/")
            client.getresponse().read()
            client.close()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def source(
    port: int,
    operator: str,
    ca_file: str | None,
    more: str = "",
    address: str = LOOPBACK,
    path: str = "/",
) -> str:
    """Return the table that asks such a server."""
    authority = f'ca_file = "{ca_file}"\n' if ca_file else ""
    url = f"https://{_host(address)}:{port}{path}"
    return f'[[sources.https]]\nurl = "{url}"\noperator = "{operator}"\n{authority}{more}\n'


def asked(directory: Path) -> list[Asked]:
    """Return what the nginx of this directory has been asked."""
    lines = (directory / "access.log").read_text(encoding="utf-8").splitlines()
    return [
        Asked(int(connection), method, path, query.strip('"'))
        for connection, method, path, query in (line.split(" ") for line in lines)
    ]


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _written(directory: Path, name: str, text: str) -> str:
    directory.mkdir()
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@contextmanager
def _running(
    command: list[str],
    directory: Path,
    port: int,
    *,
    environ: Mapping[str, str],
    address: str = LOOPBACK,
) -> Iterator[None]:
    """Run a server from when it accepts connections until the end of the block."""
    output = directory / "output"
    with output.open("wb") as file:
        process = subprocess.Popen(
            command,
            env={**os.environ, **environ},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        if not _accepts(process, address, port):
            raise AssertionError(f"{command[0]} does not serve: {output.read_text()}")
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _accepts(process: "subprocess.Popen[bytes]", address: str, port: int) -> bool:
    until_s = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < until_s:
        try:
            socket.create_connection((address, port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False
