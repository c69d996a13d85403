"""The host's verbs: the same in a request handler, a task, and a process without sockets.

The host is trusted: its calls pass no policy, unless it says `as_user=`. That is a client's command in every respect.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from functools import partial
from typing import Any, overload
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from .auth.names import shown_name
from .chat import Chat
from .errors import Forbidden, InvalidField, RoomNotFound, TooLarge
from .hooks.declaring import PUSHES
from .live.presence import ANYWHERE
from .models import HOST, PUBLIC, RESERVED, Appended, Draft, Envelope, Room, Sender, User, is_reserved
from .sessions.inbox import Close
from .support.user_ids import check_user_id
from .verbs.acting import Acting, Keep
from .verbs.drafts import command_hash, draft
from .verbs.edits import Delete, Edit
from .verbs.history import History as Asked
from .verbs.members import MemberList, PresentList
from .verbs.membership import add_member, remove_member
from .verbs.pages import Listed
from .verbs.rooms import List, RoomList, create, delete, ensure
from .wire import codes
from .wire.codes import CloseCode
from .wire.decode import Command
from .wire.encode import encode, encode_object, live
from .wire.names import MSG_ID, check_type

__all__ = ["ConnectionInfo", "History", "HostVerbs"]


class History(msgspec.Struct):
    """A page of a room's timeline: events as they travel, as dicts, ascending."""

    messages: list[dict[str, Any]]
    more: bool
    epoch: str
    seq: int


class ConnectionInfo(msgspec.Struct, frozen=True):
    """One connection to this worker."""

    session: str
    user: User
    state: str
    rooms: tuple[str, ...]
    remote_ip: str


