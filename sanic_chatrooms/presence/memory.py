"""Presence in the memory of one process: for one worker, and for tests that run several in one event loop."""

import math
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import ClassVar, TypeAlias

import msgspec

from ..errors import ConfigError, Unavailable
from ..models import Scope, Sender
from ..support.paging import Paged
from .base import Entry, Presence, PresentPage

__all__ = ["MemoryBoard", "MemoryPresence"]

SEEN_FOR = 86_400.0
"""Seconds for which it is remembered when somebody was last here (never less than the entries' own `ttl`)."""

ENDED_LIMIT = 100_000
"""Users that are remembered for `ended`; where nobody asks, the oldest are forgotten."""

_Place: TypeAlias = tuple[str, str]
"""A room and a user's id."""


class MemoryBoard:
    """What the presences of several workers in one process share: one sheet per instance."""

    def __init__(self) -> None:
        self._sheets: dict[str, _Sheet] = {}

    def sheet(self, instance: str) -> "_Sheet":
        """The entries of this instance."""
        return self._sheets.setdefault(instance, _Sheet())


class MemoryPresence(Presence):
    """Keeps entries in the memory of this process: on `board`, or on its own one.

    Entries expire by `clock`, which returns Unix seconds; without it, by a monotonic clock.
    """

    scope: ClassVar[Scope] = Scope.PROCESS
    waits: ClassVar[bool] = False

    def __init__(self, board: MemoryBoard | None = None, *, clock: Callable[[], float] | None = None) -> None:
        self._board = board or MemoryBoard()
        self._clock = clock or time.time
        self._passing = clock or time.monotonic
        self._node = ""
        self._ttl = 0.0
        self._sheet: _Sheet | None = None

    async def start(self, instance: str, node: str, ttl: float) -> None:
        """See `Presence.start`."""
        if self._sheet is not None:
            raise ConfigError(
                f"this MemoryPresence already serves node {self._node!r}; make one MemoryPresence per app, "
                "and give them one MemoryBoard if they are to see each other"
            )
        self._node, self._ttl = node, ttl
        self._sheet = self._board.sheet(instance)

    async def stop(self) -> None:
        """See `Presence.stop`."""
        if self._sheet is not None:
            self._sheet.drop_node(self._node, self._clock())
            self._sheet = None

    async def touch(self, entries: Sequence[Entry]) -> list[bool]:
        """See `Presence.touch`."""
        sheet, now, until = self._current(), self._clock(), self._passing() + self._ttl
        return [sheet.touch(entry.room, entry.user, self._node, now, until) for entry in entries]

    async def drop(self, entries: Sequence[Entry]) -> list[bool]:
        """See `Presence.drop`."""
        sheet, now = self._current(), self._clock()
        return [sheet.drop((entry.room, entry.user.id), self._node, now) for entry in entries]

    async def ended(self) -> list[Entry]:
        """See `Presence.ended`."""
        return self._current().take_ended()

    async def list(self, room: str, *, cursor: str | None = None, limit: int = 50) -> PresentPage:
        """See `Presence.list`."""
        present = self._current().present.get(room, _NOBODY)
        found, following = present.page("present", cursor, limit)
        return PresentPage([here.user for here in found], len(present), following)

    async def count(self, rooms: Collection[str]) -> dict[str, int]:
        """See `Presence.count`."""
        present = self._current().present
        return {room: len(present.get(room, ())) for room in rooms}

    async def online(self, users: Collection[str], *, room: str | None = None) -> set[str]:
        """See `Presence.online`."""
        sheet = self._current()
        here = sheet.rooms_of if room is None else sheet.present.get(room, _NOBODY)
        return {user for user in users if user in here}

    async def seen(self, users: Collection[str]) -> dict[str, float]:
        """See `Presence.seen`."""
        seen = self._current().seen
        return {user: seen[user] for user in users if user in seen}

    def _current(self) -> "_Sheet":
        sheet, passing = self._sheet, self._passing()
        if sheet is None:
            raise Unavailable
        if passing >= sheet.due:
            sheet.expire(passing, self._clock() - max(self._ttl, SEEN_FOR))
        return sheet


class _Here(msgspec.Struct, gc=False):
    """One user in one room, and the nodes that say so. Those who are on the same nodes share the set."""

    user: Sender
    nodes: frozenset[str]


class _Sheet:
    """The entries of one instance. Whoever reads it expires first."""

    def __init__(self) -> None:
        self.present: defaultdict[str, Paged[_Here]] = defaultdict(Paged)
        self.rooms_of: dict[str, int] = {}  # in how many rooms a user is present; absent: in none
        self.seen: OrderedDict[str, float] = OrderedDict()  # the longest unseen first
        # Per node, the longest untouched first: all entries of a node live equally long, so the first is the next
        # to expire, and looking for expired ones is a look at the first.
        self._until: defaultdict[str, OrderedDict[_Place, float]] = defaultdict(OrderedDict)
        self._ended: OrderedDict[_Place, Sender] = OrderedDict()
        self.due = 0.0
        """Before this time, no entry expires."""

    def touch(self, room: str, user: Sender, node: str, now: float, until: float) -> bool:
        place, entries = (room, user.id), self._until[node]
        entries[place] = until
        entries.move_to_end(place)
        if until < self.due:
            self.due = until
        self._see(user.id, now)
        users = self.present[room]
        here = users.get(user.id)
        if here is not None:
            here.user = user
            here.nodes |= {node}
            return False
        users.put(user.id, _Here(user, _alone(node)))
        self._ended.pop(place, None)
        self.rooms_of[user.id] = self.rooms_of.get(user.id, 0) + 1
        return True

    def drop(self, place: _Place, node: str, now: float) -> bool:
        entries = self._until.get(node)
        if entries is None or entries.pop(place, None) is None:
            return False
        self._see(place[1], now)
        return self._leave(place, node)

    def drop_node(self, node: str, now: float) -> None:
        for place in list(self._until.get(node, ())):
            self.drop(place, node, now)
        self._until.pop(node, None)

    def expire(self, now: float, seen_since: float) -> None:
        for node, entries in list(self._until.items()):
            while entries and next(iter(entries.values())) <= now:
                place, _ = entries.popitem(last=False)
                self._end(place, node)
            if not entries:
                del self._until[node]
        while self.seen and next(iter(self.seen.values())) < seen_since:
            self.seen.popitem(last=False)
        self.due = min((next(iter(entries.values())) for entries in self._until.values()), default=math.inf)

    def _end(self, place: _Place, node: str) -> None:
        here = self.present[place[0]].get(place[1])
        if self._leave(place, node) and here is not None:
            self._ended[place] = here.user
            if len(self._ended) > ENDED_LIMIT:
                self._ended.popitem(last=False)

    def take_ended(self) -> list[Entry]:
        ended, self._ended = self._ended, OrderedDict()
        return [Entry(room, user) for (room, _), user in ended.items()]

    def _see(self, user: str, now: float) -> None:
        self.seen[user] = now
        self.seen.move_to_end(user)

    def _leave(self, place: _Place, node: str) -> bool:
        room, user = place
        users = self.present[room]
        here = users.get(user)
        assert here is not None, "an entry without its user"
        here.nodes -= {node}
        if here.nodes:
            return False
        users.take(user)
        if not users:
            del self.present[room]
        self.rooms_of[user] -= 1
        if not self.rooms_of[user]:
            del self.rooms_of[user]
        return True


@lru_cache(maxsize=64)
def _alone(node: str) -> frozenset[str]:
    return frozenset((node,))


_NOBODY: Paged[_Here] = Paged()
