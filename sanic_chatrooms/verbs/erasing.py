"""Erases a user: what they said, did and were called, in every room; and what others did to them.

It goes through all rooms, since only their events know who is named in them: a list of a user's rooms would cost something with each
message, and could miss one. Everything that it finds is marked first, so another call goes on where one was interrupted.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from ..access.standing import BAN, BLOCKED, INVITE, MUTE
from ..access.visibility import LAST
from ..errors import RoomNotFound, Unavailable
from ..live.presence import ANYWHERE
from ..models import (
    DIRECT,
    EVERYONE,
    LOOK,
    Envelope,
    Event,
    Fact,
    Known,
    Page,
    Room,
    direct_room,
    user_room,
)  # fmt: skip
from ..stores import streams as kept
from ..stores.base import Store
from ..stores.changes import SPOKE, Stale
from ..stores.erasing import Erased
from ..stores.members import MEMBER
from ..stores.properties import room_fact
from ..stores.unread import PREFS, READ
from ..wire.encode import encode
from . import operators
from .across import all_rooms
from .attachments import FILES
from .blocks import is_block
from .closing import INTERRUPTED, TRIES, finish
from .core import Core
from .drafts import draft
from .members import BOT
from .properties import updated
from .reports import REPORT, concerns
from .rooms import delete
from .stream_limits import WRITES
from .traces import NAMING, changed, is_about, is_user, target_of, user_in, without_name, without_needs

__all__ = ["erase_user"]

PAGE = 200
"""Events or facts that are read at a time."""
LOOKS, LOOK_AGAIN = 200, 0.05
"""How often it looks, at most, whether the user is connected to a worker, and the seconds between two looks."""
ABOUT_USERS = (MEMBER, BAN, MUTE, INVITE, BLOCKED, READ, PREFS, kept.STREAMS, SPOKE, BOT)
"""Kinds of facts whose keys are ids of users."""
ERASING = "erasing"
"""The kind of the fact that a room has to get a new epoch, since a user is being erased; its key is a hash of their id."""
TICKET = "ticket"
NOTHING_SAID = b'{"text":""}'
_ticket = msgspec.json.Decoder(tuple[Any, Any])


async def erase_user(core: Core, user: str) -> None:
    """Erase a user who was disconnected. Raises `Unavailable`; then call it again."""
    await _until_gone(core, user)
    found = dict[str, int]()
    async for room in all_rooms(core.store, visibility=None):
        with contextlib.suppress(RoomNotFound):
            head = await _Erasing(core, room, user).everything()
            if head is not None:
                found[room.id] = head
    for id, head in found.items():  # what was under way when the user was disconnected
        with contextlib.suppress(RoomNotFound):
            known = await core.store.room(id)
            if known is not None:
                await _Erasing(core, known, user).everything(above=head)
    await delete(core, user_room(user))
    await _in_the_room_of_all(core, user)
    await core.store.forget_user(user, ABOUT_USERS)
    await core.store.forget_user(_digest(user), (ERASING,))


class _Erasing:
    """Erases a user in one room."""

    def __init__(self, core: Core, room: Room, user: str) -> None:
        self._core = core
        self._store = core.store
        self._room = room
        self._id = room.id
        self._user = user
        self._mark = Fact(ERASING, _digest(user), b"true")
        self._marked = self._trimmed = False

    async def everything(self, above: int = 0) -> int | None:
        """Erase everything above this number, and what has no number. -> the room's number then; None: nothing was found."""
        self._marked = await self._store.fact(self._id, ERASING, self._mark.key) is not None
        await self._end_streams()
        await self._leave_needs()
        if self._room.visibility == DIRECT:
            await self._forget_in_inbox_of_partner()
        head = await self._events(above)
        has_files = await self._facts()
        if self._room.created_by == self._user:
            await self._begin()
        if self._marked or self._trimmed:
            await self._store.erase(self._id, self._user, ())
        if not self._marked:
            return None
        if has_files:
            await self._core.unattached.look_now(self._id)
        await self._renew()
        return head

    async def _begin(self) -> None:
        if not self._marked:
            await self._store.set_fact(self._id, self._mark)
            self._marked = True

    async def _renew(self) -> None:
        """Let everybody join anew."""
        head = (await self._store.heads((self._id,))).get(self._id)
        if head is None:
            return
        await self._store.renew_epoch(self._id, head.epoch)
        await self._store.set_fact(self._id, Fact(ERASING, self._mark.key, None))
        self._core.inbox.push(Envelope(self._id, "", 0, LOOK, b"{}"))

    # ---- what is being written ----

    async def _end_streams(self) -> None:
        for _ in range(TRIES):
            mine = [
                one
                async for one in kept.streams_in(self._store, self._id)
                if one.writer is not None and one.writer.id == self._user
            ]
            if not mine:
                return
            await self._begin()
            for one in mine:
                await finish(self._core, one, NOTHING_SAID, INTERRUPTED)
        raise Unavailable("the user is still writing here; keep them out, and call it again")

    # ---- what may be done here ----

    async def _leave_needs(self) -> None:
        """Take the user out of the room's permissions, as an update by the app: whoever may read the past stays as it was."""
        for _ in range(TRIES):
            room = await self._store.room(self._id)
            if room is None:
                raise RoomNotFound
            needs = without_needs(room.permissions, self._user)
            if not needs:
                return
            await self._begin()
            now = replace(room, permissions={**room.permissions, **needs})
            item = draft(
                room.id,
                "room.updated",
                encode(updated(now, None, room)),
                None,
                facts=(room_fact(now, room),),
                judged=room.seq,
                restricts=True,
                judged_in=room.epoch,
            )
            with contextlib.suppress(Stale):
                await self._core.journal.append(item)
        raise Unavailable

    # ---- events ----

    async def _events(self, above: int) -> int:
        """Erase in the events above this number, the newest first; -> up to which number it has looked."""
        before, head = LAST, None
        while True:
            page = await self._page(before)
            if head is None:
                head = page.seq
                if page.floor:  # what is below may still be there
                    self._trimmed = True
                    await self._store.trim(self._id, page.floor)
            if not page.more or before <= above + 1 or not page.events:
                return head
            before = page.events[0].seq or 0

    async def _page(self, before: int) -> Page:
        """Read a page and erase in it, until it has nothing of the user."""
        for _ in range(TRIES):
            page = await self._store.history(self._id, before=before, limit=PAGE, reader=self._user)
            gone = await self._gone(page)
            await asyncio.sleep(0)  # others have their turn, also where the store waits for nothing
            if not gone:
                return page
            await self._begin()
            await self._store.erase(self._id, self._user, gone)
        raise Unavailable("what the user said changes all the time; keep them out, and call it again")

    async def _gone(self, page: Page) -> list[Erased]:
        deleted = await self._deletions_of_theirs(page.events)
        gone = []
        for event in page.events:
            if event.sender is not None and event.sender.id == self._user:
                await self._forget_added(event)
                gone.append(Erased(event.seq or 0))
            elif event.seq in deleted or is_about(event, self._user):
                gone.append(Erased(event.seq or 0))
            elif (left := changed(event, page.related, self._user)) is not None:
                gone.append(Erased(event.seq or 0, bytes(event.payload), left))
        return gone

    async def _deletions_of_theirs(self, events: Sequence[Event]) -> set[int]:
        """The numbers of the events by which messages of the user were deleted: these may say why."""
        about = {
            event.seq or 0: target_of(event)
            for event in events
            if event.type == "message.deleted" and not event.deleted
        }
        if not about:
            return set()
        there = await self._store.events(self._id, set(about.values()))
        return {
            number
            for number, seq in about.items()
            if seq in there and (by := there[seq].sender) is not None and by.id == self._user
        }

    async def _forget_added(self, event: Event) -> None:
        """A user whom they added has that in their inbox."""
        if event.type == "member.joined" and not event.deleted:
            about = user_in(event)
            if about is not None and about != self._user:
                await _in_inbox(self._core, about, self._user)

    async def _forget_in_inbox_of_partner(self) -> None:
        for known in (await self._store.facts(self._id, MEMBER, limit=2)).facts:
            if known.key != self._user and direct_room(known.key, self._user) == self._id:
                await _in_inbox(self._core, known.key, self._user)

    # ---- facts ----

    async def _facts(self) -> bool:
        """Erase in the facts; whether messages in the room have, or had, attachments."""
        has_files = False
        async for known in _all_facts(self._store, self._id):
            has_files = has_files or known.kind == FILES
            if self._forgets(known):
                await self._begin()
                await self._store.set_fact(self._id, Fact(known.kind, known.key, None))
            elif known.kind in NAMING:
                await self._forget_name(known)
        return has_files

    def _forgets(self, known: Known) -> bool:
        if known.kind in ABOUT_USERS and known.key == self._user:
            return True
        if known.kind == BLOCKED:  # by the user, in their direct room
            return direct_room(known.key, self._user) == self._id
        return known.kind == REPORT and concerns(known, self._user)

    async def _forget_name(self, known: Known) -> None:
        """Take the user out of a fact about somebody else."""
        there: Known | None = known
        for _ in range(TRIES):
            if there is None or (left := without_name(there, self._user)) is None:
                return
            await self._begin()
            if await self._store.set_fact(self._id, left):
                return
            there = await self._store.fact(self._id, known.kind, known.key)
        raise Unavailable


