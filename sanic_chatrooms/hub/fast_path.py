"""The way of most drafts to a store that needs no task for them: sent where they were submitted, answered where the reply is read.
A store in this process replies at once: then a message is stored, answered and written where its bytes were read.

Without it, a task, a future, a time limit and more turns of the event loop take a fifth of the processor time of a message that comes alone.
And rooms need not wait for each other: while the store is at work on some, others are answered, and their next messages come in.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial

import msgspec

from ..errors import ChatError
from ..models import Appended, Draft
from ..observe.instruments import APPEND_BATCH, APPEND_SECONDS
from ..observe.meter import SILENT, Meter
from ..stores.base import Store
from ..stores.changes import has_effects
from .entry import Entry
from .fanout import Fanout

__all__ = ["FastPath"]

logger = logging.getLogger("sanic_chatrooms.hub.journal")

UNDER_WAY = 1_000
"""Drafts that are at the store at a time …"""
OF_ROOM = 500
"""… and of one room."""
FEW = 2
"""After so few drafts in one go, the next is sent at once: its sender is the only one."""
MANY = 8
"""Where a turn of the event loop brings so many drafts, the next one probably brings more, and each member gets all in one write. …"""
TURNS = 3
"""… So many turns are waited for at most."""

Results = list[Appended | ChatError]


class _Flight(msgspec.Struct, gc=False):
    """Drafts that were sent together, by room."""

    rooms: list[list[Entry]]
    since: float
    left: int
    """Rooms that are not answered yet."""


class FastPath:
    """Has drafts without effects, at most one call of each room at a time. All else, and what the store does not take, goes to the journal's task.
    If the store is in this process, it has all drafts.

    `slow` takes entries for that task. The drafts of a room stay in order: while the task has some, it gets all others of that room.
    """

    def __init__(
        self,
        store: Store,
        answer: Callable[[list[Entry], Results], None],
        slow: Callable[[list[Entry], bool], None],
        fanout: Fanout,
        meter: Meter = SILENT,
    ) -> None:
        self._store = store
        self._answer = answer
        self._slow = slow
        self._fanout = fanout
        self._meter = meter
        self.waiting: list[Entry] = []
        self._rooms: dict[str, list[Entry]] = {}
        """What is at the store."""
        self._count = 0
        self._last = 0
        self._scheduled = False
        self._at_the_task: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.ended: asyncio.Event | None = None
        """Set when nothing is left, once somebody waits for that."""

    def start(self) -> None:
        """Bind to the running loop."""
        self._loop = asyncio.get_running_loop()

    @property
    def is_free(self) -> bool:
        """Is there nothing that waits, and nothing at the store?"""
        return not self._rooms and not self.waiting

    def submit(self, entry: Entry, *, within: bool) -> None:
        """Send it: at once, if it is alone, or with those that come in this turn of the event loop and the next. `within`: it may be
        answered before this returns."""
        self.waiting.append(entry)
        room = entry.draft.room
        if self._scheduled or room in self._rooms or self._count >= UNDER_WAY:
            return  # a reply comes first, and then this is looked at
        # Where replies come later, those who speak meanwhile share the next call. Where they come at once, nobody can speak meanwhile,
        # so what tells is whether they are likely to speak while this is being written.
        alone = self._last <= FEW if self._store.waits else within and self._fanout.is_quiet(room)
        if alone and len(self.waiting) == 1 and not self._rooms:
            self._send()
        else:
            self._soon()

    def caught_up(self) -> None:
        """The task has nothing left."""
        self._at_the_task.clear()

    def abandon(self) -> list[Entry]:
        """Take back everything that is not answered."""
        left = [entry for entries in self._rooms.values() for entry in entries] + self.waiting
        self._rooms, self.waiting = {}, []
        return left

    # Those who were answered in this turn speak again in the next one or two. Sent one by one, their messages would be as many
    # calls of the script, and as many writes to each member. In memory, a call costs nothing, and waiting does.
    def _soon(self) -> None:
        assert self._loop is not None
        self._scheduled = True
        if self._store.waits:
            self._loop.call_soon(self._loop.call_soon, self._send)
        else:
            self._loop.call_soon(self._gather, 0, TURNS)

    def _gather(self, before: int, turns: int) -> None:
        assert self._loop is not None
        if turns and before + MANY <= len(self.waiting) < UNDER_WAY:
            self._loop.call_soon(self._gather, len(self.waiting), turns - 1)
        else:
            self._send()

    def _send(self) -> None:
        self._scheduled = (
            True  # whoever is answered before this ends may submit the next draft, which has to wait its turn
        )
        try:
            if self._store.waits:
                self._send_rooms()
            else:
                self._fanout.together(self._append_here)
        finally:
            self._scheduled = False
            if self.waiting and not self._rooms:
                self._soon()  # no reply will come
        self._tell_if_ended()

    def _tell_if_ended(self) -> None:
        if self.ended is not None and self.is_free:
            self.ended.set()

    # ---- a store in this process ----

    def _append_here(self) -> None:
        """Append what waits, of all rooms and also with effects, in its order. While the task has some, it gets these too."""
        entries, self.waiting = self.waiting[:UNDER_WAY], self.waiting[UNDER_WAY:]
        if self._at_the_task:
            self._slow(entries, False)
            return
        if not entries:  # they were withdrawn
            return
        since = time.monotonic()
        try:
            results = self._store.append_now([entry.draft for entry in entries])
        except Exception:  # the task does the same again, and says for which draft
            logger.debug("a batch could not be stored", exc_info=True)
            results = []
        if len(results) == len(entries):
            self._measure(len(entries), since)
            self._answer(entries, results)
        else:
            self._leave(entries, is_unknown=True)

    # ---- a store elsewhere ----

    def _send_rooms(self) -> None:
        rooms, others = self._sorted()
        if others:
            self._slow(others, False)
        if not rooms:
            return
        groups = list(rooms.values())
        size = sum(map(len, groups))
        flight = _Flight(groups, time.monotonic(), len(groups))
        self._rooms.update(rooms)
        self._count += size
        self._last = size
        taken = self._taken([[entry.draft for entry in group] for group in groups], flight)
        if taken:
            return
        for group in groups:
            if self._rooms.get(group[0].draft.room) is group:  # it is not answered
                self._give_up(group, is_unknown=taken is None)

    def _sorted(self) -> tuple[dict[str, list[Entry]], list[Entry]]:
        """What can go now, by room, and what the task has to do. All else goes on waiting."""
        waiting, self.waiting = self.waiting, []
        rooms: dict[str, list[Entry]] = {}
        others: list[Entry] = []
        stopped: set[str] = set()
        room_left = UNDER_WAY - self._count
        for entry in waiting:
            draft = entry.draft
            room = draft.room
            if room in self._at_the_task:
                others.append(entry)
            elif room in self._rooms or room in stopped or room_left <= 0:
                stopped.add(room)
                self.waiting.append(entry)
            elif has_effects(draft):
                if room in rooms:  # behind those
                    stopped.add(room)
                    self.waiting.append(entry)
                else:
                    self._at_the_task.add(room)
                    others.append(entry)
            else:
                group = rooms.setdefault(room, [])
                group.append(entry)
                room_left -= 1
                if len(group) == OF_ROOM:
                    stopped.add(room)
        return rooms, others

    def _taken(self, batch: list[list[Draft]], flight: _Flight) -> bool | None:
        """Whether the store has begun to append these; None: that is not known."""

        def heard(place: int, results: Results | None) -> None:
            self._heard(flight, place, results)

        try:
            return self._store.append_soon(batch, heard)
        except Exception:  # the task does the same again, and says for which draft
            logger.debug("a batch could not be sent", exc_info=True)
            return None

    def _heard(self, flight: _Flight, place: int, results: Results | None) -> None:
        entries = flight.rooms[place]
        room = entries[0].draft.room
        if self._rooms.get(room) is not entries:
            return  # abandoned
        flight.left -= 1
        if results is None or len(results) != len(entries):
            self._give_up(entries, is_unknown=True)
        else:
            del self._rooms[room]
            self._count -= len(entries)
            if not flight.left:
                self._measure(sum(map(len, flight.rooms)), flight.since)
            if self._rooms:
                self._answer(entries, results)
            else:
                self._fanout.together(partial(self._answer, entries, results))
        if self.waiting and not self._scheduled:
            self._soon()
        self._tell_if_ended()

    def _give_up(self, entries: list[Entry], *, is_unknown: bool) -> None:
        del self._rooms[entries[0].draft.room]
        self._count -= len(entries)
        self._leave(entries, is_unknown=is_unknown)

    # ---- of both ----

    def _leave(self, entries: list[Entry], *, is_unknown: bool) -> None:
        """Leave these to the task. Every draft has a key, so it can be appended again where the outcome is not known."""
        self._at_the_task.update(entry.draft.room for entry in entries)
        for entry in entries:
            entry.sent = is_unknown
        self._slow(entries, is_unknown)

    def _measure(self, count: int, since: float) -> None:
        if self._meter is not SILENT:
            self._meter.observe(APPEND_BATCH, count)
            self._meter.observe(APPEND_SECONDS, time.monotonic() - since)
