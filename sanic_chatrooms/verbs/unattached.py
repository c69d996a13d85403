"""Tells the app which attachments their messages have no longer: deleted, edited, trimmed, or gone with their room.

`message.unattached` is called at least once for each. What is stored with a message says what it had attached, and is forgotten when the
listeners have returned. A process that dies before is made up for by a sweep, which one process of all does every ten minutes.
"""

import asyncio
import logging
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import msgspec

from ..errors import RoomNotFound
from ..hooks.listeners import Listeners
from ..models import EVERYONE, Event, Fact, Known, Room
from ..stores.base import Store
from ..support.clock import now
from ..support.ids import new_id
from ..support.paging import PAGE_LIMIT
from ..support.tasks import is_ending
from ..wire.encode import encode
from .across import all_rooms
from .attachments import FILED, FILES, Attachment, Filed, filed, files_in

__all__ = ["UNATTACHED", "Unattached"]

logger = logging.getLogger("sanic_chatrooms.verbs.unattached")

UNATTACHED = "message.unattached"
"""The type of the happening."""
SWEEP_EVERY = 600.0
"""Seconds between two sweeps; another process may make the next one after half of them."""
WITHIN = 60.0
"""Seconds that the listeners may take."""
LOOKED_AT = 1_000
"""Messages that wait to be looked at. Above it, the sweep finds them."""
FEW, ROOMS = 200, 10_000
"""Messages with attachments after which a room is looked at between two sweeps, at least: by then so many may have been trimmed; and rooms
for which they are counted."""
TOGETHER = 20
"""Messages of a deleted room in one note."""
AT_ONCE = 8
"""Notes that are stored at the same time."""
DOUBTED = 600.0
"""Seconds after which a room that is still there was not deleted after all."""


class _Told(msgspec.Struct, rename="camel"):
    """The payload of `message.unattached`."""

    msg_id: str
    attachments: list[Attachment]


class _Note(msgspec.Struct):
    """What some messages of a room had attached when it was about to be deleted."""

    room: str
    made_at: float
    at: float
    messages: dict[str, list[Attachment]]


_note = msgspec.json.Decoder(_Note)


