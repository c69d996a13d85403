"""The table {type: handler}: unpack, call one verb, answer. And the order in which that happens per connection.

A handler returns the payload of the ack. To learn what a command does, read its handler and the verb it calls.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from ..access.access import permit
from ..errors import ChatError, Forbidden, InvalidField, NotAMember, TooLarge, Unauthenticated, UnknownCommand
from ..hooks.declaring import check_object
from ..hooks.listeners import Listeners
from ..hooks.middleware import Chain, Context, Handler
from ..hub.hub import Hub
from ..live.presence import ANYWHERE, Occupancy
from ..live.typing import Typists
from ..models import Handshake, Sender
from ..sessions.backlog import Backlog
from ..sessions.heartbeat import Heartbeat
from ..sessions.registry import Sessions
from ..sessions.route import READ_ONLY, Endpoint
from ..sessions.session import Connection, Session
from ..support.tasks import is_ending
from ..support.user_ids import check_user_id
from ..wire.decode import Command, decode_payload
from ..wire.encode import EMPTY, ack, encode, pong
from .acting import Acting
from .edits import Changed, Edits
from .entering import Entering, Joined, Since
from .identity import AuthRequest, Identity
from .members import Members
from .membership import Membership
from .messages import Speech, check_body, command_hash
from .rooms import ATTRIBUTES_LIMIT, Rooms

__all__ = ["Commands", "HostCommand"]

logger = logging.getLogger("sanic_chatrooms.verbs.dispatch")

PATH_JOIN = "join"
"""What the ack of the join by path answers to; too short to be a client's own msgId."""


VERBS_OF_HOSTS = frozenset(("message.edit", "message.delete", "history", "room.create"))
"""Commands that a host gives in a user's name as a client gives them; `message` besides, but without having joined."""


class HostCommand(NamedTuple):
    """A command type of the host's: a function `(ctx, payload) -> the ack's payload`."""

    function: Callable[[Context, Any], Awaitable[Any]]
    decoder: "msgspec.json.Decoder[Any]"


class _Join(msgspec.Struct):
    since: Since | None = None
    history: int | None = None


class _Direct(msgspec.Struct):
    to: str
    body: msgspec.Raw


class _Edit(msgspec.Struct, rename="camel"):
    msg_id: str
    body: msgspec.Raw


class _Delete(msgspec.Struct, rename="camel"):
    msg_id: str


class _Typing(msgspec.Struct):
    active: bool = True


class _History(msgspec.Struct):
    before: int | None = None
    after: int | None = None
    limit: int | None = None


class _Page(msgspec.Struct):
    cursor: str | None = None
    limit: int | None = None
    mine: bool = False


class _Create(msgspec.Struct):
    title: str = ""
    visibility: str = "public"
    attributes: msgspec.Raw = msgspec.Raw(EMPTY)


_auth = msgspec.json.Decoder(AuthRequest)
_join = msgspec.json.Decoder(_Join)
_direct = msgspec.json.Decoder(_Direct)
_edit = msgspec.json.Decoder(_Edit)
_delete = msgspec.json.Decoder(_Delete)
_typing = msgspec.json.Decoder(_Typing)
_history = msgspec.json.Decoder(_History)
_page = msgspec.json.Decoder(_Page)
_create = msgspec.json.Decoder(_Create)
_attributes = msgspec.json.Decoder(dict[str, Any])


