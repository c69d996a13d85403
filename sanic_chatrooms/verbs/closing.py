"""The ends of messages that are being written: by their writers, and by the server where a writer is gone or may write no more."""

import asyncio
import contextlib
import logging
import time
from typing import Any

import msgspec

from ..access.access import judge
from ..access.actions import action
from ..access.policy import RoomPolicy
from ..errors import ChatError, Conflict, Forbidden, MessageNotFound, RoomNotFound, Unavailable
from ..hooks.middleware import Context
from ..live.streams import LEASE
from ..live.writing import Writing
from ..models import Envelope, Fold, Related, Relation, Sender, User
from ..observe.ids import ids
from ..sessions.session import Session
from ..stores import streams as kept
from ..stores.base import OpenStream
from ..support.backoff import jittered
from ..support.clock import now
from ..wire.decode import Command
from ..wire.encode import encode, live_event
from ..wire.events import Cancelled, Closed
from .acting import Acting
from .beside import beside
from .core import Core
from .drafts import MENTIONS, draft
from .mentions import NOBODY, Mentions, names_in, resolved, tell_of

__all__ = [
    "CLOSE",
    "ENDED",
    "INTERRUPTED",
    "TRIES",
    "Closing",
    "closing",
    "finish",
    "let_go",
    "review",
    "tell_left",
    "tell_writer",
]

logger = logging.getLogger("sanic_chatrooms.verbs.closing")

CLOSE = "message.close"
ENDED = "ended:"
"""How the key begins that is on at a message whose stream ended other than well."""
INTERRUPTED = "interrupted"
NOT_CLOSED = "message %s of room %s could not be closed"
AGAIN = 1.0
"""Seconds, about, until the store is asked again to close a message, after it was away."""
LOOKED_FOR = 10.0
"""Seconds between two looks for messages that nobody writes any more, at most."""
TOGETHER = 100
"""Messages that nobody writes any more, which are read at a time."""
JUDGED_EVERY = 10.0
"""Seconds after which a policy of the app is asked again whether somebody may go on writing."""
LEFT = "message.left"
"""A live envelope for workers: this user has left the room, and no event tells of that."""
TRIES = 8
"""How often a close is tried while somebody else changes what the store has of the message."""


class _Message(msgspec.Struct, rename="camel"):
    msg_id: str


class _About(msgspec.Struct):
    payload: _Message
    sender: Sender | None = None


class _User(msgspec.Struct):
    id: str


class _Whom(msgspec.Struct):
    user: _User


class _AboutUser(msgspec.Struct):
    payload: _Whom


_about = msgspec.json.Decoder(_About).decode
_sender = msgspec.json.Decoder(Sender).decode
_about_user = msgspec.json.Decoder(_AboutUser).decode

DELETED = "message.deleted"
GONE = frozenset((DELETED, "message.edited"))
STOPPED = frozenset(("member.banned", "member.muted", "member.kicked", "member.left"))
JUDGED = frozenset(("member.role", "room.updated"))


def closing(msg_id: str, body: bytes, ended: str | None) -> tuple[bytes, Relation]:
    """The payload of the event that closes a message, and what it does."""
    closed = Closed(msg_id, msgspec.Raw(body), True, msgspec.UNSET if ended is None else ended)
    key = "" if ended is None else ENDED + ended
    return encode(closed), Relation(msg_id, Fold.CLOSE, key, value=body)


def tell_writer(core: Core, room: str, msg_id: str, writer: Sender | None, by: Sender | None) -> None:
    """Tell the writer of a message to stop: on all connections, and the code of the app that writes it."""
    core.streams.tell_stop(room, msg_id, by)
    if writer is not None:
        event = live_event(Cancelled(msg_id, by), room=room)
        core.inbox.push(core.inbox.notify(writer.id, event, None, room=room))


def tell_left(core: Core, room: str, user: Sender) -> None:
    """Where no event tells that a user has left a room: end what they write there, on whichever worker."""
    core.inbox.push(Envelope(room, "", 0, LEFT, encode(user)))


async def review(
    core: Core, chat: Any, app: Any, actor: Any, msg_id: str | None, room: str, body: bytes
) -> bytes:
    """The body as middleware for words leaves it. Raises its refusal."""
    if not core.chain.concerns_words_of(CLOSE):
        return body
    words = Context(actor, Command("message", msg_id, room, body), chat, app)
    left = await core.chain.around_words_of(CLOSE, _payload)(words)
    if not isinstance(left, bytes):
        raise Forbidden("a middleware answered by itself, and nothing was stored")
    return left


