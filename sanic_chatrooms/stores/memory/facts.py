"""The facts of all rooms in memory."""

from collections.abc import Mapping
from heapq import heapify, heappop, heappush

from msgspec.structs import replace

from ...models import RESERVED, Fact, Known
from ...support.clock import Clock
from ...support.paging import Paged
from ..changes import SWEPT, changes, contradicts
from ..members import MEMBER
from ..properties import is_room
from ..unread import OWN, is_own
from .room import MemoryRoom

__all__ = ["ENDS_KEPT", "Facts"]

ENDS_KEPT = 100
"""Ends of facts that may be left over before they are dropped. It happens once they are as many as the others, too."""


class Facts:
    """Sets facts of rooms, and knows for each (kind, key) in which rooms it holds. `lists`: the store's rooms, by visibility."""

    def __init__(self, lists: Mapping[str, Paged[MemoryRoom]], clock: Clock) -> None:
        self._lists = lists
        self._clock = clock
        self._ended = 0
        self._ends: dict[int, tuple[MemoryRoom, str, str]] = {}
        """The facts that end, by a number that each end gets."""
        self._order: list[tuple[float, int]] = []
        """When they end, as a heap. What has no end any more, or another one, is left over here, but keeps no room."""
        self._rooms: dict[tuple[str, str], Paged[MemoryRoom]] = {}

    def put(self, room: MemoryRoom, fact: Fact, seq: int) -> bool:
        """Set or forget a fact by the event with this number (0: without one); True if that changed anything."""
        known = get(room, fact.kind, fact.key)
        present = None if known is None else known.value
        if contradicts(present, fact) or not changes(present, fact):
            return False
        if fact.value is not None and is_own(fact) and get(room, MEMBER, fact.key) is None:
            return False
        self._endless(room, fact.kind, fact.key)
        if fact.value is None:
            self._forget(room, fact.kind, fact.key)
        elif known is not None:
            room.facts[fact.kind].put(fact.key, replace(known, value=fact.value, seq=seq))
        else:
            new = Known(fact.kind, fact.key, fact.value, seq, seq or room.seq, room.id)
            if fact.kind not in room.facts:
                room.facts[fact.kind] = Paged()
            room.facts[fact.kind].put(fact.key, new)
            if room.visibility != RESERVED:  # which no list shows
                self._rooms.setdefault((fact.kind, fact.key), Paged()).put(room.id, room)
        if fact.until is not None:
            self._end(room, fact, fact.until)
        if is_room(fact):
            assert fact.value is not None
            room.describe(fact.value, seq)
            self._list(room)
        return True

    def _end(self, room: MemoryRoom, fact: Fact, until: float) -> None:
        self._ended += 1
        room.ends[fact.kind, fact.key] = self._ended
        self._ends[self._ended] = (room, fact.kind, fact.key)
        heappush(self._order, (until, self._ended))
        if len(self._order) > 2 * len(self._ends) + ENDS_KEPT:
            self._order = [one for one in self._order if one[1] in self._ends]
            heapify(self._order)
        self._sweep()

    def _sweep(self) -> None:
        """Forget some facts that have ended."""
        now = self._clock()
        for _ in range(SWEPT):
            if not self._order or self._order[0][0] >= now:
                break
            ended = self._ends.get(heappop(self._order)[1])
            if ended is not None:
                self._forget(*ended)

    def _endless(self, room: MemoryRoom, kind: str, key: str) -> None:
        number = room.ends.pop((kind, key), None)
        if number is not None:
            del self._ends[number]

    def _list(self, room: MemoryRoom) -> None:
        for visibility, rooms in self._lists.items():
            if visibility == room.visibility:
                rooms.put(room.id, room)
            else:
                rooms.take(room.id)

    def rooms(self, kind: str, key: str) -> Paged[MemoryRoom]:
        """The rooms in which such a fact holds."""
        return self._rooms.get((kind, key), _NO_ROOMS)

    def forget_all(self, room: MemoryRoom) -> None:
        """Forget the facts of a room that is deleted."""
        for kind, known in room.facts.items():
            for key in known:
                self._take(room, kind, key)
        room.facts.clear()
        for number in room.ends.values():
            del self._ends[number]
        room.ends.clear()

    def _forget(self, room: MemoryRoom, kind: str, key: str) -> None:
        known = room.facts[kind]
        known.take(key)
        self._endless(room, kind, key)
        if not known:
            del room.facts[kind]
        self._take(room, kind, key)
        if kind == MEMBER:
            for own in [own for own, keys in room.facts.items() if own.startswith(OWN) and key in keys]:
                self._forget(room, own, key)

    def _take(self, room: MemoryRoom, kind: str, key: str) -> None:
        rooms = self.rooms(kind, key)
        rooms.take(room.id)
        if not rooms:
            self._rooms.pop((kind, key), None)


def get(room: MemoryRoom, kind: str, key: str) -> Known | None:
    """A fact of a room, if it holds."""
    known = room.facts.get(kind)
    return None if known is None else known.get(key)


def about(room: MemoryRoom, key: str) -> dict[str, Known]:
    """All facts of a room with this key, by kind."""
    if not room.facts:
        return {}
    return {kind: found for kind, known in room.facts.items() if (found := known.get(key)) is not None}


def of_kind(room: MemoryRoom, kind: str) -> Paged[Known]:
    """All facts of one kind."""
    return room.facts.get(kind, _NO_FACTS)


_NO_ROOMS: Paged[MemoryRoom] = Paged()
_NO_FACTS: Paged[Known] = Paged()
