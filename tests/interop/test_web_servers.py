"""The program against real web servers: nginx, caddy, apache2, lighttpd, varnish."""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.authority import DAY_S, Authority
from sources.record import Record
from tests.conftest import Program
from tests.interop.test_resolver_namespace import permitted
from tests.support.servers import chrony, web
from tests.support.servers.chrony import chronyd, faked
from tests.support.servers.dns_server import Scenario, run_in_namespace
from tests.support.servers.web import (
    LOOPBACK,
    Identity,
    asked,
    found,
    free_port,
    in_front_of,
    nginx,
    not_here,
    site,
)

pytestmark = pytest.mark.interop

TEN_YEARS_S = 10 * 365 * 86_400
"""faketime's years."""
WRONG_CLOCKS = ("+0s", "+10y", "-10y")
MOST_REQUESTS = 6
"""How often the program may ask one server in one run."""
NAME_SERVER = "127.0.0.9"

Written = Callable[..., str]


class Lab(Record):
    """Certificates, and honest servers as tables of a configuration."""

    authority: Authority
    identity: Identity
    directory: Path
    three: str
    """nginx, caddy and apache2."""
    nginx: Path
    """Where that nginx has its files."""
    clocks: str
    """Two chronyd."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run nginx, caddy, apache2 and two chronyd; everything else is for the tests to start."""
    found("faketime")
    directory = tmp_path_factory.mktemp("web")
    authority = Authority(time.time_ns())
    identity = Identity(*authority.identity([LOOPBACK]))
    with ExitStack() as running:
        running.callback(authority.close)
        three = ""
        for name, server in (("caddy", web.caddy), ("apache2", web.apache)):
            port = free_port()
            running.enter_context(server(directory / name, port, identity))
            three += web.source(port, name, authority.ca_file)
        port = free_port()
        running.enter_context(nginx(directory / "nginx", port, site(port, identity)))
        three += web.source(port, "nginx", authority.ca_file)
        clocks = ""
        for name in ("alpha", "bravo"):
            port = chrony.free_port()
            running.enter_context(chronyd(found("chronyd"), directory / name, port))
            clocks += chrony.source(port, name)
        yield Lab(authority, identity, directory, three, directory / "nginx", clocks)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Write a configuration, and return its path."""

    def write(*parts: str) -> str:
        path = tmp_path / "config.toml"
        path.write_text("\n".join(parts), encoding="utf-8")
        return str(path)

    return write


def verdicts(done: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    """Return "word: text" of the verdict on each operator, from what --json printed."""
    sources = json.loads(done.stdout)["sources"]
    return {source["operator"]: f"{source['verdict']}: {source['text']}" for source in sources}


def ran(done: "subprocess.CompletedProcess[str]") -> tuple[str, str, int]:
    """Return everything that a monitoring agent sees."""
    return done.stdout, done.stderr, done.returncode


@pytest.mark.parametrize(
    ("offset", "printed"),
    [("+0s", 0), ("-4s", -4), ("+10y", TEN_YEARS_S), ("-10y", -TEN_YEARS_S)],
)
def test_the_right_integer_whatever_the_clock_says(
    program: Program, lab: Lab, written: Written, offset: str, printed: int
) -> None:
    """With two chronyd and three web servers: the clock's true error, nothing on stderr."""
    config = written(lab.three, lab.clocks)

    done = program("--config", config, environ=faked(offset))

    assert ran(done) == (f"{printed}\n", "", 0)


def test_web_servers_alone(program: Program, lab: Lab, written: Written) -> None:
    """Whole seconds of three web servers are enough for a clock that is whole seconds off."""
    done = program("--config", written(lab.three), environ=faked("-4s"))

    assert ran(done) == ("-4\n", "", 0)


@pytest.mark.timeout(180)
def test_web_servers_alone_whatever_the_fraction(
    program: Program, lab: Lab, written: Written
) -> None:
    """Near and far from a half second, either way: 19 of 20 integers exact, none off by two."""
    config = written(lab.three)
    dice = random.Random(20261122)  # noqa: S311 - a test that can be repeated
    wrong = []
    for number in range(20):
        fraction_s = dice.uniform(0, 0.4) if number % 2 else dice.uniform(0.6, 0.9)
        off_s = dice.choice((-1, 1)) * (dice.randrange(100_000) + fraction_s)
        done = program("--config", config, "--timeout", "6", environ=faked(f"{off_s:+.4f}s"))

        assert (done.stderr, done.returncode) == ("", 0), off_s
        assert abs(int(done.stdout) - off_s) < 1.5, off_s
        if int(done.stdout) != round(off_s):
            wrong.append((off_s, done.stdout))

    assert len(wrong) <= 1, wrong