class HostVerbs(ABC):
    """What a host does with a chat. Every verb raises `ConfigError` before the chat has started."""

    @abstractmethod
    def running(self) -> Chat:
        """The chat that runs in this process, for the app that this belongs to."""

    # ---- saying something ----

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
        """Say something in a room, to be kept: it is stored and numbered, and the result tells the number.

        `type` is `message`, notice, update, redirect, or a type of your own with a dot or in upper case. With `key`
        (16 to 64 visible ASCII characters) a repetition stores nothing and returns the first result. `as_user` says it
        as their client would: with its limits, through middleware and policy. `within` is an open transaction of yours on the chat's database (SQLAlchemy's
        Session, AsyncSession, Connection, AsyncConnection): the event is stored and numbered after its commit, or
        never; the result is then None, for there is no number yet. Raises `RoomNotFound`, `Conflict`, `InvalidField`,
        `InvalidText`, `Unavailable`, `Forbidden`; `TooLarge` above `MAX_PUBLISH`.
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
        return await keep(_draft(room, Command(type, key, room, data), sender))

    async def _act(
        self, user: User, keep: Keep, type: str, data: bytes, *, room: str | None, key: str | None = None
    ) -> Appended | None:
        """What a user says or changes without a connection: a client's command in every respect."""
        chat = self.running()
        acting = _acting(chat, user, keep=keep)
        ctx = await chat.commands.act(acting, acting.command(type, data, room=room, key=key))
        if ctx.stored is None and not acting.kept:
            raise Forbidden("a middleware answered by itself, and nothing was stored")
        return ctx.stored

    async def push(
        self, room: str, type: str, payload: Mapping[str, Any], *, sender: User | Sender | None = None
    ) -> None:
        """Say something in a room, for now only: whoever is in it hears it, and it is neither numbered nor stored.

        `type` is notice, update, redirect, or a type of your own. Raises `RoomNotFound`, `InvalidField`, `InvalidText`,
        `TooLarge`, `Unavailable`.
        """
        chat = self.running()
        data = _payload(chat, type, payload)
        who = _named(sender, "sender") if sender is not None else None
        await chat.access.find(None, room)
        text = live(type, msgspec.Raw(data), room=room, sender=who)
        self._pass_on(chat, Envelope(room, "", 0, type, text))

    async def edit(
        self, room: str, msg_id: str, body: Mapping[str, Any], *, as_user: User | None = None
    ) -> Appended:
        """Give a message another body. `msg_id` is the server's id of it; the result tells the number of the change.

        `as_user` may edit what they wrote, as a client may. Raises `RoomNotFound`, `MessageNotFound`, `InvalidField`,
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

    async def delete(self, room: str, msg_id: str, *, as_user: User | None = None) -> Appended:
        """Delete a message: its number stays, and nothing of what it said.

        `as_user` may delete what they wrote, or anything where they moderate, as a client may. Raises `RoomNotFound`,
        `MessageNotFound`, `Forbidden`, `Unavailable`.
        """
        if as_user is None:
            return await self._give("message.delete", Delete(msg_id), room)
        return await self._change(as_user, "message.delete", encode({"msgId": msg_id}), room)

    async def _change(self, user: User, type: str, data: bytes, room: str) -> Appended:
        stored = await self._act(user, self.running().journal.append, type, data, room=room)
        assert stored is not None  # nothing of it waits for a transaction
        return stored

    async def notify(
        self, user: User | Sender | str, type: str, payload: Mapping[str, Any], *, session: str | None = None
    ) -> None:
        """Push a live event to all connections of a user, on every worker, or to the one with this session id."""
        chat = self.running()
        data = _payload(chat, type, payload)
        event = live(type, msgspec.Raw(data))
        self._pass_on(chat, chat.orders.notify(_id(user), event, session))

    async def broadcast(self, type: str, payload: Mapping[str, Any]) -> None:
        """Push a live event to everybody who is connected, on every worker."""
        chat = self.running()
        event = live(type, msgspec.Raw(_payload(chat, type, payload)))
        self._pass_on(chat, chat.orders.broadcast(event))

    @staticmethod
    def _pass_on(chat: Chat, envelope: Envelope) -> None:
        chat.hub.deliver(envelope)
        chat.journal.ring(envelope)

    # ---- reading ----

    async def history(
        self,
        room: str,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int = 50,
        as_user: User | None = None,
    ) -> History:
        """A page of at most 200 events: the newest, or those before or after a number (exclusive)."""
        chat = self.running()
        asked = Asked(before, after, limit)
        if as_user is None:
            page = await chat.commands.give("history", asked, room=room)
        else:
            acting = _acting(chat, as_user)
            command = acting.command("history", encode(asked), room=room)
            page = (await chat.commands.act(acting, command)).result
        return msgspec.json.decode(encode(page), type=History)

    async def rooms(
        self, *, user: User | None = None, cursor: str | None = None, limit: int = 50
    ) -> RoomList:
        """A page of the public rooms, or of those that `user` is a member of."""
        chat = self.running()
        actor = _acting(chat, user, "user") if user is not None else None
        asked = List(user is not None, cursor, limit)
        page: RoomList = await chat.commands.give("rooms", asked, actor=actor)
        return page

    async def room(self, room: str) -> Room | None:
        """One room, or None."""
        found = await self.running().store.room(room)
        return found if found is not None and found.visibility != RESERVED else None

    async def members(self, room: str, *, cursor: str | None = None, limit: int = 50) -> MemberList:
        """A page of a room's members."""
        page: MemberList = await self.running().commands.give("members", Listed(cursor, limit), room=room)
        return page

    async def presence(self, room: str, *, cursor: str | None = None, limit: int = 50) -> PresentList:
        """A page of those who are in the room right now."""
        page: PresentList = await self.running().commands.give("presence", Listed(cursor, limit), room=room)
        return page

    async def online(self, *users: User | Sender | str, grace: bool = True) -> set[str]:
        """Which of these users have a connection anywhere; their ids.

        Who left less than `PRESENCE_GRACE` seconds ago may be back in a moment and counts too, unless `grace` is False:
        then it is who would get a push now.
        """
        room = None if grace else ANYWHERE
        return await self.running().backends.presence.online([_id(user) for user in users], room=room)

    def connections(self, user: User | Sender | str | None = None) -> list[ConnectionInfo]:
        """The connections to this worker, of one user or of all."""
        chat = self.running()
        sessions = chat.sessions if user is None else chat.sessions.of(_id(user))
        return [
            ConnectionInfo(s.id, s.user, s.state.value, tuple(s.seats), s.handshake.remote_ip)
            for s in sessions
            if s.authenticated
        ]

    # ---- rooms and members ----

    async def create_room(
        self,
        room: str | None = None,
        *,
        title: str = "",
        visibility: str = PUBLIC,
        attributes: Mapping[str, Any] | None = None,
        announce: bool = False,
        as_user: User | None = None,
    ) -> Room:
        """Make a room; with `as_user` it is theirs. `announce`: joining and leaving are events also where it is public.

        Raises `Conflict` where there is one already; `InvalidField`, `TooLarge`, `Forbidden`, `RoomLimit`, `Unavailable`.
        """
        if as_user is not None:
            if announce:
                raise InvalidField("is not a user's to say; leave out as_user", field="announce")
            wanted = {"title": title, "visibility": visibility, "attributes": attributes or {}}
            return await self._create_as(as_user, room, wanted)
        made, _ = await create(
            self.running().core,
            None,
            room,
            title=title,
            visibility=visibility,
            attributes=attributes,
            announce=announce,
        )
        return made

    async def _create_as(self, user: User, room: str | None, wanted: dict[str, Any]) -> Room:
        chat = self.running()
        acting = _acting(chat, user)
        command = acting.command("room.create", encode(wanted), room=room)
        answer = (await chat.commands.act(acting, command)).result
        made = await chat.store.room(answer.room)
        if made is None:
            raise RoomNotFound  # deleted in this moment
        return made

    async def ensure_room(
        self,
        room: str,
        *,
        title: str | None = None,
        visibility: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        announce: bool | None = None,
    ) -> Room:
        """A room of the app's: made where there is none, else brought to these properties; what is not given stays.

        Call it at every start. Whoever is in a room whose visibility changes has to join it again. Raises `Conflict`
        where a user made the room, by `room.create` or by joining it first; `InvalidField`, `RoomLimit`, `Unavailable`.
        """
        given = {"title": title, "visibility": visibility, "attributes": attributes, "announce": announce}
        properties = {name: value for name, value in given.items() if value is not None}
        return await ensure(self.running().core, room, **properties)

    async def delete_room(self, room: str) -> bool:
        """End a room and everything in it; True if it was there."""
        if room.startswith("~") and not room.startswith("~direct."):
            raise RoomNotFound
        return await delete(self.running().core, room)

    async def add_member(self, room: str, user: User, role: str = "member") -> None:
        """Make somebody a member, or give them another role."""
        await add_member(self.running().core, room, _user(user), role)

    async def remove_member(self, room: str, user: User | Sender | str) -> bool:
        """End a membership, on all the user's connections; True if there was one."""
        return await remove_member(self.running().core, room, await self._known(room, user), reason="left")

    async def kick(self, room: str, user: User | Sender | str) -> bool:
        """The same, and say so: everybody in the room hears `member.kicked`. True if they were a member, or in the room.

        Whoever is kicked from a public room may join it again at once.
        """
        return await remove_member(self.running().core, room, await self._known(room, user), reason="kicked")

    async def _known(self, room: str, user: User | Sender | str) -> User:
        if isinstance(user, User | Sender):
            return _user(user)
        member = await self.running().store.member(room, _id(user))
        return User(user, member.name if member is not None else shown_name(None, user))

    # ---- connections ----

    async def disconnect(
        self,
        user: User | Sender | str,
        *,
        session: str | None = None,
        code: int = CloseCode.DISCONNECTED,
        reason: str = "",
    ) -> None:
        """Close all connections of a user on every worker, or the one with this session id.

        When it returns, nothing more of theirs is stored by this worker. `code` is 1000, 1001, 1008, 1011 to 1013, or
        3000 to 4999; 4000 to 4499 tell a client to come back. `reason` at most 123 bytes. Raises `Unavailable`.
        """
        if not (code in (1000, 1001, 1008, 1011, 1012, 1013) or 3000 <= code <= 4999):
            raise InvalidField("must be 1000, 1001, 1008, 1011 to 1013, or 3000 to 4999", field="code")
        if len(reason.encode()) > 123:
            raise InvalidField("must be at most 123 bytes", field="reason")
        order = Close(int(code), reason or codes.reason(code), session)
        await self.running().orders.give(_id(user), order)


