"""Reads missing events of a room from the store, and compares positions with it, which finds a lost last event or a restored store.

A missing number is awaited briefly and then read. If it cannot be read any more, the room is reset. While the store does
not answer nothing is known, and the room waits.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from msgspec.structs import replace

from ..errors import RoomNotFound, Unavailable
from ..models import EVERYONE, Envelope, Event, Head
from ..observe.ids import ids
from ..observe.instruments import GAPS, REPAIRED
from ..observe.meter import Meter
from ..stores.base import Store
from ..stores.streams import streaming_of
from ..support.backoff import Backoff
from ..support.paging import PAGE_LIMIT
from ..support.tasks import end
from ..wire.encode import encode_event
from .room import LocalRoom
from .sequence import Missing, Step

__all__ = ["Repair"]

logger = logging.getLogger("sanic_chatrooms.hub.repair")

GAP_WAIT = 0.05
"""Seconds to wait for a missing number before it is read from the store. Most arrive by themselves."""
RETRY_FIRST, RETRY_LONGEST = 0.1, 2.0
"""Seconds between attempts to read a store that cannot be reached."""


class Rooms(Protocol):
    """What a repair does to a room. The hub has these."""

    def send(self, room: LocalRoom, envelope: Envelope) -> None:
        """Pass the room's next envelope to its sessions."""

    def reset(self, room: LocalRoom, head: Head, reason: str) -> None:
        """Tell the sessions that there may be a gap, and continue at `head`."""

    def end(self, room: LocalRoom, *, deleted: bool) -> None:
        """The room was deleted, or lost by the store."""


