"""The facts of all rooms in memory."""

from collections.abc import Mapping
from heapq import heappop, heappush

from msgspec.structs import replace

from ...models import RESERVED, Fact, Known
from ...support.clock import Clock
from ...support.paging import Paged
from ..changes import SWEPT, changes, contradicts
from ..members import MEMBER
from ..properties import is_room
from ..unread import OWN, is_own
from .room import MemoryRoom

__all__ = ["Facts"]


class Facts:
    """Sets facts of rooms, and knows for each (kind, key) in which rooms it holds. `lists`: the store's rooms, by visibility."""

    def __init__(self, lists: Mapping[str, Paged[MemoryRoom]], clock: Clock) -> None:
        self._lists = lists
        self._clock = clock
        self._ends: list[tuple[float, int, MemoryRoom, str, str]] = []
        """When facts end, as a heap, each with a number, since rooms have no order. A fact may be another one by now."""
        self._ended = 0
        self._rooms: dict[tuple[str, str], Paged[MemoryRoom]] = {}

    def put(self, room: MemoryRoom, fact: Fact, seq: int) -> bool:
        """Set or forget a fact by the event with this number (0: without one); True if that changed anything."""
        known = get(room, fact.kind, fact.key)
        present = None if known is None else known.value
        if contradicts(present, fact) or not changes(present, fact):
            return False
        if fact.value is not None and is_own(fact) and get(room, MEMBER, fact.key) is None:
            return False
        room.ends.pop((fact.kind, fact.key), None)
        if fact.value is None:
            self._forget(room, fact.kind, fact.key)
        elif known is not None:
            room.facts[fact.kind].put(fact.key, replace(known, value=fact.value, seq=seq))
        else:
            new = Known(fact.kind, fact.key, fact.value, seq, seq or room.seq, room.id)
            room.facts.setdefault(fact.kind, Paged()).put(fact.key, new)
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
        room.ends[fact.kind, fact.key] = until
        heappush(self._ends, (until, self._ended, room, fact.kind, fact.key))
        now = self._clock()
        for _ in range(SWEPT):
            if self._ends[0][0] >= now:
                break
            until, _, other, kind, key = heappop(self._ends)
            if other.ends.get((kind, key)) == until:
                self._forget(other, kind, key)
            if not self._ends:
                break

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
        room.ends.clear()

    def _forget(self, room: MemoryRoom, kind: str, key: str) -> None:
        known = room.facts[kind]
        known.take(key)
        room.ends.pop((kind, key), None)
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


def of_kind(room: MemoryRoom, kind: str) -> Paged[Known]:
    """All facts of one kind."""
    return room.facts.get(kind, _NO_FACTS)


_NO_ROOMS: Paged[MemoryRoom] = Paged()
_NO_FACTS: Paged[Known] = Paged()
