"""Messages that this worker writes, piece by piece. One worker does so for each message: the one that last took it over.

The whole text is here; the store has it as it was at the last checkpoint. The other workers hear the pieces, and ask over the
room's channel for what they lack.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from ..errors import ChatError, RoomNotFound, Unavailable
from ..hub.hub import Hub
from ..models import Envelope, Event, Sender, Streaming
from ..stores import streams as kept
from ..stores.base import Store
from ..support.locks import Locks
from ..support.tasks import end
from ..wire.encode import encode
from .observing import Observing
from .pieces import TURN, Pieces
from .questions import Questions
from .writing import Writing, check_size, is_closed, lacks, may_be_open

__all__ = ["LEASE", "MERGED", "Streams"]

logger = logging.getLogger("sanic_chatrooms.live.streams")

LEASE = 30.0
"""Seconds without a word of the writer after which the server closes the message."""
MERGED = 0.04
"""Seconds between two pieces of one message, at least; the writer's own pieces are merged. After the first piece they go out at
multiples of `TURN`, on all workers of a machine in the same moment."""
KEPT_EVERY, KEPT_BYTES = 5.0, 4096
"""A text that has grown is kept after so many seconds, or bytes."""
ALIVE_EVERY = 10.0
"""A text that has not grown is kept after so many seconds, to show that its writer is there."""
COME_BACK = 0.5
"""Seconds until it is tried again to hear a room in which something is written here."""

ASK, KNOWN, ENDED, STOP = "message.ask", "message.known", "message.ended", "message.stop"
"""Live envelopes for workers: who has the text? Here it is. The message is closed. Its writer shall stop."""


class _Note(msgspec.Struct, omit_defaults=True):
    msg_id: str
    text: str = ""
    fence: int = 0
    by: Sender | None = None
    question: str = ""


_note = msgspec.json.Decoder(_Note).decode


class Streams:
    """See the module's docstring."""

    def __init__(
        self,
        hub: Hub,
        store: Store,
        publish: Callable[[Envelope], None],
        pieces: Pieces,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hub = hub
        self._store = store
        self._publish = publish
        self._clock = clock
        self.pieces = pieces
        self.own: dict[str, Writing] = {}
        self._observing = Observing(hub, self._hear, self._evicted, self._writes_in)
        self.turns = Locks()
        """In which each user opens messages."""
        self._due: list[Writing] = []
        self._timer: asyncio.TimerHandle | None = None
        self._questions = Questions(self._ask, clock)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopped = False
        self.happened: Callable[[Envelope], None] = lambda envelope: None
        """Is given each event of the rooms in which something is written here."""
        self.lost: Callable[[Writing], None] = lambda writing: None
        """Is told of each message that was deleted while it was written here."""
        self.gone: Callable[[object, bool], None] = lambda session, for_good: None
        """Is told of each connection that has ended; and whether its user may not be here any more."""
        for type, handler in (
            (ASK, self._be_asked),
            (KNOWN, self._be_told),
            (ENDED, self._be_ended),
            (STOP, self._be_stopped),
        ):
            hub.handle(type, handler)

    # ---- writing here ----

    async def prepare(self, room: str) -> None:
        """Hear what happens in a room, before a message is written there; then call `release`. Raises `RoomNotFound`, `Unavailable`."""
        await self._observing.begin(room)

    def release(self, room: str) -> None:
        """The message for which `prepare` was called is written here now, or it is not."""
        self._observing.begun(room)

    def begin(
        self, room: str, msg_id: str, seq: int, writer: Sender | None, body: bytes, *, app: bool = False
    ) -> Writing:
        """A message has been opened here. `app`: by code of the app."""
        writing = Writing(room, msg_id, seq, writer, body, 1, self._clock())
        writing.app = app
        self._own(writing)
        return writing

    def _own(self, writing: Writing) -> None:
        self.own[writing.msg_id] = writing
        self.pieces.put(writing.room, writing.msg_id, 0, writing.text)

    async def take_over(self, room: str, msg_id: str) -> Writing | None:
        """Write this message here from now on, from its last checkpoint; None if it is not being written. Raises `Unavailable`."""
        await self.prepare(room)
        try:
            known = await kept.take_over(self._store, room, msg_id)
            if known is None:
                return None
            writing = Writing(room, msg_id, known.seq, known.writer, known.body, known.fence, self._clock())
            writing.app = known.app
            self.pieces.forget(msg_id)  # it may be ahead of what is written from now on
            self._own(writing)
        finally:
            self.release(room)
        self._say(KNOWN, room, _Note(msg_id, writing.text, writing.fence))
        return writing

    def write(self, writing: Writing, at: int, text: str, limit: int) -> int:
        """Add a piece that begins at `at`; -> code points now. What is there already is skipped.

        Raises `Conflict` with `at` if it begins further on, or the message is being closed, and `TooLarge` above `limit` bytes.
        """
        length = len(writing.text)
        if writing.closing or self.own.get(writing.msg_id) is not writing:
            raise is_closed()
        if at > length:
            raise lacks(length)
        writing.heard_at = self._clock()
        more = text[length - at :]
        if more:
            size = writing.size + len(more.encode())
            check_size(size, limit)
            writing.text += more
            writing.size = size
            self._tell_soon(writing)
        return len(writing.text)

    def close(self, writing: Writing) -> None:
        """The message is closed, or somebody else writes it."""
        if self.own.get(writing.msg_id) is writing:
            del self.own[writing.msg_id]
        writing.closing = True
        self._observing.leave_unused(writing.room)

    def _hear(self, envelope: Envelope) -> None:
        self.happened(envelope)

    def _writes_in(self, room: str) -> bool:
        return any(writing.room == room for writing in self.own.values())

    def _evicted(self, room: str) -> None:
        # The room was deleted, or has another past.
        if self._writes_in(room):
            self.in_background(self._come_back(room))

    async def _come_back(self, room: str) -> None:
        while mine := [writing for writing in self.own.values() if writing.room == room]:
            try:
                await self.prepare(room)
                self.release(room)
                for writing in mine:  # the room may be another one with the same id
                    known = await kept.stream(self._store, room, writing.msg_id)
                    if known is None or known.fence != writing.fence:
                        self.drop(writing)
                return
            except RoomNotFound:
                for writing in mine:
                    self.drop(writing)
            except Unavailable:
                await asyncio.sleep(COME_BACK)

    def closed_elsewhere(self, writing: Writing) -> None:
        """Another worker has closed the message."""
        self.close(writing)
        self.pieces.forget(writing.msg_id)
        if writing.stop is not None:
            writing.stop(None)

    def drop(self, writing: Writing) -> None:
        """The message is gone: it was deleted, or its room."""
        self.closed_elsewhere(writing)
        self.lost(writing)

    async def settle(self, writing: Writing) -> None:
        """It is not known whether the message was closed: it is written on only if it was not."""
        try:
            known = await kept.stream(self._store, writing.room, writing.msg_id)
        except Unavailable:
            writing.closing = False  # `keep` finds out
            return
        if known is None or known.fence != writing.fence:
            self.closed_elsewhere(writing)
        else:
            writing.closing = False

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this in a task, until `stop`."""
        if self._stopped:
            work.close()
            return
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- pieces go out ----

    def _tell_soon(self, writing: Writing) -> None:
        if writing.due:
            return
        if self._clock() - writing.told_at >= MERGED:
            self._tell(writing)
            return
        writing.due = True
        self._due.append(writing)
        self._wait()

    def _wait(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            now = loop.time()
            self._timer = loop.call_at((now // TURN + 1) * TURN, self._turn)

    def _turn(self) -> None:
        self._timer = None
        due, self._due = self._due, []
        now = self._clock()
        for writing in due:
            if now - writing.told_at >= MERGED:
                self._tell(writing)
            else:
                self._due.append(writing)
        if self._due:
            self._wait()

    def _tell(self, writing: Writing) -> None:
        writing.due = False
        at = writing.told
        if self.own.get(writing.msg_id) is writing and at < len(writing.text):
            writing.told, writing.told_at = len(writing.text), self._clock()
            self.pieces.tell(writing.room, writing.msg_id, at, writing.text[at:])

    def flush(self, writing: Writing) -> None:
        """Let what was written go out now."""
        self._tell(writing)

    # ---- what the store has ----

    async def keep(self) -> list[Writing]:
        """Keep the texts whose turn it is; -> those messages. Raises `Unavailable`."""
        now, due_now = self._clock(), list[Writing]()
        for writing in list(self.own.values()):
            age, grown = now - writing.kept_at, writing.size - writing.kept
            alive = writing.stop is not None or writing.heard_at > writing.kept_at
            due = grown >= KEPT_BYTES or (grown and age >= KEPT_EVERY) or (alive and age >= ALIVE_EVERY)
            if due and not writing.closing:
                await self._keep(writing)
                due_now.append(writing)
        return due_now

    async def _keep(self, writing: Writing) -> None:
        size, now = writing.size, self._clock()
        try:
            there = await self._store.checkpoint(writing.room, writing.msg_id, writing.text, writing.fence)
        except RoomNotFound:
            there = False
        if there:
            writing.kept, writing.kept_at = size, now
        elif self.own.get(writing.msg_id) is writing and not writing.closing:
            self.closed_elsewhere(writing)

    def silent(self) -> list[Writing]:
        """The messages here whose writer says nothing any more."""
        since = self._clock() - LEASE
        return [w for w in self.own.values() if w.stop is None and not w.closing and w.heard_at < since]

    # ---- what other workers know ----

    def of(self, room: str, msg_id: str) -> Writing | None:
        """The message, if it is written here."""
        writing = self.own.get(msg_id)
        return writing if writing is not None and writing.room == room else None

    async def text(self, room: str, msg_id: str) -> str | None:
        """The whole text, of whoever writes it; None if nobody answers."""
        writing = self.of(room, msg_id)
        if writing is not None:
            return writing.text
        known = self.pieces.text(room, msg_id)
        return known if known is not None else await self.asked(room, msg_id)

    async def asked(self, room: str, msg_id: str) -> str | None:
        """The text as the worker has it that writes the message; None if none answers."""
        held = self._hub.room(room)
        if held is None or not held.up or not await self._questions.ask(room, msg_id):
            return None
        return self.pieces.text(room, msg_id)

    async def show(self, room: str, events: Sequence[Event]) -> dict[int, Event]:
        """By number, the messages among these that are being written, with what there is of their texts."""
        open = [event for event in events if may_be_open(event)]
        shown = await asyncio.gather(*(self._shown(room, event) for event in open))
        return {event.seq: event for event in shown if event.seq is not None}

    async def _shown(self, room: str, event: Event) -> Event:
        text = await self.text(room, event.msg_id)
        if text is None:
            known = await kept.stream(self._store, room, event.msg_id)
            if known is None:  # it was closed or deleted since the event was read
                assert event.seq is not None
                return (await self._store.events(room, (event.seq,))).get(event.seq, event)
            text = known.text
        body = msgspec.Raw(kept.with_text(bytes(event.payload), text))
        return replace(event, payload=body, streaming=Streaming(len(text)))

    def tell_ended(self, room: str, msg_id: str) -> None:
        """Tell every worker that a message is closed or gone."""
        self._say(ENDED, room, _Note(msg_id))
        self.pieces.forget(msg_id)

    def tell_stop(self, room: str, msg_id: str, by: Sender | None) -> None:
        """Tell the code that writes a message, in whichever process, that it shall stop."""
        self._stop(room, msg_id, by)
        self._say(STOP, room, _Note(msg_id, by=by))

    def _stop(self, room: str, msg_id: str, by: Sender | None) -> None:
        writing = self.of(room, msg_id)
        if writing is not None and writing.stop is not None:
            writing.stop(by)

    def _say(self, type: str, room: str, note: _Note) -> None:
        self._publish(Envelope(room, "", 0, type, encode(note)))

    def _ask(self, room: str, msg_id: str, question: str) -> None:
        self._say(ASK, room, _Note(msg_id, question=question))

    def _be_asked(self, envelope: Envelope) -> None:
        note = _note(envelope.data)
        writing = self.of(envelope.room, note.msg_id)
        if writing is not None:
            answer = _Note(writing.msg_id, writing.text, writing.fence, question=note.question)
            self._say(KNOWN, writing.room, answer)

    def _be_told(self, envelope: Envelope) -> None:
        note = _note(envelope.data)
        writing = self.of(envelope.room, note.msg_id)
        if writing is not None:
            if note.fence > writing.fence:  # another worker has taken it over
                self.close(writing)
            return
        self.pieces.replace(envelope.room, note.msg_id, note.text, note.fence)
        self._questions.answered(note.msg_id, note.question)

    def _be_ended(self, envelope: Envelope) -> None:
        note = _note(envelope.data)
        self.pieces.forget(note.msg_id)
        writing = self.of(envelope.room, note.msg_id)
        if writing is not None and not writing.closing:
            self.closed_elsewhere(writing)

    def _be_stopped(self, envelope: Envelope) -> None:
        note = _note(envelope.data)
        self._stop(envelope.room, note.msg_id, note.by)

    # ---- the end ----

    async def stop(self) -> None:
        """Keep all texts, so that another worker goes on where this one stops."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        self.pieces.stop()
        await end(*self._tasks)
        for writing in list(self.own.values()):
            with contextlib.suppress(ChatError):
                if writing.size > writing.kept:
                    await self._keep(writing)
