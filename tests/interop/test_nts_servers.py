"""The program against real NTS servers: chronyd, and ntpsec's ntpd."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from lab.authority import DAY_S, Authority
from lab.behaviour import Behaviour, honest, shifted
from lab.https import EXPIRED
from lab.https import Identity as ForWhom
from lab.nts import NtsServer, another_identifier, flipped, nak, unauthenticated
from sources.record import Record
from tests.conftest import Program
from tests.interop.test_resolver_namespace import permitted
from tests.interop.test_web_servers import ran, verdicts
from tests.support.servers import chrony
from tests.support.servers import ntpsec as nts
from tests.support.servers.chrony import chronyd, faked
from tests.support.servers.ntpsec import accepting, measured, nts_chronyd, running, s_server
from tests.support.servers.web import LOOPBACK, Identity, found, free_port, nginx, not_here, site

pytestmark = pytest.mark.interop

TEN_YEARS_S = 10 * 365 * 86_400
"""faketime's years."""
WRONG_CLOCKS = [("+0s", 0), ("-4s", -4), ("+10y", TEN_YEARS_S), ("-10y", -TEN_YEARS_S)]
ELSEWHERE = "127.0.0.2"
PATIENCE_S = 45
"""How long ntpd may take to be sure of its time; 8 s when it has a processor."""
UNHURRIED = ("--json", "--explain", "--timeout", "15")
"""With --explain every source is waited for: what comes at all has come long before."""


class Lab(Record):
    """Certificates, and honest servers as tables of a configuration."""

    authority: Authority
    identity: Identity
    directory: Path
    two: str
    """Two chronyd with NTS."""
    clocks: str
    """Two without."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Run four chronyd; everything else is for the tests to start."""
    found("faketime")
    directory = tmp_path_factory.mktemp("nts")
    authority = Authority(time.time_ns())
    identity = Identity(*authority.identity([LOOPBACK]))
    with ExitStack() as started:
        started.callback(authority.close)
        two = clocks = ""
        for name in ("november", "oscar"):
            port = free_port()
            started.enter_context(nts_chronyd(directory / name, port, identity))
            two += nts.source(port, name, authority.ca_file)
        for name in ("alpha", "bravo"):
            port = chrony.free_port()
            started.enter_context(chronyd(found("chronyd"), directory / name, port))
            clocks += chrony.source(port, name)
        yield Lab(authority, identity, directory, two, clocks)


@pytest.fixture(autouse=True)
def _state_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no run find what another test's run, or the developer's, has left behind."""
    state = tmp_path / "state"
    state.mkdir()
    monkeypatch.setenv("STATE_DIRECTORY", str(state))


def written(directory: Path, *parts: str) -> str:
    """Write a configuration, and return its path."""
    path = directory / "config.toml"
    path.write_text("\n".join(parts), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(("offset", "printed"), WRONG_CLOCKS)
def test_the_right_integer_whatever_the_clock_says(
    program: Program, lab: Lab, tmp_path: Path, offset: str, printed: int
) -> None:
    """Two servers: the clock's true error, and nothing on stderr."""
    done = program("--config", written(tmp_path, lab.two), environ=faked(offset))

    assert ran(done) == (f"{printed}\n", "", 0)


@pytest.mark.parametrize(("offset", "printed"), WRONG_CLOCKS)
def test_the_time_is_authenticated_and_precise(
    program: Program, lab: Lab, tmp_path: Path, offset: str, printed: int
) -> None:
    """Each source agrees, says that it is authenticated, and proves an interval around the truth.

    No wider than NTP's: the keys cost round trips, and the time has its own.
    """
    done = program("--config", written(tmp_path, lab.two), *UNHURRIED, environ=faked(offset))

    said = json.loads(done.stdout)
    assert (said["drift_s"], done.returncode) == (printed, 0)
    assert len(said["sources"]) == 2
    for source in said["sources"]:
        assert (source["kind"], source["verdict"], source["server"]) == ("nts", "agrees", LOOPBACK)
        assert source["authenticated"] is True
        low_ns, high_ns = source["certain_ns"]
        assert low_ns <= printed * 10**9 + 1_000_000
        assert high_ns >= printed * 10**9 - 1_000_000
        assert high_ns - low_ns < 500_000_000


