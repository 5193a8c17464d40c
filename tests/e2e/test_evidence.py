"""Evidence against Roughtime servers that lie, as a process: collected, written, verified."""

import base64
import json
import os
import re
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from drift.config import parse
from lab import behaviour
from lab.behaviour import Behaviour, Honest, Reply
from lab.ntp import NtpServer
from lab.roughtime import Manner, RoughtimeServer, contradicting
from lab.world import Server
from sources.clock import NS
from tests.conftest import Program

HOUR_S = 3600
IN_TIME_S = 4
"""A timeout long enough for a busy machine, where the duration is not what is tested."""


class Lab:
    """Three NTP servers and some of Roughtime, and the configuration that asks them."""

    def __init__(self, directory: Path, running: ExitStack) -> None:
        self.running = running
        self.path = directory / "lab.toml"
        self.evidence = directory / "evidence"

    def serve(
        self,
        *roughtime: RoughtimeServer,
        evidence: Path | None,
        timeout_s: float = IN_TIME_S,
        min_kinds: int = 2,
    ) -> str:
        """Run the servers until the end of the test; return the configuration's path."""
        servers: list[Server] = [*(NtpServer(name) for name in "ABC"), *roughtime]
        for server in servers:
            self.running.enter_context(server)
        settings = [f"timeout = {timeout_s}"]
        if evidence is not None:
            settings.append(f'evidence = "{evidence}"')
        settings.append(f"[consensus]\nmin_kinds = {min_kinds}")
        self.path.write_text("\n".join([*settings, *(server.toml() for server in servers)]))
        return str(self.path)

    def reports(self) -> list[Path]:
        return sorted(self.evidence.iterdir()) if self.evidence.exists() else []


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Return a lab that serves as long as the test runs."""
    with ExitStack() as running:
        yield Lab(tmp_path, running)


def three(behave: Behaviour) -> tuple[RoughtimeServer, ...]:
    """Return two honest Roughtime servers and, last, one that behaves like that."""
    return RoughtimeServer("D"), RoughtimeServer("E"), RoughtimeServer("Liar & Sons", behave)


def key_of(server: RoughtimeServer) -> str:
    return base64.b64encode(server.signer.public_key).decode()


def later(seconds: float, off_s: float) -> Behaviour:
    """Answer from a clock that is off by so much, after so long on the way back."""

    def behave(reply: Honest) -> list[Reply]:
        return [Reply(reply(round(off_s * NS)), delay_s=seconds)]

    return behave


def assert_wrong(done: "subprocess.CompletedProcess[str]", *words: str) -> None:
    """Check a wrong use: exit 2, stdout empty, one line that says what is wrong."""
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr.startswith("time-drift: ")
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


# --- Collecting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("off_s", [HOUR_S, -HOUR_S], ids=["ahead", "behind"])
def test_a_liar_is_outvoted_and_convicted(program: Program, lab: Lab, off_s: int) -> None:
    """The right integer and nothing else; one report, ours only, that convicts the liar."""
    servers = three(behaviour.shifted(off_s))
    path = lab.serve(*servers, evidence=lab.evidence)

    done = program("--config", path)

    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)
    (report,) = lab.reports()
    assert re.fullmatch(r"malfeasance-\d{8}T\d{6}Z-Liar-Sons\b.*\.json", report.name)
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert stat.S_IMODE(lab.evidence.stat().st_mode) == 0o700
    verified = program("verify-evidence", str(report))
    assert (verified.stderr, verified.returncode) == ("", 0)
    convicts = f"This convicts {key_of(servers[-1])}: without it nothing contradicts, unless "
    assert verified.stdout.splitlines()[-1].startswith(convicts)
    for server in servers:
        assert key_of(server) in verified.stdout


def test_a_report_has_what_other_clients_want(program: Program, lab: Lab) -> None:
    """Honest, honest, suspect, and the honest ones again; four keys each, rand in the first too."""
    first, second, liar = three(behaviour.shifted(HOUR_S))
    program("--config", lab.serve(first, second, liar, evidence=lab.evidence))

    entries = json.loads(lab.reports()[0].read_text())["responses"]

    keys = [entry["publicKey"] for entry in entries]
    assert keys == [key_of(server) for server in (first, second, liar, first, second)]
    assert all(set(e) == {"publicKey", "rand", "request", "response"} for e in entries)


@pytest.mark.parametrize(
    "versions", [(None,), (0x8000_0007,), (0x8000_000B,), (0x8000_000C,)], ids=repr
)
def test_a_liar_of_any_dialect_is_convicted(
    program: Program, lab: Lab, versions: tuple[int | None, ...]
) -> None:
    """The chain goes through servers of different dialects."""
    liar = RoughtimeServer("L", behaviour.shifted(-HOUR_S), manner=Manner(versions))
    google = RoughtimeServer("D", manner=Manner((None,)))
    path = lab.serve(google, RoughtimeServer("E"), liar, evidence=lab.evidence)

    done = program("--config", path)

    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)
    (report,) = lab.reports()
    assert f"This convicts {key_of(liar)}" in program("verify-evidence", str(report)).stdout


def test_with_v_the_report_is_named(program: Program, lab: Lab) -> None:
    """A note on stderr says where it is."""
    path = lab.serve(*three(behaviour.shifted(HOUR_S)), evidence=lab.evidence)

    done = program("--config", path, "-v")

    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert f"evidence: {lab.reports()[0]}" in done.stderr


@pytest.mark.parametrize("option", ["--json", "--explain"])
def test_other_forms_collect_too(program: Program, lab: Lab, option: str) -> None:
    """The object and the picture come with evidence as the integer does."""
    path = lab.serve(*three(behaviour.shifted(HOUR_S)), evidence=lab.evidence)

    done = program("--config", path, option)

    assert done.returncode == 0
    assert len(lab.reports()) == 1


def test_one_honest_witness_does_not_say_which(program: Program, lab: Lab) -> None:
    """With two Roughtime servers only, the report proves that one of them lied."""
    liar = RoughtimeServer("L", behaviour.shifted(HOUR_S))
    path = lab.serve(RoughtimeServer("D"), liar, evidence=lab.evidence)

    done = program("--config", path)

    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)
    (report,) = lab.reports()
    verified = program("verify-evidence", str(report))
    assert verified.returncode == 0
    assert "one of the servers lied, but not which" in verified.stdout


def test_two_liars_are_two_reports(program: Program, lab: Lab) -> None:
    """Each is asked about on its own, also where one operator runs both."""
    liars = [RoughtimeServer("L", behaviour.shifted(off)) for off in (HOUR_S, -HOUR_S)]
    honest = [RoughtimeServer(name) for name in "DE"]
    path = lab.serve(*honest, *liars, evidence=lab.evidence)

    done = program("--config", path)

    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)
    assert len(lab.reports()) == 2
    said = "".join(program("verify-evidence", str(report)).stdout for report in lab.reports())
    for liar in liars:
        assert f"This convicts {key_of(liar)}" in said


def test_a_liar_beyond_the_calendar_costs_no_answer(program: Program, lab: Lab) -> None:
    """Two liars and no honest Roughtime server, one in the year 12026: the integer, a report."""
    beyond = RoughtimeServer("D", behaviour.shifted(10_000 * 365.2425 * 86_400))
    liar = RoughtimeServer("L", behaviour.shifted(HOUR_S))
    path = lab.serve(beyond, liar, evidence=lab.evidence, min_kinds=1)

    done = program("--config", path)

    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)
    assert lab.reports()


def test_two_liars_of_one_mind_do_not_convict_the_honest_one(program: Program, lab: Lab) -> None:
    """NTP agrees with the one Roughtime server that both contradict: no report convicts it."""
    honest = RoughtimeServer("H")
    liars = [RoughtimeServer(name, behaviour.shifted(HOUR_S)) for name in "DE"]
    path = lab.serve(honest, *liars, evidence=lab.evidence)

    done = program("--config", path)

    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)
    said = [program("verify-evidence", str(report)).stdout for report in lab.reports()]
    assert not any(f"This convicts {key_of(honest)}" in words for words in said), said


def test_without_a_majority_evidence_is_collected_too(program: Program, lab: Lab) -> None:
    """Four liars of four minds: no answer, one line, and reports of at most three suspects."""
    offs = {"D": 1, "E": -1, "F": 2, "G": -2}
    liars = [RoughtimeServer(n, behaviour.shifted(off * HOUR_S)) for n, off in offs.items()]
    path = lab.serve(*liars, evidence=lab.evidence)

    done = program("--config", path)

    assert (done.stdout, done.returncode) == ("", 3)
    assert "no majority" in done.stderr
    assert done.stderr.count("\n") == 1
    assert len(lab.reports()) == 3
    for report in lab.reports():
        assert program("verify-evidence", str(report)).returncode == 0


def test_without_a_majority_nobody_is_convicted(program: Program, lab: Lab) -> None:
    """Two liars of one mind and an honest one, nobody outvoted: that one lied, but not which."""
    honest, *liars = (
        RoughtimeServer("D"),
        *(RoughtimeServer(name, behaviour.shifted(HOUR_S)) for name in "EF"),
    )
    path = lab.serve(honest, *liars, evidence=lab.evidence)
    text = Path(path).read_text().replace('operator = "B"', 'operator = "A"')
    Path(path).write_text(text.replace('operator = "C"', 'operator = "A"'))

    done = program("--config", path)

    assert (done.stdout, done.returncode) == ("", 3)
    assert lab.reports()
    for report in lab.reports():
        assert "one-of-two" in report.name
        assert "but not which" in program("verify-evidence", str(report)).stdout


def test_a_server_that_contradicts_itself_is_convicted(program: Program, lab: Lab) -> None:
    """A liar that is ahead first and behind next is proven one, whatever it says."""
    path = lab.serve(*three(contradicting(HOUR_S)), evidence=lab.evidence)

    done = program("--config", path)

    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)
    (report,) = lab.reports()
    assert "Liar-Sons" in report.name


def test_where_all_are_honest_nothing_is_written(program: Program, lab: Lab) -> None:
    """No suspect, no sequence: every server is asked once, and no directory is made."""
    servers = three(behaviour.honest)
    path = lab.serve(*servers, evidence=lab.evidence)

    done = program("--config", path)

    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)
    assert not lab.evidence.exists()
    assert [len(server.requests) for server in servers] == [1, 1, 1]


def test_liars_that_agree_contradict_nobody(program: Program, lab: Lab) -> None:
    """Outvoted by NTP, but of one mind: no report, and a note says so."""
    liars = [RoughtimeServer(name, behaviour.shifted(HOUR_S)) for name in "DE"]
    path = lab.serve(*liars, evidence=lab.evidence, min_kinds=1)

    done = program("--config", path, "-v")

    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert done.stderr.count("no contradiction in a sequence") == 2
    assert lab.reports() == []


def test_without_evidence_everybody_is_asked_once(program: Program, lab: Lab) -> None:
    """Not configured, nothing is written, and nobody gets a second request."""
    servers = three(behaviour.shifted(HOUR_S))
    path = lab.serve(*servers, evidence=None)
    before = sorted(lab.path.parent.iterdir())

    done = program("--config", path)

    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)
    assert [len(server.requests) for server in servers] == [1, 1, 1]
    assert sorted(lab.path.parent.iterdir()) == before


@pytest.mark.parametrize("options", [(), ("-v",)], ids=["plain", "with -v"])
def test_a_directory_that_cannot_be_written_costs_nothing(
    program: Program, lab: Lab, options: tuple[str, ...]
) -> None:
    """A file in its place: the integer all the same, and a note with -v only."""
    lab.evidence.write_text("no directory")
    path = lab.serve(*three(behaviour.shifted(HOUR_S)), evidence=lab.evidence)

    done = program("--config", path, *options)

    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert (f"evidence: {lab.evidence}: cannot be written: " in done.stderr) == bool(options)
    assert bool(done.stderr) == bool(options)
    assert lab.evidence.read_text() == "no directory"


def test_a_hundred_reports_are_enough(program: Program, lab: Lab) -> None:
    """None is added, none replaced; a note with -v says why."""
    lab.evidence.mkdir()
    held = {f"malfeasance-{number}.json" for number in range(100)}
    for name in held:
        (lab.evidence / name).write_text("kept")
    path = lab.serve(*three(behaviour.shifted(HOUR_S)), evidence=lab.evidence)

    done = program("--config", path, "-v")

    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert "holds 100 reports: no further one is written" in done.stderr
    assert {report.name: report.read_text() for report in lab.reports()} == dict.fromkeys(
        held, "kept"
    )


def test_the_hundredth_report_is_written(program: Program, lab: Lab) -> None:
    """Ninety-nine reports, and files that are none, leave room; nothing but it is left behind."""
    lab.evidence.mkdir()
    for number in range(99):
        (lab.evidence / f"malfeasance-{number}.json").touch()
    (lab.evidence / "README").touch()
    path = lab.serve(*three(behaviour.shifted(HOUR_S)), evidence=lab.evidence)

    done = program("--config", path)

    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)
    assert len(lab.reports()) == 101


@pytest.mark.parametrize("value", ['"evidence"', '"./evidence"', '""', "true", '"~/evidence"'])
def test_a_directory_has_to_be_absolute(program: Program, tmp_path: Path, value: str) -> None:
    """Agents start us anywhere, so a relative directory is a mistake in the configuration."""
    path = tmp_path / "wrong.toml"
    path.write_text(f'evidence = {value}\n[[sources.ntp]]\nhost = "192.0.2.1"\n')

    done = program("--config", str(path))

    assert_wrong(done, str(path), "evidence = ", "the absolute path of a directory")


# --- When ----------------------------------------------------------------------------------------


def test_the_answer_comes_after_the_evidence(script: str, lab: Lab) -> None:
    """Who reads the integer finds the report, though the second answers took their time."""
    slow = behaviour.in_turn(behaviour.shifted(HOUR_S), later(0.5, HOUR_S))
    path = lab.serve(*three(slow), evidence=lab.evidence)
    began = time.monotonic()
    with subprocess.Popen(
        [script, "--config", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        first = os.read(process.stdout.fileno(), 100)
        found, took_s = lab.reports(), time.monotonic() - began

    assert first == b"0\n"
    assert len(found) == 1
    assert 0.5 < took_s < IN_TIME_S


@pytest.mark.parametrize("third", [behaviour.honest, behaviour.shifted(HOUR_S)])
def test_a_hung_server_delays_it_by_half_of_the_timeout(
    program: Program, lab: Lab, third: Behaviour
) -> None:
    """The early answer waits for it until then and not longer; a liar beside it is convicted."""
    hung = RoughtimeServer("H", behaviour.silent)
    path = lab.serve(*three(third), hung, evidence=lab.evidence, timeout_s=IN_TIME_S)
    began = time.monotonic()

    done = program("--config", path)

    took_s = time.monotonic() - began
    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)
    assert 0.4 * IN_TIME_S < took_s < IN_TIME_S / 2 + 0.8
    assert len(lab.reports()) == (0 if third is behaviour.honest else 1)


def test_without_evidence_nobody_waits_for_a_hung_server(program: Program, lab: Lab) -> None:
    """Unset, the early answer comes at once."""
    hung = RoughtimeServer("H", behaviour.silent)
    path = lab.serve(*three(behaviour.honest), hung, evidence=None, timeout_s=IN_TIME_S)
    began = time.monotonic()

    done = program("--config", path)

    assert time.monotonic() - began < 0.4 * IN_TIME_S
    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)


def test_a_suspect_that_answers_once_costs_the_timeout_at_most(program: Program, lab: Lab) -> None:
    """Asked again it is silent: the right integer by the timeout, and no report."""
    once = behaviour.in_turn(behaviour.shifted(HOUR_S), behaviour.silent)
    path = lab.serve(*three(once), evidence=lab.evidence, timeout_s=2)
    began = time.monotonic()

    done = program("--config", path)

    assert time.monotonic() - began < 2.3
    assert (done.stdout, done.stderr, done.returncode) == ("0\n", "", 0)
    assert lab.reports() == []


def test_a_suspect_that_has_repented_is_not_convicted(program: Program, lab: Lab) -> None:
    """Asked again it says the truth: nothing is proven, nothing written, a note with -v."""
    once = behaviour.in_turn(behaviour.shifted(HOUR_S), behaviour.honest)
    path = lab.serve(*three(once), evidence=lab.evidence)

    done = program("--config", path, "-v")

    assert (done.stdout, done.returncode) == ("0\n", 0)
    assert "no contradiction in a sequence" in done.stderr
    assert lab.reports() == []


# --- verify-evidence and import-servers -----------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "field"),
    [
        (number, field)
        for number in range(5)
        for field in ("publicKey", "rand", "request", "response")
        if (number, field) != (0, "rand")
    ],
)
def test_a_report_with_a_flipped_bit_proves_nothing(
    program: Program, lab: Lab, report: Callable[[], str], number: int, field: str
) -> None:
    """Exit 1, and the words say what does not hold. Nothing vouches for the first rand."""
    tree = json.loads(report())
    entry = tree["responses"][number]
    data = bytearray(base64.b64decode(entry[field]))
    data[len(data) // 2] ^= 4
    entry[field] = base64.b64encode(data).decode()
    lab.path.write_text(json.dumps(tree))

    done = program("verify-evidence", str(lab.path))

    assert (done.stderr, done.returncode) == ("", 1)
    assert done.stdout.startswith("This proves nothing: ")


def test_a_consistent_report_proves_nothing(
    program: Program, lab: Lab, report: Callable[[], str]
) -> None:
    """The beginning of a chain, before anybody contradicts: exit 1, the times in words."""
    tree = json.loads(report())
    lab.path.write_text(json.dumps({"responses": tree["responses"][:2]}))

    done = program("verify-evidence", str(lab.path))

    assert (done.stderr, done.returncode) == ("", 1)
    assert "This proves nothing: the times are consistent with their order." in done.stdout


@pytest.mark.parametrize("command", ["verify-evidence", "import-servers"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"junk\n", "not JSON"),
        (b"", "not JSON"),
        (b"\x00\xff\xfe", "not JSON"),
        (b"{}", "no list"),
        (b"[" * 100_000, "not JSON"),
        (b" " * ((1 << 22) + 1), "longer than"),
    ],
    ids=["junk", "empty", "binary", "another object", "deep", "too long"],
)
def test_a_junk_file_is_unreadable(
    program: Program, tmp_path: Path, command: str, content: bytes, words: str
) -> None:
    """Exit 2 and one line that names the file."""
    path = tmp_path / "junk.json"
    path.write_bytes(content)

    assert_wrong(program(command, str(path)), str(path), words)


@pytest.mark.parametrize("command", ["verify-evidence", "import-servers"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "the path of one file is wanted"),
        (("one", "two"), "the path of one file is wanted"),
        (("-v",), "the path of one file is wanted"),
        (("none.json",), "none.json: cannot be read: No such file"),
        (("/",), "/: cannot be read: Is a directory"),
        (("",), "found ''"),
    ],
    ids=repr,
)
def test_a_command_used_wrongly(
    program: Program, command: str, arguments: tuple[str, ...], words: str
) -> None:
    """Exit 2 and one line."""
    assert_wrong(program(command, *arguments), words)


def test_imported_servers_are_a_configuration(program: Program, tmp_path: Path) -> None:
    """What import-servers prints, --check-config takes; what it leaves out is a comment."""
    keys = [base64.b64encode(bytes([number] * 32)).decode() for number in range(3)]
    servers = [
        {
            "name": f'Operator "{number}" für \u65e5\u672c',
            "version": 1,
            "publicKeyType": "ed25519" if number else "rsa",
            "publicKey": key,
            "addresses": [{"protocol": "udp", "address": f"192.0.2.{number}:2002"}],
        }
        for number, key in enumerate(keys)
    ]
    listed, imported = tmp_path / "list.json", tmp_path / "imported.toml"
    listed.write_text(json.dumps({"servers": servers}))

    done = program("import-servers", str(listed))

    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.count("is left out: publicKeyType 'rsa'") == 1
    assert [source.name for source in parse(done.stdout, "stdout").sources] == [
        "192.0.2.1:2002",
        "192.0.2.2:2002",
    ]
    imported.write_text(done.stdout)
    checked = program("--config", str(imported), "--check-config")
    assert (checked.stderr, checked.returncode) == ("", 0)
    assert 'Operator "2" für \u65e5\u672c' in checked.stdout


@pytest.fixture(scope="module")
def report(script: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Return a reader of a report that the program wrote."""
    with ExitStack() as running:
        lab = Lab(tmp_path_factory.mktemp("report"), running)
        path = lab.serve(*three(behaviour.shifted(HOUR_S)), evidence=lab.evidence)
        subprocess.run([script, "--config", path], check=True, stdout=subprocess.DEVNULL)
    return lab.reports()[0].read_text
