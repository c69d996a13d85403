"""Presence in Redis or Valkey: entries that end by themselves, counted per user, for workers on any number of machines."""

import asyncio
import contextlib
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, ClassVar, TypeAlias

import msgspec

from ..drivers.redis.cluster import Call, RedisLink, Script
from ..errors import Unavailable
from ..models import Scope, Sender
from ..support.paging import decode_cursor, encode_cursor
from .base import Entry, Presence, PresentPage

__all__ = ["RedisPresence"]

SEEN_FOR = 86_400.0
"""Seconds for which it is remembered when somebody was last here (never less than the entries' own `ttl`)."""
PARTS = 16
"""Sheets over which the users of an instance are spread: so many nodes of a cluster can share them."""
CALL_LIMIT = 500
"""Entries in one call of the script."""
STILL_THERE = b"+"
LOOKS = 4
"""So many times more a room is asked about a user who is still there, although an entry has ended: it may have heard of the entry
seconds after the users' sheet."""
ANYWHERE = "*"
"""Stands for the room "" in keys, where nothing between the braces would choose no slot; no room is called so."""

_Place: TypeAlias = tuple[str, str]
"""A room and a user's id."""
_Entries: TypeAlias = list[Entry]
_Pairs: TypeAlias = list[tuple[Any, Any]]
# Named, since within the class `list` is the method.

SHEET = Script(__package__, "redis.lua")

_encode = msgspec.json.Encoder().encode
_sender = msgspec.json.Decoder(Sender)


