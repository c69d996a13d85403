"""Executes commands by the table: through the middleware to the verb, and answers.

The file of a feature shows what its commands do, and their rows show what is checked before.
"""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any

from ..access.limits.kinds import Kind
from ..access.limits.limits import EXEMPT, refusal
from ..errors import (
    ChatError,
    Forbidden,
    InternalError,
    RateLimited,
    RoomNotFound,
    Unauthenticated,
    UnknownCommand,
)
from ..hooks.declaring import check_object
from ..hooks.middleware import Context, Handler
from ..live.presence import ANYWHERE
from ..models import Appended, Handshake, Sender, User
from ..observe.instruments import COMMANDS, OK, RECEIVED_BYTES
from ..sessions.connection import Connection
from ..sessions.route import Route
from ..sessions.session import Session, log_failure
from ..support.tasks import is_ending
from ..wire.decode import Command, decode_payload
from ..wire.encode import ack, pong
from . import entering, identity, messages
from .acting import Acting
from .arriving import forget_made
from .by_path import by_path
from .context import Ctx
from .core import Core
from .drafts import check_body
from .on_behalf import OnBehalf
from .own import AppCommand, check_size, own_handler, own_row
from .table import Needs, Row, acked, commands
from .words import said, spoken

__all__ = ["Commands"]

logger = logging.getLogger("sanic_chatrooms.verbs.dispatch")