def test_run_after_run(program: Program, lab: Lab, tmp_path: Path) -> None:
    """What one run leaves behind is no hindrance to the next, whatever the clock did between."""
    config = written(tmp_path, lab.two)

    for offset, printed in [("-4s", -4), ("-4s", -4), ("+10y", TEN_YEARS_S), ("-4s", -4)]:
        assert ran(program("--config", config, environ=faked(offset))) == (f"{printed}\n", "", 0)


def test_two_kinds_agree(program: Program, lab: Lab, tmp_path: Path) -> None:
    """Two servers with NTS and two without are of two kinds, and four votes."""
    rule = "[consensus]\nmin_operators = 4\nmin_kinds = 2\n"
    config = written(tmp_path, rule, lab.clocks, lab.two)
    plain = program("--config", config, environ=faked("-4s"))
    done = program("--config", config, *UNHURRIED, environ=faked("-4s"))

    assert ran(plain) == ("-4\n", "", 0)
    said = json.loads(done.stdout)
    assert said["drift_s"] == -4
    assert sorted(said["quorum"]["kinds"]) == ["ntp", "nts"]
    assert said["quorum"]["min_kinds"] == 2
    authenticated = {source["operator"]: source["authenticated"] for source in said["sources"]}
    assert authenticated == {"alpha": False, "bravo": False, "november": True, "oscar": True}


def test_one_kind_is_not_two(program: Program, lab: Lab, tmp_path: Path) -> None:
    """Without any answer of an NTS server, NTP alone does not do where two kinds have to agree."""
    rule = "[consensus]\nmin_operators = 2\nmin_kinds = 2\n"
    closed = nts.source(free_port(), "closed", lab.authority.ca_file)

    done = program("--config", written(tmp_path, rule, lab.clocks, closed))

    assert (done.stdout, done.returncode) == ("", 3)
    assert done.stderr.count("\n") == 1


def test_a_liar_with_a_good_certificate_is_outvoted(
    program: Program, lab: Lab, tmp_path: Path
) -> None:
    """Authenticated is who says it, not that it is true."""
    port = free_port()
    config = written(tmp_path, lab.clocks, lab.two, nts.source(port, "liar", lab.authority.ca_file))

    with nts_chronyd(tmp_path / "liar", port, lab.identity, offset="+3600s"):
        done = program("--config", config, *UNHURRIED, environ=faked("-4s"))

    assert json.loads(done.stdout)["drift_s"] == -4
    found_out = verdicts(done)
    assert found_out.pop("liar").startswith("falseticker: 3600 s ahead")
    assert all(text.startswith("agrees: ") for text in found_out.values())


@pytest.fixture(scope="module")
def judged(lab: Lab) -> Iterator[str]:
    """Run a chronyd for each certificate that is not to be believed, and one for a good one."""
    authority = lab.authority
    stranger = Authority(time.time_ns(), "Another Root")
    past, future = (-40 * DAY_S, -DAY_S), (10 * DAY_S, 40 * DAY_S)
    identities = {
        "good": authority.identity([LOOPBACK]),
        "expired": authority.identity([LOOPBACK], lifetime=past),
        "not yet valid": authority.identity([LOOPBACK], lifetime=future),
        "expired intermediate": authority.identity([LOOPBACK], intermediate=past),
        "wrong name": authority.identity([ELSEWHERE, "time.test"]),
        "unknown CA": stranger.identity([LOOPBACK]),
    }
    directory = lab.directory / "judged"
    directory.mkdir()
    text = ""
    with ExitStack() as started:
        started.callback(stranger.close)
        for name, files in identities.items():
            port = free_port()
            own = directory / name.replace(" ", "-")
            started.enter_context(nts_chronyd(own, port, Identity(*files)))
            text += nts.source(port, name, authority.ca_file)
        yield written(directory, text)


