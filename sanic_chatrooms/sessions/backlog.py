"""Limits the answers that are being made, and those that clients do not read.

A command of fifty bytes may have an answer of half a megabyte. So a command with a large answer starts when the client
has read the earlier answers, and few of them start in one turn of the event loop. Clients that are not signed in can open
many connections, so the unread bytes of all of them together have a limit of their own.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from ..hub.fanout import Fanout
from ..observe.instruments import CUT, UNREAD_BYTES
from ..observe.meter import SILENT, Meter
from .session import Session

__all__ = ["STRANGERS", "Backlog"]

logger = logging.getLogger("sanic_chatrooms.sessions.backlog")

STRANGERS = 64 * 1024 * 1024
"""Unread bytes of all connections of this worker that are not signed in. Above it, those that have not read for longest are
closed, until a quarter is free; connections with less than half of the average are closed last."""
AT_ONCE = 16 * 1024
"""Bytes of answers that one turn collects; more are written before the next command starts."""
TURN = 0.002
"""Seconds of a turn of the event loop after which no more long commands start. Each connection starts one of them in a turn, so that others
do not wait for all that it has sent at once."""
HURRIED = 2
"""Long commands that start in a turn, of all users together who have used up a quarter of a burst."""


class _Line:
    """Commands that wait for a turn, in their order: those who were woken when their turn was over, those behind them, and at last those of
    connections that have started one in this turn."""

    def __init__(self) -> None:
        self.late: list[asyncio.Future[None]] = []
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.again: list[asyncio.Future[None]] = []

    def wake(self, few: int) -> None:
        """Wake so many of those who still wait."""
        waiting = self.waiting
        waiting.extendleft(reversed(self.late))
        waiting.extend(self.again)
        self.late, self.again = [], []
        while few and waiting:
            turn = waiting.popleft()
            if not turn.done():  # else its connection is closed
                turn.set_result(None)
                few -= 1


class Backlog:
    """One per worker."""

    def __init__(
        self,
        fanout: Fanout,
        meter: Meter = SILENT,
        *,
        limit: int = STRANGERS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fanout = fanout
        self._limit = limit
        self._clock = clock
        self._began: float | None = None
        """When the first command of this turn has started; None: none has."""
        self._scheduled = False
        """There will be another turn."""
        self._started: set[Session] = set()
        """Connections that have started a command in this turn."""
        self._calm = _Line()
        self._hurried = _Line()
        """Those of users in a hurry."""
        self._behind: dict[Session, int] = {}
        self.total = 0
        """Unread bytes of all connections that are not signed in."""
        self.cut = 0
        """Connections that were closed so far."""
        meter.watch(UNREAD_BYTES, lambda: self.total)
        meter.watch(CUT, lambda: self.cut)

    async def admit(self, session: Session) -> None:
        """Wait until the next command of this connection with a large answer may start."""
        if self._fanout.owed(session) > AT_ONCE:
            self._fanout.answer(session)
        if session.stranger:
            self.note(session)
        while session.connection.owing() and not session.closed:
            await session.connection.drained()
        line = self._hurried if session.limits.in_a_hurry() else self._calm
        woken = line is self._hurried or bool(line.waiting)
        if woken:
            await self._a_turn(line.waiting)
        while self._turn_is_spent(session):
            if session in self._started:
                await self._a_turn(line.again)
            else:
                await self._a_turn(line.late if woken else line.waiting)
            woken = True
        self._started.add(session)

    async def _a_turn(self, waiting: "list[asyncio.Future[None]] | deque[asyncio.Future[None]]") -> None:
        self._schedule()
        turn = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        await turn

    def _turn_is_spent(self, session: Session) -> bool:
        self._schedule()
        if session in self._started:
            return True
        if self._began is None:  # not when it was woken: what others do until it runs is not its turn
            self._began = self._clock()
        return self._clock() - self._began > TURN

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._scheduled, self._began = False, None
        few = len(self._started) + 1  # more have hardly room in a turn, and waking a crowd in vain costs much
        self._started.clear()
        self._calm.wake(few)
        self._hurried.wake(HURRIED)
        if self._calm.waiting or self._hurried.waiting:  # behind those who were woken
            self._schedule()

    # ---- those who have not signed in ----

    def note(self, session: Session) -> None:
        """Update the unread bytes of this connection, if it is not signed in."""
        if not session.stranger or session.closed:
            return
        waits = self._unread(session)
        if not waits:
            self.forget(session)  # if it falls behind again, it is the last in line
            return
        self.total += waits - self._behind.get(session, 0)
        self._behind[session] = waits
        if self.total > self._limit:
            self._make_room()

    def _unread(self, session: Session) -> int:
        return session.connection.behind() + self._fanout.owed(session)

    def forget(self, session: Session) -> None:
        """The connection is gone or signed in."""
        self.total -= self._behind.pop(session, 0)

    def _make_room(self) -> None:
        # Some of it may have been read since.
        waiting = {session: self._unread(session) for session in self._behind}
        self._behind = {session: waits for session, waits in waiting.items() if waits}
        self.total = sum(self._behind.values())
        if self.total <= self._limit:
            return
        # A client that reads has at most its last answer unread, which is little beside clients that read nothing.
        little = self.total / len(self._behind) / 2
        for session in sorted(self._behind, key=lambda session: self._behind[session] < little):
            if self.total <= self._limit * 3 // 4:
                break
            self.forget(session)
            self.cut += 1
            session.cut()
        logger.warning(
            "those who have not signed in do not read %d bytes: cut off %d so far", self._limit, self.cut
        )