class Commands:
    """Carries out what sessions send. One per instance and worker."""

    def __init__(
        self,
        *,
        hub: Hub,
        identity: Identity,
        speech: Speech,
        edits: Edits,
        entering: Entering,
        membership: Membership,
        rooms: Rooms,
        members: Members,
        backlog: Backlog,
        typists: Typists,
        sessions: Sessions,
        heartbeat: Heartbeat,
        occupancy: Occupancy,
        listeners: Listeners,
        chain: Chain,
        host: Mapping[str, HostCommand],
        chat: Any,
        app: Any,
    ) -> None:
        self._hub = hub
        self._identity = identity
        self._speech = speech
        self._edits = edits
        self._entering = entering
        self._membership = membership
        self._rooms = rooms
        self._members = members
        # `admit` and `behind` are the session's to call.
        self._backlog, self.admit, self.behind = backlog, backlog.admit, backlog.note
        self._typists = typists
        self._sessions = sessions
        self._heartbeat = heartbeat
        self._occupancy = occupancy
        self._listeners = listeners
        self._host = host
        self._chat = chat
        self._app = app
        self._chain = chain
        self._say_at_once = not chain.concerns("message")
        self._ping_at_once = not chain.concerns("ping")
        self._handlers: dict[str, Handler] = {
            type: chain.around(type, handler)
            for type, handler in [*self._table().items(), *self._host_table()]
        }

    def _table(self) -> dict[str, Handler]:
        return {
            "auth": self._auth,
            "ping": self._ping,
            "join": self._join,
            "exit": self._exit,
            "leave": self._leave,
            "message": self._message,
            "direct": self._direct,
            "message.edit": self._edit,
            "message.delete": self._delete,
            "typing": self._typing,
            "history": self._history,
            "members": self._list_members,
            "presence": self._presence,
            "rooms": self._list_rooms,
            "room.create": self._create,
        }

    def _host_table(self) -> list[tuple[str, Handler]]:
        return [(type, _host_handler(command)) for type, command in self._host.items()]

    # ---- sessions come and go ----

    def connect(
        self, connection: Connection, endpoint: Endpoint, handshake: Handshake, room: str | None
    ) -> Session:
        """A new connection; `introduce` says who it is."""
        session = Session(
            connection, self, self._hub.reply, endpoint=endpoint, handshake=handshake, room=room
        )
        self._sessions.connected(session)
        self._heartbeat.add(session)
        return session

    async def introduce(self, session: Session, user: Any) -> None:
        """The handshake proved who this is: greet, and join the path's room."""
        await self._identity.establish(session, user)
        session.anonymous = user.guest and session.handshake.credentials.token is None
        self._greet(session)

    def _greet(self, session: Session) -> None:
        self._identity.greet(session)
        if session.room is not None:
            query = session.handshake.query
            session.do(Command("join", PATH_JOIN, session.room, _path_payload(query)))

    def evicted(self, session: Session, room: str) -> None:
        """The hub has taken it out of a room."""
        self._entering.evicted(session, room)

    def withdraw(self, session: Session) -> None:
        """We close it: what it said and no batch has taken yet is not said any more."""
        self._speech.withdraw(session)

    def closed(self, session: Session) -> None:
        """The connection is gone: out of every room, at once and without waiting."""
        self._hub.closed(session)
        self._backlog.forget(session)
        for room in list(session.seats):
            self._entering.exit(session, room, at_once=False)
        self._heartbeat.remove(session)
        self._sessions.gone(session)
        if session.authenticated:
            self._occupancy.exited(ANYWHERE, session.user.id)
            self._listeners.fire("disconnect", user=session.user, session=session)

    # ---- commands ----

    def concurrent(self, command: Command) -> bool:
        """`message` and `direct` may be under way together with the messages before them."""
        return command.type == "message" or command.type == "direct"

    def at_once(self, session: Session, command: Command) -> bool:
        """Carry it out now if that needs no waiting: the hot path of a message, and refusals."""
        type = command.type
        if not session.authenticated:
            if type == "auth":
                return False
            session.fail(command, Unauthenticated())
        elif session.bound and (problem := _out_of_bounds(session, command)) is not None:
            session.fail(command, problem)
        elif type == "message" and self._say_at_once and session.plain_policy:
            return self._speech.say(session, command)
        elif type == "ping" and self._ping_at_once:
            session.answer(pong(command.msg_id, command.payload))
        elif type in self._handlers:
            return False
        else:
            session.fail(command, UnknownCommand.of(type))
        return True

    async def carry_out(self, session: Session, command: Command) -> None:
        """Carry it out with everything that wraps it, and answer."""
        if command.type != "auth":
            session.anonymous = False
        ctx = Context(session, command, self._chat, self._app)
        try:
            result = await self._handlers[command.type](ctx)
            self._answer(session, command, ctx.entered, result)
        except (
            Exception,
            asyncio.CancelledError,
        ) as problem:  # the host's code may raise anything; `fail` logs it
            if is_ending():
                raise
            self._give_up(session, command, ctx.entered, problem)

    async def act(self, acting: Acting, command: Command) -> tuple[Any, Context]:
        """Carry out what a user does by no connection; -> what the ack would hold, and the context."""
        ctx = Context(acting, command, self._chat, self._app)
        if command.type in VERBS_OF_HOSTS:
            handler = self._handlers[command.type]
        else:  # `message`, and what a host says in a user's name
            handler = self._chain.around(command.type, self._say_as)
        return await handler(ctx), ctx

    def _answer(self, session: Session, command: Command, entered: str | None, result: Any) -> None:
        if command.type == "ping":
            session.answer(pong(command.msg_id, command.payload))
            return
        check_object(command.type, result)
        reply = ack(command.msg_id, {} if result is None else result)
        if command.type in self._host:
            _check_size(session, command, reply)
        if entered is not None:
            self._entering.admit(session, entered, reply)
            return
        session.answer(reply)
        if command.type == "auth" and session.authenticated and not session.greeted:
            self._greet(session)

    def _give_up(
        self, session: Session, command: Command, entered: str | None, problem: BaseException
    ) -> None:
        if entered is not None:
            # A middleware has refused after the session had entered. What is refused before that changes nothing.
            self._entering.exit(session, entered)
        session.fail(command, problem)
        if session.refused is not None:
            session.close(session.refused)

    # ---- the handlers ----

    async def _auth(self, ctx: Context) -> dict[str, Any]:
        return await self._identity.auth(
            ctx.session, ctx.session.endpoint, decode_payload(ctx.command.payload, _auth)
        )

    async def _ping(self, ctx: Context) -> None:
        return None

    async def _join(self, ctx: Context) -> Joined:
        request = decode_payload(ctx.command.payload, _join)
        history = ctx.session.settings.history_page if request.history is None else request.history
        if history < 0:
            raise InvalidField("must be 0 or more", field="history")
        if request.since is not None and request.since.seq < 0:
            raise InvalidField("must be 0 or more", field="since.seq")
        joined = await self._entering.join(ctx.session, _room(ctx), request.since, history)
        ctx.entered = joined.room
        return joined

    async def _exit(self, ctx: Context) -> dict[str, Any]:
        self._entering.exit(ctx.session, _room(ctx))
        await self._occupancy.settle()
        return {}

    async def _leave(self, ctx: Context) -> dict[str, Any]:
        await self._membership.leave(ctx.session, _room(ctx))
        return {}

    async def _message(self, ctx: Context) -> Any:
        return await self._speech.say_and_wait(ctx.session, ctx.command)

    async def _say_as(self, ctx: Context) -> Any:
        ctx.stored = await self._speech.say_as(ctx.session, ctx.command)
        return ctx.stored

    async def _direct(self, ctx: Context) -> Any:
        request = decode_payload(ctx.command.payload, _direct)
        check_user_id(request.to, "to")
        return await self._speech.say_directly(ctx.session, ctx.command, request.to, bytes(request.body))

    async def _edit(self, ctx: Context) -> Changed:
        request, room = decode_payload(ctx.command.payload, _edit), _room(ctx)
        body = bytes(request.body)
        check_body(body, ctx.session.settings.max_text, within="body")
        done = ctx.stored = await self._edits.edit(ctx.session, room, request.msg_id, body, ctx.command)
        return Changed(done.seq, done.duplicate)

    async def _delete(self, ctx: Context) -> Changed:
        request, room = decode_payload(ctx.command.payload, _delete), _room(ctx)
        done = ctx.stored = await self._edits.delete(ctx.session, room, request.msg_id, ctx.command)
        return Changed(done.seq, done.duplicate)

    async def _typing(self, ctx: Context) -> dict[str, Any]:
        request, room, session = decode_payload(ctx.command.payload, _typing), _room(ctx), ctx.session
        seat = session.seats.get(room)
        if seat is None:
            raise NotAMember
        await permit(session, "typing", seat.room, seat.member)
        self._typists.note(room, Sender(session.user.id, session.user.name), request.active)
        return {}

    async def _history(self, ctx: Context) -> Any:
        request = decode_payload(ctx.command.payload, _history)
        limit = ctx.session.settings.history_page if request.limit is None else request.limit
        return await self._speech.history(
            ctx.session, _room(ctx), before=request.before, after=request.after, limit=limit
        )

    async def _list_members(self, ctx: Context) -> Any:
        request = decode_payload(ctx.command.payload, _page)
        return await self._members.list(
            ctx.session, _room(ctx), cursor=request.cursor, limit=_page_size(ctx, request)
        )

    async def _presence(self, ctx: Context) -> Any:
        request = decode_payload(ctx.command.payload, _page)
        return await self._members.present(
            ctx.session, _room(ctx), cursor=request.cursor, limit=_page_size(ctx, request)
        )

    async def _list_rooms(self, ctx: Context) -> Any:
        request = decode_payload(ctx.command.payload, _page)
        return await self._rooms.list(
            ctx.session, mine=request.mine, cursor=request.cursor, limit=_page_size(ctx, request)
        )

    async def _create(self, ctx: Context) -> dict[str, Any]:
        request = decode_payload(ctx.command.payload, _create)
        if ctx.command.room is not None and not ctx.session.settings.client_room_ids:
            raise InvalidField("is chosen by the server here; leave it out", field="room")
        room, duplicate = await self._rooms.create(
            ctx.session,
            ctx.command.room,
            title=request.title,
            visibility=request.visibility,
            attributes=_small(request.attributes),
            msg_id=ctx.command.msg_id,
            hash=command_hash(ctx.command),
        )
        return {"room": room.id, "duplicate": duplicate}