def test_how_a_web_server_is_asked(program: Program, lab: Lab, written: Written) -> None:
    """In each run over one connection, six times at most, by HEAD, each time for another query."""
    config = written(lab.three)
    before = len(asked(lab.nginx))

    for offset in ("+0.3s", "-7.4s", "+0.48s"):
        program("--config", config, environ=faked(offset))

    requests = asked(lab.nginx)[before:]
    connections = {request.connection for request in requests}
    assert len(connections) == 3 < len(requests)
    for connection in connections:
        assert sum(r.connection == connection for r in requests) <= MOST_REQUESTS
    assert {(request.method, request.path) for request in requests} == {("HEAD", "/")}
    assert len({request.query for request in requests}) == len(requests)


@pytest.fixture(scope="module")
def rejected(lab: Lab) -> Iterator[str]:
    """Run an nginx with a site for each certificate that is not to be believed."""
    authority = lab.authority
    stranger = Authority(time.time_ns(), "Another Root")
    past, future = (-40 * DAY_S, -10 * DAY_S), (10 * DAY_S, 40 * DAY_S)
    identities = {
        "wrong name": authority.identity(["127.0.0.2", "time.test"]),
        "unknown CA": stranger.identity([LOOPBACK]),
        "expired": authority.identity([LOOPBACK], lifetime=past),
        "not yet valid": authority.identity([LOOPBACK], lifetime=future),
        "expired intermediate": authority.identity([LOOPBACK], intermediate=past),
    }
    ports = {name: free_port() for name in identities}
    sites = [site(ports[name], Identity(*files)) for name, files in identities.items()]
    text = "".join(web.source(port, name, authority.ca_file) for name, port in ports.items())
    with nginx(lab.directory / "rejected", ports["expired"], *sites):
        path = lab.directory / "rejected.toml"
        path.write_text(text, encoding="utf-8")
        yield str(path)
    stranger.close()


@pytest.mark.parametrize("offset", WRONG_CLOCKS)
def test_certificates_that_are_not_believed(program: Program, rejected: str, offset: str) -> None:
    """The verdict says why; whether the local clock is right or years off has no part in it."""
    done = program("--config", rejected, "--json", environ=faked(offset))

    assert done.returncode == 3
    found_out = verdicts(done)
    for name, why in {
        "wrong name": "certificate: IP address mismatch",
        "unknown CA": "certificate: unable to get local issuer certificate",
        "expired": "certificate '127.0.0.1' expired 10 days before the time the server claims",
        "not yet valid": "certificate '127.0.0.1' is not valid until",
        "expired intermediate": "certificate 'Lab Intermediate' expired 10 days before the time",
    }.items():
        assert found_out[name].startswith(f"unverified: {why}")


class Cached(Record):
    """A site behind varnish."""

    port: int
    origin: Path
    """Where the nginx has its files that varnish asks."""


@pytest.fixture(scope="module")
def cached(lab: Lab) -> Iterator[Cached]:
    """Run varnish, an nginx behind it that makes the Date, and one in front that keeps it."""
    front, cache, origin = free_port(), free_port(), free_port()
    content = 'return 200 "content";'
    with (
        nginx(lab.directory / "origin", origin, site(origin, None, content)),
        web.varnish(lab.directory / "varnish", cache, origin),
        nginx(lab.directory / "front", front, site(front, lab.identity, in_front_of(cache))),
    ):
        yield Cached(front, lab.directory / "origin")


IGNORED = 'ignore_headers = ["Age", "Via"]'


def test_a_cache_in_front_is_stale(
    program: Program, lab: Lab, cached: Cached, written: Written
) -> None:
    """Its first answer and, from its memory whatever the query, its second: both give it away."""
    config = written(web.source(cached.port, "cache", lab.authority.ca_file, path="/stale"))

    miss = program("--config", config, "--json")
    hit = program("--config", config, "--json")

    for done in (miss, hit):
        assert done.returncode == 3
        assert re.match("stale: from a cache: (Age|Via): ", verdicts(done)["cache"])
    assert [request.path for request in asked(cached.origin)].count("/stale") == 1


