"""What the user asked for. Its own module so that a run without arguments needs no argparse."""


class Options:
    """One attribute an option of the command line; argparse fills them in."""

    config: str | None = None
    timeout_s: float | None = None
    explain: bool = False
    json: bool = False
    check_config: bool = False
    demo: bool = False
    verbose: bool = False

    @property
    def plain(self) -> bool:
        """Whether the integer is all that is wanted, so that no report needs to be made."""
        return not (self.picture or self.json or self.verbose)

    @property
    def picture(self) -> bool:
        """Whether a person looks on, who wants to see what became of every source."""
        return self.explain or self.demo
