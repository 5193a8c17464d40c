"""What the user asked for. Its own module so that a run without arguments needs no argparse."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from drift.formats.nagios import Threshold

DEFAULT_FORMAT = "integer"


class Options:
    """One attribute an option of the command line; argparse fills them in."""

    config: str | None = None
    timeout_s: float | None = None
    format: str = DEFAULT_FORMAT
    output: str | None = None
    output_mode: int | None = None
    """Permissions of the file of --output; None keeps those that it has, and a new one is 0644."""
    warning: "Threshold | None" = None
    critical: "Threshold | None" = None
    explain: bool = False
    check_config: bool = False
    demo: bool = False
    verbose: bool = False
    watch: bool = False
    every_s: int | None = None
    """How long from one measurement to the next. Of `watch`: None measures when asked only."""
    splay_s: int | None = None
    """The longest wait before the run, or before the schedule of `watch`; None for no wait."""
    nodes: int | None = None
    """How many machines --check-config is to reckon the load of; None for no load."""
    behind_one_address: bool = False
    """Whether servers see all of them as one client."""

    text: str | None = None
    """What --help or --version is answered by; nothing else is wanted then."""

    @property
    def plain(self) -> bool:
        """Whether the integer on stdout is all that is wanted, so that no report is to be made."""
        is_integer = self.format == DEFAULT_FORMAT and self.output is None
        return is_integer and not (self.picture or self.verbose)

    @property
    def picture(self) -> bool:
        """Whether every source is waited for, because a person wants to see each verdict."""
        return self.explain or self.demo
