"""What is said: to a room, to one user, and what was said before.

`say` is the hot path: every message of every client. It waits for nothing; the journal answers when the batch is stored.
"""

import asyncio
import hashlib
from collections.abc import Awaitable
from inspect import isawaitable

import msgspec
from msgspec.structs import replace

from ..access.access import Access, Actor, permit, refusal
from ..errors import ChatError, InvalidCursor, InvalidField, NotAMember, RoomNotFound, TooLarge, Unavailable
from ..hub.hub import Hub
from ..hub.journal import Journal
from ..live.typing import Typists
from ..models import DIRECT, Appended, Change, Draft, Member, Room, Sender, User, direct_room
from ..sessions.inbox import Enter, Orders
from ..sessions.session import Session
from ..stores.base import Store
from ..support.clock import now
from ..support.ids import new_id
from ..wire.decode import Command, decode_payload
from ..wire.encode import ack
from . import pages
from .acting import Acting
from .pages import Messages

__all__ = ["HISTORY_LIMIT", "Said", "Speech", "check_body", "draft"]

HISTORY_LIMIT = 200
"""Events in one page, at most."""
MAX_SEQ = 2**53 - 1


class Said(msgspec.Struct, omit_defaults=False):
    """The ack of `message`."""

    msg_id: str = msgspec.field(name="msgId")
    seq: int
    timestamp: float
    duplicate: bool


class SaidDirectly(Said, kw_only=True):
    """The ack of `direct`."""

    room: str


def draft(
    room: str,
    type: str,
    payload: bytes,
    sender: Sender | None,
    *,
    key: tuple[str, str] | None = None,
    hash: bytes = b"",
    change: Change | None = None,
) -> Draft:
    """A draft with an id, a time, and always a key: an append whose outcome is unknown is sent again by it."""
    msg_id = new_id()
    # Positional: one is made for every message, and keywords would cost three times as much as the struct.
    return Draft(room, type, payload, msg_id, now(), sender, key or ("", msg_id), hash, change)


# `float`: the decoder itself takes up to 50 µs for numbers that are hard to read.
_decode = msgspec.json.Decoder(float_hook=float).decode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode
_PLAIN = b'{"text":"'
WRITTEN_ANEW = 4096
"""Bytes of a payload up to which it is compared by what it says; a larger one by how it is written."""


def command_hash(command: Command) -> bytes:
    """What a repetition of the same msgId is compared by: type and payload, whichever way that was written as JSON."""
    payload = command.payload
    # Most messages are {"text":"…"} without escapes, and written in one way only: not worth decoding. Nor is a large one, of
    # which nobody knows how long it takes.
    plain = payload.startswith(_PLAIN) and payload.find(b'"', 9) == len(payload) - 2
    if len(payload) <= WRITTEN_ANEW and (not plain or b"\\" in payload):
        payload = _encode_sorted(_decode(payload))
    type = command.type.encode()
    if len(type) > hashlib.blake2b.PERSON_SIZE:
        payload, type = type + payload, type[: hashlib.blake2b.PERSON_SIZE]
    return hashlib.blake2b(payload, digest_size=16, person=type).digest()


class _Body(msgspec.Struct):
    text: str
    parent: str | None = None
    mentions: list[str] | None = None


_body = msgspec.json.Decoder(_Body)


def check_body(payload: bytes, max_text: int, *, within: str = "") -> None:
    """A message's body: {"text": …, "parent"?: …, "mentions"?: […], …}. Raises `InvalidField`, `TooLarge` (characters)."""
    text = decode_payload(payload, _body, within).text
    if len(text) > max_text:
        raise TooLarge(f"{within or 'payload'}.text has too many characters", limit=max_text, size=len(text))


def _wait_from_now_on(session: Session, answer: Awaitable[None]) -> None:
    # `require` is a plain function that hands out an awaitable; only a coroutine function can be told beforehand.
    session.plain_policy = False
    end = getattr(answer, "close", None) or getattr(answer, "cancel", None)
    if end is not None:
        end()


def _room(command: Command) -> str:
    if command.room is None:
        raise InvalidField("is missing", field="room")
    return command.room