@pytest.mark.parametrize("offset", ["+0s", "+10y", "-10y"])
def test_certificates_are_judged_by_the_time_that_they_vouch_for(
    program: Program, judged: str, offset: str
) -> None:
    """The verdict says why not; whether the local clock is right or years off has no part in it.

    What is not believed is no sample: it has no interval, and no part in the answer.
    """
    done = program("--config", judged, *UNHURRIED, environ=faked(offset))

    found_out = verdicts(done)
    assert found_out.pop("good").startswith("agrees: ")
    for name, why in {
        "expired": "certificate '127.0.0.1' expired 86",  # a day, and since the fixture began
        "not yet valid": "certificate '127.0.0.1' is not valid until 9 days after the time",
        "expired intermediate": "certificate 'Lab Intermediate' expired 86",
        "wrong name": "certificate: IP address mismatch",
        "unknown CA": "certificate: unable to get local issuer certificate",
    }.items():
        assert found_out.pop(name).startswith(f"unverified: {why}")
    assert found_out == {}
    for source in json.loads(done.stdout)["sources"]:
        assert (source["certain_ns"] is not None) == (source["operator"] == "good")


HOSTS = f"127.0.0.1 localhost\n{ELSEWHERE} time.lab.test\n"


class Apart(Record):
    """A key server, and how the program is to ask it."""

    port: int
    wrap: tuple[str, ...]


@contextmanager
def apart(lab: Lab, directory: Path, named: str, *, shared: bool = True) -> Iterator[Apart]:
    """Run a chronyd for the keys, its own clock an hour ahead, that names one with the true time.

    Unless they share the keys of their cookies, neither knows what the other gave.
    """
    unshare, why_not = permitted(found("unshare"))
    if why_not:
        not_here(f"namespaces are not permitted: {why_not}")
    port, other, clock = free_port(), free_port(), chrony.free_port()
    common = nts.shared_keys(directory, lab.identity, port) if shared else ""
    naming = f"{common}ntsntpserver {named}\n"
    keys = nts_chronyd(
        directory / "keys-only",
        port,
        lab.identity,
        naming,
        clock=(LOOPBACK, clock),
        offset="+3600s",
    )
    time_ = nts_chronyd(
        directory / "time-only", other, lab.identity, common, clock=(ELSEWHERE, clock)
    )
    with keys, time_:
        yield Apart(port, nts.with_hosts(unshare, directory, HOSTS))


def test_the_time_is_asked_where_the_key_server_says(
    program: Program, lab: Lab, tmp_path: Path
) -> None:
    """It names an address, and a port: there, and not of itself, the time is asked."""
    with apart(lab, tmp_path, ELSEWHERE) as server:
        config = written(tmp_path, nts.source(server.port, "apart", lab.authority.ca_file))
        done = program("--config", config, *UNHURRIED, wrap=server.wrap, environ=faked("-4s"))

    source = only(done)
    assert (source["verdict"], source["server"]) == ("agrees", ELSEWHERE)
    assert (json.loads(done.stdout)["drift_s"], source["authenticated"]) == (-4, True)


@pytest.mark.parametrize(
    ("named", "shared", "why"),
    [
        (
            "gone.lab.test",
            True,
            r"(unreachable|timeout): NTP server gone\.lab\.test, named by the key server: name "
            "(not|cannot be) resolved",
        ),
        (
            "time.lab.test",
            True,
            r"unreachable: NTP server time\.lab\.test, named by the key server: leads to this "
            rf"machine \({re.escape(ELSEWHERE)}\)",
        ),
        (ELSEWHERE, False, "unverified: NTS: the server does not know the cookie .*NTSN"),
    ],
)
def test_a_key_server_that_leads_nowhere(
    program: Program, lab: Lab, tmp_path: Path, named: str, shared: bool, why: str
) -> None:
    """It names whom nobody knows, or one that knows none of its cookies: no sample."""
    with apart(lab, tmp_path, named, shared=shared) as server:
        config = written(tmp_path, nts.source(server.port, "apart", lab.authority.ca_file))
        done = program("--config", config, "--json", "--timeout", "4", wrap=server.wrap)

    assert re.match(why, verdicts(done)["apart"])
    assert (only(done)["certain_ns"], done.returncode) == (None, 3)