class Commands:
    """Executes the commands of sessions. One per instance and worker."""

    def __init__(self, core: Core, *, own: Mapping[str, AppCommand], chat: Any, app: Any) -> None:
        self._core = core
        self.meter, self.received = core.meter, core.meter.tally(RECEIVED_BYTES)
        self._chain = chain = core.chain
        self._chat = chat
        self._app = app
        self._rows: dict[str, Row] = {
            **{type: row for type, row in commands().items() if row.feature not in core.missing},
            **{type: own_row(type, its) for type, its in own.items()},
        }
        self._handlers = {type: chain.around(type, self._handler(row)) for type, row in self._rows.items()}
        self._overlapping = frozenset(type for type, row in self._rows.items() if row.overlaps)
        self._say_at_once = not chain.concerns("message")
        self._ping_at_once = not chain.concerns("ping")
        # The session calls these.
        self.admit, self.behind = core.backlog.admit, core.backlog.note

    # ---- sessions come and go ----

    def connect(
        self, connection: Connection, route: Route, handshake: Handshake, room: str | None
    ) -> Session:
        """Create the session of a new connection; `introduce` identifies its user."""
        session = Session(
            connection,
            self,
            self._core.hub.reply,
            route=route,
            handshake=handshake,
            room=room,
            limits=self._core.limits.open(handshake.remote_ip),
        )
        self._core.sessions.connected(session)
        self._core.heartbeat.add(session)
        return session

    async def introduce(self, session: Session, user: User, *, heard: int | None = None) -> None:
        """The handshake identified the user: send `welcome`, and join the room of the path. `heard` is that of
        `Sessions.identified`."""
        await identity.establish(self._core, session, user, heard=heard)
        session.who.anonymous = user.guest and session.handshake.credentials.token is None
        self._greet(session)

    def _greet(self, session: Session) -> None:
        identity.greet(self._core, session)
        if session.room is not None:
            session.queue.do(by_path(session.room, session.handshake.query))

    def evicted(self, session: Session, room: str) -> None:
        """The hub has taken the session out of a room."""
        entering.vacate(self._core, session, room)

    def withdraw(self, session: Session) -> None:
        """The server closes the connection: drop its drafts that no batch has taken yet."""
        self._core.journal.withdraw(session)

    def closed(self, session: Session) -> None:
        """The connection is gone: take it out of every room, without waiting."""
        core, for_good = self._core, session.who.refused is not None
        core.hub.closed(session)
        core.backlog.forget(session)
        for room in list(session.seats):
            entering.take_out(core, session, room, at_once=for_good)
        core.heartbeat.remove(session)
        core.limits.closed(session.limits)
        core.streams.gone(session, for_good)
        core.sessions.gone(session)
        if session.authenticated:
            core.occupancy.exited(ANYWHERE, session.user.id, at_once=for_good)
            core.listeners.fire("disconnect", user=session.user, session=session)

    # ---- commands ----

    def concurrent(self, command: Command) -> bool:
        """Whether it may run while earlier messages are still being stored."""
        return command.type in self._overlapping

    def means_the_path(self, type: str) -> bool:
        """Whether such a command means the room of the path if it names none."""
        row = self._rows.get(type)
        return row is None or row.room is Needs.ROOM

    def at_once(self, session: Session, command: Command) -> bool:
        """Execute the command now if nothing has to wait: a message on its hot path, a ping, a refusal."""
        type = command.type
        if not session.authenticated:
            if type == "auth":
                return False
            session.fail(command, Unauthenticated())
        elif session.bound and (problem := self._out_of_bounds(session, command)) is not None:
            session.fail(command, problem)
        elif type == "message" and self._say_at_once and session.plain_policy:
            return messages.say(self._core, session, command)
        elif type == "ping" and self._ping_at_once:
            self.count(type, OK)
            session.answer(pong(command.msg_id, command.payload))
        elif (row := self._rows.get(type)) is not None:
            return _refused_at_once(row, session, command)
        else:
            session.fail(command, UnknownCommand.of(type))
        return True

    def count(self, type: str, result: str) -> None:
        """A command was answered: `ok`, or with this error code."""
        self.meter.add(COMMANDS, 1, type if type in self._rows else "unknown", result)

    def _out_of_bounds(self, session: Session, command: Command) -> ChatError | None:
        """The refusal of a read-only or confined route."""
        row = self._rows.get(command.type)
        if session.route.read_only and (row is None or not row.looks):
            return Forbidden("this connection is for reading only")
        if session.route.confined:
            if row is not None and row.roams:
                return Forbidden("this connection is for one room only")
            if command.room is not None and command.room != session.room:
                return Forbidden("this connection is for one room only", room=session.room)
        return None

    async def carry_out(self, session: Session, command: Command) -> None:
        """Execute the command through its middleware, and answer."""
        if command.type != "auth":
            session.who.acted()
        row = self._rows[command.type]
        ctx = self._ctx(row, session, command)
        try:
            result = await self._carried_out(session, command, ctx)
            self._answer(session, command, ctx, result)
        except (
            Exception,
            asyncio.CancelledError,
        ) as problem:  # the app's code may raise anything; `fail` logs it
            if is_ending():
                raise
            self._give_up(session, command, ctx.entered, problem)

    async def _carried_out(self, session: Session, command: Command, ctx: Ctx) -> Any:
        row, kind = ctx.row, ctx.row.limited
        try:
            if kind is not None and not _is_exempt(row, session, command):
                await ctx.spend(kind)
        except RateLimited:
            if (repeated := await ctx.repeated()) is None:
                raise
            return acked(row.ack, repeated)
        return await self._handlers[command.type](ctx)

    def _answer(self, session: Session, command: Command, ctx: Ctx, result: Any) -> None:
        self.count(command.type, OK)
        if command.type == "ping":
            session.answer(pong(command.msg_id, command.payload))
            return
        check_object(command.type, result)
        reply = ack(command.msg_id, {} if result is None else result)
        if ctx.row.own:
            check_size(session, command, reply)
        if ctx.entered is not None:
            entering.admit(self._core, session, ctx.entered, reply)
            return
        session.answer(reply)
        if command.type == "auth" and session.authenticated and not session.who.greeted:
            self._greet(session)

    def _give_up(
        self, session: Session, command: Command, entered: str | None, problem: BaseException
    ) -> None:
        if entered is not None:
            # A middleware refused after the session had entered. An earlier refusal changes nothing.
            entering.take_out(self._core, session, entered)
        session.fail(command, problem)
        if session.who.refused is not None:
            session.close(session.who.refused)

    # ---- without a connection ----

    async def act(self, acting: Acting, command: Command) -> Ctx:
        """Execute the command of a user without a connection; -> its context, with the result and what it stored."""
        await self._core.revocations.check_ban(acting.user)
        if wait := self._core.limits.pay(acting.limits):
            raise refusal(Kind.BYTES, wait)
        row = self._rows.get(command.type)
        if row is not None and row.as_user:
            ctx, handler = self._ctx(row, acting, command), self._handlers[command.type]
        else:  # a type of the app, in a user's name
            row = messages.IN_A_USERS_NAME
            ctx, handler = (
                self._ctx(row, acting, command),
                self._chain.around(command.type, self._handler(row)),
            )
        ctx.result = await handler(ctx)
        return ctx

    async def request(self, acting: Acting, command: Command, row: Row | None = None) -> Any:
        """Execute the command of a request; -> the ack's payload. Its user has been identified. `row`: what to do, if not what
        connections do with such a command. Raises a `ChatError`, whatever went wrong."""
        try:
            result = await self._requested(acting, command, row)
            check_object(command.type, result)
        except Exception as problem:
            error = problem if isinstance(problem, ChatError) else InternalError()
            self.count(command.type, error.code)
            if error is not problem:
                log_failure(command, acting.user, problem)
            await forget_made(self._core, acting)
            raise error from problem
        self.count(command.type, OK)
        return result

    async def _requested(self, acting: Acting, command: Command, row: Row | None) -> Any:
        if wait := self._core.limits.pay(acting.limits):
            raise refusal(Kind.BYTES, wait)
        if row is not None:
            handler = self._chain.around(command.type, self._handler(row))
        elif (row := self._rows.get(command.type)) is None:
            raise UnknownCommand.of(command.type)
        else:
            handler = self._handlers[command.type]
        return await handler(self._ctx(row, acting, command))

    async def repeated(self, acting: Acting, command: Command) -> Any:
        """The ack's payload of this very command of a request, if it was carried out before; else None."""
        row = self._rows[command.type]
        stored = await self._ctx(row, acting, command).repeated()
        return None if stored is None else acked(row.ack, stored)

    async def give(
        self,
        type: str,
        ask: Any,
        *,
        room: str | None = None,
        actor: Acting | None = None,
        by: Sender | None = None,
    ) -> Any:
        """Execute a command of the app itself; -> the result of the verb. Middleware does not see it, and without `actor` no policy is
        asked. `by`: whose act the event says that it is; None: the app's."""
        command = Command(type, None, room)
        if by is None:
            ctx = self._ctx(self._rows[type], actor, command)
        else:
            ctx = OnBehalf(self._core, self._rows[type], None, command, self._chat, self._app)
            ctx.by = by
        await ctx.judge()
        return await ctx.row.verb(ctx, ask)

    def _ctx(self, row: Row, actor: Session | Acting | None, command: Command) -> Ctx:
        return Ctx(self._core, row, actor, command, self._chat, self._app)

    # ---- to the verb ----

    def _handler(self, row: Row) -> Handler:
        """The innermost handler: what the middleware of the command wraps."""
        if row.own:
            return own_handler(row)
        words = self._chain.concerns_words_of
        if row.body is not None and words(row.type):
            return _with_body
        return _with_words if row.words and words(row.type, row.words[0]) else _to_verb