def _id(user: User | Sender | str) -> str:
    return check_user_id(user.id if isinstance(user, User | Sender) else user)


def _named(user: User | Sender, field: str = "user") -> Sender:
    if not isinstance(user, User | Sender):
        # The id alone does not say what they are called.
        raise InvalidField(f"must be a User, and not {type(user).__name__}", field=field)
    return Sender(_id(user), shown_name(user.name, user.id))


def _user(user: User | Sender) -> User:
    known = _named(user)
    return User(known.id, known.name)


def _acting(chat: Chat, user: User, field: str = "as_user", keep: Keep | None = None) -> Acting:
    if not isinstance(user, User):
        raise InvalidField(f"must be a User, and not {type(user).__name__}", field=field)
    check_user_id(user.id, field)
    user = replace(user, name=shown_name(user.name, user.id))
    return Acting(user, chat.declaration.policy, chat.settings, keep or chat.journal.append)


def _draft(room: str, command: Command, sender: User | Sender | None) -> Draft:
    who = _named(sender, "sender") if sender is not None else None
    key = (who.id if who is not None else HOST, command.msg_id) if command.msg_id is not None else None
    return draft(room, command.type, command.payload, who, key=key, hash=command_hash(command))


def _payload(chat: Chat, type: str, payload: Mapping[str, Any], *, message: bool = False) -> bytes:
    if type not in PUSHES and not (message and type == "message"):
        check_type(type)
    if type == "redirect" and not _is_web_address(str(payload.get("url", ""))):
        raise InvalidField("must be an http or https address", field="url")
    data, limit = encode_object(payload, "payload"), chat.settings.max_publish
    if len(data) > limit:
        raise TooLarge(f"payload of {type} in bytes of JSON", limit=limit, size=len(data))
    return data


def _is_web_address(url: str) -> bool:
    try:
        return urlsplit(url).scheme in ("http", "https", "")
    except ValueError:
        return False
