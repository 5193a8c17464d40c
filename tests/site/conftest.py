"""An AWS account of moto's on loopback, the real `aws` command line, and our own one beside it."""

import http.client
import json
import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from tests.conftest import ROOT

TOOLS = ROOT / ".venv-aws" / "bin"
ACCOUNT = "123456789012"
"""moto's, and that of documents."""
KEY = "AKIAIOSFODNN7EXAMPLE"
_RUNS_WITHIN_S = 50
_STARTS_WITHIN_S = 50
_ENDS_WITHIN_S = 10


def tool(name: str) -> str:
    """Return the path of a program of the AWS tools; skip without it, fail in CI."""
    path = TOOLS / name
    if path.exists():
        return str(path)
    if os.environ.get("CI"):
        pytest.fail(f"{name} is not in .venv-aws, and CI may not skip")
    pytest.skip(f"{name} is not in .venv-aws: this test did NOT run")


class Fetched(NamedTuple):
    """An object of a bucket, as S3 serves it."""

    headers: dict[str, str]
    """By name in lower case."""
    body: bytes


class Aws(NamedTuple):
    """An AWS account that is not one, and who may do what in it."""

    port: int
    environ: dict[str, str]
    """All that a process needs to find the account, and nothing of the user who runs the tests."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def by(self, key: str, secret: str) -> "Aws":
        """Return the same account, with other credentials."""
        keys = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}
        return self._replace(environ=self.environ | keys)

    def cli(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the real command line."""
        return self._process(tool("aws"), *arguments)

    def run(self, *arguments: str) -> Any:
        """Run the real command line and return what it printed, parsed; None if it was nothing."""
        done = self.cli(*arguments, "--output", "json")
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.strip() else None

    def ours(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `python -m cloudformation`, as one who has the AWS command line on PATH."""
        return self._process(sys.executable, "-m", "cloudformation", *arguments)

    def account(self) -> dict[str, Any]:
        """Return all that is in the account, in the form of moto_server.Account."""
        _, body = self._ask("GET", "/moto-api/account")
        found: dict[str, Any] = json.loads(body)
        return found

    def resolved(self, stack: str, region: str) -> dict[str, dict[str, Any]]:
        """Return {logical id: {"Type", "Properties", "PhysicalId"}} of what a stack has made."""
        found: dict[str, dict[str, Any]] = self.account()["Stacks"][region][stack]["Resources"]
        return found

    def fetch(self, bucket: str, key: str) -> Fetched:
        """Return an object as its owner gets it."""
        return self._ask("GET", f"/{bucket}/{key}", _signed("s3"))

    def put(self, bucket: str, key: str, body: bytes) -> None:
        """Put an object into a bucket, as its owner."""
        self._ask("PUT", f"/{bucket}/{key}", _signed("s3"), body)

    @contextmanager
    def checking_rights(self) -> Iterator[None]:
        """Let moto refuse what a user's policy does not allow, until the end of the block."""
        plain = {"Content-Type": "text/plain"}
        self._ask("POST", "/moto-api/reset-auth", plain, b"0")
        try:
            yield
        finally:
            self._ask("POST", "/moto-api/reset-auth", plain, b"inf")

    def iam(self, action: str, **parameters: str) -> dict[str, str]:
        """Ask IAM for something, and return the texts of its answer by the names of the tags."""
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        asked = urlencode({"Action": action, "Version": "2010-05-08", **parameters})
        _, body = self._ask("POST", "/", _signed("iam") | form, asked.encode())
        return dict(re.findall("<([A-Za-z]+)>([^<]+)</", body.decode()))

    def _ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Fetched:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            client.request(method, path, body or None, headers or {})
            answer = client.getresponse()
            reported = {name.lower(): value for name, value in answer.getheaders()}
            found = Fetched(reported, answer.read())
        finally:
            client.close()
        assert answer.status == 200, found.body
        return found

    def _process(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command,
            cwd=ROOT,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_RUNS_WITHIN_S,
            check=False,
        )


@contextmanager
def an_account(directory: Path) -> Iterator[Aws]:
    """Run moto until the end of the block, with an empty account; its log goes to the directory."""
    home = directory / "home"
    home.mkdir()
    log = directory / "moto.log"
    command = [tool("python"), "-m", "tests.support.servers.moto_server"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            # No proxy, no AWS setting and no home: moto's own requests stay on loopback too.
            env={"PATH": os.environ["PATH"], "HOME": str(home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
        )
    try:
        port = _port(process, log)
        yield Aws(port, _environ(home, port))
    finally:
        try:
            process.communicate(timeout=_ENDS_WITHIN_S)  # it ends with its stdin
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    """An account that the tests of a module share: each takes names of its own."""
    with an_account(tmp_path_factory.mktemp("aws")) as account:
        yield account


def _signed(service: str) -> dict[str, str]:
    """Return what says who asks which service; moto does not check the signature."""
    scope = f"{KEY}/20260101/us-east-1/{service}/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, Signature=unchecked"}


def _environ(home: Path, port: int) -> dict[str, str]:
    return {
        "PATH": os.pathsep.join([str(TOOLS), os.environ["PATH"]]),
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": "nobody-looks-at-this",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_PAGER": "",
    }


def _port(process: "subprocess.Popen[bytes]", log: Path) -> int:
    """Return the port that moto prints once it serves."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _STARTS_WITHIN_S)
    line = process.stdout.readline() if ready else b""
    assert line.strip().isdigit(), f"moto does not serve: {log.read_text()}"
    return int(line)
