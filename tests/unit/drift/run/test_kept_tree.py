"""What an earlier run has parsed serves the very same file, and nobody else can have written it."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import ntplib  # type: ignore[import-untyped]
import pytest

from drift import config
from drift.run import kept_tree
from drift.run.kept_tree import KeptTree
from sources.base import ConfigError
from tests.conftest import ROOT

TABLE = '[[sources.ntp]]\nhost = "{}"\n'
TEXT = TABLE.format("192.0.2.1")
OTHER_TEXT = TABLE.format("192.0.2.2")
LOAD = "import sys; from drift import config; print(config.load(sys.argv[1]).sources[0].host)"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A state directory that is not there yet."""
    place = tmp_path / "state"
    monkeypatch.setenv("STATE_DIRECTORY", str(place))
    return place


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration."""
    file = tmp_path / "config.toml"
    file.write_text(TEXT)
    return file


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What tomllib has been asked to parse."""
    texts: list[str] = []
    parse = tomllib.loads

    def noted(text: str) -> dict[str, object]:
        texts.append(text)
        return parse(text)

    monkeypatch.setattr(tomllib, "loads", noted)
    return texts


def host(file: Path) -> str:
    """Load it; return the host that it asks."""
    return config.load(str(file)).sources[0].host


def kept(place: Path) -> Path:
    """The one file that is kept there."""
    (found,) = place.iterdir()
    return found


def assert_ignored_and_rewritten(place: Path, file: Path, parsed: list[str]) -> None:
    """What lies there does not serve; the file is parsed once more, and then no more."""
    parsed.clear()
    assert [host(file), host(file)] == ["192.0.2.1", "192.0.2.1"]
    assert parsed == [TEXT]


def test_a_file_is_parsed_once(place: Path, file: Path, parsed: list[str]) -> None:
    """The second run finds what the first has parsed; nobody else may read it."""
    assert [host(file), host(file)] == ["192.0.2.1", "192.0.2.1"]

    assert parsed == [TEXT]
    assert kept(place).stat().st_mode & 0o777 == 0o600
    assert place.stat().st_mode & 0o777 == 0o700


def test_a_check_leaves_nothing(place: Path, file: Path) -> None:
    """--check-config is often root's, of a file that another user's runs will read."""
    config.load(str(file), keeps=False)

    assert not place.exists() or not list(place.iterdir())


def test_the_shipped_file_is_the_same_either_way(place: Path, parsed: list[str]) -> None:
    """Every source and every number is what it is without anything kept."""
    path = str(ROOT / "config.toml")

    fresh, again = config.load(path), config.load(path)

    assert len(parsed) == 1
    assert fresh.replaced(sources=()) == again.replaced(sources=())
    assert [vars(source).keys() for source in fresh.sources] == [
        vars(source).keys() for source in again.sources
    ]
    assert [source.endpoint for source in fresh.sources] == [
        source.endpoint for source in again.sources
    ]


@pytest.mark.parametrize("text", [OTHER_TEXT, TEXT + OTHER_TEXT, TEXT.replace("192.0", " 192.0")])
def test_an_edited_file_is_parsed_anew(
    place: Path, file: Path, parsed: list[str], text: str
) -> None:
    """Even if its date and length are those of before."""
    before = file.stat()
    host(file)
    file.write_text(text)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert len(config.load(str(file)).sources) == text.count("host")
    assert host(file) == tomllib.loads(text)["sources"]["ntp"][0]["host"].strip()
    assert parsed[:2] == [TEXT, text]


def test_a_file_cut_short_is_parsed_anew(place: Path, file: Path, parsed: list[str]) -> None:
    """Though what is kept begins with all that is left, and the rest reads as an empty tree."""
    file.write_text(TEXT + "# {0}\n")
    host(file)
    file.write_text(TEXT + "# ")

    assert host(file) == "192.0.2.1"
    assert len(parsed) == 2


def test_what_is_kept_may_be_cut_off_anywhere(place: Path, file: Path, parsed: list[str]) -> None:
    """At every length, also none: it is ignored, and written anew."""
    host(file)
    whole = kept(place).read_bytes()
    for length in range(len(whole)):
        kept(place).write_bytes(whole[:length])
        assert_ignored_and_rewritten(place, file, parsed)
        assert kept(place).read_bytes() == whole


def test_no_damage_is_believed(place: Path, file: Path) -> None:
    """A bit that has changed in any byte, or bytes behind the last one."""
    ours = KeptTree(str(file), TEXT.encode())
    ours.keep(tomllib.loads(TEXT), None)
    whole = kept(place).read_bytes()
    assert ours.recall() == tomllib.loads(TEXT)
    damaged = [whole + b"\0", whole + whole]
    for where, byte in enumerate(whole):
        damaged.append(whole[:where] + bytes([byte ^ 1 << where % 8]) + whole[where + 1 :])

    for data in damaged:
        kept(place).write_bytes(data)
        assert ours.recall() is None


