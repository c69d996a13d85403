"""A store in Redis or Valkey: one script per room and batch numbers, de-duplicates and stores drafts, in one step.

The server's settings decide what an acknowledgement survives. With `appendonly yes` and `appendfsync always` it survives
everything. Otherwise a server that restarts may have lost the last events, so every room gets a new epoch with its next one.
Set `maxmemory-policy noeviction`, or the server drops rooms when its memory is full.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import ClassVar

from redis.exceptions import ResponseError

from ...drivers.redis.cluster import RedisLink
from ...errors import Conflict, RoomLimit
from ...models import (
    PRIVATE,
    PUBLIC,
    Event,
    Fact,
    Head,
    Known,
    Page,
    Related,
    Room,
    Scope,
    is_reserved,
)
from ...support.ids import new_epoch
from ...support.paging import decode_cursor, decode_number, encode_cursor
from ..base import Bounds, FactPage, RoomAbout, RoomPage, Store, TogglePage, Unread
from ..properties import first_facts, room_fact
from ..unread import Ranges
from . import codec
from .appending import RedisAppending
from .eraser import Eraser
from .erasing import RedisErasing
from .lists import RedisLists
from .many import Many
from .scripts import PAST, ROOMS, SCRIPTS, RoomCalls

__all__ = ["RedisStore"]

ABOVE_ALL = 2**53
"""More than the number of any event."""


class RedisStore(RedisAppending, RedisErasing, Store):
    """Stores everything in one Redis or Valkey (7 or newer), or in a cluster, with all data of a room in one slot.

    `url`: see `sanic_chatrooms.drivers.redis.address`. `clock` returns Unix seconds and measures the age of events and of
    repeated keys; the default is the server's clock. `run_id` names the time in which the server loses nothing (see `RedisLink`).
    """

    scope: ClassVar[Scope] = Scope.CLUSTER

    def __init__(
        self,
        url: str = "redis://localhost",
        *,
        clock: Callable[[], float] | None = None,
        run_id: str | None = None,
    ) -> None:
        self._link = RedisLink(url, scripts=(*SCRIPTS, RedisLists.script), run_id=run_id)
        self.server_url = url
        self.appends_soon = not self._link.is_cluster
        self._clock = clock
        self._publish = "SPUBLISH" if self._link.is_cluster else "PUBLISH"
        self._bounds = Bounds()
        self._calls = RoomCalls(self._link, "", self._bounds, clock)
        self._lists = RedisLists(self._link, "")
        self._many = Many(self._link, self._calls)
        self._eraser = Eraser(self._link, "", 0.0)

    async def start(self, instance: str, bounds: Bounds) -> None:
        """See `Store.start`. Raises `ConfigError` where the server does not let us in, `Unavailable` where there is none."""
        self._calls = RoomCalls(self._link, instance, bounds, self._clock)
        self._lists = RedisLists(self._link, instance)
        self._many = Many(self._link, self._calls)
        self._bounds = bounds
        await self._link.start(bounds.timeout)
        self._eraser = Eraser(self._link, instance, bounds.erase_within)
        self._eraser.start()

    async def stop(self) -> None:
        """See `Store.stop`."""
        await self._eraser.stop()
        await self._link.stop()

    # ---- reading ----

    async def heads(self, rooms: Collection[str]) -> dict[str, Head]:
        """See `Store.heads`."""
        calls = [self._calls.plain("HMGET", room, "h", "e", "n") for room in rooms]
        replies = zip(rooms, await self._link.run(calls), strict=True)
        return {room: Head(epoch.decode(), int(seq)) for room, (epoch, seq) in replies if epoch is not None}

    async def history(
        self,
        room: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int,
        timeline: bool = False,
        replies: bool = True,
        parent: int | None = None,
        reader: str | None = None,
    ) -> Page:
        """See `Store.history`. Costs the same wherever the page lies and however long the room is."""
        if (after is None) == (before is None):
            raise ValueError("history: give exactly one of after and before")
        way, number = ("before", before) if after is None else ("after", after)
        view = "log" if not timeline else "line" if replies else "main"
        reply = await self._calls.ask(
            PAST, room, "history", way, number, limit, view if parent is None else parent, codec.given(reader)
        )
        epoch, seq, floor, more, related, *texts = reply
        events = [codec.decode_event(text) for text in texts]
        return Page(events, bool(more), epoch.decode(), seq, floor, codec.decode_related(related))

    async def message(self, room: str, msg_id: str) -> Event | None:
        """See `Store.message`."""
        text = await self._calls.ask(PAST, room, "message", msg_id)
        return codec.decode_event(text) if text else None

    async def events(self, room: str, seqs: Collection[int]) -> dict[int, Event]:
        """See `Store.events`."""
        found = [codec.decode_event(text) for text in await self._calls.ask(PAST, room, "events", *seqs)]
        return {event.seq: event for event in found if event.seq is not None}

    async def related(
        self, room: str, seqs: Collection[int], *, reader: str | None = None
    ) -> dict[int, Related]:
        """See `Store.related`."""
        return codec.decode_related(await self._calls.ask(PAST, room, "related", codec.given(reader), *seqs))

    async def toggles(
        self,
        room: str,
        *,
        key: str | None = None,
        target: int | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> TogglePage:
        """See `Store.toggles`."""
        if key is None and target is None:
            raise ValueError("toggles: give a key, a target, or both")
        below = ABOVE_ALL if cursor is None else decode_number("toggles", cursor)
        number = "" if target is None else target
        total, *found = await self._calls.ask(PAST, room, "toggles", codec.given(key), number, below, limit)
        rows = codec.decode_holdings(found)
        more = len(rows) > limit
        return TogglePage(
            rows[:limit], total, encode_cursor("toggles", str(rows[limit - 1].seq)) if more else None
        )

    async def trim(self, room: str, seq: int) -> None:
        """See `Store.trim`."""
        await self._calls.ask(ROOMS, room, "trim", seq)

    async def renew_epoch(self, room: str, old: str) -> Head:
        """See `Store.renew_epoch`."""
        epoch, seq = await self._calls.ask(ROOMS, room, "renew", old, epoch=new_epoch())
        return Head(epoch.decode(), seq)

    # ---- rooms ----

    async def create_room(
        self,
        room: Room,
        *,
        facts: Sequence[Fact] = (),
        key: tuple[str, str] | None = None,
        hash: bytes = b"",
    ) -> tuple[Room, bool]:
        """See `Store.create_room`."""
        made_by = b"" if key is None else codec.encode(key) + hash
        auto = "1" if room.auto else "0"
        facts = first_facts(room, facts)
        packed = codec.pack(codec.packed_facts(facts)) if facts else b""
        what = (made_by, codec.named(key), codec.encode(room), room.visibility, auto, packed)
        state, *found = await self._calls.ask(ROOMS, room.id, "create", "look", *what)
        if state == 2:
            most = self._bounds.most_rooms(room.visibility)
            if most is not None and not await self._lists.reserve(room, most):
                raise RoomLimit.of(most, "the server")
            await self._list_first((room.id, fact) for fact in facts)
            state, *found = await self._calls.ask(ROOMS, room.id, "create", "make", *what, epoch=new_epoch())
        if state < 0:
            raise Conflict("there is a room with this name already; take another")
        return codec.decode_room(found), state == 1

    async def room(self, room: str) -> Room | None:
        """See `Store.room`."""
        found = await self._link.call(self._calls.plain("HMGET", room, "h", *codec.ROOM))
        return None if found[0] is None else codec.decode_room(found)

    async def rooms(
        self,
        *,
        visibility: str | None = PUBLIC,
        fact: tuple[str, str] | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RoomPage:
        """See `Store.rooms`."""
        name = "rooms" if fact is None else "mine"
        last = "" if cursor is None else decode_cursor(name, cursor)
        if fact is None:
            found = await self._lists.of_kind(visibility, last, limit + 1, self._there)
        else:
            found = await self._lists.of_fact(*fact, last, limit + 1, self._rooms_with)
        shown = found[:limit]
        return RoomPage(shown, encode_cursor(name, shown[-1].id) if len(found) > limit else None)

    async def _there(self, rooms: Sequence[str]) -> list[Room | None]:
        calls = [self._calls.plain("HMGET", room, "h", *codec.ROOM) for room in rooms]
        found = await self._link.run(calls)
        return [None if one[0] is None else codec.decode_room(one) for one in found]

    async def _rooms_with(self, rooms: Sequence[str], kind: str, key: str) -> list[Room | None]:
        found = await self._link.run([self._calls.scripted(ROOMS, room, "mine", kind, key) for room in rooms])
        return [codec.decode_room(one[:5]) if one else None for one in found]

    async def update_room(self, room: Room) -> Room:
        """See `Store.update_room`. A list has a room before it belongs there, and until after it belongs to another."""
        listed = room.visibility in (PUBLIC, PRIVATE)
        stamp = await self._lists.enlist(room.id, room.visibility) if listed else 0
        state, found = 0, []
        while not state:  # somebody else may change it at the same time
            was = await self._link.call(self._calls.plain("HMGET", room.id, "h", *codec.ROOM))
            fact = room_fact(room, codec.decode_room(was))
            what = (room.epoch, was[4] or b"", fact.value, room.visibility)
            state, *found = await self._calls.ask(ROOMS, room.id, "update", *what, epoch=new_epoch())
        if listed:
            await self._lists.settle(room.id, room.visibility, stamp)
        return codec.decode_room(found)

    async def delete_room(self, room: str, *, unused: bool = False) -> bool:
        """See `Store.delete_room`. Other lists drop the room when they are read."""
        stamp = await self._lists.stamp(room)
        if not unused and not is_reserved(room):  # those hold no texts of users
            await self._eraser.note()
        deleted = bool(
            await self._link.call(self._calls.scripted(ROOMS, room, "delete", "unused" if unused else ""))
        )
        if deleted and stamp is not None:
            await self._lists.forget(room, stamp)
        return deleted

    # ---- facts ----

    async def facts_about(self, room: str, key: str) -> dict[str, Known]:
        """See `Store.facts_about`."""
        call = self._calls.plain("HGET", room, "o", key)
        try:
            packed = await self._link.call(call)
        except ResponseError as error:
            if not str(error).startswith("WRONGTYPE"):
                raise
            await self._link.call(self._calls.scripted(ROOMS, room, "upgrade"))
            packed = await self._link.call(call)
        return codec.decode_known(room, key, packed)

    async def facts(self, room: str, kind: str, *, cursor: str | None = None, limit: int = 50) -> FactPage:
        """See `Store.facts`."""
        last = "" if cursor is None else "=" + decode_cursor("facts", cursor)
        total, *flat = await self._calls.ask(ROOMS, room, "facts", kind, last, limit)
        found = codec.decode_facts(room, kind, flat)
        more = len(found) > limit
        return FactPage(found[:limit], total, encode_cursor("facts", found[limit - 1].key) if more else None)

    async def facts_of(self, kind: str, key: str, *, cursor: str | None = None, limit: int = 50) -> FactPage:
        """See `Store.facts_of`. Asks each room that is listed, since `total` is what holds now."""
        last = "" if cursor is None else decode_cursor("facts of", cursor)
        found = await self._lists.of_fact(kind, key, "", None, self._facts_in)
        left = [known for known in found if known.room > last]
        more = len(left) > limit
        return FactPage(
            left[:limit], len(found), encode_cursor("facts of", left[limit - 1].room) if more else None
        )

    async def _facts_in(self, rooms: Sequence[str], kind: str, key: str) -> list[Known | None]:
        found = await self._link.run([self._calls.scripted(ROOMS, room, "mine", kind, key) for room in rooms])
        return [
            Known(kind, key, one[5], one[6], one[7], room) if one else None
            for room, one in zip(rooms, found, strict=True)
        ]

    async def first_facts(self, rooms: Collection[str], kind: str, limit: int) -> dict[str, list[Known]]:
        """See `Store.first_facts`."""
        return await self._many.first_facts(list(rooms), kind, limit)

    async def about_each(self, room: str, keys: Collection[str]) -> dict[str, dict[str, Known]]:
        """See `Store.about_each`."""
        found = await self._many.about_each(room, list(keys))
        return await super().about_each(room, keys) if found is None else found

    async def rooms_about(self, rooms: Collection[str], key: str) -> dict[str, RoomAbout]:
        """See `Store.rooms_about`."""
        found = await self._many.rooms_about(list(rooms), key)
        return await super().rooms_about(rooms, key) if found is None else found

    async def set_fact(self, room: str, fact: Fact) -> bool:
        """See `Store.set_fact`."""
        await self._list_first([(room, fact)])
        (packed,) = codec.packed_facts([fact])
        return bool(await self._calls.ask(ROOMS, room, "set", codec.pack(packed)))

    # ---- unread ----

    async def unread(
        self, user: str, rooms: Collection[str], cap: int = 100, *,
        seen: Mapping[str, Ranges] = {}, blocked: Collection[str] = (),
    ) -> dict[str, Unread]:  # fmt: skip
        """See `Store.unread`."""
        return await self._many.unread(user, rooms, cap, seen, blocked)

    # ---- token buckets and secrets ----

    async def take(self, key: str, rate: float, burst: int) -> float:
        """See `Store.take`."""
        return await self._lists.take(key, rate, burst, None if self._clock is None else self._clock())

    async def secret(self, name: str) -> str:
        """See `Store.secret`."""
        return await self._lists.secret(name)