class Unattached:
    """One per instance and worker. `serves`: this process serves the app, so its listeners are those of the app."""

    def __init__(
        self,
        store: Store,
        listeners: Listeners,
        *,
        serves: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._listeners = listeners
        self._serves = serves or listeners.hears(UNATTACHED)
        self._clock = clock
        self._soon: set[tuple[str, str]] = set()
        self._counted: dict[str, int] = {}
        """By room: messages with attachments that may still come before it is looked at."""
        self._fence = 0
        self._due = clock() + random.uniform(0, SWEEP_EVERY)  # noqa: S311 - workers take turns

    def look(self, room: str, msg_id: str = "") -> None:
        """Look at this message soon: it may have less attached. Without it: at all of the room. `EVERYONE`: a room was deleted."""
        if self._serves and len(self._soon) < LOOKED_AT:
            self._soon.add((room, msg_id))

    async def look_now(self, room: str) -> None:
        """Look at all messages of the room, and return when the app has heard of what they have no longer. In a process that does not
        serve the app, the next sweep does it. Raises `RoomNotFound`, `Unavailable`."""
        if self._serves:
            await self._sweep_room(room)

    def stored(self, room: str) -> None:
        """A message with attachments is about to be stored in the room."""
        left = self._counted.get(room, FEW) - 1
        if not left:
            self.look(room)
        if len(self._counted) >= ROOMS:
            self._counted.clear()
        self._counted[room] = left or FEW

    async def note(self, room_id: str) -> bool:
        """Note what the messages of a room have attached, before it is deleted; whether there was anything. Raises `Unavailable`."""
        with suppress(RoomNotFound):
            room = await self._store.room(room_id)
            if room is None or await self._store.fact(room_id, FILED, "") is None:
                return False
            async for notes in self._notes(room):
                await asyncio.gather(*(self._store.set_fact(EVERYONE, note) for note in notes))
            return True
        return False

    async def _notes(self, room: Room) -> AsyncIterator[list[Fact]]:
        """What is noted of a room, some facts at a time."""
        cursor, notes = None, list[Fact]()
        while True:
            page = await self._store.facts(room.id, FILES, cursor=cursor, limit=TOGETHER)
            messages = {known.key: filed.decode(known.value).files for known in page.facts}
            note = encode(_Note(room.id, room.created_at, now(), messages))
            notes.append(Fact(FILES, f"{new_id()}.{len(notes)}", note))
            cursor = page.cursor
            if cursor is None or len(notes) == AT_ONCE:
                yield notes
                notes = []
            if cursor is None:
                return

    # ---- rounds ----

    async def go_on(self) -> None:
        """Call this every second. Raises `Unavailable`."""
        if not self._serves:
            return
        while self._soon:
            room, msg_id = next(iter(self._soon))
            await self._look_at(room, msg_id)
            self._soon.discard((room, msg_id))
        if self._clock() >= self._due:
            self._due = self._clock() + random.uniform(SWEEP_EVERY / 2, SWEEP_EVERY)  # noqa: S311
            self._fence = await self._store.lease("unattached", SWEEP_EVERY / 2, self._fence)
            if self._fence:
                await self.sweep()

    async def _look_at(self, room: str, msg_id: str) -> None:
        if room == EVERYONE:
            await self._deleted_rooms()
            return
        with suppress(RoomNotFound):
            if not msg_id:
                await self._sweep_room(room)
                return
            known = await self._store.fact(room, FILES, msg_id)
            if known is not None:
                await self._compare(known)

    async def sweep(self) -> None:
        """Look at all messages that have, or had, something attached. Raises `Unavailable`."""
        async for room in all_rooms(self._store, fact=(FILED, "")):
            with suppress(RoomNotFound):
                await self._sweep_room(room.id)
        await self._deleted_rooms()

    async def _sweep_room(self, room: str) -> None:
        cursor = None
        while True:
            page = await self._store.facts(room, FILES, cursor=cursor, limit=PAGE_LIMIT)
            events = await self._store.events(room, {known.seq for known in page.facts if known.seq})
            for known in page.facts:
                if not _has_all(events.get(known.seq), known):
                    await self._compare(known)
            if (cursor := page.cursor) is None:
                # Looking at many costs as much as they are, so it waits for as many more.
                self._counted[room] = max(FEW, page.total)
                return

    async def _compare(self, known: Known) -> None:
        """Tell what the message with this fact has attached no longer."""
        message, files = await self._store.message(known.room, known.key), filed.decode(known.value).files
        there = _urls(message)
        gone = [file for file in files if file.url not in there]
        if not gone or not await self._tell(known.room, known.key, gone):
            return
        left = [file for file in files if file.url in there]
        value = encode(Filed(left)) if left else None
        # Where an edit has changed it meanwhile, the next sweep compares again.
        await self._store.set_fact(known.room, Fact(FILES, known.key, value, was=known.value))

    async def _deleted_rooms(self) -> None:
        cursor = None
        while True:
            page = await self._store.facts(EVERYONE, FILES, cursor=cursor, limit=TOGETHER)
            for known in page.facts:
                if await self._is_done(_note.decode(known.value)):
                    await self._store.set_fact(EVERYONE, Fact(FILES, known.key, None))
            if (cursor := page.cursor) is None:
                return

    async def _is_done(self, note: _Note) -> bool:
        room = await self._store.room(note.room)
        if room is not None and room.created_at == note.made_at:
            return now() - note.at > DOUBTED  # the deletion did not come, or is under way
        told = [await self._tell(note.room, msg_id, files) for msg_id, files in note.messages.items()]
        return all(told)

    async def _tell(self, room: str, msg_id: str, files: list[Attachment]) -> bool:
        """Whether all listeners have heard of it."""
        payload = msgspec.Raw(encode(_Told(msg_id, files)))
        try:
            async with asyncio.timeout(WITHIN):
                await self._listeners.ask(
                    UNATTACHED, room=room, event=Event(new_id(), now(), UNATTACHED, payload, room)
                )
        except (Exception, asyncio.CancelledError) as exc:
            if is_ending():
                raise
            logger.error("a listener of %s failed; it is called again later", UNATTACHED, exc_info=exc)
            return False
        return True


def _has_all(event: Event | None, known: Known) -> bool:
    if event is None or event.msg_id != known.key:
        return False
    there = _urls(event)
    return all(file.url in there for file in filed.decode(known.value).files)


def _urls(message: Event | None) -> set[str]:
    if message is None or message.deleted:
        return set()
    return {file.url for file in files_in(bytes(message.payload))}
