"""This process's room -> sessions, each room in order and without a hole.

The hub keeps one position (epoch, seq) per room it holds. Envelopes come in through `deliver`, from the journal at once
and from the broker in any order, twice, or never; what goes out to a session is seq by seq. A number that is missing is
waited for briefly and then read from the store. What cannot be proven to be whole is said: `reset`.

`deliver` takes every message, and hands it to `fanout`.
"""

import asyncio
from collections.abc import Callable, Iterable
from weakref import WeakValueDictionary

from ..brokers.base import Broker
from ..errors import RoomNotFound, Unavailable
from ..models import EVERYONE, LOOK, Envelope, Head
from ..observe.instruments import DELIVERED_BYTES, DELIVERIES, RESETS, ROOMS
from ..observe.meter import SILENT, Meter
from ..stores.base import Store
from ..support.backoff import jittered
from ..support.ids import new_epoch
from ..wire.encode import live_event
from ..wire.events import LiveEvent, Reset, RoomRemoved
from .fanout import Fanout
from .repair import Repair
from .room import LocalRoom, Receiver, Watcher
from .sequence import NOTHING

__all__ = ["Hub"]


class Hub:
    """See the module's docstring. All methods belong to one event loop; those without `async` never wait."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        *,
        released: Callable[[str], None] | None = None,
        meter: Meter = SILENT,
    ) -> None:
        self._store = store
        self._broker = broker
        self._released = released or (lambda room: None)
        self._rooms: dict[str, LocalRoom] = {}
        self._entering: dict[Receiver, set[LocalRoom]] = {}
        self._left: set[LocalRoom] = set()
        # Alive only while somebody holds or waits for one: most rooms, one per user among them, are never contended.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._heard: dict[str, Callable[[Envelope], None]] = {LOOK: self._told_to_look}
        self.about_members: Callable[[Envelope], None] = lambda envelope: None
        """Is given each event about a member before it is passed on: it may change what somebody may do in the room."""
        self._meter = meter
        self.fanout = Fanout()
        # Bound once: every message goes through them.
        self.emit, self.reply, self.flush = self.fanout.emit, self.fanout.reply, self.fanout.flush
        self.repair = Repair(store, self._rooms, self, meter)
        meter.watch(ROOMS, lambda: len(self._rooms))
        meter.watch(DELIVERIES, lambda: self.fanout.deliveries)
        meter.watch(DELIVERED_BYTES, lambda: self.fanout.delivered_bytes)

    def start(self) -> None:
        """Bind to the running loop."""
        self.repair.start()
        self.fanout.start()

    async def stop(self) -> None:
        """Send what is pending, end repairs."""
        self.flush()
        await self.repair.stop()
        self._rooms.clear()

    def interpret(self, type: str, heard: Callable[[Envelope], None]) -> None:
        """Live envelopes of this type are not passed to sessions but to `heard` (typing, presence: merged per worker)."""
        self._heard[type] = heard

    def interprets(self, type: str) -> bool:
        """Is this type passed to a worker's own hearing?"""
        return type in self._heard

    # ---- envelopes in ----

    def deliver(self, envelope: Envelope) -> None:
        """Take an envelope, from whom- and wherever; in order at once, else when its turn comes."""
        room = self._rooms.get(envelope.room)
        if room is None:
            return
        if envelope.seq == 0:
            self._deliver_live(room, envelope)
            return
        out, missing = room.sequence.offer(envelope)
        for one in out:
            self.send(room, one)
        if missing is not NOTHING:
            self.repair.see_to(room, missing)

    def _deliver_live(self, room: LocalRoom, envelope: Envelope) -> None:
        heard = self._heard.get(envelope.type)
        if heard is not None:
            heard(envelope)
        else:
            self.send(room, envelope)

    def send(self, room: LocalRoom, envelope: Envelope) -> None:
        """Pass the room's next envelope, or a live one, to all who are in the room."""
        if room.watcher is not None:
            room.watcher.heard(envelope)
            return
        if envelope.type.startswith("member."):
            self.about_members(envelope)
        self.emit(room, envelope)

    def tell(self, id: str, event: LiveEvent) -> None:
        """Send a live event to all who are in the room here."""
        room = self._rooms.get(id)
        if room is not None:
            self.emit(room, Envelope(id, "", 0, event.type, live_event(event, room=id)))

    def _told_to_look(self, envelope: Envelope) -> None:
        room = self._rooms.get(envelope.room)
        if room is not None:
            self.repair.look(room)

    # ---- entering and leaving ----

    async def enter(self, receiver: Receiver, id: str) -> LocalRoom:
        """Hold the room and take this session's position: `room.head` on return.

        What comes from now on waits for this session until `admit`; it has to read what was before by itself.
        Everything that was acknowledged before this call is below the position. Raises `RoomNotFound`, `Unavailable`.
        """
        room = self._rooms.get(id)
        if room is None:
            room = self._rooms[id] = LocalRoom(id)
        self._wait(room, receiver)
        try:
            await self._bring_up(room)
        except BaseException:
            self._wait_no_more(room, receiver)
            raise
        lane = room.lane(receiver)
        if lane is None or receiver not in lane.waiting:
            raise Unavailable("the room changed while you joined; join again")
        # Whoever waits longer has the events since; this one begins here.
        lane.sessions.pop(receiver, None)
        self._wait(room, receiver)
        return room

    def admit(self, receiver: Receiver, room: LocalRoom, *opening: bytes) -> bool:
        """Send `opening` (JSON texts: the ack, with the past up to the position), then what waited, then share the room's flush.

        False if the session was taken out meanwhile (reset, exit, closed): nothing is sent then.
        """
        waited = self._take_waiting(room, receiver)
        if waited is None:
            return False
        lane = room.open_lane(receiver)
        if lane.pending:
            # What is pending is in `waited` too: flush it to the others before this session shares the flush.
            self.flush()
        self.reply(receiver, b"".join([*map(receiver.codec.reply, opening), *waited]))
        lane.admit(receiver)
        return True

    def exit(self, receiver: Receiver, id: str) -> None:
        """This session gets nothing more of the room."""
        room = self._rooms.get(id)
        if room is not None:
            self._take_out(room, receiver)

    def closed(self, receiver: Receiver) -> None:
        """This session is gone: it enters nothing any more, and is still told what it was to be answered."""
        for room in list(self._entering.get(receiver, ())):
            self._wait_no_more(room, receiver)
        self.fanout.answer(receiver)

    def _wait(self, room: LocalRoom, receiver: Receiver) -> None:
        room.open_lane(receiver).waiting[receiver] = []
        self._entering.setdefault(receiver, set()).add(room)

    def _take_waiting(self, room: LocalRoom, receiver: Receiver) -> list[bytes] | None:
        lane = room.lane(receiver)
        waited = None if lane is None else lane.waiting.pop(receiver, None)
        if waited is not None:
            rooms = self._entering[receiver]
            rooms.discard(room)
            if not rooms:
                del self._entering[receiver]
        return waited

    def _wait_no_more(self, room: LocalRoom, receiver: Receiver) -> None:
        self._take_waiting(room, receiver)
        self._tidy(room)

    def _take_out(self, room: LocalRoom, receiver: Receiver) -> None:
        self._take_waiting(room, receiver)
        lane = room.lane(receiver)
        if lane is not None:
            lane.sessions.pop(receiver, None)
        self._tidy(room)

    def _tidy(self, room: LocalRoom) -> None:
        room.drop_empty_lanes()
        if room.unused:
            self._left.add(room)

    async def watch(self, id: str, watcher: Watcher) -> Head:
        """Hold a reserved room and hear it in this process, from the head that is returned on.

        Several may ask for the same at once, so one that fails takes nothing back: `unwatch` when nobody is left.
        Raises `RoomNotFound`, `Unavailable`.
        """
        room = self._rooms.get(id)
        if room is None:
            room = self._rooms[id] = LocalRoom(id)
        room.watcher = watcher
        await self._bring_up(room)
        return room.head

    def unwatch(self, id: str) -> None:
        """Stop hearing a reserved room."""
        room = self._rooms.get(id)
        if room is not None:
            self._unwatch(room)

    def _unwatch(self, room: LocalRoom) -> None:
        room.watcher = None
        self._tidy(room)

    async def check(self) -> None:
        """Compare the position of every local room with the store; repair, reset, or renew. Raises `Unavailable`."""
        await self.repair.check()

    async def reach(self, id: str, seq: int) -> None:
        """Where this process holds the room: return when it has heard number `seq`. Raises `Unavailable`."""
        room = self._rooms.get(id)
        if room is not None and room.up and room.sequence.seq < seq:
            await self.repair.read(room)

    def room(self, id: str) -> LocalRoom | None:
        """The room as this process holds it."""
        return self._rooms.get(id)

    def _lock(self, room: LocalRoom) -> asyncio.Lock:
        lock = self._locks.get(room.id)
        if lock is None:
            lock = self._locks[room.id] = asyncio.Lock()
        return lock

    async def _bring_up(self, room: LocalRoom) -> None:
        # Where somebody else brought it up meanwhile, the head may be one that was read before our call: look again.
        if room.up or not await self._first_to_bring_up(room):
            await self._catch_up_with_the_store(room)

    async def _first_to_bring_up(self, room: LocalRoom) -> bool:
        # The lock orders subscribing against `release`; state changes only after the awaits succeeded.
        async with self._lock(room):
            if room.up:
                return False
            await self._broker.subscribe(room.id)
            head = await self._head(room.id)
            if self._rooms.get(room.id) is not room:
                raise Unavailable
            self._stand_at(room, head)
            return True

    async def _catch_up_with_the_store(self, room: LocalRoom) -> None:
        # Without the lock: a thousand who come back into one room read its head side by side.
        sequence = room.sequence
        epoch = sequence.epoch
        head = await self._head(room.id)
        if not room.up or sequence.epoch != epoch or head.epoch != epoch:
            if room.up and sequence.epoch == epoch:
                self.reset(room, head, "another past")
            raise Unavailable("the room has just been renewed; join again")
        if head.seq > sequence.seq:
            sequence.expect(head.seq)
            await self.repair.read(room)

    async def _head(self, id: str) -> Head:
        head = (await self._store.heads((id,))).get(id)
        if head is None:
            raise RoomNotFound
        return head

    def _stand_at(self, room: LocalRoom, head: Head) -> None:
        step = room.sequence.stand_at(head)
        everyone = self._rooms.get(EVERYONE)
        room.store_epoch = everyone.head.epoch if everyone is not None and everyone.up else None
        self.repair.follow(room, step)

    async def release(self) -> None:
        """Let go of the rooms that nobody here needs any more. Called by the sweep: a room that is left and joined
        again within a second costs no round trip. Only rooms that somebody left are looked at. Raises `Unavailable`
        when it has tried them all."""
        problem: Exception | None = None
        for room in list(self._left):
            lock = self._lock(room)
            if lock.locked():
                continue  # somebody is entering, or fails to
            try:
                async with lock:
                    await self._release(room)
            except Exception as exc:  # noqa: BLE001 - raised when all had their turn
                problem = exc  # it stays among those that were left, for the next time
        if problem is not None:
            raise problem

    async def let_go(self, id: str) -> bool:
        """Release this room now, if nobody here needs it. True if this process does not hold it. Raises `Unavailable`."""
        room = self._rooms.get(id)
        if room is not None and room.unused:
            async with self._lock(room):
                await self._release(room)
        return id not in self._rooms

    async def _release(self, room: LocalRoom) -> None:
        if room.unused and self._rooms.get(room.id) is room:
            # Before the await: if it fails or is given up, the broker may have unsubscribed all the same, and
            # whoever enters next has to subscribe again.
            room.sequence.up = False
            await self._broker.unsubscribe(room.id)
            # One that was not there when somebody asked for it may just be made elsewhere.
            if self._drop_if_unused(room) and room.head.epoch:
                self._released(room.id)
        self._left.discard(room)

    def _drop_if_unused(self, room: LocalRoom) -> bool:
        if not room.unused:
            return False  # somebody came meanwhile: they wait for the lock, and bring it up again
        self.repair.forget(room)
        self._rooms.pop(room.id, None)
        return True

    # ---- the end of what is known ----

    def reset(self, room: LocalRoom, head: Head, reason: str) -> None:
        """Tell every session in the room that there may be a gap, take them out, and stand at `head`."""
        self._send_to_join_again(room, head, reason)
        nothing_was_said = room.sequence.seq == head.seq == 0
        room.sequence.reset(head)
        if room.watcher is not None and not nothing_was_said:
            room.watcher.lost(room.id)

    def _send_to_join_again(self, room: LocalRoom, head: Head, reason: str) -> None:
        self._meter.add(RESETS, 1, reason)
        receivers = self._take_sessions(room)
        spread = min(10.0, len(receivers) / 500)
        for receiver in receivers:
            after = round(jittered(spread, 0.0, 1.0), 3)
            self.evict(receiver, room, Reset(room.id, head.epoch, head.seq, reason, after))

    def _take_sessions(self, room: LocalRoom) -> list[Receiver]:
        # Whoever is still entering hears of it by the answer to their join: it is not known yet whether they may know
        # of this room at all.
        for receiver in [receiver for lane in room.lanes for receiver in lane.waiting]:
            self._wait_no_more(room, receiver)
        return list(room.sessions())

    def evict(self, receiver: Receiver, room: LocalRoom, event: LiveEvent) -> None:
        """Take one session out of the room; `event` is the last that it hears of it."""
        lane = room.lane(receiver)
        if lane is not None and lane.pending:
            self.flush()
        self._take_out(room, receiver)
        self.reply(receiver, receiver.codec.reply(live_event(event, room=room.id)))
        receiver.evicted(room.id)

    def gone(self, id: str) -> None:
        """The room was deleted."""
        room = self._rooms.get(id)
        if room is not None:
            self.end(room, deleted=True)

    def end(self, room: LocalRoom, *, deleted: bool) -> None:
        """The room was deleted, or the store lost it."""
        room.sequence.up = False
        self.repair.forget(room)
        if not deleted:
            # No store will ever know this epoch: nobody recovers by it into a room that is made anew.
            self._send_to_join_again(room, Head(new_epoch(), 0), "the store lost the room")
        for receiver in self._take_sessions(room):
            self.evict(receiver, room, RoomRemoved(room.id, "deleted"))
        if room.watcher is not None and room.sequence.seq:
            room.watcher.lost(room.id)
        elif room.watcher is not None:
            room.watcher.vanished(room.id)

    def rooms(self) -> Iterable[LocalRoom]:
        """All rooms that this process holds."""
        return self._rooms.values()
