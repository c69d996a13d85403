"""Calls functions of the app after something has happened.

A listener is called once, in the process that ran the verb, and for one happening at a time, in order. Its errors are
logged. Nobody waits for it, so happenings that it cannot keep up with are dropped and counted.
"""

import asyncio
import inspect
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from ..models import Event, Sender, User
from ..observe.ids import ids
from ..observe.instruments import HAPPENINGS_DROPPED, HAPPENINGS_WAITING
from ..observe.meter import SILENT, Meter
from ..support.tasks import end, is_ending
from .middleware import Caller

__all__ = ["Happening", "Listener", "Listeners", "call"]

logger = logging.getLogger("sanic_chatrooms.hooks.listeners")

WAITING = 1_000
"""Happenings that may wait for one listener; more are dropped."""
TURN = 0.002
"""Seconds of one turn of the event loop that a listener without awaits may use."""


class Happening(msgspec.Struct, frozen=True):
    """The argument of a listener. Fields that do not apply to the type are None.

    `type` is the type of an event (message, member.joined, one of your own), or room.entered, room.exited, connect,
    connected, disconnect.
    """

    type: str
    room: str | None = None
    user: User | Sender | None = None
    session: Caller | None = None
    """The session that caused it."""
    event: Event | None = None
    app: Any = None

    @property
    def payload(self) -> Any:
        """The event's payload. It is decoded at each call."""
        return msgspec.json.decode(self.event.payload) if self.event is not None else {}


Listener = Callable[[Happening], Awaitable[None] | None]


class Listeners:
    """Type -> functions. Without listeners it costs one look-up in an empty dict."""

    def __init__(self, table: dict[str, list[Listener]], app: Any = None, meter: Meter = SILENT) -> None:
        self._table = table
        self._app = app
        self._queues: dict[int, _Queue] = {}
        meter.watch(HAPPENINGS_DROPPED, lambda: self.dropped)
        meter.watch(HAPPENINGS_WAITING, lambda: sum(len(queue.waiting) for queue in self._queues.values()))

    @property
    def dropped(self) -> int:
        """Calls that were not made because too many waited for the listener."""
        return sum(queue.dropped for queue in self._queues.values())

    def hears(self, type: str) -> bool:
        """Whether there is a listener of `type`."""
        return bool(self._table.get(type))

    def stored(self, event: Event) -> None:
        """A durable event was stored by this process."""
        if self._table and event.type in self._table:
            self.fire(event.type, room=event.room, user=event.sender, event=event)

    def fire(self, type: str, **fields: Any) -> None:
        """Call all listeners of `type`, soon."""
        table = self._table
        if table and type in table:
            happening = Happening(type, app=self._app, **fields)
            for listener in table[type]:
                queue = self._queues.get(id(listener)) or self._new_queue(listener)
                queue.put(happening)

    def _new_queue(self, listener: Listener) -> "_Queue":
        # One for all types of a listener, so that it is called in the order in which they happened.
        queue = self._queues[id(listener)] = _Queue(listener)
        return queue

    async def ask(self, type: str, **fields: Any) -> None:
        """Call all listeners of `type` one after the other, and raise their errors (connect)."""
        for listener in self._table.get(type, ()):
            answer = listener(Happening(type, app=self._app, **fields))
            if inspect.isawaitable(answer):
                await answer

    async def idle(self) -> None:
        """Wait until the running calls have ended, and the calls that they caused."""
        while running := self._running():
            await asyncio.wait(running)

    async def stop(self) -> None:
        """Cancel the running calls, and drop those that wait."""
        await end(*self._running())

    def _running(self) -> "list[asyncio.Task[None]]":
        return [queue.task for queue in self._queues.values() if queue.task is not None]


class _Queue:
    """One listener with its queue, and a task while the queue is not empty."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self.waiting: deque[Happening] = deque()
        self._full = False
        self.dropped = 0
        self.task: asyncio.Task[None] | None = None

    def put(self, happening: Happening) -> None:
        """Call the listener in its turn. If too many happenings wait for it, this one is dropped."""
        if len(self.waiting) >= WAITING:
            self._drop(happening)
            return
        self.waiting.append(happening)
        if self.task is None:
            self.task = asyncio.ensure_future(self._work_off())

    def _drop(self, happening: Happening) -> None:
        self.dropped += 1
        if not self._full:
            self._full = True
            name = getattr(self._listener, "__qualname__", repr(self._listener))
            logger.warning("listener %s is too slow: %d wait for it, more are dropped", name, WAITING)

    async def _work_off(self) -> None:
        began = time.monotonic()
        try:
            while self.waiting:
                await call(self._listener, self.waiting.popleft())
                if time.monotonic() - began > TURN:
                    await asyncio.sleep(0)
                    began = time.monotonic()
        finally:
            self.waiting.clear()
            self._full = False
            self.task = None


async def call(listener: Listener, happening: Happening) -> None:
    """Call a listener and wait for it. Its errors are logged."""
    try:
        answer = listener(happening)
        if inspect.isawaitable(answer):
            await answer
    except (Exception, asyncio.CancelledError):
        if is_ending():
            raise
        # The cancellation may be that of something it awaited. The listener is called again for what comes next.
        logger.exception(
            "a listener for %s failed (room %s)",
            happening.type,
            happening.room,
            extra=ids(room=happening.room, user=None if happening.user is None else happening.user.id),
        )
