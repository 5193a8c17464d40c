"""Files, folders and environments that are not what they should be."""

from typing import Any

from tests.chaos.fault import Expected, Fault, Machine

_ANSWER = Expected.ANSWER
_FULL = """
mount -t tmpfs -o size=16k none $FOLDER/state
cat /dev/zero >$FOLDER/state/fill 2>/dev/null || :
"""
_READ_ONLY = """
mount -o remount,bind,ro / || mount --bind -o ro / /
mount --bind $FOLDER $FOLDER
mount -o remount,bind,ro $FOLDER
"""
_POISONED = """
for name in back_off nts roughtime https; do
    for entry in 127.0.0.1 127.0.0.1:123 x; do
        head -c 3000 /dev/urandom >$FOLDER/state/$name-$entry.toml
    done
done
for slot in 0 1 2 3 4 5 6 7; do
    head -c 3000 /dev/urandom >$FOLDER/state/configuration-$slot
done
mkdir $FOLDER/state/new
"""
_LINKED = "rmdir $FOLDER/state\nln -s $FOLDER/nowhere $FOLDER/state\n"
_A_FILE = "rmdir $FOLDER/state\necho no >$FOLDER/state\n"
_A_PIPE_FOR_A_LOCK = "mkfifo $FOLDER/state/lock\n"
_HELD = "touch $FOLDER/state/lock\nflock $FOLDER/state/lock sleep 3 >/dev/null 2>&1 &\nsleep 0.1\n"
_NO_PROC = "mount -t tmpfs none /proc\n"
_NO_URANDOM = "mount --bind /dev/null /dev/urandom\n"


def _row(name: str, does: str, prepare: str, **more: Any) -> Fault:
    more = {"honest": "all", **more}
    return Fault(name=f"files: {name}", does=does, machine=Machine(prepare=prepare), **more)


def _output(name: str, does: str, path: str, prepare: str = "", **more: Any) -> Fault:
    machine = Machine(prepare=prepare, options=("--output", path))
    more = {"beside": Expected.UNWRITTEN, "alone": Expected.UNWRITTEN, **more}
    return Fault(name=f"files: {name}", does=does, machine=machine, **more)


def _environ(name: str, does: str, **environ: str) -> Fault:
    return Fault(f"files: {name}", does, machine=Machine(environ=environ), honest="all")


FAULTS = [
    _row("full disk", "no byte left for state", _FULL),
    _row("read-only", "everything, the folder too", _READ_ONLY),
    _row("state is a file", "not a folder", _A_FILE),
    _row("state is a link", "to nowhere", _LINKED),
    _row("state is poisoned", "noise for entries", _POISONED),
    _row("the lock is a pipe", "that nobody reads", _A_PIPE_FOR_A_LOCK),
    _row("the lock is held", "by somebody, for ever", _HELD),
    _row("no /proc", "nothing in it", _NO_PROC),
    _row("no /dev/urandom", "it is empty", _NO_URANDOM),
    _environ("no home", "HOME is nowhere", HOME="/nonexistent", STATE_DIRECTORY=""),
    _environ("no path", "PATH is empty", PATH="/usr/bin:/bin", HOME=""),
    _environ("no temporary folder", "TMPDIR is nowhere", TMPDIR="/nonexistent"),
    _environ("a locale of none", "LC_ALL=xx_YY", LC_ALL="xx_YY.UTF-8", LANGUAGE="zz"),
    _environ("proxies", "that lead nowhere", HTTPS_PROXY="http://127.0.0.1:1", ALL_PROXY="x"),
    _environ("no certificates", "SSL_CERT_FILE is nowhere", SSL_CERT_FILE="/nonexistent"),
    _environ("Python's own", "PYTHONPATH and more", PYTHONPATH="/nonexistent", PYTHONINSPECT="1"),
    _output(
        "output on a full disk",
        "room for the empty file alone",
        "$FOLDER/full/out",
        "mkdir $FOLDER/full\n" + _FULL.replace("/state", "/full"),
        alone=Expected.REFUSAL,
    ),
    _output("output to a folder", "that is one", "$FOLDER/state"),
    _output("output into nowhere", "no such folder", "$FOLDER/no/out"),
    _output("output over a link", "to another file", "$FOLDER/out", "ln -s x $FOLDER/out\n"),
    _output("output to a pipe", "that nobody reads", "$FOLDER/out", "mkfifo $FOLDER/out\n"),
    _output("output, read-only", "as everything is", "$FOLDER/out", _READ_ONLY),
]
