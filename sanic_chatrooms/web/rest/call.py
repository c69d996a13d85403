"""Answers the requests at `<prefix>/api`: finds the route, identifies the user, carries out the command."""

from collections.abc import Mapping
from functools import partial
from hashlib import blake2b
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec.structs import replace
from sanic import Request, raw
from sanic.response import HTTPResponse

from ...chat import Chat
from ...errors import ChatError, Conflict, Forbidden, RoomNotFound, Unavailable, UnknownCommand
from ...models import Room
from ...stores import members
from ...support.locks import Locks
from ...verbs.acting import Acting
from ...verbs.log import LOG
from ...verbs.table import Row, commands
from ...verbs.unconnected import CONNECTED, JOIN, CommandAsked
from ...verbs.unconnected import WELCOME as WELCOME_ROW
from ...wire.decode import Command, decode_payload
from ...wire.encode import EMPTY, encode
from ...wire.events import Myself
from ..handshake import MAX_ARRIVING
from ..mounted import Mounted
from ..problems import problem_of
from ..tickets import give_ticket
from .etags import etag_of, is_known, matches, room_tag, version_of
from .events import serve_events, wants_stream
from .openapi import describe
from .problems import ChangedMeanwhile, not_allowed, nothing_here
from .reading import body_of, key_of, object_of, payload_by_body, payload_by_query
from .requester import SAFE, Requester, acting_for, identify
from .routes import (
    COMMANDS,
    EVENTS,
    GONE,
    ME,
    MEMBER,
    READ,
    TICKETS,
    WELCOME,
    Found,
    RestRoute,
    find,
    row_of,
)

__all__ = ["Rest"]

SHEDS = "this server has too much to do; come back in a moment"
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ROWS = {EVENTS: LOG, WELCOME: WELCOME_ROW}
_asked = msgspec.json.Decoder(CommandAsked)
_PRIVATE = {"Vary": "Authorization, Cookie"}


class Me(msgspec.Struct, rename="camel", omit_defaults=True):
    """The answer to `GET /me`. `expires_at`: when the token ends (Unix seconds)."""

    user: Myself
    expires_at: float | None = None


class Call(msgspec.Struct):
    """One request: its route, what its path and query name, and who acts."""

    route: RestRoute
    found: Found
    query: Mapping[str, str]
    acting: Acting
    key: str | None = None
    body: bytes = b""

    @property
    def room(self) -> str | None:
        """The room of the path."""
        return self.found.named.get("room")