def test_what_is_no_nts_server(program: Program, lab: Lab, tmp_path: Path) -> None:
    """A closed port, a web server, and whoever speaks TLS but not this, by name."""
    handshake = f"malformed: {LOOPBACK}: TLS handshake: "
    expected = {
        "closed": f"unreachable: no address can be reached ({LOOPBACK} port ",
        "HTTP": handshake,
        "no ALPN": f"malformed: {LOOPBACK}: speaks no ntske/1",
        "other ALPN": handshake,
        "TLS 1.2": f"malformed: {LOOPBACK}: TLS 1.2 or older offered",
        "HTTPS": f"malformed: {LOOPBACK}: TLS 1.2 or older offered",
    }
    ports = {name: free_port() for name in expected}
    tables = [nts.source(port, name, lab.authority.ca_file) for name, port in ports.items()]
    http = [sys.executable, "-m", "http.server", "-b", LOOPBACK, "-d", str(tmp_path)]
    commands = {
        "HTTP": [*http, str(ports["HTTP"])],
        "no ALPN": s_server(ports["no ALPN"], lab.identity),
        "other ALPN": s_server(ports["other ALPN"], lab.identity, "-alpn", "http/1.1"),
        "TLS 1.2": s_server(ports["TLS 1.2"], lab.identity, "-alpn", "ntske/1", "-tls1_2"),
    }
    web = site(ports["HTTPS"], lab.identity)
    with ExitStack() as started:
        started.enter_context(nginx(tmp_path / "nginx", ports["HTTPS"], web))
        for name, command in commands.items():
            output = tmp_path / f"{name}.output"
            started.enter_context(running(command, output, accepting(ports[name])))
        done = program("--config", written(tmp_path, *tables), *UNHURRIED)

    found_out = verdicts(done)
    assert {name: found_out[name][: len(text)] for name, text in expected.items()} == expected
    assert (json.loads(done.stdout)["drift_s"], done.returncode) == (None, 3)


def test_a_chronyd_without_nts(program: Program, lab: Lab, tmp_path: Path) -> None:
    """Its time would be right, and it establishes no keys: unreachable, not plain NTP instead."""
    port = chrony.free_port()
    config = written(tmp_path, nts.source(port, "plain", lab.authority.ca_file))

    with chronyd(found("chronyd"), tmp_path / "plain", port):
        done = program("--config", config, *UNHURRIED)

    assert verdicts(done)["plain"].startswith("unreachable: no address can be reached")
    assert (json.loads(done.stdout)["drift_s"], done.returncode) == (None, 3)


def test_a_server_that_says_nothing(program: Program, lab: Lab, tmp_path: Path) -> None:
    """The one failure that is waited for, no longer than the timeout."""
    with socket.create_server((LOOPBACK, 0)) as silent:
        table = nts.source(silent.getsockname()[1], "silent", lab.authority.ca_file)
        done = program("--config", written(tmp_path, table), "--json", "--timeout", "1")

    assert verdicts(done)["silent"].startswith("timeout: ")
    assert done.returncode == 3
    assert json.loads(done.stdout)["elapsed_ns"] < 1_300_000_000