def _room(ctx: Context) -> str:
    room = ctx.command.room
    if room is None:
        raise InvalidField("is missing", field="room")
    return room


def _small(attributes: msgspec.Raw) -> dict[str, Any]:
    # Their size is looked at first: to decode any numbers and lists can take long.
    if len(attributes) > ATTRIBUTES_LIMIT:
        raise TooLarge("attributes have too many bytes", limit=ATTRIBUTES_LIMIT, size=len(attributes))
    return decode_payload(bytes(attributes), _attributes, "attributes")


def _check_size(session: Session, command: Command, reply: bytes) -> None:
    limit = session.settings.max_publish
    if len(reply) > limit:
        logger.error("the answer to %s has %d bytes, at most %d: page it", command.type, len(reply), limit)
        raise TooLarge(f"the answer to {command.type} in bytes", limit=limit, size=len(reply))


def _page_size(ctx: Context, request: _Page) -> int:
    return ctx.session.settings.history_page if request.limit is None else request.limit


def _out_of_bounds(session: Session, command: Command) -> ChatError | None:
    """What a read-only or confined route does not take."""
    if session.endpoint.read_only and command.type not in READ_ONLY:
        return Forbidden("this connection is for reading only")
    if session.endpoint.confined:
        if command.type in ("direct", "room.create", "rooms"):
            return Forbidden("this connection is for one room only")
        if command.room is not None and command.room != session.room:
            return Forbidden("this connection is for one room only", room=session.room)
    return None


def _host_handler(command: HostCommand) -> Handler:
    async def handle(ctx: Context) -> Any:
        result = await command.function(ctx, decode_payload(ctx.command.payload, command.decoder))
        return {} if result is None else result

    return handle


def _path_payload(query: Mapping[str, str]) -> bytes:
    """`?history=n` and `?since=epoch:seq` as the payload of a join; what is no number stays text, to be refused."""
    payload: dict[str, Any] = {}
    if "history" in query:
        payload["history"] = _number(query["history"])
    if "since" in query:
        epoch, _, seq = query["since"].rpartition(":")
        payload["since"] = {"epoch": epoch, "seq": _number(seq)}
    return encode(payload)


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else text
