"""Signs of life of one connection, and how long it may go without."""

import time

__all__ = ["Liveness"]


class Liveness:
    """Kept by `Heartbeat`. Times are monotonic seconds."""

    __slots__ = ("heard_at", "interval", "lifetime", "opened_at", "pinged_at", "timeout", "warned")

    def __init__(self, interval: float, timeout: float) -> None:
        self.opened_at = time.monotonic()
        self.heard_at = self.opened_at
        """When something was received; the edge writes it."""
        self.pinged_at = 0.0
        self.interval = interval
        """Seconds of silence after which it is pinged, and …"""
        self.timeout = timeout
        """… closed."""
        self.lifetime = 0.0
        """Seconds that the token was good for when it was shown."""
        self.warned = False
        """It was told that its token ends soon."""

    def answered(self) -> float | None:
        """A pong came: seconds since its ping; None where nobody has asked."""
        if not self.pinged_at:
            return None
        pinged_at, self.pinged_at = self.pinged_at, 0.0
        return time.monotonic() - pinged_at

    def stretch(self, interval: float, timeout: float) -> None:
        """The client asked for more time."""
        self.interval, self.timeout = interval, timeout

    def shown(self, lifetime: float | None) -> None:
        """A token was shown that is good for so many seconds; None: for good."""
        self.warned = False
        if lifetime is not None:
            self.lifetime = lifetime