class Rest:
    """REST of one instance in one app."""

    def __init__(self, mounted: Mounted, chat: Chat) -> None:
        self._mounted = mounted
        self._chat = chat
        self._route = mounted.routes["/ws"]
        self._arriving = 0
        """Requests whose user is not known yet, for authenticators can be slow."""
        self._locks = Locks()
        """By what a path names, however it is written: of two edits of one version with `If-Match`, one is first."""

    async def __call__(self, request: Request) -> HTTPResponse | None:
        """The answer; None where it was sent already. Errors of the chat are problem documents."""
        try:
            return await self._answer(request)
        except ChatError as problem:
            return problem_of(problem)

    def describe(self, app: Any, route: Any) -> None:
        """Add REST to the app's OpenAPI document. `route`: Sanic's, with the handler of all requests."""
        describe(app, "/" + route.path.strip("/").removesuffix("/<path:path>"))

    async def _answer(self, request: Request) -> HTTPResponse | None:
        base, path = _parts(request)
        found = find(path)
        if found is None:
            raise nothing_here()
        route = found.routes.get("GET" if request.method == "HEAD" else request.method)
        if route is None:
            return not_allowed(found.routes)
        if route.type == TICKETS:
            return await give_ticket(request, self._chat, self._route)
        if request.method in SAFE and self._chat.overload.shedding:
            raise Unavailable(SHEDS)
        streams = route.type == EVENTS and request.method == "GET" and wants_stream(request)
        requester = await self._identify(request, streams, route.type == WELCOME)
        if route.type == ME:
            return _read(request, route, encode(_me(requester)))
        call = Call(route, found, _query(request), acting_for(self._chat, self._route, requester))
        try:
            if streams:
                await serve_events(
                    request, self._mounted, self._chat, requester, call.acting, call.room or ""
                )
                return None
            if request.method in SAFE:
                return _read(request, route, await self._carry_out(call))
            call.key, call.body = key_of(request), await body_of(request, self._route.settings.max_frame)
            return await self._change(request, base, call)
        finally:
            self._chat.limits.closed(call.acting.limits)

    async def _identify(self, request: Request, connects: bool, comes_in: bool) -> Requester:
        if self._arriving >= MAX_ARRIVING:
            raise Unavailable("too many arrive at once; come back in a moment")
        self._arriving += 1
        try:
            return await identify(request, self._chat, self._route, connects=connects, comes_in=comes_in)
        finally:
            self._arriving -= 1

    # ---- reads and changes ----

    async def _change(self, request: Request, base: str, call: Call) -> HTTPResponse:
        wanted = request.headers.get("if-match")
        if wanted is not None and call.route.precise:
            async with self._locks.of(_path(call)):
                body = await self._change_if(wanted, call)
        else:
            body = await self._carry_out(call)
        headers = {"Cache-Control": "no-store"}
        if not call.route.made:
            return raw(body, 200, headers, "application/json")
        headers["Location"] = base + _place(call, body)
        return raw(body, 201, headers, "application/json")

    async def _change_if(self, wanted: str, call: Call) -> bytes:
        """Carry out a change if what is there has the version that `If-Match` names."""
        try:
            tag = await self._tag_now(call)
        except (Forbidden, RoomNotFound) as problem:  # perhaps because of the first attempt
            return await self._again(call, problem)
        if not matches(wanted, tag):
            return await self._again(call, ChangedMeanwhile())
        if call.key is None and call.route.type == "message.edit":
            # Of two edits of one version, also on two workers, the store takes one: only the author edits a message.
            call.key = _key(call, tag)
        if call.route.type == "room.update":
            call.acting.check = partial(_check, wanted)
        try:
            return await self._carry_out(call)
        except ChangedMeanwhile as problem:
            return await self._again(call, problem)
        except Conflict:
            if matches(wanted, await self._tag_now(call)):
                raise
            raise ChangedMeanwhile from None

    async def _again(self, call: Call, problem: ChatError) -> bytes:
        """The answer to a repetition. Anything else raises the problem."""
        if call.key is not None:
            command = await self._command(call)
            if (result := await self._chat.commands.repeated(call.acting, command)) is not None:
                return encode(result)
        raise problem

    async def _tag_now(self, call: Call) -> str:
        route = call.found.routes["GET"]
        body = await self._carry_out(replace(call, route=route, query={}, key=None))
        return etag_of(route.type, body)  # each of these routes shows what can be edited

    # ---- the command ----

    async def _carry_out(self, call: Call) -> bytes:
        command = await self._command(call)
        body = encode(await self._chat.commands.request(call.acting, command, self._row(call, command)))
        if call.route.shows:
            return bytes(_fields.decode(body)[call.route.shows])
        return _marker(body, call.room) if call.route.type == READ else body

    def _row(self, call: Call, command: Command) -> Row | None:
        """What is done, if not what connections do with such a command."""
        if call.route.type != COMMANDS:
            return _ROWS.get(call.route.type)
        row = commands().get(command.type)
        if command.type in CONNECTED:
            raise UnknownCommand(f"{command.type} is about a connection")
        if row is not None and row.looks and self._chat.overload.shedding:
            raise Unavailable(SHEDS)
        return JOIN if command.type == JOIN.type else None

    async def _command(self, call: Call) -> Command:
        if call.route.type == COMMANDS:
            return _as_asked(call)
        row, room = _ROWS.get(call.route.type) or row_of(call.route), call.room
        assert row is not None
        if call.route.method in SAFE:
            room = room or call.query.get("room")
            payload = payload_by_query(row, call.query, _named(call))
        else:
            named = call.found.named
            payload, made = payload_by_body(call.route, row, named, call.query, call.body)
            room = room or made
        command = call.acting.command(row.type, payload, room=room, key=call.key)
        return replace(command, type=await self._type(call, command))

    async def _type(self, call: Call, command: Command) -> str:
        """The type of the command, where it depends on who is meant."""
        user = call.found.named.get("user")
        if call.route.type == GONE and user == call.acting.user.id:
            return "leave"
        if call.route.type == MEMBER and "role" in _fields.decode(command.payload):
            store = self._chat.core.store
            there = await members.find(store, command.room or "", user or "") is not None
            return "member.role" if there and not await self._was(call.acting, command) else command.type
        return command.type

    async def _was(self, acting: Acting, command: Command) -> bool:
        """Whether this very command was carried out before. Then its user is a member because of it."""
        try:
            return await self._chat.commands.repeated(acting, command) is not None
        except Conflict:
            return False  # the key was used for the other one


