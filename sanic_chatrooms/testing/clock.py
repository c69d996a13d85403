"""A clock that a test moves by hand."""

__all__ = ["Clock"]


class Clock:
    """Call it for the time in Unix seconds; it stands still until `advance` moves it."""

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """The present time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