class Repair:
    """At most one timer and one task per room."""

    def __init__(self, store: Store, local: Mapping[str, LocalRoom], rooms: Rooms, meter: Meter) -> None:
        self._store = store
        self._local = local
        self._rooms = rooms
        self._loop: asyncio.AbstractEventLoop | None = None
        self._meter = meter

    def start(self) -> None:
        """Bind to the running loop."""
        self._loop = asyncio.get_running_loop()

    async def stop(self) -> None:
        """End what is under way."""
        rooms = list(self._local.values())
        for room in rooms:
            self._stop_waiting(room)
        await end(*(room.repairing for room in rooms if room.repairing is not None))

    def forget(self, room: LocalRoom) -> None:
        """The room ends: stop its repair."""
        room.sequence.early.clear()
        self._stop_waiting(room)
        if room.repairing is not None and room.repairing is not asyncio.current_task():
            room.repairing.cancel()

    # ---- gaps ----

    def follow(self, room: LocalRoom, step: Step) -> None:
        """Send what goes out, and get what is missing."""
        out, missing = step
        for envelope in out:
            self._rooms.send(room, envelope)
        self.see_to(room, missing)

    def see_to(self, room: LocalRoom, missing: Missing) -> None:
        """Get what is missing."""
        if missing is Missing.READ:
            self.read_soon(room)
        elif missing is Missing.WAIT:
            self._wait(room)

    def look(self, room: LocalRoom) -> None:
        """Read from the store, whether or not a number is known to be missing."""
        if not room.up:
            return
        if room.repairing is not None:
            room.sequence.expect(room.sequence.seq + 1)  # the read under way may be older: read once more
        self.read_soon(room)

    def read_soon(self, room: LocalRoom) -> None:
        """Read what is missing, in a task of its own."""
        if room.repairing is None:
            self._meter.add(GAPS, 1)
            room.repairing = asyncio.ensure_future(self._read_until_done(room))

    def _wait(self, room: LocalRoom) -> None:
        if room.timer is None and room.repairing is None and self._loop is not None:
            room.timer = self._loop.call_later(GAP_WAIT, self._waited, room)

    def _waited(self, room: LocalRoom) -> None:
        room.timer = None
        if room.sequence.behind and self._is_local(room):
            self.read_soon(room)

    @staticmethod
    def _stop_waiting(room: LocalRoom) -> None:
        if room.timer is not None:
            room.timer.cancel()
            room.timer = None

    def _is_local(self, room: LocalRoom) -> bool:
        return self._local.get(room.id) is room

    async def _read_until_done(self, room: LocalRoom) -> None:
        # While the store cannot be reached nothing is known to be lost: try again.
        backoff = Backoff(RETRY_FIRST, RETRY_LONGEST)
        try:
            while self._is_local(room):
                try:
                    await self._read_or_find_it_gone(room)
                    return
                except Unavailable:
                    await asyncio.sleep(backoff.failed())
        except Exception:
            logger.exception(
                "room %s cannot be repaired; its sessions are told to join again",
                room.id,
                extra=ids(room=room.id),
            )
            self._rooms.reset(room, room.head, "repair failed")
        finally:
            room.repairing = None
            if room.sequence.behind and self._is_local(room):
                self._wait(room)

    async def _read_or_find_it_gone(self, room: LocalRoom) -> None:
        try:
            await self.read(room)
        except RoomNotFound:
            await self._check_gone(room)

    async def read(self, room: LocalRoom) -> None:
        """Send what the store has after the room's position; reset the room where that does not follow.

        Raises `RoomNotFound`, `Unavailable`.
        """
        sequence = room.sequence
        while True:
            epoch, start, known = sequence.epoch, sequence.seq, sequence.known
            page = await self._store.history(room.id, after=start, limit=PAGE_LIMIT)
            if sequence.epoch != epoch or not sequence.up:
                return  # reset or deleted meanwhile: this page is about another history
            if (reason := sequence.contradiction(page)) is not None:
                self._rooms.reset(room, Head(page.epoch, page.seq), reason)
                return
            for event in sequence.take(page):
                self._rooms.send(room, _envelope(room, event))
            self._meter.add(REPAIRED, sequence.seq - start)
            if not page.more or sequence.seq == start:
                break
        if sequence.seq < page.seq:
            self._rooms.reset(room, Head(page.epoch, page.seq), "history has a hole")
            return
        self.follow(room, sequence.settle(page.seq, known))

    # ---- positions ----

    async def check(self) -> None:
        """Compare the position of every room with the store's; repair, reset or renew those that differ. Raises `Unavailable`."""
        before = {r.id: r.head for r in self._local.values() if r.up}
        if not before:
            return
        heads, problem = await self._store.heads(before.keys()), None
        for id, mine in before.items():
            room = self._local.get(id)
            try:
                if room is not None and room.up and room.sequence.epoch == mine.epoch:
                    await self._compare(room, mine, heads.get(id))
            except Exception as exc:  # noqa: BLE001 - raised when all had their turn
                problem = exc
        if problem is not None:
            raise problem

    async def _compare(self, room: LocalRoom, mine: Head, head: Head | None) -> None:
        if head is None:
            await self._check_gone(room)
        elif head.epoch != room.sequence.epoch:
            self._rooms.reset(room, head, "another past")
        elif head.seq > room.sequence.seq:
            self.follow(room, room.sequence.expect(head.seq))
        elif head.seq < mine.seq:
            await self._check_restored(room, mine)

    async def _check_gone(self, room: LocalRoom) -> None:
        """The store does not have the room. It was deleted; or the store lost all rooms, the room of all connections included."""
        heads = await self._store.heads((room.id, EVERYONE))
        if room.id not in heads:
            store_epoch = heads[EVERYONE].epoch if EVERYONE in heads else None
            self._rooms.end(room, deleted=store_epoch == room.store_epoch)

    async def _check_restored(self, room: LocalRoom, mine: Head) -> None:
        """The store has fewer events than before: it was restored. A new epoch keeps clients from recovering into another history."""
        head = (await self._store.heads((room.id,))).get(room.id)
        if head is None or head.epoch != mine.epoch or head.seq >= mine.seq:
            return
        logger.warning(
            "room %s: the store stands at %d, was at %d; it gets a new epoch",
            room.id,
            head.seq,
            mine.seq,
            extra=ids(room=room.id),
        )
        try:
            renewed = await self._store.renew_epoch(room.id, mine.epoch)
        except RoomNotFound:
            await self._check_gone(room)
        else:
            self._rooms.reset(room, renewed, "the store was restored")


def _envelope(room: LocalRoom, event: Event) -> Envelope:
    if event.changed is None and event.type == "message":
        event = replace(event, streaming=streaming_of(event.msg_id, bytes(event.payload)))
    return Envelope(room.id, room.sequence.epoch, event.seq or 0, event.type, encode_event(event))
