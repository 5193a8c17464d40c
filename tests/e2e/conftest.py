"""What the tests of whole processes share: a lab that is started by how its servers behave."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.behaviour import Behaviour
from lab.ntp import NtpServer
from lab.world import world

Start = Callable[..., str]


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Start]:
    """Start lab servers with these behaviours; return the path of the configuration."""
    with ExitStack() as running:

        def start(*behaviours: Behaviour, settings: str = "") -> str:
            servers = [NtpServer(f"Operator {n}", behave) for n, behave in enumerate(behaviours)]
            text = running.enter_context(world(*servers, settings=settings)).toml
            path = tmp_path / f"lab-{len(list(tmp_path.glob('lab-*.toml')))}.toml"
            path.write_text(text, encoding="utf-8")
            return str(path)

        yield start
