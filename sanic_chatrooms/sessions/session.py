"""One connection of one user: what it sends (`queue`), what it is told, where it is (`seats`), who it is (`who`), and
whether it lives (`liveness`).
"""

import asyncio
import enum
import logging
from collections.abc import Callable
from typing import Any, Protocol

from ..errors import BadFrame, ChatError, InternalError, TooLarge, Unauthenticated, Unavailable
from ..models import Handshake, User
from ..observe.instruments import CLOSED, HEARTBEAT_SECONDS
from ..observe.meter import Meter
from ..support.ids import new_id
from ..wire import codes
from ..wire.codes import CloseCode
from ..wire.decode import Command, decode_command
from ..wire.encode import error, live_event
from ..wire.events import LiveEvent
from .connection import Connection
from .liveness import Liveness
from .queue import CommandQueue
from .route import Endpoint
from .seats import Seats
from .who import Who

__all__ = ["Dispatcher", "Session", "State"]

logger = logging.getLogger("sanic_chatrooms.sessions.session")

NOTED = 4 * 1024
"""Bytes that may wait for one who has not signed in, before it is looked at how much waits for all of them."""
AUTH_LIMIT, PING_LIMIT = 16 * 1024, 4 * 1024
"""Bytes of an `auth`, and of a `ping`, from a connection that has not said yet who it is; it may send nothing else."""


class State(enum.Enum):
    """Where a connection is in its life (protocol, Heartbeat)."""

    CONNECTING = "connecting"
    ACTIVE = "active"
    IDLE = "idle"
    CLOSED = "closed"


class Dispatcher(Protocol):
    """What carries commands out."""

    @property
    def meter(self) -> Meter:
        """Takes what is counted and measured."""

    def count(self, type: str, result: str) -> None:
        """A command was answered: `ok`, or with this error code."""

    def at_once(self, session: "Session", command: Command) -> bool:
        """Carry it out now if that needs no waiting."""

    def concurrent(self, command: Command) -> bool:
        """Whether it may be under way together with the messages before it."""

    def means_the_path(self, type: str) -> bool:
        """Where such a command names no room, it means that of its connection's path."""

    async def admit(self, session: "Session") -> None:
        """Return when work may begin that may be answered by much."""

    async def carry_out(self, session: "Session", command: Command) -> None:
        """Carry it out and answer."""

    def behind(self, session: "Session") -> None:
        """It does not read its answers."""

    def evicted(self, session: "Session", room: str) -> None:
        """The hub has taken it out of a room."""

    def withdraw(self, session: "Session") -> None:
        """What it said and is not being stored yet is not said any more."""

    def closed(self, session: "Session") -> None:
        """The connection is gone."""


