"""One connection of one user: its commands (`queue`), its answers, its rooms (`seats`), its sign-in (`who`), and its
heartbeat (`liveness`).
"""

import asyncio
import enum
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..access.limits.kinds import Kind
from ..access.limits.limits import IN_A_ROW, LOT, UNLIMITED, Allowance, refusal
from ..access.scopes import Scopes, scopes_of
from ..errors import (
    BadFrame,
    ChatError,
    InternalError,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from ..models import Handshake, User
from ..observe.ids import ids
from ..observe.instruments import CLOSED, HEARTBEAT_SECONDS
from ..observe.meter import Meter, Tally
from ..support.ids import new_id
from ..wire import codes
from ..wire.codes import CloseCode
from ..wire.decode import Command, decode_command, decode_names
from ..wire.encode import error, live_event
from ..wire.events import LiveEvent
from .connection import Connection
from .liveness import Liveness
from .queue import ENDED, CommandQueue
from .route import Route
from .seats import Seats
from .who import Who

__all__ = ["Dispatcher", "Session", "State", "log_failure"]

logger = logging.getLogger("sanic_chatrooms.sessions.session")

NOTED = 4 * 1024
"""Unread bytes of a connection that is not signed in, above which all such connections are checked."""
AUTH_LIMIT, PING_LIMIT = 16 * 1024, 4 * 1024
"""Bytes of an `auth` and of a `ping` before authentication, when nothing else is accepted."""

LONGEST_REST = 1.0
"""Seconds for which a connection above the rate of bytes is not read, at most."""
REFUSED_REST = 0.25
"""Seconds for which one is not read that goes on after many refusals, for whatever rate; at least half of it."""
HASTE = 16
"""A connection may use its burst of bytes so many times as fast as the rate. Then large frames come one at a time, and
others have their turn between them."""


class State(enum.Enum):
    """The state of a connection (protocol, Heartbeat)."""

    CONNECTING = "connecting"
    ACTIVE = "active"
    IDLE = "idle"
    CLOSED = "closed"


# Members of an enum are looked up by a function, and every message asks.
_ACTIVE, _IDLE, _CLOSED = State.ACTIVE, State.IDLE, State.CLOSED


class Dispatcher(Protocol):
    """Executes commands. See `verbs.dispatch.Commands`."""

    @property
    def meter(self) -> Meter:
        """Takes counts and measurements."""

    @property
    def received(self) -> Tally:
        """Counts the bytes that came."""

    def count(self, type: str, result: str) -> None:
        """A command was answered: `ok`, or with this error code."""

    def at_once(self, session: "Session", command: Command) -> bool:
        """Execute the command now, if nothing has to wait; else False."""

    def concurrent(self, command: Command) -> bool:
        """Whether it may run while earlier messages are still being stored."""

    def means_the_path(self, type: str) -> bool:
        """Whether such a command means the room of the path if it names none."""

    async def admit(self, session: "Session") -> None:
        """Wait until a command with a large answer may start."""

    async def carry_out(self, session: "Session", command: Command) -> None:
        """Execute the command, and answer."""

    def behind(self, session: "Session") -> None:
        """The client has unread answers."""

    def evicted(self, session: "Session", room: str) -> None:
        """The hub has taken the session out of a room."""

    def withdraw(self, session: "Session") -> None:
        """Drop its drafts that no batch has taken yet."""

    def closed(self, session: "Session") -> None:
        """The connection is gone."""


class Session:
    """See the module's docstring. `session.data` is the app's to use."""

    __slots__ = (
        "_data", "answered", "authenticated", "bad_frames", "bound", "codec", "connection", "dispatcher", "route",
        "handshake", "id", "limits", "liveness", "plain_policy", "policy", "push",
        "queue", "reply_soon", "room", "scopes", "seats", "settings",
        "state", "user", "who", "write",
    )  # fmt: skip

    def __init__(
        self,
        connection: Connection,
        dispatcher: Dispatcher,
        reply_soon: Callable[["Session", bytes], None],
        *,
        route: Route,
        handshake: Handshake,
        room: str | None = None,
        limits: Allowance = UNLIMITED,
    ) -> None:
        self.id = new_id()
        self.limits = limits
        self.user = NOBODY
        self.scopes: Scopes | None = None
        """What the user's token allows; None: it narrows nothing."""
        self.authenticated = False
        self.state = State.CONNECTING
        self.who = Who()
        self.connection = connection
        self.push = connection.push
        self.write = connection.write
        self.codec = connection.codec
        self.dispatcher = dispatcher
        self.reply_soon = reply_soon
        self.route = route
        self.settings = route.settings
        self.policy = route.policy
        self.plain_policy = route.plain_policy
        self.bound = route.read_only or route.confined
        self.handshake = handshake
        self.room = room
        """The room of the path. It is joined after authentication, and commands without a room mean it."""
        self.seats = Seats()
        self.queue: CommandQueue = CommandQueue(self, dispatcher)
        self.liveness = Liveness(self.settings.heartbeat_interval, self.settings.heartbeat_timeout)
        self.bad_frames = 0
        """Malformed frames in a row."""
        self.answered = 0
        """Replies and live events to this connection alone so far."""
        self._data: dict[str, Any] | None = None

    def __repr__(self) -> str:
        return f"<Session {self.id} of {self.user.id!r}, {self.state.value}>"

    @property
    def data(self) -> dict[str, Any]:
        """The app's to use."""
        if self._data is None:  # most connections need none
            self._data = {}
        return self._data

    @property
    def check_every(self) -> int:
        """For the hub: bytes that may be written before it checks whether they are read."""
        return self.connection.check_every

    @property
    def closed(self) -> bool:
        """Whether the connection is closed; then none of its commands runs."""
        return self.state is _CLOSED

    # ---- who it is ----

    def become(self, user: User) -> None:
        """Set the user, after a proof of identity."""
        self.user = user
        scopes = scopes_of(user.scopes)
        if scopes != self.scopes:
            self.scopes = scopes
            self.seats.all_changed()
        self.authenticated = True
        self.state = _ACTIVE

    def fell_silent(self) -> None:
        """The connection was silent for an interval, and is pinged."""
        self.state = _IDLE if self.authenticated else State.CONNECTING

    def wait_for_policy(self, answer: Awaitable[Any]) -> None:
        """`require` is a plain function and has returned this awaitable, which is not awaited: from now on, messages run in the
        task."""
        self.plain_policy = False
        end = getattr(answer, "close", None) or getattr(answer, "cancel", None)
        if end is not None:
            end()

    # ---- in ----

    def receive(self, data: bytes) -> None:
        """Take one text frame, which is valid UTF-8."""
        if self.state is _CLOSED:
            return
        limits = self.limits
        limits.unpaid += len(data)
        if limits.unpaid >= LOT and not self._pay(data):
            return
        try:
            if not self.authenticated and len(data) > AUTH_LIMIT:
                raise _too_long(data, AUTH_LIMIT)
            command = decode_command(data, self.settings.max_json_depth, self.seats)
            if not self.authenticated and command.type == "ping" and len(data) > PING_LIMIT:
                raise _too_long(data, PING_LIMIT)
        except ChatError as problem:
            self._refuse(problem)
            return
        self.bad_frames = 0
        if self.state is _IDLE:
            self.state = _ACTIVE
        if self.room is not None and command.room is None and self.dispatcher.means_the_path(command.type):
            command.room = self.room
        self.queue.do(command)

    def _pay(self, data: bytes) -> bool:
        """Count bytes; False: there are too many, and this frame is refused. Whom to answer is all that is read of it: checking the
        values of a large frame costs several times that."""
        wait = self.limits.pay(len(data))
        if wait:
            self.fail(decode_names(data), refusal(Kind.BYTES, wait))
            self.queue.rest(min(wait, LONGEST_REST))  # what nobody reads costs nothing
        elif len(data) >= LOT:
            self.queue.rest(self.limits.seconds_of(len(data)) / HASTE * random.uniform(0.75, 1.25))  # noqa: S311
        return not wait

    @property
    def stranger(self) -> bool:
        """Whether nobody has signed in: a guest, or an unknown user."""
        return not self.authenticated or self.user.guest

    def held_up(self) -> bool:
        """Whether the client has too many unread bytes for another command."""
        # `stranger`, written out: every message asks.
        stranger = not self.authenticated or self.user.guest
        if not (self.connection.owing() if stranger else self.connection.congested()):
            return False
        self.dispatcher.behind(self)
        return True

    def _refuse(self, problem: ChatError) -> None:
        if not self.authenticated and not isinstance(problem, BadFrame | TooLarge):
            problem, problem.reply_to = Unauthenticated(), problem.reply_to
        self.dispatcher.count("", problem.code)
        self.answer(error(problem, problem.reply_to))
        if isinstance(problem, BadFrame):
            self.bad_frames += 1
            if self.bad_frames >= self.settings.max_bad_frames:
                self.close(CloseCode.BAD_FRAMES)

    def ponged(self) -> None:
        """For the edge: a pong has arrived."""
        seconds = self.liveness.answered()
        if seconds is not None:
            self.dispatcher.meter.observe(HEARTBEAT_SECONDS, seconds)

    # ---- out ----

    def answer(self, text: bytes) -> None:
        """Send a reply or a live event to this connection alone, with this turn's write."""
        if self.state is not _CLOSED:
            self.answered += 1
            self.reply_soon(self, self.codec.reply(text))

    def answer_raw(self, data: bytes) -> None:
        """Like `answer`, with bytes that are encoded already, or with a pong."""
        if self.state is not _CLOSED:
            self.answered += 1
            self.reply_soon(self, data)

    def send(self, event: LiveEvent) -> None:
        """Send a live event to this connection alone."""
        self.answer(live_event(event))

    def reply(self, data: bytes) -> None:
        """For the hub: write replies."""
        self.connection.reply(data)
        if self.stranger and self.connection.behind() > NOTED:
            # Answers of this turn count too. At its end, the operating system has taken what it can.
            asyncio.get_running_loop().call_soon(self.dispatcher.behind, self)

    def evicted(self, room: str) -> None:
        """For the hub: this session is no longer in the room."""
        self.dispatcher.evicted(self, room)

    def fail(self, command: Command, problem: BaseException) -> None:
        """Answer a command with an error."""
        if not isinstance(problem, ChatError):
            log_failure(command, self.user, problem, self.id)
            problem = InternalError()
        self.dispatcher.count(command.type, problem.code)
        self.answer(error(problem, command.msg_id, command.room))
        if isinstance(problem, Unavailable):
            self.queue.share_fate(command)
        elif isinstance(problem, RateLimited):
            self._slow_down()

    def _slow_down(self) -> None:
        if self.limits.refused > IN_A_ROW:
            self.limits.flooded()
            self.close(CloseCode.RATE_LIMIT)
        elif self.limits.goes_on():
            # Not the same for all: those that began together would always come back in the same turn of the event loop.
            self.queue.rest(random.uniform(REFUSED_REST / 2, REFUSED_REST))  # noqa: S311 - spreads load, keeps no secret

    # ---- the end ----

    def close(self, code: int, reason: str | None = None) -> None:
        """Close the connection. None of its commands runs any more."""
        if self.state is _CLOSED:
            return
        self.state = _CLOSED
        self.dispatcher.meter.add(CLOSED, 1, _label(code))
        self.dispatcher.withdraw(self)
        self.dispatcher.closed(self)
        self._end_queue()
        self.connection.close(code, reason or codes.reason(code))

    def refuse(self, problem: ChatError) -> None:
        """Close the connection of a user who may not come back like this: they are gone at once for the others, too. A close frame
        has no place for `until` and `reason` of a ban, so an error goes before it."""
        self.answer(error(problem, None))
        self.who.refused = problem.close_code
        self.close(problem.close_code, problem.default)

    def cut(self) -> None:
        """Close the connection at once, and drop its unread bytes."""
        self.close(CloseCode.SLOW_CONSUMER)
        self.connection.cut()

    def disconnected(self) -> None:
        """For the edge: the peer is gone. Its earlier messages are still stored."""
        if self.state is not _CLOSED:
            self.state = _CLOSED
            self.dispatcher.meter.add(CLOSED, 1, "gone")
            self.dispatcher.closed(self)
            self._end_queue()

    def _end_queue(self) -> None:
        queue, self.queue = self.queue, ENDED
        queue.stop()


def log_failure(command: Command, user: User, problem: BaseException, connection: str | None = None) -> None:
    """Log what is a defect of the server or of the app's code."""
    type, room, msg_id = command.type[:64], command.room, command.msg_id
    about = ids(connection=connection, user=user.id, room=room, command=type, msg_id=msg_id)
    logger.error("command %s of user %s failed (room %s)", type, user.id, room, exc_info=problem, extra=about)


def _label(code: int) -> str:
    # Apps may use any code, but a label must have few values.
    return str(int(code)) if code in codes.REASONS else "other"


def _too_long(data: bytes, limit: int) -> TooLarge:
    return TooLarge("bytes of a frame before authentication", limit=limit, size=len(data))


NOBODY = User("", "")
