"""One connection of one user: its commands in the order they were sent, what it is told, and where it is.

A command that can be carried out at once is (`message` without middleware, `ping`). One that has to wait is finished by
one task per connection, and what comes after it queues; a connection with nothing to do owns no task. `message` and
`direct` may be under way together, every other command waits for those before it.
"""

import asyncio
import enum
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..access.standing import Standing
from ..errors import BadFrame, ChatError, InternalError, TooLarge, Unauthenticated, Unavailable
from ..hub.room import Codec
from ..models import Handshake, Room, User
from ..observe.instruments import CLOSED, HEARTBEAT_SECONDS
from ..observe.meter import Meter
from ..support.ids import new_id
from ..wire import codes
from ..wire.codes import CloseCode
from ..wire.decode import Command, decode_command
from ..wire.encode import error, live
from .route import Endpoint

__all__ = ["Connection", "Dispatcher", "Seat", "Session", "State"]

logger = logging.getLogger("sanic_chatrooms.sessions.session")

QUEUE_LIMIT = 64
"""Commands that may wait; above it the connection is not read until some are done …"""
QUEUE_BYTES = 64 * 1024
"""… nor above so many bytes of them: guests can open hundreds of connections."""
SMALL = QUEUE_BYTES // QUEUE_LIMIT
"""Commands up to this size are few bytes, however many may wait."""
NOTED = 4 * 1024
"""Bytes that may wait for one who has not signed in, before it is looked at how much waits for all of them."""
AUTH_LIMIT, PING_LIMIT = 16 * 1024, 4 * 1024
"""Bytes of an `auth`, and of a `ping`, from a connection that has not said yet who it is; it may send nothing else."""


class Connection(Protocol):
    """What the edge offers: bytes out, and a tap for bytes in. `codec`, `write` and `check_every` as in `room.Receiver`."""

    @property
    def codec(self) -> Codec:
        """How it is told."""

    @property
    def check_every(self) -> int:
        """Bytes."""

    @property
    def write(self) -> Callable[[bytes], None]:
        """Bytes onto the connection."""

    def push(self, frames: bytes, replies: bytes = b"") -> None:
        """Write replies and room events at once; a connection that is too far behind closes itself with 4008."""

    def reply(self, frames: bytes) -> None:
        """Write what is for this connection alone; never closes it."""

    def ping(self) -> None:
        """Send a WebSocket ping."""

    def close(self, code: int, reason: str) -> None:
        """Send a close frame and take no more input; the edge sees to the rest."""

    def pause(self) -> None:
        """Stop reading."""

    def resume(self) -> None:
        """Read again."""

    def congested(self) -> bool:
        """Whether so much waits to be written that no more commands should be carried out."""

    def owing(self) -> bool:
        """Whether so much waits that none should whose answer may be large."""

    async def drained(self) -> None:
        """Return when neither is so, or when the connection is gone."""

    def behind(self) -> int:
        """Bytes that wait to be written."""

    def cut(self) -> None:
        """After `close`: end it at once, and throw away what waits to be written."""


class State(enum.Enum):
    """Where a connection is in its life (protocol, Heartbeat)."""

    CONNECTING = "connecting"
    ACTIVE = "active"
    IDLE = "idle"
    CLOSED = "closed"


class Seat:
    """A session in a room: what its messages are judged by without asking the store each time."""

    __slots__ = ("fresh", "room", "standing")

    def __init__(self, room: Room, standing: Standing) -> None:
        self.room = room
        self.standing = standing
        self.fresh = True
        """Nothing is known that has changed since. Else it is looked up before the next command is judged."""


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


Work = Command | Callable[[], Awaitable[None]]


