"""Calls functions of the app for events of rooms, in a process that serves no connections: `@chat.on("message", rooms=[…])`."""

import asyncio
import logging
from collections.abc import Awaitable, Collection

from msgspec import Raw, json

from ..errors import PositionLost, RoomNotFound
from ..hooks.listeners import Happening, Listener, call
from ..models import Event
from ..observe.ids import ids
from ..support.backoff import jittered
from .event import RoomEvent
from .follow import Follows

__all__ = ["OnlyIn", "listen"]

logger = logging.getLogger("sanic_chatrooms.follows.listening")

AGAIN = 2.0
"""Seconds until a room that is not there is looked for again."""


async def listen(
    follows: Follows, listener: Listener, room: str, types: Collection[str], in_turn: asyncio.Lock
) -> None:
    """Call the function for each event of these types, in order, until the chat stops; `in_turn`, one at a time.

    Its errors are logged. Where events are lost, that is logged, and it goes on with what comes.
    """
    name, missing = getattr(listener, "__qualname__", repr(listener)), False
    while not follows.stopping:
        try:
            async for event in follows.follow([room], {}, types):
                async with in_turn:
                    await call(listener, happening_of(event))
        except PositionLost:
            logger.warning(
                "listener %s has missed events of room %s; it goes on with what comes",
                name,
                room,
                extra=ids(room=room),
            )
        except RoomNotFound:
            if not missing:
                logger.warning(
                    "listener %s waits for room %s, which is not there", name, room, extra=ids(room=room)
                )
            missing = True
            await asyncio.sleep(jittered(AGAIN))


def happening_of(event: RoomEvent) -> Happening:
    """The event as a listener gets it."""
    stored = Event(
        event.msg_id,
        event.timestamp,
        event.type,
        Raw(json.encode(event.payload)),
        event.room,
        event.seq,
        event.sender,
        event.client_msg_id,
        edited=event.edited,
        deleted=event.deleted,
        changed=event.changed,
    )
    return Happening(event.type, event.room, event.sender, event=stored)


class OnlyIn:
    """A listener that hears only some rooms."""

    def __init__(self, listener: Listener, rooms: Collection[str]) -> None:
        self.listener = listener
        self._rooms = frozenset(rooms)
        self.__qualname__ = getattr(listener, "__qualname__", repr(listener))

    def __call__(self, happening: Happening) -> Awaitable[None] | None:
        """Call the listener if it happened in one of its rooms."""
        return self.listener(happening) if happening.room in self._rooms else None