# ---- other places ----


async def _until_gone(core: Core, user: str) -> None:
    """Wait until other workers have closed the user's connections. Those of a worker that was killed are not waited for."""
    with contextlib.suppress(Unavailable):
        for _ in range(LOOKS):
            if not await core.presence.online([user], room=ANYWHERE):
                return
            await asyncio.sleep(LOOK_AGAIN)


async def _in_inbox(core: Core, other: str, user: str) -> None:
    """Erase the user in what was sent to the connections of another one."""
    room = user_room(other)
    with contextlib.suppress(RoomNotFound):
        page = await core.store.history(room, before=LAST, limit=PAGE)
        gone = [
            Erased(event.seq or 0, bytes(event.payload), left)
            for event in page.events
            if (left := changed(event, {}, user)) is not None
        ]
        if gone:
            await core.store.erase(room, user, gone)


async def _in_the_room_of_all(core: Core, user: str) -> None:
    """Blocks, tickets, what they were writing, and decisions of operators. A ban from the server and what was revoked stay: they keep the user out."""
    try:
        async for known in _all_facts(core.store, EVERYONE):
            if (
                (known.kind == WRITES and known.key == user)
                or is_block(known, user)
                or operators.concerns(known, user)
                or (known.kind == TICKET and _is_ticket_of(known, user))
            ):
                await core.store.set_fact(EVERYONE, Fact(known.kind, known.key, None))
    except RoomNotFound:
        raise Unavailable from None


def _is_ticket_of(known: Known, user: str) -> bool:
    _, holder = _ticket.decode(known.value)
    return is_user(holder, user)


async def _all_facts(store: Store, room: str) -> AsyncIterator[Known]:
    cursor = None
    while True:
        page = await store.all_facts(room, cursor=cursor, limit=PAGE)
        await asyncio.sleep(0)
        for known in page.facts:
            yield known
        if (cursor := page.cursor) is None:
            return


def _digest(user: str) -> str:
    return sha256(user.encode()).hexdigest()[:24]
