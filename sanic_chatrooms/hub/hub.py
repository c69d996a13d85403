"""The rooms of this worker and the sessions in them. Each session gets each event of its rooms once, in order and without a gap.

The hub keeps one position (epoch, seq) per room. Envelopes come in by `deliver`: from the journal at once, and from the
broker in any order, twice, or never. They go out by number (`sequence`); a missing number is read from the store
(`repair`). If the hub cannot prove that nothing is missing, it sends `reset`.
"""

from collections.abc import Awaitable, Callable, Iterable

from ..brokers.base import Broker, Deliver
from ..errors import RoomNotFound, Unavailable
from ..models import EVERYONE, LOOK, OPERATOR, TRACE, Envelope, Head
from ..observe.instruments import DELIVERED_BYTES, DELIVERIES, RESETS, ROOMS
from ..observe.meter import SILENT, Meter
from ..stores.base import Store
from ..support.backoff import jittered
from ..support.ids import new_epoch
from ..support.locks import Locks
from ..wire.encode import live_event
from ..wire.events import LiveEvent, Reset, RoomRemoved
from .fanout import Fanout
from .repair import Repair
from .room import Lane, LocalRoom, Receiver, Watcher
from .sequence import NOTHING

__all__ = ["Hub"]

AskHead = Callable[[str], Awaitable[Head]]
"""Asks the store for the head of a room. Raises `RoomNotFound`."""
RIGHTS = ("member.", "room.")
"""How the types of events begin that may change what users may do."""


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
        # A lock lives only while it is held or waited for: most rooms, among them one per user, are never contended.
        self._locks = Locks()
        # Spans of events concern only the hub of tracing.py, and operators only workers with their page.
        self._handlers: dict[str, Deliver] = dict.fromkeys((TRACE, OPERATOR), lambda envelope: None)
        self._handlers[LOOK] = self._told_to_look
        self.about_rights: Deliver = lambda envelope: None
        """Is given each event about a member or the room before it is passed on: it may change what somebody may do there …"""
        self.after_rights: Callable[[LocalRoom, Envelope], None] = lambda room, envelope: None
        """… and when it was passed on: it may be the last event that somebody gets."""
        self.unheld: Deliver = lambda envelope: None
        """Is given what is for a room that this worker does not hold."""
        self._meter = meter
        self.fanout = Fanout(self._rooms)
        # Bound once: every message goes through them.
        self.room: Callable[[str], LocalRoom | None] = self._rooms.get
        """The room, if this worker is subscribed to it."""
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
        """Send what is pending, and end repairs."""
        self.flush()
        await self.repair.stop()
        self._rooms.clear()

    def handle(self, type: str, handler: Deliver) -> None:
        """Pass live envelopes of this type to `handler` and not to sessions: typing and presence are merged per worker first."""
        self._handlers[type] = handler

    def handles(self, type: str) -> bool:
        """Does this type have a handler?"""
        return type in self._handlers

    # ---- envelopes in ----

    def deliver(self, envelope: Envelope) -> None:
        """Take an envelope from the journal or the broker. It goes out now, or when the numbers before it have gone out."""
        room = self._rooms.get(envelope.room)
        if room is None:
            self.unheld(envelope)
            return
        if envelope.seq == 0:
            self._deliver_live(room, envelope)
            return
        out, missing = room.sequence.offer(envelope)
        for one in out:
            # As `send` does, written out for messages.
            if room.watcher is None and one.type == "message":
                self.emit(room, one)
            else:
                self.send(room, one)
        if missing is not NOTHING:
            self.repair.see_to(room, missing)

    def _deliver_live(self, room: LocalRoom, envelope: Envelope) -> None:
        handler = self._handlers.get(envelope.type)
        if handler is not None:
            handler(envelope)
        else:
            self.send(room, envelope)

    def send(self, room: LocalRoom, envelope: Envelope) -> None:
        """Pass the room's next envelope, or a live one, to every session in the room."""
        if room.watcher is not None:
            room.watcher.on_event(envelope)
            return
        if envelope.type.startswith(RIGHTS) and envelope.seq:
            self.about_rights(envelope)
            self.emit(room, envelope)
            self.after_rights(room, envelope)
            return
        self.emit(room, envelope)

    def tell(self, id: str, event: LiveEvent) -> None:
        """Send a live event to every session that is in the room on this worker."""
        room = self._rooms.get(id)
        if room is not None:
            self.emit(room, Envelope(id, "", 0, event.type, live_event(event, room=id)))

    def _told_to_look(self, envelope: Envelope) -> None:
        room = self._rooms.get(envelope.room)
        if room is not None:
            self.repair.look(room)

    # ---- entering and leaving ----

    async def enter(self, receiver: Receiver, id: str, head: AskHead | None = None) -> LocalRoom:
        """Subscribe to the room. `room.head`, when this returns, is the session's position. `head` is how to ask the store for it, if the
        caller wants to know more of the room by the same question.

        Events after the position wait for this session until `admit`. The caller reads what came before it. Everything
        that was acknowledged before this call is at or below the position. Raises `RoomNotFound`, `Unavailable`.
        """
        room = self._rooms.get(id)
        if room is None:
            room = self._rooms[id] = LocalRoom(id)
        lane = self._wait(room, receiver)
        try:
            await self._bring_up(room, head or self._head)
        except BaseException:
            self._wait_no_more(room, receiver)
            raise
        if receiver not in lane.waiting:
            raise Unavailable("the room changed while you joined; join again")
        # Sessions that wait longer have the events since their own position; this one begins here.
        lane.sessions.pop(receiver, None)
        lane.waiting[receiver] = []
        return room

    def admit(self, receiver: Receiver, room: LocalRoom, *opening: bytes) -> bool:
        """Send `opening` (JSON texts: the ack, with the past up to the position) and what waited. The session is in the room now.

        False if the session was taken out meanwhile (reset, exit, closed): nothing is sent then.
        """
        waited = self._take_waiting(room, receiver)
        if waited is None:
            return False
        lane = room.open_lane(receiver)
        if lane.pending:
            # What is pending is in `waited` too. So the others get it before this session shares the flush.
            self.flush()
        self.reply(receiver, b"".join([*map(receiver.codec.reply, opening), *waited]))
        lane.admit(receiver)
        return True

    def exit(self, receiver: Receiver, id: str) -> None:
        """Take this session out of the room. It gets no more events of it."""
        room = self._rooms.get(id)
        if room is not None:
            self._take_out(room, receiver)

    def closed(self, receiver: Receiver) -> None:
        """The connection has ended: write its last replies, and stop what it was entering."""
        for room in list(self._entering.get(receiver, ())):
            self._wait_no_more(room, receiver)
        self.fanout.answer(receiver)

    def _wait(self, room: LocalRoom, receiver: Receiver) -> Lane:
        lane = room.open_lane(receiver)
        lane.waiting[receiver] = []
        self._entering.setdefault(receiver, set()).add(room)
        return lane

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
        """Subscribe to a reserved room, and pass its events to `watcher`, from the returned head on.

        Several callers may ask for the same room at once. So a call that fails undoes nothing: call `unwatch` when the
        room is not needed. Raises `RoomNotFound`, `Unavailable`.
        """
        room = self._rooms.get(id)
        if room is None:
            room = self._rooms[id] = LocalRoom(id)
        room.watcher = watcher
        await self._bring_up(room, self._head)
        return room.head

    def unwatch(self, id: str) -> None:
        """Stop watching a reserved room."""
        room = self._rooms.get(id)
        if room is not None:
            room.watcher = None
            self._tidy(room)

    async def check(self) -> None:
        """Compare the position of every room with the store's; repair, reset or renew those that differ. Raises `Unavailable`."""
        await self.repair.check()

    async def reach(self, id: str, seq: int) -> None:
        """If this worker is subscribed to the room, return when number `seq` has arrived. Raises `Unavailable`."""
        room = self._rooms.get(id)
        if room is not None and room.up and room.sequence.seq < seq:
            await self.repair.read(room)

    async def _bring_up(self, room: LocalRoom, ask: AskHead) -> None:
        # If another call brought it up meanwhile, its head may have been read before our call: read it again.
        if room.sequence.up or not await self._first_to_bring_up(room, ask):
            await self._catch_up_with_the_store(room, ask)

    async def _first_to_bring_up(self, room: LocalRoom, ask: AskHead) -> bool:
        # The lock keeps subscribing and `release` apart. State changes only after both awaits succeeded.
        async with self._locks.of(room.id):
            if room.sequence.up:
                return False
            await self._broker.subscribe(room.id)
            head = await ask(room.id)
            if self._rooms.get(room.id) is not room:
                raise Unavailable
            self._stand_at(room, head)
            return True

    async def _catch_up_with_the_store(self, room: LocalRoom, ask: AskHead) -> None:
        # Without the lock: a thousand sessions that come back into one room read its head at the same time.
        sequence = room.sequence
        epoch = sequence.epoch
        head = await ask(room.id)
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
        room.store_epoch = everyone.sequence.epoch if everyone is not None and everyone.sequence.up else None
        self.repair.follow(room, step)

    async def release(self) -> None:
        """Unsubscribe from rooms that no session needs any more.

        Called once a second, so a room that is left and joined again within a second costs no round trip. Only rooms
        that a session has left are checked. Raises `Unavailable` after it has tried them all.
        """
        problem: Exception | None = None
        for room in list(self._left):
            lock = self._locks.of(room.id)
            if lock.locked():
                continue  # a session is entering
            try:
                async with lock:
                    await self._release(room)
            except Exception as exc:  # noqa: BLE001 - raised when all had their turn
                problem = exc  # the room is tried again in the next round
        if problem is not None:
            raise problem

    async def release_room(self, id: str) -> bool:
        """Unsubscribe from this room now, if no session needs it. True if this worker is not subscribed to it. Raises `Unavailable`."""
        room = self._rooms.get(id)
        if room is not None and room.unused:
            async with self._locks.of(room.id):
                await self._release(room)
        return id not in self._rooms

    async def _release(self, room: LocalRoom) -> None:
        if room.unused and self._rooms.get(room.id) is room:
            # Before the await: if it fails or is cancelled, the broker may have unsubscribed all the same, and the next
            # session has to subscribe again.
            room.sequence.up = False
            await self._broker.unsubscribe(room.id)
            # A room without an epoch did not exist when it was asked for; another worker may be making it.
            if self._drop_if_unused(room) and room.head.epoch:
                self._released(room.id)
        self._left.discard(room)

    def _drop_if_unused(self, room: LocalRoom) -> bool:
        if not room.unused:
            return False  # a session came meanwhile: it waits for the lock, and brings the room up again
        self.repair.forget(room)
        self._rooms.pop(room.id, None)
        return True

    # ---- resets and deletions ----

    def reset(self, room: LocalRoom, head: Head, reason: str) -> None:
        """Tell every session in the room that there may be a gap, take them out, and stand at `head`."""
        self._send_to_join_again(room, head, reason)
        nothing_was_said = room.sequence.seq == head.seq == 0
        room.sequence.reset(head)
        if room.watcher is not None and not nothing_was_said:
            room.watcher.on_gap(room.id)

    def _send_to_join_again(self, room: LocalRoom, head: Head, reason: str) -> None:
        self._meter.add(RESETS, 1, reason)
        receivers = self._take_sessions(room)
        spread = min(10.0, len(receivers) / 500)
        for receiver in receivers:
            after = round(jittered(spread, 0.0, 1.0), 3)
            self.evict(receiver, room, Reset(room.id, head.epoch, head.seq, reason, after))

    def _take_sessions(self, room: LocalRoom) -> list[Receiver]:
        # A session that is still entering is told by the answer to its join: it may not be allowed to know of this room.
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

    def deleted(self, id: str) -> None:
        """The room was deleted."""
        room = self._rooms.get(id)
        if room is not None:
            self.end(room, deleted=True)

    def end(self, room: LocalRoom, *, deleted: bool) -> None:
        """The room was deleted, or the store lost it."""
        room.sequence.up = False
        self.repair.forget(room)
        if not deleted:
            # No store will ever have this epoch: no client recovers by it into a room that is made again.
            self._send_to_join_again(room, Head(new_epoch(), 0), "the store lost the room")
        for receiver in self._take_sessions(room):
            self.evict(receiver, room, RoomRemoved(room.id, "deleted"))
        if room.watcher is not None and room.sequence.seq:
            room.watcher.on_gap(room.id)
        elif room.watcher is not None:
            room.watcher.on_deleted(room.id)

    def rooms(self) -> Iterable[LocalRoom]:
        """All rooms that this worker is subscribed to."""
        return self._rooms.values()
