"""Answers that are being made, and those that nobody reads: a bound on each.

A command of fifty bytes may be answered by half a megabyte. So a command whose answer can be large begins when what its
connection was answered before is read, and in a turn of the event loop only as many begin as others can bear. Who has
not signed in can open connections as they like: what all of these do not read has a bound of its own.
"""

import asyncio
import logging
import time
from collections.abc import Callable

from ..hub.fanout import Fanout
from .session import Session

__all__ = ["STRANGERS", "Backlog"]

logger = logging.getLogger("sanic_chatrooms.sessions.backlog")

STRANGERS = 64 * 1024 * 1024
"""Bytes that may wait, on this worker, to be read by all who have not signed in. Above it those who have not read for
longest are cut off, until a quarter of it is free; those who left less than half of the average last."""
AT_ONCE = 16 * 1024
"""Bytes of answers of one turn that go out together; what is more is written before the next command begins."""
TURN = 0.002
"""Seconds of a turn of the event loop after which no more commands begin that may take long."""


class Backlog:
    """One per worker."""

    def __init__(
        self, fanout: Fanout, *, limit: int = STRANGERS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fanout = fanout
        self._limit = limit
        self._clock = clock
        self._began: float | None = None
        self._next = asyncio.Event()
        self._behind: dict[Session, int] = {}
        self.total = 0
        """Bytes that wait to be read by all who have not signed in."""
        self.cut = 0
        """Connections that were cut off so far."""

    async def admit(self, session: Session) -> None:
        """Return when the next command of this connection may begin whose answer may be large."""
        if self._fanout.owed(session) > AT_ONCE:
            self._fanout.answer(session)
        self.note(session)
        while session.connection.owing() and not session.closed:
            await session.connection.drained()
        while self._turn_is_spent():
            await self._next.wait()

    def _turn_is_spent(self) -> bool:
        now = self._clock()
        if self._began is None:
            self._began = now
            self._next.clear()
            asyncio.get_running_loop().call_soon(self._next_turn)
        return now - self._began > TURN

    def _next_turn(self) -> None:
        self._began = None
        self._next.set()

    # ---- those who have not signed in ----

    def note(self, session: Session) -> None:
        """Look how much this connection has not read, if nobody has signed in there."""
        if not session.stranger or session.closed:
            return
        waits = self._unread(session)
        if not waits:
            self.forget(session)  # who comes back does so as the last
            return
        self.total += waits - self._behind.get(session, 0)
        self._behind[session] = waits
        if self.total > self._limit:
            self._make_room()

    def _unread(self, session: Session) -> int:
        return session.connection.behind() + self._fanout.owed(session)

    def forget(self, session: Session) -> None:
        """The connection is gone, or somebody has signed in there."""
        self.total -= self._behind.pop(session, 0)

    def _make_room(self) -> None:
        # What was noted may have been read since.
        waiting = {session: self._unread(session) for session in self._behind}
        self._behind = {session: waits for session, waits in waiting.items() if waits}
        self.total = sum(self._behind.values())
        if self.total <= self._limit:
            return
        # Whoever talks and reads has a last answer on its way at any time: little, beside those who read nothing.
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