async def finish(core: Core, known: OpenStream, body: bytes, ended: str | None) -> bool:
    """Close a message with this body, as its writer; False if somebody else has. Raises `Unavailable`."""
    room, msg_id = known.room, known.msg_id
    current: OpenStream | None = known
    payload, about = closing(msg_id, body, ended)
    mentions, text = await _mentioned(core, known, body)
    for _ in range(TRIES):
        if current is None or current.fence != known.fence:
            return False  # it is closed, or its writer goes on elsewhere
        facts = (kept.ending(msg_id, current),)
        item = draft(
            room, "message.edited", payload, known.writer, about=about, facts=facts, mentions=mentions.names
        )
        try:
            await core.journal.append(item)
        except Conflict:
            current = await kept.stream(core.store, room, msg_id)
        except (MessageNotFound, RoomNotFound):
            await _forget(core, current)
            return False
        else:
            core.streams.tell_ended(room, msg_id)
            tell_of(core, room, mentions.told, msg_id, known.seq, known.writer, text)
            return True
    raise Unavailable


async def _mentioned(core: Core, known: OpenStream, body: bytes) -> tuple[Mentions, str]:
    """Whom the message mentions, and its text. Only the app may mention all: what a user may, is judged where the user closes it."""
    text, names = names_in(body)
    if not names:
        return NOBODY, text
    try:
        room, _ = await core.access.find(None, known.room)
    except RoomNotFound:
        return NOBODY, text
    return await resolved(core, room, known.writer, names[:MENTIONS], groups=known.app, seq=known.seq), text


async def _forget(core: Core, known: OpenStream) -> None:
    with contextlib.suppress(RoomNotFound):
        await core.store.set_fact(known.room, kept.ending(known.msg_id, known))


async def let_go(core: Core, writing: Writing) -> None:
    """The message was trimmed while it was written here: nobody writes it any more."""
    writing.closing = True
    with contextlib.suppress(RoomNotFound, Unavailable):  # then it is forgotten when its time is over
        await core.store.set_fact(writing.room, kept.ending(writing.msg_id))
    core.streams.drop(writing)


@beside("ended")
def ended(related: Related) -> str | None:
    """How a stream ended that did not end well."""
    for key in related.toggles:
        if key.startswith(ENDED):
            return key[len(ENDED) :]
    return None