def test_two_files_that_were_swapped(place: Path, tmp_path: Path, parsed: list[str]) -> None:
    """What is kept under the name of one is of no use to another, which stays what it is."""
    files = [tmp_path / "0.toml"]
    files[0].write_text(TEXT)
    host(files[0])
    first = kept(place)
    while len(list(place.iterdir())) == 1:  # until one has another place
        files.append(tmp_path / f"{len(files)}.toml")
        files[-1].write_text(OTHER_TEXT)
        host(files[-1])
    (second,) = set(place.iterdir()) - {first}
    data = first.read_bytes()
    second.rename(first)
    second.write_bytes(data)

    assert [host(files[0]), host(files[-1])] == ["192.0.2.1", "192.0.2.2"]


def test_many_files_leave_few(place: Path, tmp_path: Path) -> None:
    """Whoever makes a configuration for each run does not fill the directory."""
    for number in range(40):
        file = tmp_path / f"{number}.toml"
        file.write_text(TABLE.format(f"192.0.2.{number}"))
        assert host(file) == f"192.0.2.{number}"

    assert len(list(place.iterdir())) <= 8


@pytest.mark.parametrize("made_by", [b"time-drift 0.1.0 cpython 3.9.2\n", b""])
def test_another_python_has_written_it(
    monkeypatch: pytest.MonkeyPatch, place: Path, file: Path, parsed: list[str], made_by: bytes
) -> None:
    """Or another version of this program: marshal may mean something else there."""
    with monkeypatch.context() as patch:
        patch.setattr(kept_tree, "_MADE_BY", made_by)
        host(file)

    assert_ignored_and_rewritten(place, file, parsed)


def test_it_says_which_python_has_written_it(place: Path, file: Path) -> None:
    """The first line has the program's version and all that Python says of its own."""
    host(file)

    assert kept(place).read_bytes().startswith(kept_tree._MADE_BY)
    assert sys.version in kept_tree._MADE_BY.decode()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_user_has_written_it(place: Path, file: Path, parsed: list[str]) -> None:
    """Whatever is in it."""
    host(file)
    os.chown(kept(place), 12345, 12345)

    assert_ignored_and_rewritten(place, file, parsed)


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_others_may_write_it(place: Path, file: Path, parsed: list[str], mode: int) -> None:
    """The group, or all: then anybody may have."""
    host(file)
    kept(place).chmod(mode)

    assert_ignored_and_rewritten(place, file, parsed)


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o1777])
def test_others_may_write_the_directory(
    place: Path, file: Path, parsed: list[str], mode: int
) -> None:
    """Nothing is read there, and nothing kept."""
    host(file)
    before = kept(place).stat()
    place.chmod(mode)
    parsed.clear()

    assert [host(file), host(file)] == ["192.0.2.1", "192.0.2.1"]
    assert parsed == [TEXT, TEXT]
    assert kept(place).stat() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_directory_is_another_users(place: Path, file: Path, parsed: list[str]) -> None:
    """Root does not believe a service, nor leave anything there."""
    host(file)
    os.chown(place, 12345, 12345)
    parsed.clear()

    assert [host(file), host(file)] == ["192.0.2.1", "192.0.2.1"]
    assert parsed == [TEXT, TEXT]


def test_a_link_in_its_place(place: Path, file: Path, parsed: list[str]) -> None:
    """It is not followed, whatever it leads to, and gives way."""
    host(file)
    target = kept(place).rename(place.parent / "target")
    before = target.read_bytes()
    (place / Path(KeptTree(str(file), b"")._file).name).symlink_to(target)

    assert_ignored_and_rewritten(place, file, parsed)
    assert not kept(place).is_symlink()
    assert target.read_bytes() == before


def test_a_directory_behind_a_link(place: Path, file: Path, parsed: list[str]) -> None:
    """As systemd makes one for a dynamic user: what it leads to is what counts."""
    real = place.parent / "private"
    real.mkdir(0o700)
    place.symlink_to(real)

    assert_ignored_and_rewritten(place, file, parsed)


def test_a_directory_that_cannot_be_made(
    monkeypatch: pytest.MonkeyPatch, file: Path, parsed: list[str]
) -> None:
    """Or is no directory: each run parses, and nothing is said of it."""
    for place in ("/proc/none/state", str(file), "/dev/null"):
        monkeypatch.setenv("STATE_DIRECTORY", place)
        assert [host(file), host(file)] == ["192.0.2.1", "192.0.2.1"]

    assert parsed == [TEXT] * 6


def test_a_directory_in_its_place(place: Path, file: Path, parsed: list[str]) -> None:
    """It stays, and nothing else is left beside it."""
    host(file)
    name = kept(place)
    name.unlink()
    name.mkdir()

    assert [host(file), host(file)] == ["192.0.2.1", "192.0.2.1"]
    assert list(place.iterdir()) == [name]


