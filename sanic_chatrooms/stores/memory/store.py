"""A store in the memory of one process: nothing to install, nothing left after a restart."""

import secrets
import time
from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from operator import itemgetter
from typing import ClassVar

from msgspec import Raw
from msgspec.structs import replace

from ...errors import ChatError, ConfigError, Conflict, MessageNotFound, RoomLimit, RoomNotFound
from ...models import (
    DIRECT,
    PUBLIC,
    RESERVED,
    Appended,
    Draft,
    Event,
    Head,
    Member,
    MemberRemoved,
    MemberSet,
    MessageDeleted,
    MessageEdited,
    Page,
    Room,
    Scope,
)
from ...support.clock import Steady
from ...support.ids import new_epoch
from ...support.paging import Paged
from ..base import Bounds, MemberPage, RoomPage, Store
from .room import First, MemoryRoom

__all__ = ["MemoryStore"]

HISTORY_MAX = 1_000
"""Events kept per room unless `Bounds.history_max` says otherwise."""

RESERVED_HISTORY_MAX = 100
"""Events kept in reserved rooms, whatever the host set: workers read them within seconds, or start afresh."""


class MemoryStore(Store):
    """Keeps everything in this process, until it ends. Each start begins anew: no rooms, other epochs, other secrets.

    An object belongs to one instance. Several chats of one process that carry the same instance name may share it.
    Besides its event, a message takes about half a kilobyte while its key is remembered (`Bounds.dedup_window`).
    `clock` returns Unix seconds, by which retention and the window for repeated keys are measured. Without one the window
    is measured by a clock that nobody can set, and setting the time of day forward ends no event early.
    """

    scope: ClassVar[Scope] = Scope.PROCESS

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
        self._public: Paged[MemoryRoom] = Paged()
        self._rooms_of: dict[str, Paged[MemoryRoom]] = {}
        self._firsts: deque[First] = deque()  # of all rooms, in the order in which they expire
        self._secrets: dict[str, str] = {}

    async def start(self, instance: str, bounds: Bounds) -> None:
        """Begin with nothing; a second start under the same name joins what is there."""
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
        """End one start. What is stored stays readable until the next, for verbs that are still under way."""
        self._starts = max(self._starts - 1, 0)

    # The hot path. Longer than other functions here because each call it does not make is one per message.
    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Store.append`. Never suspends, so that a batch is one step for everybody else."""
        now = self._passing()  # once per batch: its drafts are of one moment
        if self._firsts:
            self._forget_keys(now, 2 * len(drafts))
        retention = self._bounds.retention
        until = now + self._bounds.dedup_window
        rooms, firsts = self._rooms, self._firsts  # locals: an attribute look-up less per draft
        results: list[Appended | ChatError] = []
        for draft in drafts:
            room = rooms.get(draft.room)
            if room is None:
                results.append(RoomNotFound())
                continue
            key = draft.key
            if key is not None and key in room.firsts:  # expiry is only looked at where a key is known
                first = room.firsts[key]
                if first[2] >= now:
                    results.append(_repeated(first, draft))
                    continue
            if draft.change is not None and not self._change(room, draft):
                results.append(MessageNotFound())
                continue
            room.seq = seq = room.seq + 1
            appended = Appended(draft.msg_id, seq, draft.timestamp, room.epoch)
            # Positional: keywords would cost half as much again. The payload stays the bytes it came as.
            room.events.append(
                Event(
                    draft.msg_id,
                    draft.timestamp,
                    draft.type,
                    Raw(draft.payload),
                    draft.room,
                    seq,
                    draft.sender,
                    key[1] if key is not None and key[0] else None,  # "": the key is ours, not a client's
                )
            )
            if key is not None:
                # One tuple is both the entry in the room and its place in the queue of what expires.
                room.firsts[key] = remembered = (draft.hash, appended, until, draft.room, key)
                firsts.append(remembered)
            if len(room.events) > room.full:  # the front is cut off now and then, not one by one
                room.compact()
            if retention is not None:
                self._expire(room)
            results.append(appended)
        return results

    def _forget_keys(self, now: float, most: int) -> None:
        # At most two per draft that comes: memory shrinks after a rush, and no single append pays for all of it.
        firsts = self._firsts
        while most and firsts and firsts[0][2] < now:
            first = firsts.popleft()
            room, key = self._rooms.get(first[3]), first[4]
            # Something else stands there when the key was used again later, or the room was made anew.
            if room is not None and room.firsts.get(key) is first:
                del room.firsts[key]
            most -= 1

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
    ) -> Page:
        """See `Store.history`. Costs the same wherever the page lies and however long the room is."""
        if (after is None) == (before is None):
            raise ValueError("history: give exactly one of after and before")
        found = self._found(room)
        self._expire(found)
        return found.timeline_page(after, before, limit) if timeline else found.log_page(after, before, limit)

    async def message(self, room: str, msg_id: str) -> Event | None:
        """See `Store.message`. Costs a walk over what came after it."""
        found = self._found(room)
        self._expire(found)
        return found.find(msg_id)

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
        owner: Member | None = None,
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
        made = self._add(MemoryRoom(room, self._history_max(room), (key, hash)))
        if owner is not None:
            self._set_member(made, owner)
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
        if room.visibility == PUBLIC:
            self._public.put(room.id, room)
        return room

    async def room(self, room: str) -> Room | None:
        """See `Store.room`."""
        found = self._rooms.get(room)
        return None if found is None else found.snapshot()

    async def rooms(
        self, *, member: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> RoomPage:
        """See `Store.rooms`."""
        if member is None:
            found, following = self._public.page("rooms", cursor, limit)
        else:
            found, following = self._rooms_of.get(member, _NO_ROOMS).page("mine", cursor, limit)
        return RoomPage([room.snapshot() for room in found], following)

    async def update_room(self, room: Room) -> Room:
        """See `Store.update_room`."""
        found = self._found(room.id)
        if found.epoch != room.epoch:
            raise RoomNotFound
        found.update(room)
        if room.visibility == PUBLIC:
            self._public.put(room.id, found)
        else:
            self._public.take(room.id)
        return found.snapshot()

    async def delete_room(self, room: str, *, unused: bool = False) -> bool:
        """See `Store.delete_room`."""
        found = self._rooms.get(room)
        if found is None or (unused and not found.is_unused):
            return False
        for user in list(found.members):
            self._remove_member(found, user)
        self._public.take(room)
        self._count(found, -1)
        del self._rooms[room]
        return True

    async def member(self, room: str, user: str) -> Member | None:
        """See `Store.member`."""
        found = self._rooms.get(room)
        return None if found is None else found.members.get(user)

    async def members(self, room: str, *, cursor: str | None = None, limit: int = 50) -> MemberPage:
        """See `Store.members`."""
        members = self._found(room).members
        found, following = members.page("members", cursor, limit)
        return MemberPage(found, len(members), following)

    async def first_members(self, rooms: Collection[str], limit: int) -> dict[str, list[Member]]:
        """See `Store.first_members`."""
        found = {room: self._rooms[room].members for room in rooms if room in self._rooms}
        return {room: members.page("members", None, limit)[0] for room, members in found.items()}

    async def set_member(self, room: str, member: Member) -> None:
        """See `Store.set_member`."""
        self._set_member(self._found(room), member)

    async def remove_member(self, room: str, user: str) -> bool:
        """See `Store.remove_member`."""
        return self._remove_member(self._found(room), user)

    async def secret(self, name: str) -> str:
        """See `Store.secret`."""
        return self._secrets.setdefault(name, secrets.token_urlsafe(32))

    def _found(self, room: str) -> MemoryRoom:
        found = self._rooms.get(room)
        if found is None:
            raise RoomNotFound
        return found

    def _change(self, room: MemoryRoom, draft: Draft) -> bool:
        match draft.change:
            case MemberSet(member):
                self._set_member(room, member)
            case MemberRemoved(user):
                self._remove_member(room, user)
            case MessageEdited() as change:
                self._expire(room)
                return room.edit(change, draft.timestamp)
            case MessageDeleted() as change:
                self._expire(room)
                return self._forget_hashes(room, room.delete(change))
        return True

    def _forget_hashes(self, room: MemoryRoom, gone: list[Event]) -> bool:
        for event in gone:
            found = room.forget_hash(event)
            if found is not None:
                self._exchange(*found)
        return bool(gone)

    def _exchange(self, first: First, now: First) -> None:
        firsts, until = self._firsts, first[2]
        place = bisect_left(firsts, until, key=itemgetter(2))  # they stand in the order in which they expire
        while place < len(firsts) and firsts[place][2] == until:
            if firsts[place] is first:
                firsts[place] = now
                return
            place += 1

    def _expire(self, room: MemoryRoom) -> None:
        if self._bounds.retention is not None:
            room.expire(self._clock() - self._bounds.retention)

    def _set_member(self, room: MemoryRoom, member: Member) -> None:
        room.members.put(member.user, member)
        if room.visibility != RESERVED:  # which no list shows
            self._rooms_of.setdefault(member.user, Paged()).put(room.id, room)

    def _remove_member(self, room: MemoryRoom, user: str) -> bool:
        removed = room.members.take(user) is not None
        rooms = self._rooms_of.get(user)
        if removed and rooms is not None:
            rooms.take(room.id)
            if not rooms:
                del self._rooms_of[user]
        return removed


_NO_ROOMS: Paged[MemoryRoom] = Paged()


def _repeated(first: First, draft: Draft) -> Appended | ChatError:
    if first[0] not in (draft.hash, draft.type):
        return Conflict()
    return replace(first[1], duplicate=True)