def test_a_cache_that_remembers_nothing_may_be_ignored(
    program: Program, lab: Lab, cached: Cached, written: Written
) -> None:
    """With its headers ignored, a cache that only hands on is a source; without, it is stale."""
    table = (cached.port, "cache", lab.authority.ca_file)

    heeded = program("--config", written(web.source(*table, path="/pass")), "--json")
    config = written(web.source(*table, IGNORED, path="/pass"))
    ignored = program("--config", config, environ=faked("-4s"))

    assert verdicts(heeded)["cache"].startswith("stale: from a cache: ")
    assert ran(ignored) == ("-4\n", "", 0)


def test_a_remembered_date_is_outvoted(
    program: Program, lab: Lab, cached: Cached, written: Written
) -> None:
    """Ignoring what gives a cache away does not make its old Date right."""
    table = web.source(cached.port, "cache", lab.authority.ca_file, IGNORED, path="/old")
    config = written(table, lab.clocks)
    program("--config", config)
    time.sleep(3)

    done = program("--config", config, "--json")

    assert re.match("falseticker: .* s behind", verdicts(done)["cache"])


def test_a_cache_that_was_missed_is_not_stale(
    program: Program, lab: Lab, tmp_path: Path, written: Written
) -> None:
    """X-Cache says which: MISS came from the server itself, HIT did not."""
    miss, hit = free_port(), free_port()
    sites = [
        site(port, lab.identity, f"add_header X-Cache {word} always; return 204;")
        for port, word in ((miss, "MISS"), (hit, "HIT"))
    ]
    ca_file = lab.authority.ca_file
    config = written(web.source(miss, "miss", ca_file), web.source(hit, "hit", ca_file))

    with nginx(tmp_path / "nginx", miss, *sites):
        found_out = verdicts(program("--config", config, "--json"))

    assert found_out["miss"].startswith("agrees: ")
    assert found_out["hit"] == "stale: from a cache: X-Cache: HIT"


@pytest.mark.parametrize("server", ["nginx", "apache2"])
def test_a_real_liar(
    program: Program, lab: Lab, tmp_path: Path, written: Written, server: str
) -> None:
    """A web server an hour ahead among three honest ones: the truth, and the liar by name."""
    port = free_port()
    config = written(lab.three, web.source(port, "liar", lab.authority.ca_file))
    ahead = faked("+3600s")

    with (
        nginx(tmp_path / server, port, site(port, lab.identity), environ=ahead)
        if server == "nginx"
        else web.apache(tmp_path / server, port, lab.identity, ahead)
    ):
        plain = program("--config", config, environ=faked("-4s"))
        wide = faked("-4s") | {"COLUMNS": "160"}
        done = program("--config", config, "--json", "--explain", environ=wide)

    assert ran(plain) == ("-4\n", "", 0)
    assert json.loads(done.stdout)["drift_s"] == -4
    liars = [line for line in done.stderr.split("\n") if "falseticker" in line]
    assert len(liars) == 1
    assert re.search(r"liar .* falseticker: (3599|3600)(\.[0-9])? s ahead", liars[0])
    said = {operator: text.split(":")[0] for operator, text in verdicts(done).items()}
    assert said == dict.fromkeys(("nginx", "caddy", "apache2"), "agrees") | {"liar": "falseticker"}


def test_a_date_that_is_late(program: Program, lab: Lab, tmp_path: Path, written: Written) -> None:
    """A lighttpd 0.54 s late agrees with NTP, by the default `date_lag`, whenever it is asked.

    Its Date alone may then seem to prove the next integer: a refusal at some moments, never a 1.
    """
    port, front = free_port(), free_port()
    config = written(lab.clocks, web.source(front, "lighttpd", lab.authority.ca_file))
    dice = random.Random(20261122)  # noqa: S311 - a test that can be repeated
    runs = []

    with (
        web.lighttpd(tmp_path / "lighttpd", port, web.late(0.54)),
        web.kept_busy(port),
        nginx(tmp_path / "nginx", front, site(front, lab.identity, in_front_of(port))),
    ):
        for _ in range(10):
            time.sleep(dice.random())
            runs.append(program("--config", config, "--json"))

    assert [verdicts(done)["lighttpd"].split(":")[0] for done in runs] == ["agrees"] * 10
    printed = [json.loads(done.stdout)["drift_s"] for done in runs]
    assert printed.count(0) >= 7
    assert set(printed) <= {0, None}