@pytest.mark.skipif(os.geteuid() != 0, reason="to mount takes root")
def test_a_read_only_directory(place: Path, file: Path) -> None:
    """What was kept there of other contents is ignored, and the file is parsed."""
    host(file)
    file.write_text(OTHER_TEXT)
    mounted = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && exec "$2" -c "$3" "$4"'
    command = ["unshare", "-m", "sh", "-c", mounted, "sh", str(place), sys.executable, LOAD]

    done = subprocess.run(
        [*command, str(file)], capture_output=True, text=True, check=True, cwd=ROOT
    )

    assert (done.stdout, done.stderr) == ("192.0.2.2\n", "")
    assert TEXT.encode() in kept(place).read_bytes()


def test_state_that_is_switched_off(
    monkeypatch: pytest.MonkeyPatch, place: Path, file: Path, parsed: list[str]
) -> None:
    """`state = ""` keeps nothing, and a user without a home has no place for it."""
    file.write_text(f'state = ""\n{TEXT}')
    host(file)
    assert not place.exists()

    file.write_text(TEXT)
    monkeypatch.delenv("STATE_DIRECTORY")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("HOME")
    assert [host(file), host(file)] == ["192.0.2.1", "192.0.2.1"]
    assert parsed[1:] == [TEXT, TEXT]


@pytest.mark.parametrize(
    "line",
    ['state = "{}"', "state='{}' # here", '# x\n  state  =  "{}"', 'timeout = 2\nstate="{}"'],
)
def test_the_directory_that_the_file_names(
    place: Path, file: Path, parsed: list[str], tmp_path: Path, line: str
) -> None:
    """However it is written, what was parsed is there, and not in the usual directory."""
    named = tmp_path / "named"
    file.write_text(line.format(named) + "\n" + TEXT)

    assert [host(file), host(file)] == ["192.0.2.1", "192.0.2.1"]
    assert len(parsed) == 1
    assert named.is_dir()
    assert not place.exists()


@pytest.mark.parametrize(
    "lines",
    ['evidence = """\nstate = "/nowhere/state"\n"""\n', '"state" = "{}/quoted"\n', "state\n"],
)
def test_a_directory_that_is_misread(place: Path, file: Path, tmp_path: Path, lines: str) -> None:
    """A file in which `state` is not what it looks like is the same with nothing kept."""
    text = lines.format(tmp_path) + TEXT
    file.write_text(text)

    def outcome() -> str:
        try:
            return repr(config.load(str(file)).state)
        except ConfigError as error:
            return str(error)

    first = outcome()

    assert first == outcome()
    assert not place.exists()


@pytest.mark.parametrize(
    "text", ["timeout = 0\n", "[x]\n", "x = ", TEXT + "pool = 0\n", "timeout = 1979-05-27\n" + TEXT]
)
def test_errors_cost_nothing_of_their_wording(place: Path, file: Path, text: str) -> None:
    """Every run says the same of a file that is wrong, and keeps nothing of it."""
    file.write_text(text)
    said = []
    for _ in range(3):
        with pytest.raises(ConfigError) as raised:
            config.load(str(file))
        said.append(str(raised.value))
    with pytest.raises(ConfigError) as raised:
        config.parse(text, str(file))

    assert set(said) == {str(raised.value)}
    assert not place.exists()


def test_an_error_of_this_machines_is_found_again(
    place: Path, file: Path, tmp_path: Path, parsed: list[str]
) -> None:
    """What the file says is parsed once; whether it can be had is looked at in each run."""
    authorities = tmp_path / "ca.pem"
    authorities.write_text("")
    file.write_text(f'[[sources.nts]]\nhost = "a.example"\nca_file = "{authorities}"\n')
    host(file)
    authorities.unlink()

    with pytest.raises(ConfigError, match="ca_file"):
        host(file)
    assert len(parsed) == 1


def test_fifty_runs_at_once(place: Path, tmp_path: Path) -> None:
    """Of files that take each other's place: each run has its own, and nothing else is left."""
    files = [tmp_path / f"{number}.toml" for number in range(10)]
    for number, file in enumerate(files):
        file.write_text(TABLE.format(f"192.0.2.{number}"))
    runs = [
        subprocess.Popen(
            [sys.executable, "-S", "-c", LOAD, files[number % 10]],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(Path(ntplib.__file__).parent)},
        )
        for number in range(50)
    ]

    found = [run.communicate()[0] for run in runs]

    assert found == [f"192.0.2.{number % 10}\n" for number in range(50)]
    assert {path.name.partition("-")[0] for path in place.iterdir()} == {"configuration"}
    assert len(list(place.iterdir())) <= 8
