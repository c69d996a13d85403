"""When a connection was heard last, and how long it may be silent."""

import time

__all__ = ["Liveness"]


class Liveness:
    """Kept by `Heartbeat`. Times are monotonic seconds."""

    __slots__ = ("heard_at", "interval", "lifetime", "opened_at", "pinged_at", "timeout", "warned")

    def __init__(self, interval: float, timeout: float) -> None:
        self.opened_at = time.monotonic()
        self.heard_at = self.opened_at
        """The last time that something was received. The edge sets it."""
        self.pinged_at = 0.0
        self.interval = interval
        """Seconds of silence after which it is pinged."""
        self.timeout = timeout
        """Seconds of silence after which it is closed."""
        self.lifetime = 0.0
        """Seconds from the sign-in to the end of the token."""
        self.warned = False
        """`auth.expiring` was sent."""

    def answered(self) -> float | None:
        """A pong arrived: the seconds since its ping; None if there was no ping."""
        if not self.pinged_at:
            return None
        pinged_at, self.pinged_at = self.pinged_at, 0.0
        return time.monotonic() - pinged_at

    def stretch(self, interval: float, timeout: float) -> None:
        """Set the interval and timeout that the client asked for."""
        self.interval, self.timeout = interval, timeout

    def shown(self, lifetime: float | None) -> None:
        """The user has signed in with a token that ends in so many seconds; None: never."""
        self.warned = False
        if lifetime is not None:
            self.lifetime = lifetime