def test_ipv6(program: Program, lab: Lab, tmp_path: Path, written: Written) -> None:
    """A literal IPv6 address is a host, and a certificate can name it."""
    if not _has_ipv6():
        not_here("there is no IPv6 loopback")
    port = free_port("::1")
    identity = Identity(*lab.authority.identity(["::1"]))
    config = written(web.source(port, "six", lab.authority.ca_file, address="::1"))

    with nginx(tmp_path / "nginx", port, site(port, identity, address="::1"), address="::1"):
        done = program("--config", config, environ=faked("-4s"))

    assert ran(done) == ("-4\n", "", 0)


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_a_name_that_nobody_knows(script: str, lab: Lab, tmp_path: Path, written: Written) -> None:
    """Asked at `addresses`, the server still has to prove the name of the URL.

    In a network of its own, so that the name is asked of nobody outside.
    """
    found("ip")
    unshare, why_not = permitted(found("unshare"))
    if why_not:
        not_here(f"namespaces are not permitted ({why_not})")
    right, wrong = 10_443, 10_444
    addresses = f'addresses = ["{LOOPBACK}"]'
    config = written(
        *(
            web.source(port, operator, lab.authority.ca_file, addresses, address="time.test")
            for port, operator in ((right, "right"), (wrong, "wrong"))
        )
    )
    named = Identity(*lab.authority.identity(["time.test"]))
    settings = web.nginx_settings(tmp_path / "nginx", site(right, named), site(wrong, lab.identity))
    # nginx has begun to listen when it goes into the background.
    start = '"$0" -c "$1" </dev/null >/dev/null 2>&1 && shift && exec "$@"'
    run = [script, "--config", config, "--json"]
    scenario = Scenario(
        command=["sh", "-c", start, found("nginx"), settings, *run],
        name_servers={NAME_SERVER: "NXDOMAIN"},
        zone={},
        clocks=[],
        resolv_conf=f"nameserver {NAME_SERVER}\n",
        hosts=f"{LOOPBACK} localhost\n",
    )

    try:
        done = run_in_namespace(unshare, scenario)
    finally:
        for pid in tmp_path.glob("nginx/nginx.pid"):
            os.kill(int(pid.read_text()), signal.SIGTERM)

    assert done.names(NAME_SERVER) == {"time.test"}
    found_out = verdicts(subprocess.CompletedProcess(run, done.code, done.stdout, done.stderr))
    assert found_out["right"].startswith("agrees: ")
    assert found_out["wrong"].startswith("unverified: certificate: Hostname mismatch")


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_cas_of_the_environment(
    program: Program, lab: Lab, tmp_path: Path, written: Written, variable: str
) -> None:
    """Without `ca_file`, the CAs are those that the environment names."""
    hashed = tmp_path / "hashed"
    hashed.mkdir()
    shutil.copy(lab.authority.ca_file, hashed / "root.pem")
    subprocess.run([found("openssl"), "rehash", str(hashed)], check=True)
    path = str(hashed) if variable == "SSL_CERT_DIR" else lab.authority.ca_file
    config = written(re.sub("ca_file.*", "", lab.three))

    named = program("--config", config, environ=faked("-4s", **{variable: path}))
    unnamed = program("--config", config, "--json", environ=faked("-4s"))

    assert ran(named) == ("-4\n", "", 0)
    assert {text.split(":")[0] for text in verdicts(unnamed).values()} == {"unverified"}


def test_proxies_of_the_environment(program: Program, lab: Lab, written: Written) -> None:
    """A proxy that the environment names is not used: this one could not be."""
    proxy = "http://127.0.0.1:9"
    names = ("http_proxy", "https_proxy", "all_proxy")
    proxies = {spelt: proxy for name in names for spelt in (name, name.upper())}

    done = program("--config", written(lab.three), environ=faked("-4s", **proxies))

    assert ran(done) == ("-4\n", "", 0)


def test_any_status_will_do(program: Program, lab: Lab, tmp_path: Path, written: Written) -> None:
    """A redirect, which is not followed, a page not found and a server's error have the time."""
    port = free_port()
    content = (
        f"location /302 {{ return 302 https://{LOOPBACK}:{port}/followed; }}"
        "location /404 { return 404; } location /500 { return 500; }"
    )
    paths = ("/302", "/404", "/500")
    config = written(*(web.source(port, path, lab.authority.ca_file, path=path) for path in paths))

    with nginx(tmp_path / "nginx", port, site(port, lab.identity, content)):
        done = program("--config", config, environ=faked("-4s"))

    assert ran(done) == ("-4\n", "", 0)
    assert {request.path for request in asked(tmp_path / "nginx")} == set(paths)
