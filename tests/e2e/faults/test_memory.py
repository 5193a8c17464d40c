"""What servers can make a run hold in memory: a bound, whatever they send."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lab.behaviour import Behaviour, Honest, Reply, honest
from lab.https import HttpsServer, Identity, drip, replaced, with_body, with_header
from lab.world import world
from tests.support.processes import Ran, run_limited

MB = 1 << 20
MOST_BYTES = 32 * MB
"""Above an honest run of the same configuration."""


def endless(data: bytes, count: int) -> Behaviour:
    """Answer with these bytes again and again, and then truthfully."""

    def behave(reply: Honest) -> Iterable[Reply]:
        return [*[Reply(data)] * count, Reply(reply(0))]

    return behave


CODINGS = ", ".join(["gzip"] * 10_000)
HTTPS: dict[str, tuple[Behaviour, dict[str, Any]]] = {
    "13,000 content codings": (with_header("Content-Encoding", "br," * 13_000), {}),
    "10,000 more": (with_header("Content-Encoding", CODINGS), {}),
    "a coding a line": (
        with_header("X", "\r\n".join(["", *["Content-Encoding: gzip"] * 2_500])),
        {},
    ),
    "6,000 headers": (with_header("X", "\r\n".join(["", *["A:"] * 12_000])), {}),
    "cookies": (
        with_header("Set-Cookie", "\r\nSet-Cookie: ".join(f"a{n}=b" for n in range(2_500))),
        {},
    ),
    "headers without end": (replaced(b"Date", b"X: " + b"x" * (64 * MB) + b"\r\nDate"), {}),
    "interim responses": (endless(b"HTTP/1.1 103 Hints\r\n\r\n" * 1000, 2000), {}),
    "no line ends": (endless(b"x" * MB, 64), {}),
    "a body": (with_body(b"x" * (64 * MB)), {}),
    "records of one byte": (drip(0), {}),
    "records of one byte, 60,000 of them": (endless(b"", 0), {"header": 60_000}),
    "a certificate of a megabyte": (honest, {"names": 40_000}),
    "a certificate of 90 kB": (honest, {"names": 3_500}),
}


def https(name: str, behaviour: Behaviour, names: int = 0, header: int = 0) -> HttpsServer:
    if header:
        whole = with_header("X", "x" * header)

        def behaviour(reply: Honest) -> Iterable[Reply]:
            (answer,) = whole(reply)
            return [Reply(answer.data[i : i + 1]) for i in range(len(answer.data))]

    identity = Identity(("127.0.0.1", *(f"name-{n}.lab.test" for n in range(names))))
    return HttpsServer(name, behaviour, identity=identity)


def ran(path: Path, *servers: HttpsServer) -> Ran:
    with ExitStack() as running:
        path.write_text(running.enter_context(world(*servers)).toml, encoding="utf-8")
        return run_limited("--config", str(path))


SLACK_S = 1.0
"""For starting, and for a machine that these servers keep busy."""


@pytest.fixture(scope="module")
def usual_bytes(tmp_path_factory: pytest.TempPathFactory, script: str) -> int:
    """The peak of a run whose five HTTPS servers are honest."""
    done = ran(tmp_path_factory.mktemp("honest") / "lab.toml", *(https(n, honest) for n in "ABCDE"))
    assert (done.stdout, done.stderr) == ("0\n", "")
    return done.peak_bytes


@pytest.mark.parametrize("case", HTTPS)
def test_no_https_server_makes_a_run_large(case: str, usual_bytes: int, tmp_path: Path) -> None:
    """Five servers that send what costs memory: 32 MB more at most, and the contract is kept."""
    behaviour, options = HTTPS[case]
    done = ran(tmp_path / "lab.toml", *(https(n, behaviour, **options) for n in "ABCDE"))

    assert done.peak_bytes < usual_bytes + MOST_BYTES
    assert done.wall_s < 2.5 + SLACK_S
    assert done.returncode in (0, 3), done.stderr
    assert (done.returncode == 0) == (done.stdout == "0\n")
