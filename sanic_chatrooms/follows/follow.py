"""Loops over the durable events of rooms: in order, without a gap, from a position on, in any process.

    async for event in chat.follow("orders", since=saved):
        ...

Each room has a `Tail`. While the store does not answer nothing is known to be lost, and a loop waits.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing, suppress

from ..errors import Unavailable
from ..hub.hub import Hub
from ..models import Event
from ..stores.base import Store
from ..support.backoff import Backoff
from ..support.positions import Position
from .event import RoomEvent
from .tail import Tail

__all__ = ["Follow", "Follows"]

RETRY_FIRST, RETRY_LONGEST = 0.1, 2.0
"""Seconds between attempts to read a store that does not answer."""
LAST_EVENT = 2.0
"""Seconds that a stopping process waits for the code that is at work on an event."""


class Follows:
    """All loops of this process."""

    def __init__(self, hub: Hub, store: Store) -> None:
        self._hub = hub
        self._store = store
        self._running: set[Follow] = set()
        self.stopping = False

    def __len__(self) -> int:
        return len(self._running)

    async def follow(
        self,
        rooms: Sequence[str],
        since: Mapping[str, Position],
        types: Collection[str] | None,
    ) -> AsyncGenerator[RoomEvent, None]:
        """The events of these rooms. It begins with the first step of the loop. Raises `PositionLost`, `RoomNotFound`."""
        if self.stopping:
            return
        follow = Follow(self._hub, self._store, rooms, types)
        self._running.add(follow)
        try:
            async with aclosing(follow.events(since)) as events:
                async for event in events:
                    yield event
        finally:
            self._running.discard(follow)
            follow.end()

    async def stop(self) -> None:
        """End all loops: those that wait at once, those whose code is at work after its event, for a moment at most."""
        self.stopping = True
        for follow in list(self._running):
            follow.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_EVENT):
                for follow in list(self._running):
                    await follow.ended.wait()


class Follow:
    """One loop."""

    def __init__(self, hub: Hub, store: Store, rooms: Sequence[str], types: Collection[str] | None) -> None:
        self.ended = asyncio.Event()
        self._types = None if types is None else frozenset(types)
        self._due: dict[Tail, None] = {}
        """Rooms with something to read, in order."""
        self._woken = asyncio.Event()
        self._stopped = asyncio.Event()
        self._tails = [Tail(hub, store, room, self._wake) for room in rooms]
        self._backoff = Backoff(RETRY_FIRST, RETRY_LONGEST)

    # ---- from outside ----

    def stop(self) -> None:
        """Make the loop end after the event that its code is at work on."""
        self._stopped.set()
        self._woken.set()

    def end(self) -> None:
        """The loop was left."""
        for tail in self._tails:
            tail.leave()
        self.ended.set()

    # ---- the loop ----

    async def events(self, since: Mapping[str, Position]) -> AsyncGenerator[RoomEvent, None]:
        """The wanted events of all rooms. Raises `PositionLost`, `RoomNotFound`."""
        await self._begin(since)
        while (tail := await self._next()) is not None:
            for event in await self._read(tail):
                if self._stopped.is_set():
                    return
                tail.position = Position(tail.position.epoch, event.seq or 0)
                if self._types is None or event.type in self._types:
                    yield RoomEvent.of(event, tail.room, self._positions())

    def _positions(self) -> dict[str, Position]:
        return {tail.room: tail.position for tail in self._tails}

    async def _begin(self, since: Mapping[str, Position]) -> None:
        """Stand where each room is to be read from."""
        for tail in self._tails:
            while not self._stopped.is_set():
                try:
                    await tail.begin(since.get(tail.room))
                    break
                except Unavailable:
                    await self._pause()
            self._wake(tail)

    async def _next(self) -> Tail | None:
        """The next room with something to read; None: the loop has to end."""
        while not self._stopped.is_set():
            for tail in self._due:
                del self._due[tail]
                return tail
            self._woken.clear()
            await self._woken.wait()
        return None

    def _wake(self, tail: Tail) -> None:
        self._due[tail] = None
        self._woken.set()

    async def _read(self, tail: Tail) -> Sequence[Event]:
        try:
            events = await tail.read()
        except Unavailable:
            self._wake(tail)
            await self._pause()
            return ()
        self._backoff.succeeded()
        return events

    async def _pause(self) -> None:
        """Wait until the next attempt, unless the loop has to end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._backoff.failed()):
                await self._stopped.wait()
