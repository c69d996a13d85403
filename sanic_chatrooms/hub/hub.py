"""This process's room -> sessions, each room in order and without a hole.

The hub keeps one position (epoch, seq) per room it holds. Envelopes come in through `deliver`, from the journal at once
and from the broker in any order, twice, or never; what goes out to a session is seq by seq. A number that is missing is
waited for briefly and then read from the store. What cannot be proven to be whole is said: `reset`.

`deliver` takes every message, and hands it to `fanout`.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from weakref import WeakValueDictionary

from ..brokers.base import Broker
from ..errors import RoomNotFound, Unavailable
from ..models import EVERYONE, LOOK, Envelope, Event, Head, Page
from ..stores.base import Store
from ..support.backoff import Backoff, jittered
from ..support.ids import new_epoch
from ..support.tasks import end
from ..websocket.frames import frame
from ..wire.encode import encode_event, live
from .fanout import Fanout
from .room import HeldRoom, Receiver, Watcher

__all__ = ["Hub"]

logger = logging.getLogger("sanic_chatrooms.hub.hub")

GAP_WAIT = 0.05
"""Seconds to wait for a number that is missing before reading it from the store: most come by themselves."""
EARLY_LIMIT = 10_000
"""Envelopes kept beyond a hole, per room; the store has them all, so the rest may be dropped."""
REPAIR_PAGE = 200
RETRY_FIRST, RETRY_LONGEST = 0.1, 2.0
"""Seconds between attempts to read a store that cannot be reached."""


class Hub:
    """See the module's docstring. All methods belong to one event loop; those without `async` never wait."""

    def __init__(
        self, store: Store, broker: Broker, *, released: Callable[[str], None] | None = None
    ) -> None:
        self._store = store
        self._broker = broker
        self._released = released or (lambda room: None)
        self._rooms: dict[str, HeldRoom] = {}
        self._entering: dict[Receiver, set[HeldRoom]] = {}
        self._left: set[HeldRoom] = set()
        # Alive only while somebody holds or waits for one: most rooms, one per user among them, are never contended.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._heard: dict[str, Callable[[Envelope], None]] = {LOOK: self._told_to_look}
        self._loop: asyncio.AbstractEventLoop | None = None
        self.fanout = Fanout()
        # Bound once: every message goes through them.
        self.emit, self.reply, self.flush = self.fanout.emit, self.fanout.reply, self.fanout.flush
        self.repairs = 0
        self.resets = 0

    def start(self) -> None:
        """Bind to the running loop."""
        self._loop = asyncio.get_running_loop()
        self.fanout.start()

    async def stop(self) -> None:
        """Send what is pending, end repairs."""
        self.flush()
        for room in self._rooms.values():
            if room.timer is not None:
                room.timer.cancel()
        await end(*(r.repairing for r in self._rooms.values() if r.repairing is not None))
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
        seq = envelope.seq
        if seq == 0:
            self._deliver_live(room, envelope)
        elif not envelope.data:
            self._read_up_to(room, envelope)
        elif not room.up:
            if len(room.early) < EARLY_LIMIT:
                room.early[seq] = envelope
        elif envelope.epoch != room.epoch:
            self._repair(room)  # which epoch holds? the store knows
        elif seq == room.seq + 1:
            room.seq = seq
            self._emit(room, envelope)
            if room.early:
                self._catch_up(room)
        elif seq > room.seq:
            if len(room.early) < EARLY_LIMIT:
                room.early[seq] = envelope
            self._expect(room, seq)

    def _read_up_to(self, room: HeldRoom, envelope: Envelope) -> None:
        """Its event is stored, and was too large for the broker: only the store has it."""
        if room.up and envelope.epoch == room.epoch and envelope.seq <= room.seq:
            return
        room.known = max(room.known, envelope.seq)
        if room.up:
            self._repair(room)

    def _deliver_live(self, room: HeldRoom, envelope: Envelope) -> None:
        heard = self._heard.get(envelope.type)
        if heard is not None:
            heard(envelope)
        else:
            self._emit(room, envelope)

    def _emit(self, room: HeldRoom, envelope: Envelope) -> None:
        if room.watcher is not None:
            room.watcher.heard(envelope)
            return
        self.emit(room, frame(envelope.data))

    def _catch_up(self, room: HeldRoom) -> None:
        early = room.early
        while (envelope := early.pop(room.seq + 1, None)) is not None:
            if envelope.epoch != room.epoch:
                self._repair(room)
                return
            room.seq += 1
            self._emit(room, envelope)
        for seq in [s for s in early if s <= room.seq]:
            del early[seq]
        if early:
            self._expect(room, max(early))

    # ---- entering and leaving ----

    async def enter(self, receiver: Receiver, id: str) -> HeldRoom:
        """Hold the room and take this session's position: `room.seq` on return.

        What comes from now on waits for this session until `admit`; it has to read what was before by itself.
        Everything that was acknowledged before this call is below the position. Raises `RoomNotFound`, `Unavailable`.
        """
        room = self._rooms.get(id)
        if room is None:
            room = self._rooms[id] = HeldRoom(id)
        self._wait(room, receiver)
        try:
            await self._bring_up(room)
        except BaseException:
            self._wait_no_more(room, receiver)
            raise
        if receiver not in room.waiting:
            raise Unavailable("the room changed while you joined; join again")
        # Whoever waits longer has the events since; this one begins here.
        room.sessions.pop(receiver, None)
        self._wait(room, receiver)
        return room

    def admit(self, receiver: Receiver, room: HeldRoom, *opening: bytes) -> bool:
        """Send `opening` (JSON texts: the ack, with the past up to the position), then what waited, then share the room's flush.

        False if the session was taken out meanwhile (reset, exit, closed): nothing is sent then.
        """
        waited = self._wait_no_more(room, receiver)
        if waited is None:
            return False
        if room.pending:
            # What is pending is in `waited` too: flush it to the others before this session shares the flush.
            self.flush()
        self.reply(receiver, b"".join([*map(frame, opening), *waited]))
        room.sessions[receiver] = receiver.write
        room.slack = min(room.slack, receiver.slack)
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

    def _wait(self, room: HeldRoom, receiver: Receiver) -> None:
        room.waiting[receiver] = []
        self._entering.setdefault(receiver, set()).add(room)

    def _wait_no_more(self, room: HeldRoom, receiver: Receiver) -> list[bytes] | None:
        waited = room.waiting.pop(receiver, None)
        if waited is not None:
            rooms = self._entering[receiver]
            rooms.discard(room)
            if not rooms:
                del self._entering[receiver]
            self._release_later(room)
        return waited

    def _take_out(self, room: HeldRoom, receiver: Receiver) -> None:
        room.sessions.pop(receiver, None)
        self._wait_no_more(room, receiver)
        self._release_later(room)

    def _release_later(self, room: HeldRoom) -> None:
        if room.unused:
            self._left.add(room)

    async def watch(self, id: str, watcher: Watcher) -> Head:
        """Hold a reserved room and hear it in this process, from the head that is returned on.

        Several may ask for the same at once, so one that fails takes nothing back: `unwatch` when nobody is left.
        Raises `RoomNotFound`, `Unavailable`.
        """
        room = self._rooms.get(id)
        if room is None:
            room = self._rooms[id] = HeldRoom(id)
        room.watcher = watcher
        await self._bring_up(room)
        return Head(room.epoch, room.seq)

    def unwatch(self, id: str) -> None:
        """Stop hearing a reserved room."""
        room = self._rooms.get(id)
        if room is not None:
            self._unwatch(room)

    def _unwatch(self, room: HeldRoom) -> None:
        room.watcher = None
        self._release_later(room)

    async def reach(self, id: str, seq: int) -> None:
        """Where this process holds the room: return when it has heard number `seq`. Raises `Unavailable`."""
        room = self._rooms.get(id)
        if room is not None and room.up and room.seq < seq:
            await self._read_hole(room)

    def room(self, id: str) -> HeldRoom | None:
        """The room as this process holds it."""
        return self._rooms.get(id)

    def _lock(self, room: HeldRoom) -> asyncio.Lock:
        lock = self._locks.get(room.id)
        if lock is None:
            lock = self._locks[room.id] = asyncio.Lock()
        return lock

    async def _bring_up(self, room: HeldRoom) -> None:
        # Where somebody else brought it up meanwhile, the head may be one that was read before our call: look again.
        if room.up or not await self._first_to_bring_up(room):
            await self._catch_up_with_the_store(room)

    async def _first_to_bring_up(self, room: HeldRoom) -> bool:
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

    async def _catch_up_with_the_store(self, room: HeldRoom) -> None:
        # Without the lock: a thousand who come back into one room read its head side by side.
        epoch = room.epoch
        head = await self._head(room.id)
        if not room.up or room.epoch != epoch or head.epoch != epoch:
            if room.up and room.epoch == epoch:
                self.reset(room, head, "another past")
            raise Unavailable("the room has just been renewed; join again")
        if head.seq > room.seq:
            room.known = max(room.known, head.seq)
            await self._read_hole(room)

    async def _head(self, id: str) -> Head:
        head = (await self._store.heads((id,))).get(id)
        if head is None:
            raise RoomNotFound
        return head

    def _stand_at(self, room: HeldRoom, head: Head) -> None:
        room.epoch, room.seq, room.up = head.epoch, head.seq, True
        everyone = self._rooms.get(EVERYONE)
        room.life = everyone.epoch if everyone is not None and everyone.up else None
        told, room.known = room.known, head.seq
        if told > head.seq:  # while the head was read; or in another past, which costs one look
            self._expect(room, told)
        room.early = {s: e for s, e in room.early.items() if s > head.seq and e.epoch == head.epoch}
        if room.early:
            self._catch_up(room)

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

    async def _release(self, room: HeldRoom) -> None:
        if room.unused and self._rooms.get(room.id) is room:
            # Before the await: if it fails or is given up, the broker may have unsubscribed all the same, and
            # whoever enters next has to subscribe again.
            room.up = False
            await self._broker.unsubscribe(room.id)
            # One that was not there when somebody asked for it may just be made elsewhere.
            if self._drop_if_unused(room) and room.epoch:
                self._released(room.id)
        self._left.discard(room)

    def _drop_if_unused(self, room: HeldRoom) -> bool:
        if not room.unused:
            return False  # somebody came meanwhile: they wait for the lock, and bring it up again
        self._forget_repair(room)
        self._rooms.pop(room.id, None)
        return True

    # ---- holes ----

    def _expect(self, room: HeldRoom, seq: int) -> None:
        """Number `seq` exists. If it is not here in a moment, read what is missing."""
        room.known = max(room.known, seq)
        if room.timer is None and room.repairing is None and self._loop is not None:
            room.timer = self._loop.call_later(GAP_WAIT, self._look, room)

    def _look(self, room: HeldRoom) -> None:
        room.timer = None
        if room.seq < room.known and room.up and self._rooms.get(room.id) is room:
            self._repair(room)

    def _told_to_look(self, envelope: Envelope) -> None:
        room = self._rooms.get(envelope.room)
        if room is None or not room.up:
            return
        if room.repairing is not None:
            room.known = max(room.known, room.seq + 1)  # what it reads may be older: it looks once more
        self._repair(room)

    @staticmethod
    def _forget_repair(room: HeldRoom) -> None:
        room.early.clear()
        if room.timer is not None:
            room.timer.cancel()
            room.timer = None
        if room.repairing is not None and room.repairing is not asyncio.current_task():
            room.repairing.cancel()

    def _repair(self, room: HeldRoom) -> None:
        if room.repairing is None:
            room.repairing = asyncio.ensure_future(self._repair_until_done(room))

    async def _repair_until_done(self, room: HeldRoom) -> None:
        # A store that cannot be reached is no hole: the room stands still until it can.
        backoff = Backoff(RETRY_FIRST, RETRY_LONGEST)
        try:
            while self._rooms.get(room.id) is room:
                try:
                    await self._read_hole_or_find_it_gone(room)
                    return
                except Unavailable:
                    await asyncio.sleep(backoff.failed())
        except Exception:
            logger.exception("room %s cannot be repaired; its sessions are told to join again", room.id)
            self.reset(room, Head(room.epoch, room.seq), "repair failed")
        finally:
            room.repairing = None
            if room.seq < room.known and self._rooms.get(room.id) is room and room.up:
                self._expect(room, room.known)

    async def _read_hole_or_find_it_gone(self, room: HeldRoom) -> None:
        try:
            await self._read_hole(room)
        except RoomNotFound:
            await self._check_gone(room)

    async def _read_hole(self, room: HeldRoom) -> None:
        while True:
            epoch, start, known = room.epoch, room.seq, room.known
            page = await self._store.history(room.id, after=start, limit=REPAIR_PAGE)
            if room.epoch != epoch or not room.up:
                return  # reset or deleted while the store was asked: this page tells of another past
            if page.epoch != epoch:
                self.reset(room, Head(page.epoch, page.seq), "another past")
                return
            if page.floor > room.seq:
                self.reset(room, Head(page.epoch, page.seq), "history is gone")
                return
            self.repairs += 1
            self._emit_page(room, page)
            if not page.more or room.seq == start:
                break
        if room.seq < page.seq:
            self.reset(room, Head(page.epoch, page.seq), "history has a hole")
            return
        # What was announced before the page was read and is not in it is not stored: the bell was wrong, or the store
        # was restored, which the position check finds out. What was announced meanwhile may be newer than the page.
        room.early = {s: e for s, e in room.early.items() if s <= page.seq or s > known}
        if room.known == known:
            room.known = room.seq
        if room.early:
            self._catch_up(room)

    def _emit_page(self, room: HeldRoom, page: Page) -> None:
        for event in page.events:
            if event.seq == room.seq + 1:
                room.seq += 1
                self._emit(room, _envelope(room, event))

    # ---- positions ----

    async def check(self) -> None:
        """Compare the position of every held room with the store; repair, reset, or renew. Raises `Unavailable`."""
        before = {r.id: Head(r.epoch, r.seq) for r in self._rooms.values() if r.up}
        if not before:
            return
        heads, problem = await self._store.heads(before.keys()), None
        for id, mine in before.items():
            room = self._rooms.get(id)
            try:
                if room is not None and room.up and room.epoch == mine.epoch:
                    await self._compare(room, mine, heads.get(id))
            except Exception as exc:  # noqa: BLE001 - raised when all had their turn
                problem = exc
        if problem is not None:
            raise problem

    async def _compare(self, room: HeldRoom, mine: Head, head: Head | None) -> None:
        if head is None:
            await self._check_gone(room)
        elif head.epoch != room.epoch:
            self.reset(room, head, "another past")
        elif head.seq > room.seq:
            self._expect(room, head.seq)
        elif head.seq < mine.seq:
            await self._check_restored(room, mine)

    async def _check_gone(self, room: HeldRoom) -> None:
        """The store does not know it. Either it was deleted, or the store lost it: with the room of all, which nobody deletes."""
        heads = await self._store.heads((room.id, EVERYONE))
        if room.id not in heads:
            life = heads[EVERYONE].epoch if EVERYONE in heads else None
            self._gone(room, deleted=life == room.life)

    async def _check_restored(self, room: HeldRoom, mine: Head) -> None:
        """The store knows less than it did: it was restored. Nobody may recover into a different past."""
        head = (await self._store.heads((room.id,))).get(room.id)
        if head is None or head.epoch != mine.epoch or head.seq >= mine.seq:
            return
        logger.warning(
            "room %s: the store stands at %d, was at %d; it gets a new epoch", room.id, head.seq, mine.seq
        )
        try:
            self.reset(room, await self._store.renew_epoch(room.id, mine.epoch), "the store was restored")
        except RoomNotFound:
            await self._check_gone(room)

    def reset(self, room: HeldRoom, head: Head, reason: str) -> None:
        """Tell every session in the room that there may be a gap, take them out, and stand at `head`."""
        self._send_to_join_again(room, head, reason)
        room.early.clear()
        nothing_was_said = room.seq == head.seq == 0
        room.epoch, room.seq, room.known = head.epoch, head.seq, head.seq
        if room.watcher is not None and not nothing_was_said:
            room.watcher.lost(room.id)

    def _send_to_join_again(self, room: HeldRoom, head: Head, reason: str) -> None:
        self.resets += 1
        receivers = self._take_sessions(room)
        spread = min(10.0, len(receivers) / 500)
        for receiver in receivers:
            after = round(jittered(spread, 0.0, 1.0), 3)
            payload = {
                "room": room.id,
                "epoch": head.epoch,
                "seq": head.seq,
                "reason": reason,
                "rejoinIn": after,
            }
            self.evict(receiver, room, live("reset", payload, room=room.id))

    def _take_sessions(self, room: HeldRoom) -> list[Receiver]:
        # Whoever is still entering hears of it by the answer to their join: it is not known yet whether they may know
        # of this room at all.
        for receiver in list(room.waiting):
            self._wait_no_more(room, receiver)
        return list(room.sessions)

    def evict(self, receiver: Receiver, room: HeldRoom, last_words: bytes) -> None:
        """Take one session out of the room; `last_words` (JSON text) is the last it hears of it."""
        if room.pending:
            self.flush()
        self._take_out(room, receiver)
        self.reply(receiver, frame(last_words))
        receiver.evicted(room.id)

    def gone(self, id: str) -> None:
        """The room was deleted."""
        room = self._rooms.get(id)
        if room is not None:
            self._gone(room, deleted=True)

    def _gone(self, room: HeldRoom, *, deleted: bool) -> None:
        room.up = False
        self._forget_repair(room)
        if not deleted:
            # No store will ever know this epoch: nobody recovers by it into a room that is made anew.
            self._send_to_join_again(room, Head(new_epoch(), 0), "the store lost the room")
        for receiver in self._take_sessions(room):
            payload = {"room": room.id, "reason": "deleted"}
            self.evict(receiver, room, live("room.removed", payload, room=room.id))
        if room.watcher is not None and room.seq:
            room.watcher.lost(room.id)
        elif room.watcher is not None:
            room.watcher.vanished(room.id)

    def rooms(self) -> Iterable[HeldRoom]:
        """All rooms that this process holds."""
        return self._rooms.values()


def _envelope(room: HeldRoom, event: Event) -> Envelope:
    return Envelope(room.id, room.epoch, event.seq or 0, event.type, encode_event(event))
