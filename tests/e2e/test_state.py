"""What runs leave for later ones, as processes: servers are spared, and no obstacle matters."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.behaviour import Honest, Reply, honest, in_turn, shifted, silent
from lab.ntp import NtpServer, kiss
from lab.nts import NtsServer
from lab.nts import kiss as sealed_kiss
from lab.roughtime import RoughtimeServer
from lab.world import Server
from sources.nts import wire as nts
from tests.conftest import Program
from tests.interop.test_resolver_namespace import permitted
from tests.support.servers.dns_server import Scenario, run_in_namespace

ALONE = "[consensus]\nmin_operators = 1\nmin_kinds = 1\n"
AHEAD_S = 4
"""How far the lab's clocks are ahead of this machine's, so that -4 is the right answer."""
RIGHT = (f"{-AHEAD_S}\n", "", 0)

Serve = Callable[..., str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the state directory of this test's runs; nothing is there yet."""
    path = tmp_path / "state"
    monkeypatch.setenv("STATE_DIRECTORY", str(path))
    return path


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Run servers until the end of the test; return the path of the configuration."""
    with ExitStack() as running:

        def start(*servers: Server, settings: str = "") -> str:
            for server in servers:
                running.enter_context(server)
            path = tmp_path / "lab.toml"
            path.write_text("\n".join([settings, *(server.toml() for server in servers)]))
            return str(path)

        yield start


def ahead_unix_ns() -> int:
    return time.time_ns() + AHEAD_S * 10**9


def clocks(names: str = "ABC") -> list[NtpServer]:
    return [NtpServer(name, shifted(AHEAD_S)) for name in names]


def nts_server(name: str = "N") -> NtsServer:
    return NtsServer(name, time_unix_ns=ahead_unix_ns)


def outcome(done: "subprocess.CompletedProcess[str]") -> tuple[str, str, int]:
    return done.stdout, done.stderr, done.returncode


def verdict(done: "subprocess.CompletedProcess[str]", operator: str) -> tuple[str, str]:
    """Return the word and the text for a source, of a run with --json."""
    sources = json.loads(done.stdout)["sources"]
    (found,) = ((s["verdict"], s["text"]) for s in sources if s["operator"] == operator)
    return found


def used_cookies(server: NtsServer) -> list[bytes]:
    return [nts.cookie_of(request) for request in server.requests]


# --- Servers that want to be left alone -----------------------------------------------------


@pytest.mark.parametrize("code", ["RATE", "DENY", "RSTR"])
def test_a_kiss_is_heeded_in_the_next_run(
    program: Program, serve: Serve, place: Path, code: str
) -> None:
    """Who said it gets no datagram of later runs; --explain, --json and -v say until when."""
    weary = NtpServer("Weary", kiss(code))
    path = serve(*clocks(), weary)
    first = program("--config", path, "--json", "--explain")  # which waits for everybody
    assert verdict(first, "Weary") == ("refused", f"kiss-o'-death {code}")
    assert len(weary.requests) == 1

    done = program("--config", path, "--json", "--explain", "-v")

    assert done.returncode == 0
    word, text = verdict(done, "Weary")
    assert word == "refused"
    assert text.startswith(f"said {code}, 1 in a row: until ")
    picture, _, noted = done.stderr.partition("time-drift: ")
    for said in (picture, noted):
        assert "refused" in said
        assert "until" in said
    assert outcome(program("--config", path)) == RIGHT

    assert len(weary.requests) == 1


def test_a_refusal_says_until_when(program: Program, serve: Serve, place: Path) -> None:
    """Where nobody is left to ask, the line on stderr says that and no datagram is sent."""
    weary = [NtpServer(name, kiss("RATE")) for name in "ABC"]
    path = serve(*weary)
    assert program("--config", path).returncode == 3

    done = program("--config", path)

    assert (done.stdout, done.returncode) == ("", 3)
    assert done.stderr.count("\n") == 1
    assert "refused" in done.stderr
    assert "until" in done.stderr
    assert [len(server.requests) for server in weary] == [1, 1, 1]


def test_nts_servers_are_left_alone_as_well(program: Program, serve: Serve, place: Path) -> None:
    """An authenticated RATE rests both the time server and its key server."""
    weary = NtsServer("Weary", sealed_kiss("RATE"), time_unix_ns=ahead_unix_ns)
    path = serve(*clocks(), weary)
    first = program("--config", path, "--json", "--explain")
    assert verdict(first, "Weary")[0] == "refused"
    before = (len(weary.requests), weary.connections)
    assert before == (1, 1)

    done = program("--config", path, "--json", "--explain")

    assert verdict(done, "Weary")[0] == "refused"
    assert "until" in verdict(done, "Weary")[1]
    assert (len(weary.requests), weary.connections) == before


def test_other_kisses_are_asked_again(program: Program, serve: Serve, place: Path) -> None:
    """A code that asks for no rest is heeded in the run that it is said in, and no longer."""
    odd = NtpServer("Odd", kiss("XABC"))
    path = serve(*clocks(), odd)
    for times in (1, 2):
        program("--config", path, "--explain")
        assert len(odd.requests) == times


def test_a_silent_roughtime_server_is_not_asked_at_once(
    program: Program, serve: Serve, place: Path
) -> None:
    """It gets no datagram of the next run, and is asked when the rest is over."""
    mood = [silent]

    def moody(reply: Honest) -> Iterable[Reply]:
        return mood[0](reply)

    mute = RoughtimeServer("Mute", moody, time_unix_ns=ahead_unix_ns)
    path = serve(*clocks(), mute, settings="timeout = 0.8")
    options = ("--config", path, "--json", "--explain")  # which waits for everybody
    asked = -1
    while asked < len(mute.requests) <= 20:  # a busy machine may end before a silence is noted
        asked = len(mute.requests)
        assert verdict(program(*options), "Mute")[0] == "timeout"

    assert 1 <= asked == len(mute.requests)
    assert "did not answer, 1 in a row: until" in verdict(program(*options), "Mute")[1]
    mood[0] = honest
    time.sleep(3.4)
    assert verdict(program(*options), "Mute")[0] == "agrees"
    assert len(mute.requests) > asked


# --- Cookies --------------------------------------------------------------------------------


def test_the_second_run_needs_no_key_exchange(program: Program, serve: Serve, place: Path) -> None:
    """One TLS connection serves ten runs, and each of them uses a cookie that none has used."""
    server = nts_server()
    path = serve(server, settings=ALONE)
    for _ in range(10):
        assert outcome(program("--config", path)) == RIGHT

    assert server.connections == 1
    assert len(set(used_cookies(server))) == len(server.requests) == 10


def test_what_is_kept_is_private(program: Program, serve: Serve, place: Path) -> None:
    """Keys and cookies lie in files of mode 0600 in a directory of mode 0700."""
    assert outcome(program("--config", serve(nts_server(), settings=ALONE))) == RIGHT

    assert place.stat().st_mode & 0o777 == 0o700
    assert [path.suffix for path in place.iterdir()].count(".toml") == 1
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in place.iterdir())


def test_a_server_with_new_keys_answers_all_the_same(
    program: Program, serve: Serve, place: Path
) -> None:
    """NTSN costs one key exchange in that run; the new cookies serve the next ones."""
    server = nts_server()
    path = serve(server, settings=ALONE)
    assert outcome(program("--config", path)) == RIGHT
    old = used_cookies(server)

    server.forget()
    for _ in range(3):
        assert outcome(program("--config", path)) == RIGHT

    assert server.connections == 2
    assert len(server.requests) == 5
    assert len(set(used_cookies(server)) - set(old)) == 4


def test_cookies_that_cannot_be_taken_out_are_not_used(
    program: Program, serve: Serve, place: Path
) -> None:
    """Where entries can be read but not replaced, no cookie is sent in two runs."""
    server = nts_server()
    path = serve(server, settings=ALONE)
    assert outcome(program("--config", path)) == RIGHT
    (place / "new").mkdir()
    for _ in range(2):
        assert outcome(program("--config", path)) == RIGHT

    assert len(set(used_cookies(server))) == len(server.requests)


# --- What is in the way ---------------------------------------------------------------------


def _deleted(place: Path) -> None:
    shutil.rmtree(place)


def _emptied(place: Path) -> None:
    for path in place.iterdir():
        path.unlink()


def _a_directory_as_lock(place: Path) -> None:
    (place / "lock").unlink()
    (place / "lock").mkdir()


def _append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def _in_each_file(change: Callable[[Path], object]) -> Callable[[Path], None]:
    def damage(place: Path) -> None:
        for path in place.glob("*.toml"):
            change(path)

    return damage


def _replaced_by(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return _in_each_file(replace)


def _edited(old: str, new: str) -> Callable[[Path], None]:
    """Return what replaces, in each line that begins so, the value."""

    def edit(path: Path) -> None:
        lines = path.read_text().splitlines()
        path.write_text("\n".join(f"{old} = {new}" if x.startswith(old) else x for x in lines))

    return _in_each_file(edit)


DAMAGES: dict[str, Callable[[Path], None]] = {
    "deleted": _deleted,
    "emptied": _emptied,
    "truncated": _in_each_file(lambda path: os.truncate(path, path.stat().st_size // 2)),
    "empty files": _in_each_file(lambda path: os.truncate(path, 0)),
    "junk": _in_each_file(lambda path: path.write_bytes(os.urandom(3000))),
    "nested junk": _in_each_file(lambda path: path.write_bytes(b"a = " + b"[" * 60_000)),
    "dotted junk": _in_each_file(lambda path: path.write_bytes(b"a" + b".a" * 30_000 + b" = 1")),
    "another format": _edited("format", "2"),
    "another boot": _edited("boot", '"x"'),
    "a future stamp": _edited("kept_boot_ns", str(10**30)),
    "an impossible port": _edited("port", "70000"),
    "a name as address": _edited("address", '"localhost\\u0000"'),
    "a host that is none": _edited("host", '"a\\u0000b"'),
    "no cookies": _edited("cookies", "[]"),
    "empty cookies": _edited("cookies", '["", ""]'),
    "huge cookies": _edited("cookies", f'["{"00" * 15_000}", "{"00" * 15_000}"]'),
    "an impossible chain": _edited("chain", '["9999999999999 -1 x"]'),
    "a foreign key": _in_each_file(lambda path: _append(path, '"\u00e9 x" = 1\n')),
    "writable by all": _in_each_file(lambda path: path.chmod(0o666)),
    "fifos": _replaced_by(os.mkfifo),
    "directories": _replaced_by(os.mkdir),
    "dangling links": _replaced_by(lambda path: path.symlink_to("nowhere")),
    "a fifo aside": lambda place: os.mkfifo(place / "new"),
    "a directory as lock": _a_directory_as_lock,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_whatever_happens_to_the_state_between_runs(
    program: Program, serve: Serve, place: Path, damage: Callable[[Path], None]
) -> None:
    """Right answers, nothing on stderr: the benefit is lost and no more."""
    server = nts_server()
    path = serve(server, settings=ALONE)
    assert outcome(program("--config", path)) == RIGHT

    damage(place)

    assert outcome(program("--config", path)) == RIGHT
    assert outcome(program("--config", path)) == RIGHT


@pytest.mark.parametrize(
    "lines",
    [
        "until_boot_ns = 99999999999999999999999",
        'until_boot_ns = 99999999999999999999999\ncode = "RATE"',
        f'until_boot_ns = 99999999999999999999\ncode = "RATE"\ntimes = 0x{"f" * 20_000}',
        'until_boot_ns = "x"\ncode = []\ntimes = "y"',
    ],
    ids=["no code", "no times", "times too long to print", "other types"],
)
def test_an_odd_rest_is_no_bug(program: Program, serve: Serve, place: Path, lines: str) -> None:
    """A rest that lacks a part, or has one of another type, breaks no run."""
    weary = NtpServer("Weary", in_turn(kiss("RATE"), shifted(AHEAD_S)))
    path = serve(*clocks(), weary)
    program("--config", path, "--explain")
    (file,) = place.glob("*.toml")
    kept = file.read_text().splitlines()
    head = [x for x in kept if x.startswith(("format", "name", "boot", "kept_boot_ns"))]
    file.write_text("\n".join([*head, lines]) + "\n")

    for option in ("--json", "--explain"):
        done = program("--config", path, option)
        assert done.returncode == 0
        assert "Traceback" not in done.stderr
        assert "bug" not in done.stderr


@pytest.mark.parametrize("below", ["", "/state"], ids=["a file", "below a file"])
def test_a_directory_that_cannot_be(
    program: Program, serve: Serve, tmp_path: Path, below: str
) -> None:
    """Each run exchanges keys, is right, and says nothing but under -v."""
    (tmp_path / "file").write_text("")
    environ = {"STATE_DIRECTORY": f"{tmp_path}/file{below}"}
    server = nts_server()
    path = serve(server, settings=ALONE)
    for _ in range(2):
        assert outcome(program("--config", path, environ=environ)) == RIGHT
    assert server.connections == 2

    noted = program("--config", path, "-v", environ=environ)

    assert noted.stdout == RIGHT[0]
    assert noted.stderr.count("cannot be written") == 1


def test_no_state_at_all(program: Program, serve: Serve, place: Path) -> None:
    """With `state = ""` nothing is kept anywhere, and each run exchanges keys."""
    server = nts_server()
    path = serve(server, settings='state = ""\n' + ALONE)
    for _ in range(2):
        assert outcome(program("--config", path)) == RIGHT

    assert server.connections == 2
    assert not place.exists()


def test_a_configured_directory(program: Program, serve: Serve, place: Path) -> None:
    """`state = "DIR"` goes before the environment."""
    configured = place.parent / "configured" / "deep"
    server = nts_server()
    path = serve(server, settings=f'state = "{configured}"\n' + ALONE)
    for _ in range(2):
        assert outcome(program("--config", path)) == RIGHT

    assert server.connections == 1
    assert list(configured.glob("*.toml"))
    assert not place.exists()


@pytest.mark.parametrize("environ", ["XDG_STATE_HOME", "HOME"])
def test_the_users_own_folder(program: Program, serve: Serve, tmp_path: Path, environ: str) -> None:
    """Without systemd's word it is the XDG folder, below home unless that is set."""
    server = nts_server()
    path = serve(server, settings=ALONE)
    home = tmp_path / "home"
    home.mkdir()
    for _ in range(2):
        done = program("--config", path, environ={"STATE_DIRECTORY": "", environ: str(home)})
        assert outcome(done) == RIGHT

    below = home if environ == "XDG_STATE_HOME" else home / ".local" / "state"
    assert list((below / "time-drift").glob("*.toml"))
    assert server.connections == 1


