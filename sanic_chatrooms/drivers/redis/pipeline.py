"""One connection to a Redis or Valkey that all callers share (pipelining): no request waits for replies to others, and replies come in order.

redis-py's own clients take a connection per caller and build each reply once more. Sharing one makes batches cheap.
"""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import Unavailable
from .contract import open_wire
from .socket import Command

__all__ = ["Heard", "Pipe"]

Heard = Callable[[int, Any], None]
"""Gets the place of a command and its reply, or `Unavailable`."""


class _Request:
    """Commands that were sent together, and the replies so far."""

    __slots__ = ("count", "done", "due", "replies")

    def __init__(self, count: int, due: float, done: asyncio.Future[list[Any]]) -> None:
        self.count = count
        self.due = due
        """When the server should have answered, in the loop's seconds."""
        self.replies: list[Any] = []
        self.done = done

    def take(self, reply: Any) -> bool:
        """One more reply; -> was it the last?"""
        self.replies.append(reply)
        if len(self.replies) < self.count:
            return False
        if not self.done.done():
            self.done.set_result(self.replies)
        return True

    def fail(self) -> None:
        """There will be no more."""
        if not self.done.done():
            self.done.set_exception(Unavailable())
            self.done.exception()  # looked at: a caller that was cancelled leaves no error unseen


class _Told:
    """The same, where no task waits: each reply goes to `heard`, with its place."""

    __slots__ = ("count", "due", "heard", "place")

    def __init__(self, count: int, due: float, heard: Heard) -> None:
        self.count = count
        self.due = due
        self.heard = heard
        self.place = 0

    def take(self, reply: Any) -> bool:
        """See `_Request.take`."""
        place, self.place = self.place, self.place + 1
        self.heard(place, reply)
        return self.place == self.count

    def fail(self) -> None:
        """See `_Request.fail`."""
        for place in range(self.place, self.count):
            self.heard(place, Unavailable())


class Pipe:
    """Any number of tasks may `ask`. Once `alive` is False it stays so: open another one."""

    def __init__(self, connection: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Request | _Told] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = math.inf
        self._wire = open_wire(connection, self._take, self._ended)
        self.run_id = ""
        """Names the time in which the server loses nothing; see `RedisLink`."""

    @property
    def alive(self) -> bool:
        """Is the connection open?"""
        return self._wire.open

    def ask(self, commands: Sequence[Command], within: float) -> asyncio.Future[list[Any]]:
        """One reply per command, in order: bytes, int, list, None, or a `ResponseError` as a value.

        Raises `Unavailable` where it is closed, and when not all came `within` so many seconds. The connection is then closed, because a
        server that does not answer this does not answer other callers either. Cancelling a caller is safe.
        """
        if not self._wire.open:
            raise Unavailable
        request = _Request(len(commands), self._loop.time() + within, self._loop.create_future())
        self._send(request, commands, at_once=False)
        return request.done

    def tell(self, commands: Sequence[Command], within: float, heard: Heard) -> None:
        """Like `ask` without a task: `heard` is called once per command, in order, where its reply is read. It must not raise. Only while `alive`.

        These are messages, so they are not kept until the end of the turn.
        """
        self._send(_Told(len(commands), self._loop.time() + within, heard), commands, at_once=True)

    def _send(self, request: _Request | _Told, commands: Sequence[Command], *, at_once: bool) -> None:
        # First: it may raise, and then nobody must wait for a reply.
        self._wire.send(commands, at_once=at_once)
        self._waiting.append(request)
        # One timer for all: a time-out for each request would cost as much as all else that is done for it here.
        if request.due < self._looks_at:
            self._look_at(request.due)

    def close(self) -> None:
        """End it. Callers that still wait get `Unavailable`."""
        self._wire.close()

    def _look_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._looks_at = self._loop.call_at(when, self._look), when

    def _look(self) -> None:
        self._timer, self._looks_at = None, math.inf
        due = min((request.due for request in self._waiting), default=math.inf)
        if due <= self._loop.time():
            self.close()
        elif due < math.inf:
            self._look_at(due)

    def _take(self, reply: Any) -> None:
        if self._waiting[0].take(reply):
            self._waiting.popleft()

    def _ended(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        while self._waiting:
            self._waiting.popleft().fail()
