"""Runs the commands of one connection in the order in which they were sent.

A command that needs no waiting runs at once. Otherwise a task runs it, and later commands wait here. An idle connection has
no task. Several messages may be under way at the same time; every other command waits for those before it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..errors import Unavailable
from ..models import User
from ..observe.ids import ids
from ..support.tasks import begin
from ..wire.codes import CloseCode
from ..wire.decode import Command
from ..wire.encode import error
from .connection import Connection
from .seats import Seats

__all__ = ["ENDED", "QUEUE_BYTES", "QUEUE_LIMIT", "CommandQueue", "Work"]

logger = logging.getLogger("sanic_chatrooms.sessions.queue")

QUEUE_LIMIT = 64
"""Commands that may wait. Above it, reading pauses until half of them are done."""
QUEUE_BYTES = 64 * 1024
"""Bytes of commands that may wait, because guests can open hundreds of connections."""
SMALL = QUEUE_BYTES // QUEUE_LIMIT
"""Commands up to this size cannot reach the limit of bytes before that of commands."""

Work = Command | Callable[[], Awaitable[None]]
"""A command, or work of the server itself."""


class Owner(Protocol):
    """The session, as far as its queue uses it."""

    id: str
    user: User
    connection: Connection
    seats: Seats

    @property
    def closed(self) -> bool:
        """Whether the connection is closed."""

    @property
    def stranger(self) -> bool:
        """Whether nobody has signed in on this connection."""

    def held_up(self) -> bool:
        """Whether the client has too many unread bytes for another command."""

    def answer(self, text: bytes) -> None:
        """Send a reply."""

    def close(self, code: int) -> None:
        """Close the connection."""


class Carrier(Protocol):
    """Executes commands; see `session.Dispatcher`."""

    def at_once(self, session: Any, command: Command) -> bool:
        """Execute the command now, if nothing has to wait; else False."""

    def concurrent(self, command: Command) -> bool:
        """Whether it may run while earlier messages are still being stored."""

    async def admit(self, session: Any) -> None:
        """Wait until a command with a large answer may start."""

    async def carry_out(self, session: Any, command: Command) -> None:
        """Execute the command, and answer."""

    def behind(self, session: Any) -> None:
        """The client has unread answers."""


class CommandQueue:
    """One per session."""

    __slots__ = (
        "_carrier", "_reading", "_redone", "_session", "_settled", "_task", "under_way", "_waiting",
    )  # fmt: skip

    def __init__(self, session: Owner, carrier: Carrier) -> None:
        self._session = session
        self._carrier = carrier
        # A list: it holds next to nothing, and an empty deque is 0.7 KB for every idle connection.
        self._waiting: list[Work] = []
        self._redone = 0
        """Commands at the front that run once more."""
        self.under_way = 0
        self._task: asyncio.Task[None] | None = None
        self._settled: asyncio.Future[None] | None = None
        self._reading: bool | asyncio.Future[None] = True
        """A future: it rests until that is done."""

    # ---- in ----

    def do(self, work: Work) -> None:
        """Run a command, or work of the server, in its turn."""
        # The steps are written out: every message comes by here.
        asked = None
        if (
            self._task is None
            and isinstance(work, Command)
            and not self._session.held_up()
            and not (self.under_way and self._must_wait(work))
        ):
            if self._carrier.at_once(self._session, work):
                return
            asked = work
        self._waiting.append(work)
        if self._task is None and isinstance(work, Command):
            task = begin(self._work_off(asked))
            self._task = None if task.done() else task
        elif self._task is None:  # another connection causes it, and may be at something
            self._task = asyncio.ensure_future(self._work_off())
        elif self._reading is True and self._is_full(work):
            self._reading = False
            self._session.connection.pause()

    def rest(self, seconds: float) -> None:
        """Read nothing of this connection for so long. If a command that has waited asks for it, those behind it wait as well. Does
        nothing while it rests already, or without a number of seconds."""
        if not isinstance(self._reading, bool) or self._session.closed or not seconds:
            return
        if self._reading:
            self._session.connection.pause()
        loop = asyncio.get_running_loop()
        self._reading = rest = loop.create_future()
        loop.call_later(seconds, self._rested, rest)

    def _rested(self, rest: asyncio.Future[None]) -> None:
        self._reading = False
        if not rest.done():
            rest.set_result(None)
        self._read_on()

    def redo(self, command: Command) -> None:
        """Run a command once more, before everything that was sent after it."""
        if self._session.closed:
            return
        self._waiting.insert(self._redone, command)
        self._redone += 1
        if self._task is None:
            self._task = asyncio.ensure_future(self._work_off())

    def _is_full(self, last: Work) -> bool:
        if len(self._waiting) >= QUEUE_LIMIT:
            return True
        return _size(last) > SMALL and sum(map(_size, self._waiting)) > QUEUE_BYTES

    # ---- messages under way ----

    def begun(self) -> None:
        """A message is under way."""
        self.under_way += 1

    def ended(self) -> None:
        """A message that was under way has its answer."""
        self.under_way -= 1
        if self._settled is not None and not self._settled.done() and not self.under_way:
            self._settled.set_result(None)

    def share_fate(self, command: Command) -> None:
        """A message failed with an unknown outcome. Later messages to the same room that still wait here fail too: otherwise they
        would be stored before it when the client repeats it. The journal does the same for messages that have left the queue."""
        if not self._waiting or not self._carrier.concurrent(command):
            return
        lane = _lane(command)
        queue, redone = self._waiting, self._redone
        self._waiting, self._redone = [], 0
        for at, work in enumerate(queue):
            if isinstance(work, Command) and self._is_concurrent(work) and _lane(work) == lane:
                self._session.answer(error(Unavailable(), work.msg_id, work.room))
            else:
                self._waiting.append(work)
                self._redone += at < redone

    # ---- the task ----

    async def _work_off(self, asked: Command | None = None) -> None:
        """`asked`: has just turned out to need a task."""
        self._task = asyncio.current_task()  # by itself: it may have ended when it has begun
        try:
            while self._waiting and not self._session.closed:
                # It stays in the queue while it waits, because it may have to fail with a message before it.
                if self._session.held_up():
                    await self._session.connection.drained()
                if self._waiting and self._must_wait(self._waiting[0]):
                    await self._settle()
                if self._waiting and not self._is_concurrent(self._waiting[0]):
                    await self._carrier.admit(self._session)
                if self._waiting:
                    self._redone = max(0, self._redone - 1)
                    rested = self._reading
                    work = self._waiting.pop(0)
                    await self._take_turn(work, at_once=work is not asked)
                    if self._reading is not rested and isinstance(self._reading, asyncio.Future):
                        await self._reading
                if self._session.stranger:
                    self._carrier.behind(self._session)
                self._read_on()
        except Unavailable:
            # Work of the server has no reply. After a reconnect, the client gets what it missed.
            self._session.close(CloseCode.POSITION_LOST)
        except Exception:
            logger.exception(
                "session %s of user %s failed",
                self._session.id,
                self._session.user.id,
                extra=ids(connection=self._session.id, user=self._session.user.id),
            )
            self._session.close(CloseCode.SERVER_ERROR)
        finally:
            self._task = None

    def _must_wait(self, work: Work) -> bool:
        if not self.under_way:
            return False
        if (
            not isinstance(work, Command)
            or not self._carrier.concurrent(work)
            or self.under_way >= QUEUE_LIMIT
        ):
            return True
        # The user's rights may have changed. Messages under way may be judged again, and this one has to stay behind them.
        seat = self._session.seats.get(work.room or "")
        return seat is not None and not seat.fresh

    def _is_concurrent(self, work: Work) -> bool:
        return isinstance(work, Command) and self._carrier.concurrent(work)

    async def _take_turn(self, work: Work, *, at_once: bool) -> None:
        if not isinstance(work, Command):
            await self._oblige(work)
        elif not (at_once and self._carrier.at_once(self._session, work)):
            await self._carrier.carry_out(self._session, work)

    async def _oblige(self, work: Callable[[], Awaitable[None]]) -> None:
        # Another user caused this work, so its failure must not close this connection.
        try:
            await work()
        except Unavailable:
            raise
        except Exception:
            logger.exception(
                "session %s of user %s: a message of its inbox could not be carried out",
                self._session.id,
                self._session.user.id,
                extra=ids(connection=self._session.id, user=self._session.user.id),
            )

    def _read_on(self) -> None:
        if self._reading is not False or len(self._waiting) >= QUEUE_LIMIT // 2:
            return
        if sum(map(_size, self._waiting)) <= QUEUE_BYTES // 2:
            self._reading = True
            self._session.connection.resume()

    async def _settle(self) -> None:
        """Wait for the messages that are under way."""
        while self.under_way and not self._session.closed:
            self._settled = asyncio.get_running_loop().create_future()
            await self._settled

    # ---- the end ----

    def stop(self) -> None:
        """Drop the waiting commands, and cancel the running one."""
        self._waiting.clear()
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)
        # A command may close its own session, as a bad token does. Then this is its task, which ends by itself.
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()


class _Ended(CommandQueue):
    """Stands in for the queue of a closed connection, of which nothing runs any more. A session and its queue hold each other, so neither would
    be free before the next full garbage collection."""

    __slots__ = ()

    def __init__(self) -> None:
        """It has no session."""
        self.under_way = 0

    def do(self, work: Work) -> None: ...
    def rest(self, seconds: float) -> None: ...
    def redo(self, command: Command) -> None: ...
    def begun(self) -> None: ...
    def ended(self) -> None: ...
    def share_fate(self, command: Command) -> None: ...
    def stop(self) -> None: ...


ENDED = _Ended()


def _size(work: Work) -> int:
    return len(work.payload) if isinstance(work, Command) else 0


def _lane(command: Command) -> str | None:
    # The room of a `direct` is known only when it runs, so all direct messages count as one room.
    direct = command.type == "direct" or (command.room or "").startswith("~direct.")
    return "~direct" if direct else command.room