async def _to_verb(context: Context) -> Any:
    ctx = _own(context)
    return await _perform(ctx, _decode(ctx))


async def _with_body(context: Context) -> Any:
    ctx = _own(context)
    return await said(ctx, _decode(ctx), ctx.row.body or "", partial(_perform, ctx))


async def _with_words(context: Context) -> Any:
    ctx = _own(context)
    return await spoken(ctx, _decode(ctx), ctx.row.words, partial(_perform, ctx))


def _own(context: Context) -> Ctx:
    assert isinstance(context, Ctx)  # middleware passes on what it got
    return context


def _decode(ctx: Ctx) -> Any:
    return decode_payload(ctx.command.payload, ctx.row.decoder)


async def _perform(ctx: Ctx, ask: Any) -> Any:
    row = ctx.row
    if row.body is not None:
        body = bytes(getattr(ask, row.body)) if row.body else ctx.command.payload
        check_body(body, ctx.settings.max_text, within=row.body)
    result = await _judged(ctx, ask)
    if isinstance(result, Appended):
        return acked(row.ack, result)
    return result


def _refused_at_once(row: Row, session: Session, command: Command) -> bool:
    """Refuse a command above its rate without a task, because floods consist of these. One that may be a repetition is left to
    `carry_out`."""
    kind = row.limited
    if kind is None or (command.msg_id is not None and row.repeats) or _is_exempt(row, session, command):
        return False
    if not (wait := session.limits.refuses(int(kind))):
        return False
    if command.type != "auth":
        session.who.acted()
    session.fail(command, refusal(kind, wait))
    return True


def _is_exempt(row: Row, session: Session, command: Command) -> bool:
    # Other commands ignore the room that a client names in them.
    if row.room is not Needs.ROOM:
        return False
    seat = session.seats.get(command.room or "")
    return seat is not None and seat.standing.level >= EXEMPT


async def _judged(ctx: Ctx, ask: Any) -> Any:
    """Judge the command and carry it out. What was carried out before is answered with the first result, also where it is
    refused now."""
    row = ctx.row
    try:
        await ctx.judge()
        if isinstance(ctx.actor, Acting) and row.limited is not None and ctx.level < EXEMPT:
            await ctx.spend(row.limited)
        return await row.verb(ctx, ask)
    except (Forbidden, RoomNotFound, RateLimited):
        repeated = await ctx.repeated()
        if repeated is None:
            raise
        return repeated