@pytest.mark.parametrize("off_s", [0, 3.25, -86_400.5])
def test_a_real_client_believes_our_lab_server(tmp_path: Path, off_s: float) -> None:
    """chronyd as the client, which knows nothing of us, measures what the lab says."""
    with NtsServer("Alpha", shifted(off_s)) as server:
        seen_s = measured(tmp_path, {"alpha": server}, patience_s=15)

    assert seen_s["alpha"] == pytest.approx(off_s, abs=0.2)


FORGED: dict[str, Behaviour] = {
    "bit flipped in the header": flipped(32),
    "bit flipped in the identifier": flipped(60),
    "bit flipped in the authenticator": flipped(120),
    "stripped": unauthenticated(honest),
    "another identifier": another_identifier,
    "nak": nak,
}
"""What may come from anybody on the path, and must not be believed."""
SHOWN = {
    "expired": EXPIRED,
    "wrong name": ForWhom(names=(ELSEWHERE,)),
    "unknown CA": ForWhom(known=False),
}
"""What a server may show that has no right to the name."""


def test_a_real_client_can_says(tmp_path: Path) -> None:
    """What the lab forges, chronyd refuses too, so that our refusing it means something."""
    with ExitStack() as started:
        forgers = {n: started.enter_context(NtsServer(n, each)) for n, each in FORGED.items()}
        shown = {n: started.enter_context(NtsServer(n, identity=i)) for n, i in SHOWN.items()}
        seen_s = measured(tmp_path, forgers | shown, patience_s=8)

        assert all(server.requests for server in forgers.values())
        assert all(server.connections for server in shown.values())
        assert not any(server.requests for server in shown.values())
    assert seen_s == dict.fromkeys([*FORGED, *SHOWN])


@pytest.mark.timeout(150)
def test_ntpsec(program: Program, lab: Lab, tmp_path: Path, offline: tuple[str, ...]) -> None:
    """Another implementation: refused as long as it is not sure of its time, then believed."""
    config = written(tmp_path, nts.source(None, "ntpsec", lab.authority.ca_file))
    before: list[str] = []
    with nts.ntpd(offline, tmp_path, lab.identity) as (wrap, output):
        until_s = time.monotonic() + PATIENCE_S
        source = only(program("--config", config, "--json", wrap=wrap))
        while source["verdict"] != "agrees":
            assert time.monotonic() < until_s, f"{before}: {output.read_text()}"
            before.append(source["verdict"])
            time.sleep(0.5)
            source = only(program("--config", config, "--json", wrap=wrap))
        printed = {
            offset: ran(program("--config", config, wrap=wrap, environ=faked(offset)))
            for offset, _ in WRONG_CLOCKS
        }

    assert source["authenticated"] is True
    assert set(before) <= {"unreachable", "timeout", "unsynchronised", "too wide"}
    assert printed == {offset: (f"{right}\n", "", 0) for offset, right in WRONG_CLOCKS}


def only(done: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """Return what --json printed of the one source."""
    (source,) = json.loads(done.stdout)["sources"]
    return cast(dict[str, Any], source)


@pytest.mark.parametrize("naming", ["", "ntsntpserver nts.lab.test\n"])
def test_configured_addresses_serve_a_server_that_names_itself(
    program: Program, lab: Lab, tmp_path: Path, naming: str
) -> None:
    """Where its name cannot be resolved, `addresses` stand for it: for the keys and the time."""
    unshare, why_not = permitted(found("unshare"))
    if why_not:
        not_here(f"namespaces are not permitted: {why_not}")
    identity = Identity(*lab.authority.identity(["nts.lab.test"]))
    port, more = free_port(), 'addresses = ["127.0.0.1"]'
    table = nts.source(port, "apart", lab.authority.ca_file, more, host="nts.lab.test")
    wrap = nts.with_hosts(unshare, tmp_path, "127.0.0.1 localhost\n")
    with nts_chronyd(tmp_path / "chronyd", port, identity, naming):
        done = program("--config", written(tmp_path, table), "--json", "--timeout", "6", wrap=wrap)

    assert only(done)["verdict"] == "agrees", only(done)["text"]
