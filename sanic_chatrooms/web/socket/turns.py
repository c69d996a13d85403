"""Who waits at the door: few are read and few begin in each turn of the event loop.

When a crowd comes back, hundreds of requests arrive in one turn. If all of them began at once, messages of those who are here already would
wait for all of their handshakes. Reading the heads of 2,000 takes 0.1 seconds.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable

__all__ = ["READ_AT_ONCE", "Turns", "turns_to_read"]

AT_ONCE = 2
"""Requests that begin in a turn. What a connection does until it is in its room takes one or two milliseconds, most of it in later turns."""
READ_AT_ONCE = 20
"""Requests whose head is read in a turn: together about as long as the start of one connection."""
MOST = 10_000
"""Requests that wait at a time. Clients give up after 20 seconds, and more than so many are not served until then."""


class Turns:
    """First come, first served. Nothing runs for a request while it waits."""

    def __init__(self, at_once: int = AT_ONCE, most: float = MOST) -> None:
        self.waiting: deque[Callable[[], None]] = deque()
        self._at_once = at_once
        self._most = most
        self._goes_on = False

    def take(self, begin: Callable[[], None]) -> bool:
        """Call `begin` when it is its turn, perhaps at once. False: too many wait."""
        if len(self.waiting) >= self._most:
            return False
        self.waiting.append(begin)
        if not self._goes_on:
            self._next()
        return True

    def _next(self) -> None:
        self._goes_on = bool(self.waiting)
        if not self._goes_on:
            return
        # First: whatever happens to these, the others have their turn.
        asyncio.get_running_loop().call_soon(self._next)
        for _ in range(min(self._at_once, len(self.waiting))):
            self.waiting.popleft()()


def turns_to_read() -> Turns:
    """For requests that are not read yet: as many as are connected. Those who are too many to begin are refused in their order."""
    return Turns(READ_AT_ONCE, math.inf)