class Speech:
    """The verbs for messages."""

    def __init__(
        self, store: Store, journal: Journal, hub: Hub, access: Access, orders: Orders, typists: Typists
    ) -> None:
        self._store = store
        self._past = pages.Past(store)
        self._journal = journal
        self._hub = hub
        self._access = access
        self._orders = orders
        self._typists = typists

    # ---- to a room ----

    def say(self, session: Session, command: Command) -> bool:
        """Check, draft, submit; the answer follows when the batch is stored.

        False, and nothing was done, where the policy turns out to want time: then it is `say_and_wait` that asks it.
        """
        try:
            item = self._draft(session, command)
            seat = session.seats[item.room]
            answer = session.policy.require(session.user, "message", seat.room, seat.member)
        except (Exception, asyncio.CancelledError) as problem:  # noqa: BLE001 - a policy may raise anything
            session.fail(command, refusal("message", problem))
            return True
        if answer is not None and isawaitable(answer):
            _wait_from_now_on(session, answer)
            return False
        session.begun()

        def done(result: Appended | ChatError) -> None:
            session.ended()
            if isinstance(result, ChatError):
                session.fail(command, result)
            else:
                said = Said(result.msg_id, result.seq, result.timestamp, result.duplicate)
                session.answer(ack(command.msg_id, said, result.timestamp))

        self._journal.submit(item, done, session)
        return True

    def withdraw(self, session: Session) -> None:
        """The connection is closed: what it said and no batch has taken yet is not said any more."""
        self._journal.withdraw(session)

    async def say_and_wait(self, session: Session, command: Command) -> Said:
        """The same for whoever has middleware or a policy around it."""
        item = self._draft(session, command)
        seat = session.seats[item.room]
        await permit(session, "message", seat.room, seat.member)
        result = await self._journal.append(item, session)
        return Said(result.msg_id, result.seq, result.timestamp, result.duplicate)

    async def say_as(self, acting: Acting, command: Command) -> Appended | None:
        """The same for a user without a connection, who need not have joined. None: it waits for a transaction's end."""
        room = _room(command)
        found, _ = await self._access.look(acting, "message", room)
        if command.type == "message":
            check_body(command.payload, acting.settings.max_text)
        return await acting.keep(self._item(acting.user, found.id, command))

    def _draft(self, session: Session, command: Command) -> Draft:
        room = _room(command)
        if room not in session.seats:
            raise NotAMember
        check_body(command.payload, session.settings.max_text)
        return self._item(session.user, room, command)

    def _item(self, user: User, room: str, command: Command) -> Draft:
        sender = Sender(user.id, user.name)
        self._typists.stopped(room, sender)
        key = (user.id, command.msg_id) if command.msg_id is not None else None
        return draft(room, command.type, command.payload, sender, key=key, hash=command_hash(command))

    # ---- to one user ----

    async def say_directly(self, session: Session, command: Command, to: str, body: bytes) -> SaidDirectly:
        """Make the two users' room where needed, put their connections into it, and say it there."""
        check_body(body, session.settings.max_text, within="body")
        room = await self.open_direct(session, session.user, to)
        user = session.user
        sender = Sender(user.id, user.name)
        self._typists.stopped(room.id, sender)
        key = (user.id, command.msg_id) if command.msg_id is not None else None
        item = draft(room.id, "message", body, sender, key=key, hash=command_hash(command))
        try:
            result = await self._journal.append(item, session)
        except RoomNotFound:
            raise Unavailable from None  # it was empty, and somebody has just forgotten it
        return SaidDirectly(result.msg_id, result.seq, result.timestamp, result.duplicate, room=room.id)

    async def open_direct(self, actor: Actor | None, user: User, to: str) -> Room:
        """The direct room of the two, made where needed, with every connection of both in it. Each step can be repeated."""
        if to == user.id:
            raise InvalidField("is yourself", field="to")
        id = direct_room(user.id, to)
        room = await self._store.room(id)
        if actor is not None:
            # The room of the two is theirs from its first moment: who makes it comes to the other's membership a little later.
            mine = await self._store.member(id, user.id) or Member(user.id, user.name, "member", 0.0)
            await permit(actor, "direct", room, mine if room is not None else None)
        try:
            return await self._open_direct(id, room, user, to)
        except RoomNotFound:
            raise Unavailable from None  # the same

    async def _open_direct(self, id: str, room: Room | None, user: User, to: str) -> Room:
        if room is None:
            # Forgotten like one of a first join, if nothing is said in it after all.
            made = Room(id, "", 0, visibility=DIRECT, created_at=now(), created_by=user.id, auto=True)
            room, _ = await self._store.create_room(made, owner=Member(user.id, user.name, "member", now()))
        partner = await self._ensure_members(id, user, to)
        head = (await self._store.heads((id,))).get(id)
        if head is None:
            raise RoomNotFound
        me = Sender(user.id, user.name)
        await self._orders.give(to, Enter(id, head.epoch, head.seq, me))
        await self._orders.give(user.id, Enter(id, head.epoch, head.seq, partner))
        return room

    async def _ensure_members(self, room: str, user: User, to: str) -> Sender:
        mine = await self._store.member(room, user.id)
        if mine is None:
            await self._store.set_member(room, Member(user.id, user.name, "member", now()))
        elif mine.name != user.name:
            await self._store.set_member(room, replace(mine, name=user.name))
        theirs = await self._store.member(room, to)
        if theirs is None:
            theirs = Member(to, to, "member", now())
            await self._store.set_member(room, theirs)
        return Sender(theirs.user, theirs.name)

    # ---- the past ----

    async def history(
        self,
        actor: Actor | None,
        room_id: str,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
    ) -> Messages:
        """A page of the timeline; without a position the newest. Raises `InvalidCursor`, `InvalidField`, `RoomNotFound`."""
        if before is not None and after is not None:
            raise InvalidField("give before or after, not both", field="before")
        for position in (before, after):
            if position is not None and not 0 <= position <= MAX_SEQ:
                raise InvalidCursor
        if limit < 1:
            raise InvalidField("must be at least 1", field="limit")
        await self._access.look(actor, "history", room_id)
        limit = min(limit, HISTORY_LIMIT)
        if after is not None:
            page = await self._past.read(room_id, after=after, limit=limit, timeline=True)
        else:
            at = MAX_SEQ if before is None else before
            page = await self._past.read(room_id, before=at, limit=limit, timeline=True)
        return pages.cut(page, newest=after is None)
