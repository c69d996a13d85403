"""Verbs that say something: to rooms, to users, and to all connections."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, overload
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from ..chat import Chat
from ..errors import Forbidden, InvalidField, RoomNotFound, TooLarge
from ..hooks.declaring import PUSHES
from ..models import (
    APP,
    Appended,
    Draft,
    Envelope,
    Fold,
    Relation,
    Sender,
    User,
    is_reserved,
)
from ..verbs.acting import Keep
from ..verbs.attachments import Attachment, files_in
from ..verbs.drafts import command_hash, draft, parent_in
from ..verbs.edits import Delete, Edit
from ..verbs.mentions import of_app, tell
from ..wire.decode import Command
from ..wire.encode import encode, encode_object, live
from ..wire.names import MSG_ID, check_type
from .base import Verbs, acting_as, id_of, sender_of

__all__ = ["Saying"]


class Saying(Verbs):
    """Verbs that say something: to rooms, to users, and to all connections."""

    @overload
    async def publish(
        self,
        room: str,
        type: str,
        payload: Mapping[str, Any],
        *,
        key: str | None = None,
        sender: User | Sender | None = None,
        as_user: User | None = None,
        within: None = None,
    ) -> Appended: ...
    @overload
    async def publish(
        self,
        room: str,
        type: str,
        payload: Mapping[str, Any],
        *,
        key: str | None = None,
        sender: User | Sender | None = None,
        as_user: User | None = None,
        within: object,
    ) -> None: ...
    async def publish(
        self,
        room: str,
        type: str,
        payload: Mapping[str, Any],
        *,
        key: str | None = None,
        sender: User | Sender | None = None,
        as_user: User | None = None,
        within: object = None,
    ) -> Appended | None:
        """Store an event in a room and deliver it; -> its number and id.

        `type` is `message`, `notice`, `update`, `redirect`, or a type of your own with a dot or in upper case. With `key`
        (16 to 64 visible ASCII characters) a repetition stores nothing and returns the first result. With `as_user` the
        event is a command of that user's client, with its limits, middleware and policy. A `message` with a `parent` (the
        server's id of a message) is a reply to it.

        `within` is an open transaction of yours on the chat's database (SQLAlchemy's Session, AsyncSession, Connection or
        AsyncConnection). The event is stored and numbered after the commit, or never. The result is then None, because
        there is no number yet.

        Raises `RoomNotFound`, `Conflict`, `InvalidField`, `InvalidText`, `Forbidden`, `Unavailable`, and `TooLarge` above
        `MAX_PUBLISH`.
        """
        chat = self.running()
        if key is not None and not MSG_ID.fullmatch(key):
            raise InvalidField("must be 16 to 64 visible ASCII characters", field="key")
        data = _payload(chat, type, payload, message=True)
        keep: Keep = chat.journal.append if within is None else partial(chat.transactions.put, within)
        if as_user is not None:
            return await self._act(as_user, keep, type, data, room=room, key=key)
        if is_reserved(room):
            raise RoomNotFound
        if (
            within is not None
        ):  # else the store says whether it is there: asking before would be a read for each event
            await chat.access.find(None, room)
        about, files = None, files_in(data) if type == "message" else []
        if type == "message" and (parent := parent_in(data)) is not None:
            about = Relation(parent, Fold.COLLECT)
        draft = _draft(room, Command(type, key, room, data), sender, about, files)
        if draft.sender is not None:
            chat.typists.stopped(room, draft.sender)
        if type != "message" or b'"mentions"' not in data:
            return await keep(draft)
        mentions, text = await of_app(chat.core, room, draft.sender, data)
        stored = await keep(replace(draft, mentions=mentions.names))
        tell(chat.core, room, mentions, stored, draft.sender, text)
        return stored

    async def _act(
        self, user: User, keep: Keep, type: str, data: bytes, *, room: str | None, key: str | None = None
    ) -> Appended | None:
        """Carry out a command for a user without a connection, exactly as for a client."""
        chat = self.running()
        acting = acting_as(chat, user, keep=keep)
        ctx = await chat.commands.act(acting, acting.command(type, data, room=room, key=key))
        if ctx.stored is None and not acting.kept:
            raise Forbidden("a middleware answered by itself, and nothing was stored")
        return ctx.stored

    async def push(
        self, room: str, type: str, payload: Mapping[str, Any], *, sender: User | Sender | None = None
    ) -> None:
        """Deliver a live event to everyone who is in a room now. It is neither numbered nor stored.

        `type` is `notice`, `update`, `redirect`, or a type of your own. Raises `RoomNotFound`, `InvalidField`, `InvalidText`,
        `TooLarge`, `Unavailable`.
        """
        chat = self.running()
        data = _payload(chat, type, payload)
        who = sender_of(sender, "sender") if sender is not None else None
        await chat.access.find(None, room)
        text = live(type, msgspec.Raw(data), room=room, sender=who)
        chat.inbox.push(Envelope(room, "", 0, type, text))

    async def edit(
        self, room: str, msg_id: str, body: Mapping[str, Any], *, as_user: User | None = None
    ) -> Appended:
        """Replace the body of a message; -> the number of the change. `msg_id` is the message's server id.

        With `as_user`, that user has to be the author. Raises `RoomNotFound`, `MessageNotFound`, `InvalidField`,
        `InvalidText`, `TooLarge`, `Forbidden`, `Unavailable`.
        """
        chat = self.running()
        data = _payload(chat, "message", body, message=True)
        if as_user is None:
            return await self._give("message.edit", Edit(msg_id, msgspec.Raw(data)), room)
        change = encode({"msgId": msg_id, "body": msgspec.Raw(data)})
        return await self._change(as_user, "message.edit", change, room)

    async def _give(self, type: str, ask: Edit | Delete, room: str) -> Appended:
        stored: Appended = await self.running().commands.give(type, ask, room=room)
        return stored

    async def delete(
        self, room: str, msg_id: str, *, reason: str = "", as_user: User | None = None
    ) -> Appended:
        """Delete a message. Its number stays, its content does not. Who is there learns the `reason`, of at most 500 characters.

        With `as_user`, that user has to be the author or a moderator. Raises `RoomNotFound`,
        `MessageNotFound`, `Forbidden`, `TooLarge`, `Unavailable`.
        """
        if as_user is None:
            return await self._give("message.delete", Delete(msg_id, reason or None), room)
        asked = {"msgId": msg_id, **({"reason": reason} if reason else {})}
        return await self._change(as_user, "message.delete", encode(asked), room)

    async def _change(self, user: User, type: str, data: bytes, room: str) -> Appended:
        stored = await self._act(user, self.running().journal.append, type, data, room=room)
        assert stored is not None  # nothing of it waits for a transaction
        return stored

    async def notify(
        self, user: User | Sender | str, type: str, payload: Mapping[str, Any], *, session: str | None = None
    ) -> None:
        """Push a live event to all connections of a user, on every worker, or only to the one with this session id."""
        chat = self.running()
        data = _payload(chat, type, payload)
        event = live(type, msgspec.Raw(data))
        chat.inbox.push(chat.inbox.notify(id_of(user), event, session))

    async def broadcast(self, type: str, payload: Mapping[str, Any]) -> None:
        """Push a live event to all connected users, on every worker."""
        chat = self.running()
        event = live(type, msgspec.Raw(_payload(chat, type, payload)))
        chat.inbox.push(chat.inbox.broadcast(event))


def _draft(
    room: str,
    command: Command,
    sender: User | Sender | None,
    about: Relation | None,
    files: Sequence[Attachment],
) -> Draft:
    who = sender_of(sender, "sender") if sender is not None else None
    key = (who.id if who is not None else APP, command.msg_id) if command.msg_id is not None else None
    return draft(
        room,
        command.type,
        command.payload,
        who,
        key=key,
        hash=command_hash(command),
        about=about,
        files=files,
    )


def _payload(chat: Chat, type: str, payload: Mapping[str, Any], *, message: bool = False) -> bytes:
    if type not in PUSHES and not (message and type == "message"):
        check_type(type)
    data, limit = encode_object(payload, "payload"), chat.settings.max_publish
    if type == "redirect" and not _is_web_address(str(payload.get("url", ""))):
        raise InvalidField("must be an http or https address", field="url")
    if len(data) > limit:
        raise TooLarge(f"payload of {type} in bytes of JSON", limit=limit, size=len(data))
    return data


def _is_web_address(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https", "")
    except ValueError:
        return False
