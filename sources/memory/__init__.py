"""What one run leaves for later ones: the interface, and the memory of who has none.

An entry has a name, and a shelf: its purpose. Ages are counted on CLOCK_BOOTTIME and within one
boot, never on the clock that is in doubt. What is too old, of another boot, or of the future is not
recalled. An entry that is made from an older one keeps the older one's age. Nothing here may fail a
run: what cannot be kept is forgotten, and no more.
"""

from collections.abc import Callable

Entry = dict[str, int | str | list[str]]
Update = Callable[[Entry | None], Entry | None]


class Memory:
    """Forgets everything at once."""

    def __init__(self) -> None:
        """Begin with nothing to remember."""
        self.notes: list[str] = []
        """What could not be read or kept, for -v."""

    def recall(self, shelf: str, name: str, most_age_ns: int | None = None) -> Entry | None:  # noqa: ARG002
        """Return what is kept under a name, if it is not older than that; None for no limit."""
        return None

    def change(
        self,
        shelf: str,  # noqa: ARG002
        name: str,  # noqa: ARG002
        update: Update,  # noqa: ARG002
        most_age_ns: int | None = None,  # noqa: ARG002
    ) -> bool:
        """Replace what `recall` returns by `update` of it, None removing it, as one step.

        Returns False if that could not be done now: another run is changing something, perhaps.
        """
        return False

    def finish(self, within_s: float) -> None:
        """Let changes that are under way come to their end, for so long; no more can begin."""
