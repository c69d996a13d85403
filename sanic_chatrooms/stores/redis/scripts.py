"""The scripts of the store in Redis, and calls of them: one room each, with keys that are all in the room's slot."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ...drivers.redis.cluster import Call, RedisLink, Script
from ...errors import RoomNotFound
from ..base import HISTORY_MAX, RESERVED_HISTORY_MAX, Bounds

__all__ = [
    "APPEND",
    "EFFECTS",
    "ERASING",
    "PAST",
    "ROOMS",
    "SCRIPTS",
    "UNREAD",
    "UNREAD_IN_TIME",
    "RoomCalls",
    "Use",
]

_PARTS = ("h", "m", "t", "i", "x", "r", "z", "c", "k0", "k1", "u", "o", "e")
"""What the names of a room's keys end with; see head.lua."""


class Use(NamedTuple):
    """A script, and what the names of the keys end with that it needs: each costs a little, in every call."""

    script: Script
    parts: tuple[str, ...]


# Most drafts have no effects, and their script comes by fewer functions; nearly always it ends where plain.lua does.
APPEND = Use(Script(__package__, "publish.lua", "plain.lua", "head.lua", "append.lua"), _PARTS[:10])
EFFECTS = Use(
    Script(__package__, "publish.lua", "head.lua", "facts.lua", "effects.lua", "append.lua"), _PARTS
)
PAST = Use(Script(__package__, "head.lua", "past.lua"), _PARTS[:8])
ROOMS = Use(Script(__package__, "head.lua", "facts.lua", "rooms.lua"), _PARTS)
ERASING = Use(Script(__package__, "head.lua", "facts.lua", "erasing.lua"), _PARTS)
UNREAD = Use(Script(__package__, "unread_head.lua", "unread.lua"), ("h", "m", "c", "o"))
UNREAD_IN_TIME = Use(Script(__package__, "head.lua", "unread_in_time.lua", "unread.lua"), _PARTS[:12])
"""The same where events may be too old: that is seen in other keys."""
SCRIPTS = tuple(use.script for use in (APPEND, EFFECTS, PAST, ROOMS, ERASING, UNREAD, UNREAD_IN_TIME))


class RoomCalls:
    """Makes and sends the calls of one instance."""

    def __init__(
        self, link: RedisLink, instance: str, bounds: Bounds, clock: Callable[[], float] | None
    ) -> None:
        self._link = link
        self._base = f"{link.prefix}{instance}:"
        self._clock = clock
        self.retains = bounds.retention is not None
        """Are events dropped that are too old?"""
        self._limits = (
            HISTORY_MAX if bounds.history_max is None else bounds.history_max,
            RESERVED_HISTORY_MAX,
            "" if bounds.retention is None else bounds.retention,
            bounds.dedup_window,
        )

    def channel(self, room: str) -> str:
        """What `RedisBroker` subscribes to: a name in the room's slot."""
        return f"{self._base}{{{room}}}"

    def scripted(self, use: Use, room: str, operation: str, *arguments: Any, epoch: str = "") -> Call:
        """A call of a script. `epoch`: for the room, should it need a new one."""
        return self.scripted_for(use, (room,), operation, *arguments, epoch=epoch)

    def scripted_for(
        self, use: Use, rooms: Sequence[str], operation: str, *arguments: Any, epoch: str = ""
    ) -> Call:
        """The same for several rooms, which all have to be on one server."""
        bases = [f"{self._base}{{{room}}}:" for room in rooms]
        clock = "" if self._clock is None else self._clock()
        parts = (clock, operation, *self._limits, epoch, *arguments)
        return Call(bases[0], parts, use.script, tuple([base + part for base in bases for part in use.parts]))

    def plain(self, command: str, room: str, part: str, *arguments: str) -> Call:
        """A command for one of a room's keys."""
        key = f"{self._base}{{{room}}}:{part}"
        return Call(key, (command, key, *arguments))

    async def ask(self, use: Use, room: str, operation: str, *arguments: Any, epoch: str = "") -> Any:
        """What a script says about a room. Raises `RoomNotFound`, `Unavailable`."""
        reply = await self._link.call(self.scripted(use, room, operation, *arguments, epoch=epoch))
        if reply is None:
            raise RoomNotFound
        return reply
