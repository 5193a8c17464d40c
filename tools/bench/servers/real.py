"""Servers on loopback addresses, for a namespace of one's own: chronyd, nginx, the lab's."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab.authority import Authority
from tools.bench.measure.checkout import ROOT

_NGINX = """\
daemon off; master_process off; error_log stderr crit; pid {directory}/nginx.pid;
events {{}}
http {{
  access_log off;
  client_body_temp_path {directory}; proxy_temp_path {directory}; fastcgi_temp_path {directory};
  uwsgi_temp_path {directory}; scgi_temp_path {directory};
  server {{
    {listen}
    ssl_certificate {chain}; ssl_certificate_key {key};
    location / {{ return 204; }}
  }}
}}
"""
_CONFIGURATION = """\
local stratum 1
allow
port 123
bindaddress {address}
cmdport 0
bindcmdaddress /
pidfile {directory}/{address}.pid
"""


@contextmanager
def servers(directory: Path, count: int) -> Iterator[list[str]]:
    """Run so many chronyd on 127.0.0.1 and up; yield their addresses."""
    addresses = [f"127.0.0.{number}" for number in range(1, count + 1)]
    with ExitStack() as running:
        for address in addresses:
            _chronyd(running, directory, address)
        time.sleep(1)
        yield addresses


def configuration(addresses: list[str], path: Path) -> str:
    """Write a configuration that asks each address for an operator of its own; return its path."""
    tables = (
        f'[[sources.ntp]]\nhost = "{address}"\noperator = "{address}"\n' for address in addresses
    )
    path.write_text("\n".join(tables))
    return str(path)


@contextmanager
def nts_servers(directory: Path, count: int) -> Iterator[list[str]]:
    """Run so many chronyd that give keys and authenticated time; yield the tables that ask them."""
    addresses = [f"127.0.2.{number}" for number in range(1, count + 1)]
    authority = Authority(time.time_ns())
    chain, key = authority.identity(addresses)
    with ExitStack() as running:
        running.callback(authority.close)
        for address in addresses:
            _chronyd(running, directory, address, f"ntsservercert {chain}\nntsserverkey {key}\n")
        time.sleep(1)
        yield [
            f'[[sources.nts]]\nhost = "{address}"\noperator = "{address}"\n'
            f'ca_file = "{authority.ca_file}"\n'
            for address in addresses
        ]


def _chronyd(running: ExitStack, directory: Path, address: str, settings: str = "") -> None:
    """Run one until the stack is left."""
    path = directory / f"{address}.conf"
    path.write_text(_CONFIGURATION.format(address=address, directory=directory) + settings)
    process = subprocess.Popen(
        ["chronyd", "-x", "-d", "-u", "root", "-f", str(path)], stderr=subprocess.DEVNULL
    )
    running.callback(process.wait)
    running.callback(process.terminate)


@contextmanager
def web_servers(directory: Path, count: int) -> Iterator[list[str]]:
    """Run one nginx on 127.0.1.1 and up, by TLS and without; yield the tables that ask them."""
    addresses = [f"127.0.1.{number}" for number in range(1, count + 1)]
    authority = Authority(time.time_ns())
    chain, key = authority.identity(addresses)
    path = directory / "nginx.conf"
    listen = " ".join(f"listen {address}:443 ssl; listen {address}:80;" for address in addresses)
    path.write_text(_NGINX.format(directory=directory, listen=listen, chain=chain, key=key))
    process = subprocess.Popen(["nginx", "-c", str(path), "-p", str(directory)])
    try:
        time.sleep(1)
        yield [
            f'[[sources.https]]\nurl = "https://{address}/"\noperator = "{address}"\n'
            f'ca_file = "{authority.ca_file}"\ndate_lag = 0\n'
            for address in addresses
        ]
    finally:
        process.terminate()
        process.wait()
        authority.close()


@contextmanager
def lab_process(module: str, *arguments: object) -> Iterator[None]:
    """Run a module of this folder; it has begun to serve when it prints a line."""
    command = [sys.executable, "-m", f"tools.bench.servers.{module}", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            process.stdout.readline()
            yield
        finally:
            process.terminate()
