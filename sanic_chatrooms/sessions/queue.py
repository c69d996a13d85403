"""The commands of one connection, in the order they were sent.

One that can be carried out at once is. One that has to wait is finished by one task per connection, and what comes after
it waits here; a connection with nothing to do owns no task. Messages may be under way together, every other command waits
for those before it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from ..errors import Unavailable
from ..models import User
from ..wire.codes import CloseCode
from ..wire.decode import Command
from ..wire.encode import error
from .connection import Connection
from .seats import Seats

__all__ = ["QUEUE_BYTES", "QUEUE_LIMIT", "CommandQueue", "Work"]

logger = logging.getLogger("sanic_chatrooms.sessions.queue")

QUEUE_LIMIT = 64
"""Commands that may wait; above it the connection is not read until some are done …"""
QUEUE_BYTES = 64 * 1024
"""… nor above so many bytes of them: guests can open hundreds of connections."""
SMALL = QUEUE_BYTES // QUEUE_LIMIT
"""Commands up to this size are few bytes, however many may wait."""

Work = Command | Callable[[], Awaitable[None]]
"""A command, or a piece of work of the server's own."""


class Owner(Protocol):
    """The session, as its queue sees it."""

    id: str
    user: User
    connection: Connection
    seats: Seats

    @property
    def closed(self) -> bool:
        """Nothing is carried out any more."""

    @property
    def stranger(self) -> bool:
        """Nobody has signed in here."""

    def held_up(self) -> bool:
        """Whether too much waits to be read for any more commands."""

    def answer(self, text: bytes) -> None:
        """Send a reply."""

    def close(self, code: int) -> None:
        """Close the connection."""


class Carrier(Protocol):
    """What carries commands out, as `session.Dispatcher`."""

    def at_once(self, session: Any, command: Command) -> bool:
        """Carry it out now if that needs no waiting."""

    def concurrent(self, command: Command) -> bool:
        """Whether it may be under way together with the messages before it."""

    async def admit(self, session: Any) -> None:
        """Return when work may begin that may be answered by much."""

    async def carry_out(self, session: Any, command: Command) -> None:
        """Carry it out and answer."""

    def behind(self, session: Any) -> None:
        """It does not read its answers."""


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
        """So many at the front of it had their turn already."""
        self.under_way = 0
        self._task: asyncio.Task[None] | None = None
        self._settled: asyncio.Future[None] | None = None
        self._reading = True

    # ---- in ----

    def do(self, work: Work) -> None:
        """Carry out a command, or a piece of work of the server's own, in its turn."""
        if self._task is None and isinstance(work, Command) and self._start(work):
            return
        self._waiting.append(work)
        if self._task is None:
            self._task = asyncio.ensure_future(self._work_off())
        elif self._reading and self._is_full(work):
            self._reading = False
            self._session.connection.pause()

    def redo(self, command: Command) -> None:
        """Carry out once more what was under way, before everything that was sent after it."""
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

    def _start(self, command: Command) -> bool:
        if self._session.held_up():
            return False
        return not self._must_wait(command) and self._carrier.at_once(self._session, command)

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
        """This message may not be stored. So what was sent after it to the same room, and still waits here, fails too: stored
        now, it would come before that message when the client repeats it. What has left the queue is the journal's to fail."""
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

    async def _work_off(self) -> None:
        try:
            while self._waiting and not self._session.closed:
                # It stays in the queue while it waits: it may have to share the fate of a message before it.
                if self._session.held_up():
                    await self._session.connection.drained()
                if self._waiting and self._must_wait(self._waiting[0]):
                    await self._settle()
                if self._waiting and not self._is_concurrent(self._waiting[0]):
                    await self._carrier.admit(self._session)
                if self._waiting:
                    self._redone = max(0, self._redone - 1)
                    await self._take_turn(self._waiting.pop(0))
                if self._session.stranger:
                    self._carrier.behind(self._session)
                self._read_on()
        except Unavailable:
            # Work of the server's own has nobody to answer: who comes back is told what was missed.
            self._session.close(CloseCode.POSITION_LOST)
        except Exception:
            logger.exception("session %s of user %s failed", self._session.id, self._session.user.id)
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
        # Where something has changed, messages to that room that are under way may have to be judged once more: before it.
        seat = self._session.seats.get(work.room or "")
        return seat is not None and not seat.fresh

    def _is_concurrent(self, work: Work) -> bool:
        return isinstance(work, Command) and self._carrier.concurrent(work)

    async def _take_turn(self, work: Work) -> None:
        if not isinstance(work, Command):
            await self._oblige(work)
        elif not self._carrier.at_once(self._session, work):
            await self._carrier.carry_out(self._session, work)

    async def _oblige(self, work: Callable[[], Awaitable[None]]) -> None:
        # Somebody else caused it, so that it fails must not end this connection.
        try:
            await work()
        except Unavailable:
            raise
        except Exception:
            logger.exception(
                "session %s of user %s: a message of its inbox could not be carried out",
                self._session.id,
                self._session.user.id,
            )

    def _read_on(self) -> None:
        if self._reading or len(self._waiting) >= QUEUE_LIMIT // 2:
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
        """Forget what waits, and end what is being carried out."""
        self._waiting.clear()
        if self._settled is not None and not self._settled.done():
            self._settled.set_result(None)
        # A command may close its own session (a bad token in auth does): that task ends by itself.
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()


def _size(work: Work) -> int:
    return len(work.payload) if isinstance(work, Command) else 0


def _lane(command: Command) -> str | None:
    # A `direct` tells its room only when it is carried out, so all that goes to one user counts as one room.
    direct = command.type == "direct" or (command.room or "").startswith("~direct.")
    return "~direct" if direct else command.room
