"""What a process does again and again while its chat runs. Each of these has a task of its own."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from .brokers.base import Broker
from .errors import Unavailable
from .models import Scope, is_reserved
from .observe.ids import ids
from .observe.instruments import LOOP_LAG
from .observe.meter import Meter
from .stores.base import Store
from .support.backoff import jittered

__all__ = ["Forgetting", "PositionCheck", "ask", "each_minute", "measure_lag", "sweep"]

logger = logging.getLogger("sanic_chatrooms.chat")

MINUTE = 60.0
SWEEP = 1.0
"""Seconds from one round to the next."""
REPEAT_WHILE_DOWN = 1.0
"""Seconds until positions are compared again while the store does not answer."""


class Swept(Protocol):
    """What has something to do once a second."""

    def sweep(self) -> None:
        """Do it. It never waits for a backend."""


async def sweep(part: Swept) -> None:
    """One round of what concerns this process only."""
    await asyncio.sleep(SWEEP)
    part.sweep()


async def measure_lag(meter: Meter, clock: Callable[[], float] = time.monotonic) -> None:
    """One round of looking how late the event loop is."""
    due = clock() + SWEEP
    await asyncio.sleep(SWEEP)
    meter.observe(LOOP_LAG, max(0.0, clock() - due))


async def ask(part: Callable[[], Awaitable[None]]) -> None:
    """One round of what asks a backend. A backend that is down is asked again in the next round."""
    await asyncio.sleep(SWEEP)
    with contextlib.suppress(Unavailable):
        await part()


async def each_minute(part: Callable[[], Awaitable[None]]) -> None:
    """One round of what asks a backend, and is in no hurry. A backend that is down is asked again in the next round."""
    await asyncio.sleep(jittered(MINUTE, 0.5, 1.0))
    with contextlib.suppress(Unavailable):
        await part()


class PositionCheck:
    """Says when rooms compare their positions with the store: every `interval` seconds, at once when `soon` is called, and
    every second while the broker is known to lose events."""

    def __init__(self, broker: Broker, interval: float) -> None:
        self._broker = broker
        self._interval = interval
        self._now = asyncio.Event()
        self._due_at = 0.0

    def start(self) -> None:
        """Wait for a whole interval before the first comparison."""
        self._due_at = asyncio.get_running_loop().time() + self._jittered()

    def soon(self) -> None:
        """Compare in the next moment."""
        self._now.set()

    async def compare(self, check: Callable[[], Awaitable[None]]) -> None:
        """Wait until it is time, for a second at most; then `check`."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SWEEP):
                await self._now.wait()
        if not (self._now.is_set() or loop.time() >= self._due_at or not self._broker.healthy):
            return
        self._now.clear()
        self._due_at = 0.0  # again at once, unless this one succeeds
        try:
            await check()
        except Unavailable:
            await asyncio.sleep(REPEAT_WHILE_DOWN)
        else:
            self._due_at = loop.time() + self._jittered()

    def _jittered(self) -> float:
        # Without jitter all workers would ask the store in the same moment.
        return jittered(self._interval, 0.8, 1.0)


class Forgetting:
    """Looks at rooms that this process has let go of, and forgets those that nobody needs. `forget` does one room."""

    def __init__(self, forget: Callable[[str], Awaitable[None]], store: Store) -> None:
        self._forget = forget
        self._store = store
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    def released(self, room: str) -> None:
        """This process holds the room no longer. A user's room is forgotten when the user is gone from all processes."""
        if not is_reserved(room) or self._store.scope is Scope.PROCESS:
            self.left(room)

    def left(self, room: str) -> None:
        """This process holds the room no longer, or its last user is gone, whichever comes later."""
        if self._stopping:
            return
        task = asyncio.ensure_future(self._look_at(room))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look_at(self, room: str) -> None:
        try:
            await self._forget(room)
        except Unavailable:
            pass  # it stays until somebody joins and leaves it again
        except Exception:
            logger.exception("room %s could not be looked at", room, extra=ids(room=room))

    async def settled(self) -> None:
        """Wait until every room that was let go of so far has been looked at."""
        await asyncio.gather(*self._tasks)

    def stop(self) -> list[asyncio.Task[None]]:
        """Look at no more rooms; -> the tasks that are under way."""
        self._stopping = True
        return list(self._tasks)
