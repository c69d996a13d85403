"""The lists of a store in Redis that lead to rooms: an instance's, one for each user, and one for each kind of mark. And its secrets.

In a cluster a room is in one slot and a list in another, so the two cannot change in one step. Therefore a list gets a room
first, and then the room changes. Reading a list checks each room: it leaves out rooms that do not belong there, and removes
them from the list if they are older than any change that may still be running.
"""

import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeAlias, TypeVar

from ...drivers.redis.cluster import Call, RedisLink, Script
from ...models import DIRECT, PRIVATE, PUBLIC, Fact, Room
from ..members import BY_USER, MEMBER
from ..properties import ROOM

__all__ = ["RedisLists"]

AT_ONCE = 1_000
"""Rooms that one call puts on a list."""
UNDER_WAY = 600.0
"""Seconds: longer than any change is tried (`STORE_TIMEOUT` is 300 at most)."""

Look: TypeAlias = Callable[[Sequence[str]], Awaitable[list[Room | None]]]
T = TypeVar("T")
LookFor: TypeAlias = Callable[[Sequence[str], str, str], Awaitable[list[T | None]]]


class RedisLists:
    """The lists of one instance."""

    script: ClassVar[Script] = Script(__package__, "lists.lua")

    def __init__(self, link: RedisLink, instance: str) -> None:
        self._link = link
        self._rooms = f"{link.prefix}{{{instance}}}:rooms"
        self._direct = f"{link.prefix}{{{instance}}}:direct"
        base = f"{link.prefix}{{{instance}}}:"
        # Not "direct": that is the hash.
        self._lists = {PUBLIC: base + "public", PRIVATE: base + "private", DIRECT: base + "pairs"}
        self._secrets = f"{link.prefix}{{{instance}}}:secrets"
        self._bucket = f"{link.prefix}{instance}:bucket:"
        self._user = f"{link.prefix}{instance}:user:"

    # ---- changing ----

    async def reserve(self, room: Room, most: int) -> bool:
        """Put a room that is about to be made on the instance's lists; False if there are `most` of its kind already."""
        kind = self._direct if room.visibility == DIRECT else self._rooms
        call = self._scripted(
            kind, self._lists[room.visibility], arguments=("reserve", room.id, _now(), most)
        )
        return bool(await self._link.call(call))

    async def enlist(self, room: str, visibility: str) -> int:
        """Put a room that is there, and is about to have this visibility, on its list too; -> the stamp for `settle`."""
        stamp, keys = _now(), (self._rooms, self._lists[visibility])
        await self._link.call(self._scripted(*keys, arguments=("list", room, stamp)))
        return stamp

    async def settle(self, room: str, visibility: str, stamp: int) -> None:
        """The room has this visibility: take it off the other lists, unless it was put on one of them after that stamp."""
        others = [self._lists[other] for other in (PUBLIC, PRIVATE) if other != visibility]
        await self._link.call(self._scripted(self._rooms, *others, arguments=("unlist", room, stamp)))

    async def stamp(self, room: str) -> bytes | None:
        """When the room was last put on a list of the instance, for `forget`."""
        lists = (self._rooms, self._direct)
        found: list[bytes | None] = await self._link.run([Call(key, ("HGET", key, room)) for key in lists])
        return found[0] or found[1]

    async def forget(self, room: str, stamp: bytes) -> None:
        """Take a room off the instance's lists, unless it was put there again after that stamp."""
        arguments = ("forget", room, stamp)
        lists = (self._rooms, self._direct)
        await self._link.run(
            [self._scripted(key, *self._lists.values(), arguments=arguments) for key in lists]
        )

    async def add(self, facts: Iterable[tuple[str, Fact]]) -> None:
        """Put rooms on the lists of the facts that are about to hold in them: (room, fact) each."""
        now = _now()
        keys = [(self._key(fact.kind, fact.key), room) for room, fact in facts if _is_listed(fact)]
        if keys:
            await self._link.run([Call(key, ("HSET", key, room, now)) for key, room in keys])

    # ---- reading ----

    async def of_kind(self, visibility: str | None, last: str, count: int, look: Look) -> list[Room]:
        """Up to `count` rooms of this visibility (None: of all) behind the id `last`, in the order of their ids."""
        if visibility != PUBLIC:
            await self._complete(look)
        lists = list(self._lists.values()) if visibility is None else [self._lists[visibility]]
        shown: list[Room] = []
        while len(shown) < count:
            start = f"({last}" if last else "-"
            found = await self._link.call(self._scripted(*lists, arguments=("page", start, count)))
            if not found:
                break
            ids = [id.decode() for id in sorted(set(found))][:count]
            rooms = dict(zip(ids, await look(ids), strict=True))
            shown += [
                room for room in rooms.values() if room is not None and visibility in (None, room.visibility)
            ]
            for id, room in rooms.items():
                if room is None or visibility not in (None, room.visibility):
                    await self._put_right(id, room, lists)
            last = ids[-1]
        return shown[:count]

    async def _put_right(self, id: str, room: Room | None, lists: Sequence[str]) -> None:
        """Take a room off lists to which it does not belong."""
        stamp = await self.stamp(id)
        if stamp is None or not _is_settled(stamp):
            return
        if room is None:
            await self.forget(id, stamp)
        else:
            await self._link.call(self._scripted(self._rooms, *lists, arguments=("unlist", id, stamp)))

    async def _complete(self, look: Look) -> None:
        """Versions before this one had a list of public rooms only: make the others of all rooms."""
        kinds = (self._rooms, self._direct)
        whole = self._scripted(*kinds, *self._lists.values(), arguments=("whole",))
        if await self._link.call(whole):
            return
        for kind in kinds:
            cursor = b"0"
            while True:
                scan = Call(kind, ("HSCAN", kind, cursor, "COUNT", AT_ONCE))
                cursor, flat = await self._link.call(scan)
                for low in range(0, len(flat), 2 * AT_ONCE):
                    await self._fill(kind, [id.decode() for id in flat[low : low + 2 * AT_ONCE : 2]], look)
                if cursor == b"0":
                    break

    async def _fill(self, kind: str, ids: Sequence[str], look: Look) -> None:
        by_list: dict[str, list[str]] = {}
        for id, room in zip(ids, await look(ids), strict=True):
            if room is None:
                await self._put_right(id, None, ())
            else:
                by_list.setdefault(self._lists[room.visibility], []).append(id)
        for key, rooms in by_list.items():
            await self._link.call(self._scripted(kind, key, arguments=("fill", *rooms)))

    async def of_fact(self, kind: str, key: str, last: str, count: int | None, look: LookFor[T]) -> list[T]:
        """Up to `count` rooms (None: all) in which a fact holds, behind the id `last`, as `look` finds them, in the order of their ids."""
        list_key = self._key(kind, key)
        reply = await self._link.call(Call(list_key, ("HGETALL", list_key)))
        stamps = {room.decode(): stamp for room, stamp in zip(reply[::2], reply[1::2], strict=True)}
        ids = sorted(id for id in stamps if id > last)
        shown: list[T] = []
        while ids and (count is None or len(shown) < count):
            part, ids = ids[:count], ids[len(ids) if count is None else count :]
            found = await look(part, kind, key)
            shown += [one for one in found if one is not None]
            gone = [
                id for id, one in zip(part, found, strict=True) if one is None and _is_settled(stamps[id])
            ]
            await self._link.run(
                [self._scripted(list_key, arguments=("forget", id, stamps[id])) for id in gone]
            )
        return shown[:count]

    async def clear(self, kind: str, key: str, look: LookFor[Any]) -> None:
        """Take rooms in which a fact does not hold off its list at once, however short ago they came there."""
        list_key = self._key(kind, key)
        reply = await self._link.call(Call(list_key, ("HGETALL", list_key)))
        stamps = {room.decode(): stamp for room, stamp in zip(reply[::2], reply[1::2], strict=True)}
        rooms = list(stamps)
        for low in range(0, len(rooms), AT_ONCE):
            some = rooms[low : low + AT_ONCE]
            found = await look(some, kind, key)
            gone = [room for room, one in zip(some, found, strict=True) if one is None]
            calls = [self._scripted(list_key, arguments=("forget", room, stamps[room])) for room in gone]
            await self._link.run(calls)

    # ---- token buckets and secrets ----

    async def take(self, key: str, rate: float, burst: int, now: float | None) -> float:
        """See `Store.take`. `now`: None for the server's time."""
        arguments = ("take", "" if now is None else now, 1 / rate, burst / rate)
        wait = await self._link.call(self._scripted(f"{self._bucket}{{{key}}}", arguments=arguments))
        return float(wait)

    async def secret(self, name: str) -> str:
        """A random secret, made at the first call."""
        made = secrets.token_urlsafe(32)
        calls = [
            Call(self._secrets, ("HSETNX", self._secrets, name, made)),
            Call(self._secrets, ("HGET", self._secrets, name)),
        ]
        kept: bytes = (await self._link.run(calls))[1]
        return kept.decode()

    def _key(self, kind: str, key: str) -> str:
        # Without a kind since the first layout, which had members only.
        return f"{self._user}{{{key}}}" + ("" if kind == MEMBER else f":{kind}")

    def _scripted(self, *keys: str, arguments: tuple[object, ...]) -> Call:
        return Call(keys[0], arguments, self.script, keys)


def _is_listed(fact: Fact) -> bool:
    """Are rooms found by this fact? There are many others, one for each message with attachments, and nobody would remove their lists."""
    return fact.kind in BY_USER or (not fact.key and fact.kind != ROOM)


def _now() -> int:
    return int(time.time() * 1000)


def _is_settled(stamp: bytes) -> bool:
    return time.time() - int(stamp) / 1000 > UNDER_WAY