def test_verbose_says_of_a_corrupt_file(program: Program, serve: Serve, place: Path) -> None:
    """One note names it; the run writes it anew, and the next one has nothing to report."""
    server = nts_server()
    path = serve(server, settings=ALONE)
    assert outcome(program("--config", path)) == RIGHT
    (file,) = place.glob("*.toml")
    file.write_bytes(b"junk")

    noted = program("--config", path, "-v")
    after = program("--config", path, "-v")

    assert noted.stdout == after.stdout == RIGHT[0]
    assert noted.stderr.count(f"{file} is ignored") == 1
    assert after.stderr.count("ignored") == 0
    assert server.connections == 2


# --- Runs at once ---------------------------------------------------------------------------


def at_once(script: str, path: str, many: int) -> Sequence[tuple[str, str, int]]:
    """Start so many runs together and return what became of each."""
    runs = [
        subprocess.Popen(
            [script, "--config", path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(many)
    ]
    reported = [run.communicate(timeout=40) for run in runs]
    return [(*words, run.returncode) for words, run in zip(reported, runs, strict=True)]


def test_twenty_runs_at_once(script: str, serve: Serve, place: Path) -> None:
    """All are right, silent, and no two of them send the same cookie; later runs profit."""
    server = nts_server()
    weary = NtpServer("Weary", kiss("RATE"))
    path = serve(server, weary, settings="timeout = 20\n" + ALONE)
    for _ in range(2):
        assert at_once(script, path, 20) == [RIGHT] * 20

    assert len(set(used_cookies(server))) == len(server.requests)
    connections = server.connections
    assert at_once(script, path, 1) == [RIGHT]
    assert server.connections == connections
    kept = [path.name for path in place.iterdir() if path.suffix != ".toml"]
    (parsed,) = set(kept) - {"lock", "new"}
    assert re.fullmatch("configuration-[0-7]", parsed)


def test_a_lock_held_by_somebody_else(program: Program, serve: Serve, place: Path) -> None:
    """Nobody waits for it: each run exchanges keys, and is as fast as the first."""
    server = nts_server()
    path = serve(server, settings=ALONE)
    assert outcome(program("--config", path)) == RIGHT
    flock = ["flock", str(place / "lock"), "sh", "-c", "echo held; read nothing"]
    with subprocess.Popen(flock, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        for _ in range(2):
            assert outcome(program("--config", path)) == RIGHT
        holder.stdin.close()

    assert server.connections == 3
    assert len(set(used_cookies(server))) == len(server.requests)


def test_nothing_half_written_is_left(
    program: Program, serve: Serve, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty runs that are settled while threads write what their servers said: each entry that was
    begun is there, whole, and nothing else is.
    """
    weary = [NtpServer(f"Weary {n}", kiss("RATE")) for n in range(8)]
    path = serve(*clocks("ABCDEFGHIJ"), *weary)
    for number in range(50):
        here = place / str(number)
        monkeypatch.setenv("STATE_DIRECTORY", str(here))
        assert outcome(program("--config", path)) == RIGHT
        for file in here.iterdir() if here.exists() else ():
            if file.suffix == ".toml":
                assert "until_boot_ns = " in file.read_text()
            else:
                assert re.fullmatch("lock|configuration-[0-7]", file.name)


# --- Names ----------------------------------------------------------------------------------


@pytest.mark.interop
@pytest.mark.parametrize("broken", ["SERVFAIL", "hang", "dead", "NXDOMAIN"])
def test_a_known_address_serves_when_dns_is_down(
    script: str, needs: Callable[[str], str], place: Path, tmp_path: Path, broken: str
) -> None:
    """What a name was the last time is asked when no name server answers any more."""
    needs("ip")
    unshare, why_not = permitted(needs("unshare"))
    if why_not and os.environ.get("CI"):
        pytest.fail(f"namespaces are not permitted, and CI may not skip: {why_not}")
    if why_not:
        pytest.skip(f"namespaces are not permitted: this test did NOT run: {why_not}")
    hosts = ("a.lab.test", "b.lab.test", "c.lab.test")
    config = tmp_path / "names.toml"
    config.write_text(
        "timeout = 2.5\n"
        + "\n".join(
            f'[[sources.ntp]]\nhost = "{host}"\nport = {10_001 + n}\noperator = "{host}"\n'
            for n, host in enumerate(hosts)
        )
    )

    def run(name_server: str) -> tuple[str, str, int]:
        scenario = Scenario(
            command=[script, "--config", str(config)],
            name_servers={"127.0.0.9": name_server},
            zone={host: ["127.0.0.1"] for host in hosts},
            clocks=[("127.0.0.1", 10_001 + n) for n in range(3)],
            resolv_conf="nameserver 127.0.0.9\n",
            hosts="127.0.0.1 localhost\n",
        )
        ran = run_in_namespace(unshare, scenario)
        return ran.stdout, ran.stderr, ran.code

    assert run(broken)[2] == 3
    assert run("answer") == RIGHT
    assert run(broken) == RIGHT
