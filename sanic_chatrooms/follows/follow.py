"""Loops over the durable events of rooms: in order, without a gap, from a position on, in any process.

    async for event in chat.follow("orders", since=saved):
        ...

Each room has a `Tail`. While the store does not answer nothing is known to be lost, and a loop waits.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing, suppress

from ..errors import InvalidField, PositionLost, RoomNotFound, Unavailable
from ..hub.hub import Hub
from ..models import Event
from ..stores.base import Store
from ..support.backoff import Backoff
from ..support.positions import Position
from .event import RoomEvent
from .tail import Tail
from .turn import Turn

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
        once: str | None = None,
    ) -> AsyncGenerator[RoomEvent, None]:
        """The events of these rooms. It begins with the first step of the loop. Raises `PositionLost`, `RoomNotFound`."""
        if self.stopping:
            return
        if any(other.once == once and other.rooms != set(rooms) for other in self._running if once):
            raise InvalidField(
                f"{once!r} follows other rooms in this process; take another name", field="once"
            )
        follow = Follow(self._hub, self._store, rooms, types, once)
        self._running.add(follow)
        try:
            async with aclosing(follow.events(since)) as events:
                async for event in events:
                    yield event
        finally:
            self._running.discard(follow)
            await follow.end()

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
    """One loop. With `once`, it waits for its turn, and keeps in the store how far it came."""

    def __init__(
        self, hub: Hub, store: Store, rooms: Collection[str], types: Collection[str] | None, once: str | None
    ) -> None:
        self.rooms, self.once = frozenset(rooms), once
        self.ended = asyncio.Event()
        self._types = None if types is None else frozenset(types)
        self._due: dict[Tail, None] = {}
        """Rooms with something to read, in order."""
        self._woken = asyncio.Event()
        self._stopped = asyncio.Event()
        self._turn = None if once is None else Turn(store, once, self._woken.set)
        self._tails = [Tail(hub, store, room, self._wake, len(rooms)) for room in rooms]
        self._unkept: str | None = None
        """The room whose last event is done, and not kept yet."""
        self._backoff = Backoff(RETRY_FIRST, RETRY_LONGEST)

    # ---- from outside ----

    def stop(self) -> None:
        """Make the loop end after the event that its code is at work on."""
        self._stopped.set()
        self._woken.set()

    async def end(self) -> None:
        """The loop was left."""
        self._leave()
        try:
            if self._turn is not None:
                await self._keep_last(self._turn)
                await self._turn.give_back()
        finally:
            self.ended.set()

    # ---- the loop ----

    async def events(self, since: Mapping[str, Position]) -> AsyncGenerator[RoomEvent, None]:
        """The wanted events of all rooms. Raises `PositionLost`, `RoomNotFound`."""
        while self._turn is None or await self._our_turn(self._turn):
            async with aclosing(self._while_it_is_ours(since)) as events:
                async for event in events:
                    yield event
            self._leave()
            if self._stopped.is_set():
                return

    async def _our_turn(self, turn: Turn) -> bool:
        """Wait for it. False: the loop has to end."""
        while not self._stopped.is_set():
            wait = await turn.ask()
            if wait is None:
                return True
            await self._sleep(wait)
        return False

    async def _while_it_is_ours(self, since: Mapping[str, Position]) -> AsyncGenerator[RoomEvent, None]:
        if not await self._begin(since):
            return
        while (tail := await self._next()) is not None:
            for event in await self._read(tail):
                if not self._ours:
                    return
                tail.position = Position(tail.position.epoch, event.seq or 0)
                if self._types is None or event.type in self._types:
                    yield RoomEvent.of(event, tail.room, self._positions())
                    await self._finished(tail)
            await self._note_skipped()

    def _positions(self) -> dict[str, Position]:
        return {tail.room: tail.position for tail in self._tails}

    async def _begin(self, since: Mapping[str, Position]) -> bool:
        """Stand where each room is to be read from. False: the loop has to end, or it is not its turn any more."""
        for tail in self._tails:
            while self._ours:
                try:
                    await self._stand(tail, since.get(tail.room))
                    break
                except Unavailable:
                    await self._sleep(self._backoff.failed())
            self._wake(tail)
        return self._ours

    async def _stand(self, tail: Tail, since: Position | None) -> None:
        if self._turn is None:
            await tail.begin(since)
            return
        kept = await self._turn.kept(tail.room)
        await tail.begin(kept or since)
        if kept is None:
            await self._turn.keep(tail.room, tail.position)

    @property
    def _ours(self) -> bool:
        return not self._stopped.is_set() and (self._turn is None or self._turn.ours)

    async def _next(self) -> Tail | None:
        """The next room with something to read; None: the loop has to end, or it is not its turn any more."""
        while self._ours:
            for tail in self._due:
                del self._due[tail]
                return tail
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await self._woken.wait()
            await self._note_skipped()
        return None

    @property
    def _patience(self) -> float | None:
        """Seconds after which it has something to do where nothing comes; None: never."""
        return None if self._turn is None else self._turn.unsaved_for(self._positions())

    def _wake(self, tail: Tail) -> None:
        self._due[tail] = None
        self._woken.set()

    async def _read(self, tail: Tail) -> Sequence[Event]:
        try:
            events = await tail.read()
        except Unavailable:
            self._wake(tail)
            await self._sleep(self._backoff.failed())
            return ()
        except PositionLost as lost:
            if self._turn is not None and not await self._said_lost(self._turn, tail, lost):
                return ()
            raise
        self._backoff.succeeded()
        return events

    async def _said_lost(self, turn: Turn, tail: Tail, lost: PositionLost) -> bool:
        """Keep where the next loop begins. False: try again later."""
        try:
            await turn.lost(tail.room, lost)
        except Unavailable:
            self._wake(tail)
            await self._sleep(self._backoff.failed())
            return False
        return True

    async def _finished(self, tail: Tail) -> None:
        """The code has asked for the next event, so it is done with this one."""
        self._unkept = tail.room
        while self._turn is not None and self._turn.ours:
            try:
                await self._turn.keep(tail.room, tail.position)
                break
            except Unavailable:
                if self._stopped.is_set():
                    return
                await self._sleep(self._backoff.failed())
        self._unkept = None

    async def _keep_last(self, turn: Turn) -> None:
        """The loop was cancelled while its last event was being kept."""
        last, self._unkept = self._unkept, None
        if last is not None and turn.ours:
            with suppress(RoomNotFound, Unavailable):
                await turn.keep(last, self._positions()[last])

    async def _note_skipped(self) -> None:
        """Keep now and then how far it has come through events of other types."""
        if self._turn is not None:
            with suppress(Unavailable):
                await self._turn.keep_up(self._positions())

    async def _sleep(self, seconds: float) -> None:
        """Sleep, unless the loop has to end."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()

    def _leave(self) -> None:
        for tail in self._tails:
            tail.leave()
        self._due.clear()