class RedisPresence(Presence):
    """Keeps entries in one Redis or Valkey (7 or newer), or in a cluster.

    `url`: see `sanic_chatrooms.drivers.redis.address`. Entries expire by `clock`, which returns Unix seconds; without it, by
    the server's clock.
    """

    scope: ClassVar[Scope] = Scope.CLUSTER

    def __init__(
        self,
        url: str = "redis://localhost",
        *,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._link = RedisLink(url, scripts=(SHEET,))
        self._clock = clock
        self._base = ""
        self._node = ""
        self._ttl = 0.0
        self._mine: dict[_Place, Entry] = {}
        self._doubtful: dict[_Place, int] = {}
        """Whose room is asked whether they have ended, and since which hearing."""
        self._hearing = 0
        self._turn_to_end = asyncio.Lock()

    async def start(self, instance: str, node: str, ttl: float) -> None:
        """See `Presence.start`. Raises `ConfigError` if the server refuses the connection, `Unavailable` if there is no server."""
        self._base = f"{self._link.prefix}{instance}:here:"
        self._node, self._ttl = node, ttl
        self._turn_to_end = asyncio.Lock()  # locks belong to a loop
        await self._link.start(ttl)

    async def stop(self) -> None:
        """See `Presence.stop`. Without the server, the entries expire by themselves."""
        mine, self._mine = list(self._mine.values()), {}
        if mine:
            with contextlib.suppress(Unavailable):
                await self.drop(mine)
        await self._link.stop()

    async def touch(self, entries: Sequence[Entry]) -> Sequence[bool | None]:
        """See `Presence.touch`."""
        self._mine |= {(entry.room, entry.user.id): entry for entry in entries}
        lives = (self._ttl, max(self._ttl, SEEN_FOR))
        return await self._tell(
            "touch", lives, entries, lambda e: (self._entry(e), e.user.id, _encode(e.user))
        )

    async def drop(self, entries: Sequence[Entry]) -> Sequence[bool | None]:
        """See `Presence.drop`."""
        for entry in entries:
            self._mine.pop((entry.room, entry.user.id), None)
        return await self._tell("drop", (), entries, lambda e: (self._entry(e), e.user.id))

    async def list(self, room: str, *, cursor: str | None = None, limit: int = 50) -> PresentPage:
        """See `Presence.list`."""
        start = "-" if cursor is None else "(" + decode_cursor("present", cursor)
        total, *found = await self._link.call(self._room(room, "list", start, limit + 1))
        users = [_sender.decode(user) for user in found[:limit]]
        return PresentPage(
            users, total, encode_cursor("present", users[-1].id) if len(found) > limit else None
        )

    async def count(self, rooms: Collection[str]) -> dict[str, int]:
        """See `Presence.count`."""
        counts = await self._link.each([self._room(room, "count") for room in rooms])
        return {room: n for room, n in zip(rooms, counts, strict=True) if not isinstance(n, Unavailable)}

    async def ended(self) -> _Entries:
        """See `Presence.ended`. The users' sheets tell whose entries have ended, the rooms' who is out by that."""
        async with self._turn_to_end:
            return await self._ended()

    async def _ended(self) -> _Entries:
        self._hearing += 1
        parts = await self._link.each([self._users(part, "ended") for part in range(PARTS)])
        listed = [
            (number, text)
            for number, part in enumerate(parts)
            if not isinstance(part, Unavailable)
            for text in part
        ]
        places = {_place(text) for _, text in listed}
        self._doubtful = dict.fromkeys(places, self._hearing) | self._doubtful
        answers = await self._ask_rooms()
        asked = _grouped((number, text) for number, text in listed if _place(text) in answers)
        with contextlib.suppress(Unavailable):  # then the rooms are asked again, for nothing
            await self._link.each([self._users(number, "asked", *some) for number, some in asked])
        for place, answer in answers.items():
            if answer == STILL_THERE and place in places:
                self._doubtful[place] = self._hearing
            elif answer != STILL_THERE or self._hearing >= self._doubtful[place] + LOOKS:
                del self._doubtful[place]
        told = ((room, answer) for (room, _), answer in answers.items() if answer not in (STILL_THERE, b""))
        return [Entry(room, _sender.decode(user)) for room, user in told]

    async def _ask_rooms(self) -> dict[_Place, bytes]:
        """What the rooms answer about those who are doubtful."""
        # Should an answer be lost, it is the call of the same name that asks again.
        calls = _grouped(((room, since), user) for (room, user), since in self._doubtful.items())
        replies = await self._link.each(
            [self._room(room, "ended", f"{self._node}:{since}", *users) for (room, since), users in calls]
        )
        rooms = [(room, [(room, user) for user in users]) for (room, _), users in calls]
        return dict(_answered(rooms, replies))

    async def online(self, users: Collection[str], *, room: str | None = None) -> set[str]:
        """See `Presence.online`."""
        if room is None:
            found = await self._of_users("online", users)
        else:
            parts = _grouped((room, user) for user in users)
            replies = await self._link.run([self._room(room, "online", *some) for _, some in parts])
            found = _paired(parts, replies)
        return {user for user, entries in found if entries is not None}

    async def seen(self, users: Collection[str]) -> dict[str, float]:
        """See `Presence.seen`."""
        return {user: float(at) for user, at in await self._of_users("seen", users) if at is not None}

    # ---- calls ----

    def _entry(self, entry: Entry) -> str:
        return f"{self._node} {entry.room} {entry.user.id}"

    async def _tell(
        self,
        operation: str,
        first: tuple[Any, ...],
        entries: Sequence[Entry],
        told: Callable[[Entry], tuple[Any, ...]],
    ) -> Sequence[bool | None]:
        """Tell the sheets of the rooms, whose answers count, and those of the users."""

        def calls(sheet: Callable[..., Call], groups: Sequence[tuple[Any, list[int]]]) -> list[Call]:
            return [
                sheet(name, operation, *first, *_flat(told(entries[n]) for n in some))
                for name, some in groups
            ]

        by_part = _grouped((_part(entry.user.id), n) for n, entry in enumerate(entries))
        numbers: Iterable[int] = range(len(entries))
        users = calls(self._users, by_part)
        if self._link.is_cluster:
            # A room says once who came or went: it is told only of users whose own sheet has heard of it.
            numbers, users = [n for n, _ in _answered(by_part, await self._link.each(users))], []
        by_room = _grouped((entries[n].room, n) for n in numbers)
        replies = await self._link.each(calls(self._room, by_room) + users)
        answers: list[bool | None] = [None] * len(entries)
        for n, answer in _answered(by_room, replies):
            answers[n] = bool(answer)
        return answers

    async def _of_users(self, operation: str, users: Collection[str]) -> _Pairs:
        parts = _grouped((_part(user), user) for user in users)
        return _paired(
            parts, await self._link.run([self._users(part, operation, *some) for part, some in parts])
        )

    def _room(self, room: str, operation: str, *arguments: Any) -> Call:
        return self._call(f"{self._base}{{{room or ANYWHERE}}}:", "enwog", operation, arguments)

    def _users(self, part: int, operation: str, *arguments: Any) -> Call:
        return self._call(f"{self._base}users:{{{part}}}:", "ensg", operation, arguments)

    def _call(self, base: str, parts: str, operation: str, arguments: tuple[Any, ...]) -> Call:
        clock = "" if self._clock is None else self._clock()
        return Call(base, (clock, operation, *arguments), SHEET, tuple([base + part for part in parts]))


def _part(user: str) -> int:
    return zlib.crc32(user.encode()) % PARTS


def _place(text: bytes) -> _Place:
    room, _, user = text.decode().partition(" ")
    return room, user


def _paired(parts: Sequence[tuple[Any, list[Any]]], replies: Sequence[Any]) -> _Pairs:
    return [
        pair
        for (_, some), reply in zip(parts, replies, strict=True)
        for pair in zip(some, reply, strict=True)
    ]


def _answered(parts: Sequence[tuple[Any, list[Any]]], replies: Sequence[Any]) -> _Pairs:
    """As `_paired`, without those of calls that were not answered."""
    some = [
        (part, reply)
        for part, reply in zip(parts, replies, strict=False)
        if not isinstance(reply, Unavailable)
    ]
    return _paired([part for part, _ in some], [reply for _, reply in some])


def _grouped(pairs: Iterable[tuple[Any, Any]]) -> list[tuple[Any, list[Any]]]:
    """Values by what they belong to, no more than one call takes together; in order within each."""
    groups: dict[Any, list[Any]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return [
        (key, values[low : low + CALL_LIMIT])
        for key, values in groups.items()
        for low in range(0, len(values), CALL_LIMIT)
    ]


def _flat(groups: Iterable[tuple[Any, ...]]) -> list[Any]:
    return [value for group in groups for value in group]
