"""`make bench-image`: size and start-up of the image against the base that it is built on.

Needs root and Debian's buildah, crun and debootstrap. Containers are run by crun alone, without an
engine, so an engine's own time is not in these figures; it would be the same in every row.
"""

import os
import tempfile
from pathlib import Path

from lab.ntp import NtpServer
from tests.support.image import Built, built
from tools.bench.measure.cost import interleaved

ROUNDS = 25
_ENVIRON = {"PATH": os.environ["PATH"]}


def main() -> None:
    """Build, measure, print Markdown."""
    directory = Path(tempfile.mkdtemp(prefix="time-drift-image-"))
    with built(directory) as image, NtpServer("Alpha") as server:
        configuration = directory / "config.toml"
        configuration.write_text(server.toml(), encoding="utf-8")
        print(f"The base holds {image.base_bytes / 1e6:.1f} MB.")
        print(f"The image adds {image.bytes_added / 1e6:.1f} MB to it.\n")
        _print_start_up(image, configuration)


def _print_start_up(image: Built, configuration: Path) -> None:
    base: Built = image.replaced(root=image.base_root)
    mounts = [(configuration, "/etc/time-drift/config.toml")]
    commands = {
        "base: /bin/true": base.command("true", instead=["/bin/true"]),
        "base: python3 -I -S -c ''": base.command(
            "python", instead=["/usr/bin/env", "python3", "-I", "-S", "-c", ""]
        ),
        "image: --version": image.command("version", "--version"),
        "image: a run, one NTP source": image.command("run", mounts=mounts),
    }
    print("| container | CPU ms | wall ms |\n|---|---|---|")
    for name, cost in interleaved(commands, ROUNDS, _ENVIRON).items():
        print(f"| {name} | {cost.cpu_ms:.1f} | {cost.wall_ms:.1f} |")


if __name__ == "__main__":
    main()