class Session:
    """See the module's docstring. `session.data` is the host's to use."""

    __slots__ = (
        "_queue", "_reading", "_redone", "_settled", "_task", "anonymous", "answered", "authenticated", "bad_frames", "bad_proofs", "bound", "changes", "codec", "connection", "data",
        "dispatcher", "endpoint", "greeted", "handshake", "heard_at", "id", "interval", "lifetime", "opened_at", "pinged_at",
        "plain_policy", "policy", "proof_at", "push", "refused", "reply_soon", "room", "seats", "settings", "state", "timeout",
        "under_way", "user", "warned", "write",
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
        self.anonymous = False
        """A guest who showed nothing, and has done nothing yet: may still say who they are."""
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
        self.refused: int | None = None
        """With what the connection is closed after the answer that is under way."""
        self.seats: dict[str, Seat] = {}
        self.changes = 0  # how often something has changed that its user is in some room
        self.data: dict[str, Any] = {}
        self.state = State.CONNECTING
        self.greeted = False
        self.bad_frames = 0
        self.bad_proofs = 0
        """Malformed frames, and failed proofs of identity, in a row."""
        self.proof_at = 0.0
        """Until then (monotonic seconds) no proof of identity is looked at."""
        self.answered = 0
        """Frames for this connection alone so far."""
        self.under_way = 0
        self.opened_at = time.monotonic()
        """When the connection was opened. These three are monotonic seconds."""
        self.heard_at = self.opened_at
        self.pinged_at = 0.0
        self.lifetime = 0.0
        """Seconds that the token was good for when it was shown."""
        self.warned = False
        self.interval = endpoint.settings.heartbeat_interval
        self.timeout = endpoint.settings.heartbeat_timeout
        # A list: it holds next to nothing, and an empty deque is 0.7 KB for every idle connection.
        self._queue: list[Work] = []
        self._redone = 0  # so many at the front of the queue had their turn already
        self._task: asyncio.Task[None] | None = None
        self._settled: asyncio.Future[None] | None = None
        self._reading = True

    def __repr__(self) -> str:
        return f"<Session {self.id} of {self.user.id!r}, {self.state.value}>"

    @property
    def check_every(self) -> int:
        """For the hub: bytes that may be written before it is checked that they are read."""
        return self.connection.check_every

    @property
    def closed(self) -> bool:
        """Nothing of this connection is carried out any more."""
        return self.state is State.CLOSED

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
        self.do(command)

    def do(self, work: Work) -> None:
        """Carry out a command, or a piece of work of the server's own, in its turn."""
        if self._task is None and isinstance(work, Command) and self._start(work):
            return
        self._queue.append(work)
        if self._task is None:
            self._task = asyncio.ensure_future(self._work_off())
        elif self._reading and self._is_full(work):
            self._reading = False
            self.connection.pause()

    def redo(self, command: Command) -> None:
        """Carry out once more what was under way, before everything that was sent after it."""
        if self.closed:
            return
        self._queue.insert(self._redone, command)
        self._redone += 1
        if self._task is None:
            self._task = asyncio.ensure_future(self._work_off())

    def _is_full(self, last: Work) -> bool:
        if len(self._queue) >= QUEUE_LIMIT:
            return True
        return _size(last) > SMALL and sum(map(_size, self._queue)) > QUEUE_BYTES

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

    def _start(self, command: Command) -> bool:
        if self.held_up():
            return False
        return not self._must_wait(command) and self.dispatcher.at_once(self, command)

    def _refuse(self, problem: ChatError) -> None:
        if not self.authenticated and not isinstance(problem, BadFrame | TooLarge):
            problem, problem.reply_to = Unauthenticated(), problem.reply_to
        self.dispatcher.count("", problem.code)
        self.answer(error(problem, problem.reply_to))
        if isinstance(problem, BadFrame):
            self.bad_frames += 1
            if self.bad_frames >= self.settings.max_bad_frames:
                self.close(CloseCode.BAD_FRAMES)

    async def _work_off(self) -> None:
        try:
            while self._queue and not self.closed:
                # It stays in the queue while it waits: it may have to share the fate of a message before it.
                if self.held_up():
                    await self.connection.drained()
                if self._queue and self._must_wait(self._queue[0]):
                    await self._settle()
                if self._queue and not self._is_concurrent(self._queue[0]):
                    await self.dispatcher.admit(self)
                if self._queue:
                    self._redone = max(0, self._redone - 1)
                    await self._take_turn(self._queue.pop(0))
                if self.stranger:
                    self.dispatcher.behind(self)
                self._read_on()
        except Unavailable:
            # Work of the server's own has nobody to answer: who comes back is told what was missed.
            self.close(CloseCode.POSITION_LOST)
        except Exception:
            logger.exception("session %s of user %s failed", self.id, self.user.id)
            self.close(CloseCode.SERVER_ERROR)
        finally:
            self._task = None

    def _must_wait(self, work: Work) -> bool:
        if not self.under_way:
            return False
        return not self._is_concurrent(work) or self.under_way >= QUEUE_LIMIT or not self._is_fresh(work)

    def _is_fresh(self, work: Work) -> bool:
        """Nothing has changed by which a message is judged. Else those before it may have to be judged once more, too."""
        seat = self.seats.get(work.room or "") if isinstance(work, Command) else None
        return seat is None or seat.fresh

    def _is_concurrent(self, work: Work) -> bool:
        return isinstance(work, Command) and self.dispatcher.concurrent(work)

    async def _take_turn(self, work: Work) -> None:
        if not isinstance(work, Command):
            await self._oblige(work)
        elif not self.dispatcher.at_once(self, work):
            await self.dispatcher.carry_out(self, work)

    async def _oblige(self, work: Callable[[], Awaitable[None]]) -> None:
        # Somebody else caused it, so that it fails must not end this connection.
        try:
            await work()
        except Unavailable:
            raise
        except Exception:
            logger.exception(
                "session %s of user %s: an order could not be carried out", self.id, self.user.id
            )

    def _read_on(self) -> None:
        if self._reading or len(self._queue) >= QUEUE_LIMIT // 2:
            return
        if sum(map(_size, self._queue)) <= QUEUE_BYTES // 2:
            self._reading = True
            self.connection.resume()

    async def _settle(self) -> None:
        """Wait for the messages that are under way."""
        while self.under_way and not self.closed:
            self._settled = asyncio.get_running_loop().create_future()
            await self._settled

    def begun(self) -> None:
        """A message is under way."""
        self.under_way += 1

    def ended(self) -> None:
        """A message that was under way has its answer."""
        self.under_way -= 1
        if self._settled is not None and not self._settled.done() and not self.under_way:
            self._settled.set_result(None)

    def ponged(self) -> None:
        """The edge says: the peer has answered a ping."""
        if self.pinged_at:
            self.dispatcher.meter.observe(HEARTBEAT_SECONDS, time.monotonic() - self.pinged_at)
            self.pinged_at = 0.0

    # ---- out ----

    def answer(self, text: bytes) -> None:
        """Send a reply or a live event to this connection alone, with this turn's write."""
        self.answer_raw(self.codec.reply(text))

    def answer_raw(self, data: bytes) -> None:
        """The same with bytes as its codec makes them, or with a pong."""
        if self.state is not State.CLOSED:
            self.answered += 1
            self.reply_soon(self, data)

    def send(self, type: str, payload: Any, *, room: str | None = None) -> None:
        """Send a live event to this connection alone."""
        self.answer(live(type, payload, room=room))

    def reply(self, frames: bytes) -> None:
        """For the hub: write replies."""
        self.connection.reply(frames)
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
        if self._queue and isinstance(problem, Unavailable) and self.dispatcher.concurrent(command):
            self._share_fate(_lane(command))

    def _share_fate(self, lane: str | None) -> None:
        """What was sent after a message that may not be stored, to the same room, and still waits here: stored now, it
        would come before that message when the client repeats it. What has left the queue is the journal's to fail."""
        queue, redone = self._queue, self._redone
        self._queue, self._redone = [], 0
        for at, work in enumerate(queue):
            if isinstance(work, Command) and self._is_concurrent(work) and _lane(work) == lane:
                self.answer(error(Unavailable(), work.msg_id, work.room))
            else:
                self._queue.append(work)
                self._redone += at < redone

    # ---- the end ----

    def close(self, code: int, reason: str | None = None) -> None:
        """Close the connection; from here on nothing it sent is carried out."""
        if self.state is State.CLOSED:
            return
        self.state = State.CLOSED
        self.dispatcher.meter.add(CLOSED, 1, _label(code))
        self.dispatcher.withdraw(self)
        self.dispatcher.closed(self)
        self._stop()
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
            self._stop()

    def _stop(self) -> None:
        self._queue.clear()
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)
        # A command may close its own session (a bad token in auth does): that task ends by itself.
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()


def _label(code: int) -> str:
    # Apps close with codes of their own, and a label has few values.
    return str(int(code)) if code in codes.REASONS else "other"


def _size(work: Work) -> int:
    return len(work.payload) if isinstance(work, Command) else 0


def _too_long(data: bytes, limit: int) -> TooLarge:
    return TooLarge("bytes of a frame before authentication", limit=limit, size=len(data))


def _lane(command: Command) -> str | None:
    # A `direct` tells its room only when it is carried out, so all that goes to one user counts as one room.
    direct = command.type == "direct" or (command.room or "").startswith("~direct.")
    return "~direct" if direct else command.room


NOBODY = User("", "")