class Session:
    """See the module's docstring. `session.data` is the app's to use."""

    __slots__ = (
        "_data", "answered", "authenticated", "bad_frames", "bound", "codec", "connection", "dispatcher", "endpoint",
        "handshake", "id", "liveness", "plain_policy", "policy", "push", "queue", "reply_soon", "room", "seats", "settings",
        "state", "user", "who", "write",
    )  # fmt: skip

    def __init__(
        self,
        connection: Connection,
        dispatcher: Dispatcher,
        reply_soon: Callable[["Session", bytes], None],
        *,
        endpoint: Endpoint,
        handshake: Handshake,
        room: str | None = None,
    ) -> None:
        self.id = new_id()
        self.user = NOBODY
        self.authenticated = False
        self.state = State.CONNECTING
        self.who = Who()
        self.connection = connection
        self.push = connection.push
        self.write = connection.write
        self.codec = connection.codec
        self.dispatcher = dispatcher
        self.reply_soon = reply_soon
        self.endpoint = endpoint
        self.settings = endpoint.settings
        self.policy = endpoint.policy
        self.plain_policy = endpoint.plain_policy
        self.bound = endpoint.read_only or endpoint.confined
        self.handshake = handshake
        self.room = room
        """The room of the path: joined after authentication, and meant by commands that name none."""
        self.seats = Seats()
        self.queue = CommandQueue(self, dispatcher)
        self.liveness = Liveness(self.settings.heartbeat_interval, self.settings.heartbeat_timeout)
        self.bad_frames = 0
        """Malformed frames in a row."""
        self.answered = 0
        """Frames for this connection alone so far."""
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
        """For the hub: bytes that may be written before it is checked that they are read."""
        return self.connection.check_every

    @property
    def closed(self) -> bool:
        """Nothing of this connection is carried out any more."""
        return self.state is State.CLOSED

    # ---- who it is ----

    def become(self, user: User) -> None:
        """It is known who this is: from now on, or again."""
        self.user = user
        self.authenticated = True
        self.state = State.ACTIVE

    def fell_silent(self) -> None:
        """Nothing was received for so long that it is pinged."""
        self.state = State.IDLE if self.authenticated else State.CONNECTING

    def wait_for_policy(self) -> None:
        """The policy wants time: its messages take their turns in the task from now on."""
        self.plain_policy = False

    # ---- in ----

    def receive(self, data: bytes) -> None:
        """Take one text frame (UTF-8, checked)."""
        if self.state is State.CLOSED:
            return
        try:
            if not self.authenticated and len(data) > AUTH_LIMIT:
                raise _too_long(data, AUTH_LIMIT)
            command = decode_command(data, self.settings.max_json_depth)
            if not self.authenticated and command.type == "ping" and len(data) > PING_LIMIT:
                raise _too_long(data, PING_LIMIT)
        except ChatError as problem:
            self._refuse(problem)
            return
        self.bad_frames = 0
        if self.state is State.IDLE:
            self.state = State.ACTIVE
        if self.room is not None and command.room is None and self.dispatcher.means_the_path(command.type):
            command.room = self.room
        self.queue.do(command)

    @property
    def stranger(self) -> bool:
        """Nobody has signed in here: a guest, or who has not said yet who they are."""
        return not self.authenticated or self.user.guest

    def held_up(self) -> bool:
        """Whether too much waits to be read for any more commands."""
        if not (self.connection.owing() if self.stranger else self.connection.congested()):
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
        """The edge says: the peer has answered a ping."""
        seconds = self.liveness.answered()
        if seconds is not None:
            self.dispatcher.meter.observe(HEARTBEAT_SECONDS, seconds)

    # ---- out ----

    def answer(self, text: bytes) -> None:
        """Send a reply or a live event to this connection alone, with this turn's write."""
        self.answer_raw(self.codec.reply(text))

    def answer_raw(self, data: bytes) -> None:
        """The same with bytes as its codec makes them, or with a pong."""
        if self.state is not State.CLOSED:
            self.answered += 1
            self.reply_soon(self, data)

    def send(self, event: LiveEvent) -> None:
        """Send a live event to this connection alone."""
        self.answer(live_event(event))

    def reply(self, data: bytes) -> None:
        """For the hub: write replies."""
        self.connection.reply(data)
        if self.stranger and self.connection.behind() > NOTED:
            # What was answered at once counts too; at the end of this turn the system takes what it can.
            asyncio.get_running_loop().call_soon(self.dispatcher.behind, self)

    def evicted(self, room: str) -> None:
        """For the hub: this session is no longer in the room."""
        self.dispatcher.evicted(self, room)

    def fail(self, command: Command, problem: BaseException) -> None:
        """Answer a command that could not be carried out."""
        if not isinstance(problem, ChatError):
            logger.error(
                "command %s of user %s failed (room %s)",
                command.type[:64],
                self.user.id,
                command.room,
                exc_info=problem,
            )
            problem = InternalError()
        self.dispatcher.count(command.type, problem.code)
        self.answer(error(problem, command.msg_id, command.room))
        if isinstance(problem, Unavailable):
            self.queue.share_fate(command)

    # ---- the end ----

    def close(self, code: int, reason: str | None = None) -> None:
        """Close the connection; from here on nothing it sent is carried out."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self.dispatcher.meter.add(CLOSED, 1, _label(code))
        self.dispatcher.withdraw(self)
        self.dispatcher.closed(self)
        self.queue.stop()
        self.connection.close(code, reason or codes.reason(code))

    def cut(self) -> None:
        """Close the connection for good, and throw away what it has not read."""
        self.close(CloseCode.SLOW_CONSUMER)
        self.connection.cut()

    def disconnected(self) -> None:
        """The edge says: the peer is gone. What it said before is said."""
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            self.dispatcher.meter.add(CLOSED, 1, "gone")
            self.dispatcher.closed(self)
            self.queue.stop()


def _label(code: int) -> str:
    # Apps close with codes of their own, and a label has few values.
    return str(int(code)) if code in codes.REASONS else "other"


def _too_long(data: bytes, limit: int) -> TooLarge:
    return TooLarge("bytes of a frame before authentication", limit=limit, size=len(data))


NOBODY = User("", "")