def _parts(request: Request) -> tuple[str, str]:
    """The prefix of REST, and the path below it, both as they stand in the URL."""
    route: Any = request.route
    depth = route.path.strip("/").count("/")
    parts = request.path.strip("/").split("/")
    return "/" + "/".join(parts[:depth]), "/".join(parts[depth:])


def _query(request: Request) -> Mapping[str, str]:
    given = request.get_args(keep_blank_values=True)
    return {name: values[-1] for name, values in given.items()}


def _named(call: Call) -> dict[str, Any]:
    """What the payload of a read has beside the query."""
    if call.route.type == READ:
        return {"rooms": [call.room]}
    return {**call.found.named, "limit": 1} if call.route.shows else dict(call.found.named)


def _as_asked(call: Call) -> Command:
    """The command that the body is. Raises the errors of a frame."""
    _, fields = object_of(call.body)
    asked = decode_payload(encode({name: fields[name] for name in fields if name != "payload"}), _asked)
    payload = bytes(fields.get("payload", EMPTY))
    return call.acting.command(asked.type, payload, room=asked.room, key=call.key or asked.msg_id)


def _me(requester: Requester) -> Me:
    user = requester.user
    return Me(Myself(user.id, user.name, user.scopes, user.amr or msgspec.UNSET), user.expires_at)


def _marker(body: bytes, room: str | None) -> bytes:
    rooms = _fields.decode(_fields.decode(body)["rooms"])
    if room is None or room not in rooms:
        raise RoomNotFound
    return bytes(rooms[room])


def _place(call: Call, body: bytes) -> str:
    told = msgspec.json.decode(body)
    names = {**call.found.named, **{name: told[name] for name in ("room", "msgId") if name in told}}
    return call.route.made.format(**{name: quote(value, safe="") for name, value in names.items()})


def _path(call: Call) -> str:
    return call.route.path.format_map(
        {name: quote(value, safe="") for name, value in call.found.named.items()}
    )


def _check(wanted: str, room: Room) -> None:
    """Compare with the version that is about to be changed, which another worker may have changed."""
    if not matches(wanted, room_tag(room)):
        raise ChangedMeanwhile


def _key(call: Call, tag: str) -> str:
    what = f"{call.room} {call.found.named} {version_of(tag)}"
    return f"if-match-{blake2b(what.encode(), digest_size=20).hexdigest()}"


def _read(request: Request, route: RestRoute, body: bytes) -> HTTPResponse:
    tag = etag_of(route.type if route.shows or route.type == "room" else "", body)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", **_PRIVATE}
    if is_known(request.headers.get("if-none-match"), tag):
        return HTTPResponse(status=304, headers=headers)
    return raw(body, 200, headers, "application/json")