class Closing:
    """Closes messages for the server. `chat` and `app` are what middleware gets."""

    def __init__(self, core: Core, chat: Any, app: Any) -> None:
        self._core = core
        self._chat = chat
        self._app = app
        self._policy = RoomPolicy()
        core.streams.happened = self._happened
        core.streams.lost = self._lost
        core.streams.gone = self._gone
        core.hub.handle(LEFT, self._hear_left)
        core.sessions.standing_changed = self._judge_all

    # ---- closing ----

    async def finish(self, known: OpenStream, text: str, ended: str | None) -> bool:
        """Close a message with this text, as its writer; False if somebody else has. Raises `Unavailable`."""
        body = kept.with_text(known.body, text)
        if not known.app:
            body, ended = await self._reviewed(known, body, ended)
        return await finish(self._core, known, body, ended)

    async def _reviewed(self, known: OpenStream, body: bytes, ended: str | None) -> tuple[bytes, str | None]:
        """What users wrote passes the app's check, also where they do not close it: without it, only the beginning stays."""
        assert known.writer is not None
        core, acting = self._core, self._acting(known.writer)
        event = await core.store.message(known.room, known.msg_id)
        first = known.body if event is None else bytes(event.payload)
        try:
            return await review(core, self._chat, self._app, acting, None, known.room, body), ended
        except ChatError:
            return first, ended or "error"

    def _acting(self, writer: Sender) -> Acting:
        core = self._core
        limits = core.limits.without_connection(writer.id)
        return Acting(User(writer.id, writer.name), self._policy, core.settings, limits, core.journal.append)

    async def end(self, writing: Writing, ended: str | None) -> None:
        """Close a message that is written here, with what there is. Raises `Unavailable`: then it is closed when the store is back."""
        streams = self._core.streams
        writing.closing = True
        try:
            known = await kept.stream(self._core.store, writing.room, writing.msg_id)
            if known is not None and known.fence == writing.fence:
                await self.finish(known, writing.text, ended)
        except Unavailable:
            streams.in_background(self._end_later(writing, ended))
            raise
        except asyncio.CancelledError:  # it may be stored
            streams.in_background(self.interrupt(writing, ended))
            raise
        except BaseException:
            streams.close(writing)
            raise
        streams.close(writing)

    async def interrupt(self, writing: Writing, ended: str | None = INTERRUPTED) -> None:
        """The same. Whatever goes wrong, a worker closes it when its time is over."""
        try:
            await self.end(writing, ended)
        except Unavailable:
            pass
        except Exception:
            logger.exception(
                NOT_CLOSED, writing.msg_id, writing.room, extra=ids(room=writing.room, msg_id=writing.msg_id)
            )

    async def _end_later(self, writing: Writing, ended: str | None) -> None:
        await asyncio.sleep(jittered(AGAIN))
        await self.interrupt(writing, ended)

    # ---- looking after them ----

    async def sweep(self) -> None:
        """Keep what is written here, and close what nobody writes any more. Raises `Unavailable`."""
        streams = self._core.streams
        streams.pieces.sweep()
        for writing in await streams.keep():
            with contextlib.suppress(RoomNotFound):
                if await self._core.store.message(writing.room, writing.msg_id) is None:
                    await let_go(self._core, writing)
        for writing in streams.silent():
            await self.interrupt(writing)
        for writing in list(streams.own.values()):
            if not (writing.app or writing.closing) and self._may_have_changed(writing):
                await self._judge(writing)

    async def go_on(self) -> None:
        """One look for messages whose writers are gone with their workers; repeat it."""
        with contextlib.suppress(Unavailable):
            await self.look_for_silent()
        await asyncio.sleep(jittered(LOOKED_FOR, 0.5, 1.0))

    async def look_for_silent(self) -> None:
        """Close the messages whose writers are gone with their workers. Raises `Unavailable`."""
        while True:
            found = await self._core.store.open_streams(now() - LEASE, TOGETHER)
            closed = [await self._close_silent(known) for known in found]
            if len(found) < TOGETHER or not any(closed):
                return

    async def _close_silent(self, known: OpenStream) -> bool:
        if self._core.streams.of(known.room, known.msg_id) is not None:
            return False
        try:
            return await self.finish(known, known.text, INTERRUPTED)
        except Unavailable:
            raise
        except Exception:  # it must not keep the others open
            logger.exception(
                NOT_CLOSED, known.msg_id, known.room, extra=ids(room=known.room, msg_id=known.msg_id)
            )
            return False

    def _gone(self, session: object, for_good: bool) -> None:
        """A connection has ended. If its user may not be here any more, close what they write."""
        if for_good:
            for writing in list(self._core.streams.own.values()):
                if writing.session is session:
                    self._interrupt_soon(writing)

    def _interrupt_soon(self, writing: Writing) -> None:
        if not writing.closing:
            writing.closing = True
            self._core.streams.in_background(self.interrupt(writing))

    def _left(self, room: str, user: str) -> None:
        """A user may not write in a room any more, or has left it."""
        for writing in self._users(room):
            if writing.writer is not None and writing.writer.id == user:
                self._interrupt_soon(writing)

    def _hear_left(self, envelope: Envelope) -> None:
        self._left(envelope.room, _sender(envelope.data).id)

    def _lost(self, writing: Writing) -> None:
        tell_writer(self._core, writing.room, writing.msg_id, writing.writer, None)

    def _happened(self, envelope: Envelope) -> None:
        """An event of a room in which something is written here."""
        if envelope.type in GONE:
            about = _about(envelope.data)
            writing = self._core.streams.of(envelope.room, about.payload.msg_id)
            if writing is not None and not writing.closing:
                end = (
                    self._core.streams.drop
                    if envelope.type == DELETED
                    else self._core.streams.closed_elsewhere
                )
                end(writing)
        elif envelope.type in STOPPED:
            self._left(envelope.room, _about_user(envelope.data).payload.user.id)
        elif envelope.type in JUDGED:
            self._judge_all(envelope.room)

    # ---- rights that change ----

    def _judge_all(self, room: str) -> None:
        for writing in self._users(room):
            writing.changed_at = time.monotonic()
            self._core.streams.in_background(self._judge(writing))

    def _users(self, room: str) -> list[Writing]:
        return [w for w in self._core.streams.own.values() if w.room == room and not w.app and not w.closing]

    def _may_have_changed(self, writing: Writing) -> bool:
        """Whether the writer is to be judged: their rights have changed since, or a policy of the app may think otherwise by now."""
        if writing.judged_at < writing.changed_at:
            return True
        own_policy = isinstance(writing.session, Session) and type(writing.session.policy) is not RoomPolicy
        return own_policy and writing.judged_at < time.monotonic() - JUDGED_EVERY

    async def _judge(self, writing: Writing) -> None:
        """End the message if its writer may not write it any more. If that cannot be said now, `sweep` comes back to it."""
        assert writing.writer is not None
        began = time.monotonic()
        actor = writing.session if isinstance(writing.session, Session) else self._acting(writing.writer)
        try:
            room, standing = await self._core.access.find(actor.user, writing.room)
        except (RoomNotFound, Unavailable):
            return  # that the room is gone is heard in another way
        try:
            for name in ("message.open", "message"):
                await judge(actor, action(name), room, standing)
        except ChatError as refused:
            if refused.temporary:
                return
            self._interrupt_soon(writing)
        writing.judged_at = max(writing.judged_at, began)


async def _payload(words: Context) -> bytes:
    return words.command.payload
