"""`make bench`: measure every part, then write docs/measurements.md and its plot.

    python -m tools.bench.run [PART...]

Needs root: each part has a network namespace of its own, because ntpdig asks port 123 only. Needs
Debian's chrony and nginx-light as servers; peers that are not installed are named as such. What a
part measured is kept in build/bench, so that a bench that was stopped goes on where it was, until
the page is written; then it is put aside, for --rewrite. With PARTs these are measured and kept,
and nothing is written.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from tools.bench.accuracy import accuracy
from tools.bench.costs import costs
from tools.bench.liars import liars
from tools.bench.measure import machine, peers
from tools.bench.measure.checkout import COPIED, ENVIRON, ROOT, copied
from tools.bench.names import PEERS
from tools.bench.nodes import exporter, nodes
from tools.bench.page import markdown, plot
from tools.bench.servers.lies import KINDS

MANY = "nodes-many"
"""It takes eight minutes by itself, so that it is measured when it is named, and kept for long."""
PARTS: dict[str, Callable[[Path, Path, argparse.Namespace], Any]] = {
    "costs": lambda script, directory, size: costs(script, directory, size.rounds),
    "accuracy": lambda script, directory, size: accuracy(script, directory, size.rounds),
    "nodes": lambda script, directory, size: nodes(script, directory, size.nodes),
    "liars": lambda script, directory, size: liars(script, directory, size.lies),
    "exporter": lambda script, directory, size: exporter(
        script, directory, size.nodes, size.seconds, size.interval
    ),
    MANY: lambda script, directory, size: nodes(script, directory, 10 * size.nodes),
}
_NEEDED = {"chronyd": "chrony", "nginx": "nginx-light", "ip": "iproute2", "unshare": "util-linux"}
_ALSO = {"exporter": "prometheus"}
"""Parts that need a program of their own, without which there is no such figure."""


def main() -> None:
    """Measure what is not measured yet, each part in a namespace, and write the page."""
    size = _options()
    if size.inside:
        _measure(size)
        return
    if size.rewrite:
        _write(size)
        return
    missing = [name for name in _NEEDED if shutil.which(name, path=ENVIRON["PATH"]) is None]
    if os.geteuid() or missing:
        names = ", ".join(_NEEDED.values())
        raise SystemExit(f"bench: needs root, and Debian's {names}; missing: {missing or 'root'}")
    last = size.kept / "last"
    last.mkdir(parents=True, exist_ok=True)
    wanted = size.parts or [part for part in PARTS if part != MANY]
    with tempfile.TemporaryDirectory(prefix="time-drift-bench-") as name:
        script = size.script or copied(Path(name, "checkout"))
        with ThreadPoolExecutor(len(wanted) if size.at_once else 1) as pool:
            done = pool.map(lambda part: _is_done(part, script, size), wanted)
            failed = [part for part, is_done in zip(wanted, done, strict=True) if not is_done]
    if failed:
        raise SystemExit(f"bench: {', '.join(failed)} failed; nothing is written")
    if not size.parts:
        for part in wanted:
            (size.kept / f"{part}.json").replace(last / f"{part}.json")
        _write(size)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=25, help="runs of each program")
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=60, help="how long to watch the exporter")
    parser.add_argument("--interval", type=int, default=30, help="seconds between its scrapes")
    parser.add_argument("--lies", nargs="*", default=[*KINDS], help="kinds of lies")
    parser.add_argument("--at-once", action="store_true", help="all parts: quick, and no measure")
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="where the page goes")
    parser.add_argument("--kept", type=Path, default=ROOT / "build/bench")
    parser.add_argument("--script", type=Path, help="another time-drift.sh than a copy of this one")
    parser.add_argument("--rewrite", action="store_true", help="the page, from the last figures")
    parser.add_argument("--inside", nargs=4, help=argparse.SUPPRESS)
    size = parser.parse_args()
    if unknown := set(size.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return size


def _measure(size: argparse.Namespace) -> None:
    """Measure one part inside of its namespace."""
    part, script, directory, path = size.inside
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    ENVIRON["HOME"] = directory  # as every user has one: what a run keeps for the next is in it
    found = PARTS[part](Path(script), Path(directory), size)
    Path(path).write_text(json.dumps(found), encoding="utf-8")


def _is_done(part: str, script: Path, size: argparse.Namespace) -> bool:
    """Measure a part unless that was done before, with the same code and as often."""
    path, same = size.kept / f"{part}.json", _fingerprint(size)
    if path.exists() and _kept(path).get("same") == same:
        print(f"{part}: measured before", flush=True)
        return True
    about: dict[str, Any] = {"same": same, "date": f"{datetime.now(UTC):%-d %B %Y}"}
    about["machine"] = machine.described()
    about["versions"] = {each: peers.version(each) for each in PEERS if peers.command(each)}
    if shutil.which(needed := _ALSO.get(part, "sh"), path=ENVIRON["PATH"]) is None:
        about["not_installed"] = needed
    else:
        with tempfile.TemporaryDirectory(prefix=f"time-drift-bench-{part}-") as name:
            figures = Path(name, "figures.json")
            inside = ["--inside", part, str(script), name, str(figures)]
            command = [sys.executable, "-m", "tools.bench.run", *sys.argv[1:], *inside]
            with machine.watched(about):
                done = subprocess.run(["unshare", "-n", *command], check=False, cwd=ROOT)
            if done.returncode:
                return False
            about["figures"] = json.loads(figures.read_bytes())
    path.with_suffix(".new").write_text(json.dumps(about, indent=1), encoding="utf-8")
    path.with_suffix(".new").replace(path)
    print(f"{part}: {about.get('seconds', 0):.0f} s", flush=True)
    return True


def _kept(path: Path) -> dict[str, Any]:
    """Return a part that was measured before, if it was."""
    found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
    return found


def _fingerprint(size: argparse.Namespace) -> str:
    """Return a digest of everything that figures depend on, but machine and peers."""
    digest = sha256(
        repr([size.rounds, size.nodes, size.seconds, size.interval, size.lies]).encode()
    )
    for place in (*COPIED, "tools/bench"):
        files = (file for file in (ROOT / place).rglob("*.py") if file.parent.name != "page")
        for file in sorted(files):
            digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return digest.hexdigest()


def _write(size: argparse.Namespace) -> None:
    """Write page and plot from what was measured last."""
    found = {part: _kept(size.kept / "last" / f"{part}.json") for part in PARTS if part != MANY}
    found[MANY] = _kept(size.kept / f"{MANY}.json")
    texts = {
        "measurements.md": markdown.page(found, {kind: lie for kind, (lie, _) in KINDS.items()}),
        "measurements.svg": plot.picture(found),
    }
    size.out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (size.out / f".{name}").write_text(text, encoding="utf-8")
    for name in texts:
        (size.out / f".{name}").replace(size.out / name)


if __name__ == "__main__":
    main()
