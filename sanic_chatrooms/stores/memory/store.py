"""A store in the memory of one process: nothing to install, nothing left after a restart."""

import math
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import attrgetter
from typing import ClassVar

from msgspec.structs import replace

from ...errors import ConfigError, Conflict, RoomLimit, RoomNotFound
from ...models import DIRECT, PUBLIC, RESERVED, Event, Fact, Head, Known, Page, Related, Room, Scope
from ...support.clock import Steady
from ...support.ids import new_epoch
from ...support.paging import Paged, decode_number, encode_cursor
from ..base import (
    LISTED,
    RESERVED_HISTORY_MAX,
    Bounds,
    FactPage,
    RoomAbout,
    RoomPage,
    Store,
    TogglePage,
    Unread,
)
from ..buckets import taken
from ..properties import first_facts, numbered, room_fact
from ..unread import WHOLE, Ranges
from . import facts
from .appending import MemoryAppending
from .effects import Effects
from .erasing import MemoryErasing
from .room import First, MemoryRoom
from .unread import unread_in

__all__ = ["MemoryStore"]

BUCKETS = 1_000
"""Token buckets before those that are full are dropped for the first time."""
HISTORY_MAX = 1_000
"""Events kept per room unless `Bounds.history_max` says otherwise."""


class MemoryStore(MemoryAppending, MemoryErasing, Store):
    """Keeps everything in the memory of this process. Each start begins empty, with new epochs and secrets.

    An object belongs to one instance. Several chats of one process with the same instance name may share it.
    Besides its event, a message takes about half a kilobyte while its key is remembered (`Bounds.dedup_window`).
    `clock` returns Unix seconds, for retention and the window of repeated keys. Without it, the window uses a monotonic
    clock, and setting the wall clock forward expires no event early.
    """

    scope: ClassVar[Scope] = Scope.PROCESS
    waits: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        # A derived class may wait for something, or append in its own way, unless it says otherwise.
        cls.waits = cls.__dict__.get("waits", True)
        cls.appends_soon = cls.__dict__.get("appends_soon", False)

    def __init__(self, *, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock or Steady()
        self._passing = clock or time.monotonic
        self._instance = ""
        self._starts = 0
        self._clear(Bounds())

    def _clear(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._rooms: dict[str, MemoryRoom] = {}
        self._counted: Counter[bool] = Counter()  # rooms that have a bound: are they direct ones?
        self._lists: dict[str, Paged[MemoryRoom]] = {visibility: Paged() for visibility in LISTED}
        self._facts = facts.Facts(self._lists, self._clock)
        self._firsts: deque[First] = deque()  # of all rooms, in the order in which they expire
        self._effects = Effects(self._facts, self._firsts, self._expire)
        self._secrets: dict[str, str] = {}
        self._buckets: dict[str, float] = {}
        self._most_buckets = BUCKETS

    async def start(self, instance: str, bounds: Bounds) -> None:
        """Begin empty. A second start under the same name shares the data of the first."""
        if self._starts and instance != self._instance:
            raise ConfigError(
                f"this MemoryStore already serves the instance {self._instance!r} and cannot serve {instance!r} too; "
                "make one MemoryStore per instance"
            )
        if not self._starts:
            self._instance = instance
            self._clear(bounds)
        self._starts += 1

    async def stop(self) -> None:
        """End one start. The data stays readable until the next start, for verbs that still run."""
        self._starts = max(self._starts - 1, 0)

    async def heads(self, rooms: Collection[str]) -> dict[str, Head]:
        """See `Store.heads`."""
        return {room: found.head() for room in rooms if (found := self._rooms.get(room))}

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
        """See `Store.history`. The cost does not depend on the page's position or the room's length, if it has no replies."""
        if (after is None) == (before is None):
            raise ValueError("history: give exactly one of after and before")
        found = self._found(room)
        self._expire(found)
        if parent is not None:
            page = found.replies_page(parent, after, before, limit)
        elif timeline:
            page = found.timeline_page(after, before, limit, replies)
        else:
            page = found.log_page(after, before, limit)
        if found.relations:
            seqs = [event.seq for event in page.events if event.seq is not None]
            page = replace(page, related=found.related(seqs, reader))
        return page

    async def message(self, room: str, msg_id: str) -> Event | None:
        """See `Store.message`. The cost grows with the number of later events."""
        found = self._found(room)
        self._expire(found)
        return found.find(msg_id)

    async def events(self, room: str, seqs: Collection[int]) -> dict[int, Event]:
        """See `Store.events`."""
        found = self._found(room)
        self._expire(found)
        return {seq: event for seq in seqs if (event := found.event(seq)) is not None}

    async def related(
        self, room: str, seqs: Collection[int], *, reader: str | None = None
    ) -> dict[int, Related]:
        """See `Store.related`."""
        found = self._found(room)
        self._expire(found)
        return found.related(seqs, reader)

    async def toggles(
        self,
        room: str,
        *,
        key: str | None = None,
        target: int | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> TogglePage:
        """See `Store.toggles`. The cost grows with the number of toggles in the room, or at the message."""
        if key is None and target is None:
            raise ValueError("toggles: give a key, a target, or both")
        found = self._found(room)
        self._expire(found)
        rows = found.relations.holdings(key, target, found.floor)
        below = math.inf if cursor is None else decode_number("toggles", cursor)
        left = [row for row in rows if row.seq < below]
        more = len(left) > limit
        return TogglePage(
            left[:limit], len(rows), encode_cursor("toggles", str(left[limit - 1].seq)) if more else None
        )

    async def trim(self, room: str, seq: int) -> None:
        """See `Store.trim`."""
        self._found(room).trim(seq)

    async def renew_epoch(self, room: str, old: str) -> Head:
        """See `Store.renew_epoch`."""
        found = self._found(room)
        if found.epoch == old:
            found.epoch = new_epoch()
        return found.head()

    async def create_room(
        self,
        room: Room,
        *,
        facts: Sequence[Fact] = (),
        key: tuple[str, str] | None = None,
        hash: bytes = b"",
    ) -> tuple[Room, bool]:
        """See `Store.create_room`."""
        there = self._rooms.get(room.id)
        if there is not None:
            if key is not None and (key, hash) != there.made_by:
                raise Conflict("there is a room with this name already; take another")
            return there.snapshot(), False
        most = self._bounds.most_rooms(room.visibility)
        if most is not None and self._counted[room.visibility == DIRECT] >= most:
            raise RoomLimit.of(most, "the server")
        made = self._add(MemoryRoom(replace(room, history=()), self._history_max(room), (key, hash)))
        for fact in first_facts(room, facts):
            self._facts.put(made, fact, 0)
        return made.snapshot(), True

    def _count(self, room: Room | MemoryRoom, more: int) -> None:
        if room.visibility != RESERVED:
            self._counted[room.visibility == DIRECT] += more

    def _history_max(self, room: Room) -> int:
        if room.visibility == RESERVED:
            return RESERVED_HISTORY_MAX
        return HISTORY_MAX if self._bounds.history_max is None else self._bounds.history_max

    def _add(self, room: MemoryRoom) -> MemoryRoom:
        self._rooms[room.id] = room
        self._count(room, 1)
        if room.visibility in self._lists:
            self._lists[room.visibility].put(room.id, room)
        return room

    async def room(self, room: str) -> Room | None:
        """See `Store.room`."""
        found = self._rooms.get(room)
        return None if found is None else found.snapshot()

    async def rooms(
        self,
        *,
        visibility: str | None = PUBLIC,
        fact: tuple[str, str] | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RoomPage:
        """See `Store.rooms`."""
        if fact is not None:
            found, following = self._facts.rooms(*fact).page("mine", cursor, limit)
            return RoomPage([room.snapshot() for room in found], following)
        lists = self._lists.values() if visibility is None else [self._lists[visibility]]
        pages = [rooms.page("rooms", cursor, limit + 1)[0] for rooms in lists]
        merged = sorted([room for page in pages for room in page], key=attrgetter("id"))
        shown = [room.snapshot() for room in merged[:limit]]
        return RoomPage(shown, encode_cursor("rooms", shown[-1].id) if len(merged) > limit else None)

    async def update_room(self, room: Room) -> Room:
        """See `Store.update_room`."""
        found = self._found(room.id)
        if found.epoch != room.epoch:
            raise RoomNotFound
        if room.visibility != found.visibility:
            found.epoch = new_epoch()
        fact = numbered(room_fact(room, found.snapshot()), found.seq + 1)
        self._facts.put(found, fact, 0)
        return found.snapshot()

    async def delete_room(self, room: str, *, unused: bool = False) -> bool:
        """See `Store.delete_room`."""
        found = self._rooms.get(room)
        if found is None or (unused and not found.is_unused):
            return False
        self._facts.forget_all(found)
        for rooms in self._lists.values():
            rooms.take(room)
        self._count(found, -1)
        del self._rooms[room]
        return True

    async def facts_about(self, room: str, key: str) -> dict[str, Known]:
        """See `Store.facts_about`."""
        found = self._rooms.get(room)
        return {} if found is None else facts.about(found, key)

    async def rooms_about(self, rooms: Collection[str], key: str) -> dict[str, RoomAbout]:
        """See `Store.rooms_about`."""
        found: dict[str, RoomAbout] = {}
        for id in rooms:
            if (room := self._rooms.get(id)) is not None:
                found[id] = room.snapshot(), facts.about(room, key)
        return found

    async def facts(self, room: str, kind: str, *, cursor: str | None = None, limit: int = 50) -> FactPage:
        """See `Store.facts`."""
        known = facts.of_kind(self._found(room), kind)
        found, following = known.page("facts", cursor, limit)
        return FactPage(found, len(known), following)

    async def facts_of(self, kind: str, key: str, *, cursor: str | None = None, limit: int = 50) -> FactPage:
        """See `Store.facts_of`."""
        rooms = self._facts.rooms(kind, key)
        found, following = rooms.page("facts of", cursor, limit)
        known = [fact for room in found if (fact := facts.get(room, kind, key)) is not None]
        return FactPage(known, len(rooms), following)

    async def set_fact(self, room: str, fact: Fact) -> bool:
        """See `Store.set_fact`."""
        return self._facts.put(self._found(room), fact, 0)

    async def unread(
        self, user: str, rooms: Collection[str], cap: int = 100, *,
        seen: Mapping[str, Ranges] = {}, blocked: Collection[str] = (),
    ) -> dict[str, Unread]:  # fmt: skip
        """See `Store.unread`."""
        found, silent = {}, frozenset((user, *blocked))
        for id in rooms:
            if (room := self._rooms.get(id)) is not None:
                self._expire(room)
                found[id] = unread_in(room, user, cap, seen.get(id, WHOLE), self._bounds.counted, silent)
        return found

    async def take(self, key: str, rate: float, burst: int) -> float:
        """See `Store.take`."""
        now, buckets = self._clock(), self._buckets
        if len(buckets) >= self._most_buckets:
            self._buckets = buckets = {key: full_at for key, full_at in buckets.items() if full_at > now}
            self._most_buckets = max(BUCKETS, 2 * len(buckets))
        buckets[key], wait = taken(buckets.get(key), now, rate, burst)
        return wait

    async def secret(self, name: str) -> str:
        """See `Store.secret`."""
        return self._secrets.setdefault(name, secrets.token_urlsafe(32))

    def _found(self, room: str) -> MemoryRoom:
        found = self._rooms.get(room)
        if found is None:
            raise RoomNotFound
        return found

    def _expire(self, room: MemoryRoom) -> None:
        if self._bounds.retention is not None:
            room.expire(self._clock() - self._bounds.retention)
