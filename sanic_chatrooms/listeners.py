"""Hears what happened: functions of the host's that are called after the fact.

A listener fires once, in the process that ran the verb. What it raises is logged; nobody waits for it.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from .models import Event, Sender, User
from .tasks import end

__all__ = ["Happening", "Listener", "Listeners"]

logger = logging.getLogger("sanic_chatrooms.listeners")


class Happening(msgspec.Struct, frozen=True):
    """What a listener is told. Fields that do not fit the type are None.

    `type` is an event's type (message, member.joined, a host's own …), or room.entered, room.exited, connect, disconnect.
    """

    type: str
    room: str | None = None
    user: User | Sender | None = None
    session: Any = None
    """The session that caused it: `session.id`, `session.data`."""
    event: Event | None = None
    app: Any = None

    @property
    def payload(self) -> Any:
        """The event's payload, decoded anew at each call."""
        return msgspec.json.decode(self.event.payload) if self.event is not None else {}


Listener = Callable[[Happening], Awaitable[None] | None]


class Listeners:
    """Type -> functions. Costs one look into an empty dict when the host has none."""

    def __init__(self, table: dict[str, list[Listener]], app: Any = None) -> None:
        self._table = table
        self._app = app
        self._running: set[asyncio.Task[None]] = set()

    def stored(self, event: Event) -> None:
        """A durable event was stored by this process."""
        if self._table and event.type in self._table:
            self.fire(event.type, room=event.room, user=event.sender, event=event)

    def fire(self, type: str, **fields: Any) -> None:
        """Call everybody who listens to `type`, soon."""
        table = self._table
        if table and type in table:
            happening = Happening(type, app=self._app, **fields)
            for listener in table[type]:
                task = asyncio.ensure_future(_call(listener, happening))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def ask(self, type: str, **fields: Any) -> None:
        """Call everybody who listens to `type`, one after the other, and let what they raise through (connect)."""
        for listener in self._table.get(type, ()):
            answer = listener(Happening(type, app=self._app, **fields))
            if inspect.isawaitable(answer):
                await answer

    async def idle(self) -> None:
        """Return when the calls that are under way, and those that they caused, have ended."""
        while self._running:
            await asyncio.wait(self._running)

    async def stop(self) -> None:
        """End the calls that are under way."""
        await end(*self._running)


async def _call(listener: Listener, happening: Happening) -> None:
    try:
        answer = listener(happening)
        if inspect.isawaitable(answer):
            await answer
    except Exception:
        logger.exception("a listener for %s failed (room %s)", happening.type, happening.room)
