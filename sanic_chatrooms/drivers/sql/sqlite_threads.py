"""Threads that keep a connection each, and an event loop that waits for what they do with it."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

from sqlalchemy import Connection

from ...errors import Unavailable

__all__ = ["ThreadConnection", "Threads"]

T = TypeVar("T")


class ThreadConnection(Protocol):
    """Keeps one connection, for one thread."""

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns or raises, given the connection."""

    def close(self) -> None:
        """Close the connection, if it is open."""


class _Job(NamedTuple):
    answer: "asyncio.Future[Any]"
    work: Callable[[Connection], Any]


_Done: TypeAlias = "tuple[ThreadConnection | None, Any, BaseException | None]"
"""The connection, and what came of a job: a result or a problem."""
_Own: TypeAlias = "SimpleQueue[_Job | None]"
"""Brings one thread its next job, or None: it ends."""


class _Jobs:
    """What is to be done, and who waits for it.

    A job goes to whoever became idle last: what it has read is still in its connection's memory, and the other threads may rest.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first: deque[_Job | None] = deque()
        self._later: deque[_Job | None] = deque()
        self._idle: list[_Own] = []

    def put(self, job: _Job | None, *, first: bool = False) -> None:
        """One more, `first` before all that wait and are not."""
        with self._lock:
            if self._idle:
                self._idle.pop().put(job)
            else:
                (self._first if first else self._later).append(job)

    def ask(self, own: _Own) -> None:
        """Bring the next one, now or when there is one."""
        with self._lock:
            if waiting := self._first or self._later:
                own.put(waiting.popleft())
            else:
                self._idle.append(own)


class Threads:
    """So many threads with one queue: one hop there and one back per job, which costs half of what an executor takes."""

    def __init__(self, name: str, count: int, open: Callable[[], ThreadConnection]) -> None:
        self._name = name
        self._count = count
        self._open = open
        self._jobs = _Jobs()
        self._running: list[asyncio.Future[None]] = []

    def start(self) -> None:
        """Start the threads; each opens its connection when it first needs it."""
        loop = asyncio.get_running_loop()
        for n in range(self._count):
            ended: asyncio.Future[None] = loop.create_future()
            # Daemons: one that hangs in a lock of the system must not keep the process from ending.
            threading.Thread(
                target=self._live,
                args=(self._jobs, ended),
                name=f"{self._name}-{n}",
                daemon=True,
            ).start()
            self._running.append(ended)

    async def stop(self, within: float) -> None:
        """Do what is queued, close the connections, end; what hangs after `within` seconds is left to itself."""
        running, self._running = self._running, []
        for _ in running:
            self._jobs.put(None)
        self._jobs = _Jobs()
        if running:
            await asyncio.wait(running, timeout=within)

    async def run(self, work: Callable[[Connection], T], within: float | None, *, first: bool = False) -> T:
        """What `work` returns or raises; `first` before all that waits and is not. Raises `Unavailable` after `within` seconds (None: never).

        Work that has begun by then is finished all the same; what has not, never begins.
        """
        if not self._running:
            raise Unavailable
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put(_Job(answer, work), first=first)
        try:
            async with asyncio.timeout(within):
                return await answer
        except TimeoutError:
            raise Unavailable from None

    def _live(self, jobs: _Jobs, ended: "asyncio.Future[None]") -> None:
        connection: ThreadConnection | None = None
        own: _Own = SimpleQueue()
        jobs.ask(own)
        try:
            while (job := own.get()) is not None:
                connection, result, problem = self._do(job, connection)
                jobs.ask(own)  # before the answer, so that who asks next finds this thread idle
                _tell(job.answer, result, problem)
                del job, result, problem  # or they would be kept until the next one comes
            if connection is not None:
                connection.close()
        finally:
            _tell(ended, None, None)

    def _do(self, job: _Job, connection: ThreadConnection | None) -> _Done:
        """Do the job, whatever happens; a connection that cannot be opened is opened for the next one."""
        if job.answer.cancelled():
            return connection, None, None
        try:
            connection = connection or self._open()
            return connection, connection.run(job.work), None
        except BaseException as problem:  # noqa: BLE001 - it is raised again where somebody waits
            return connection, None, problem


def _tell(answer: "asyncio.Future[Any]", result: Any, problem: BaseException | None) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits
        answer.get_loop().call_soon_threadsafe(_settle, answer, result, problem)


def _settle(answer: "asyncio.Future[Any]", result: Any, problem: BaseException | None) -> None:
    if answer.done():
        return
    if problem is not None:
        answer.set_exception(problem)
    else:
        answer.set_result(result)
