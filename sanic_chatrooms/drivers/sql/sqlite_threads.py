"""Threads that keep a connection each, and an event loop that waits for what they do with it."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol, TypeVar

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


class _First:
    """Stands in the queue for a job that is in the other one."""


_FIRST = _First()


class Threads:
    """So many threads with one queue: one hop there and one back per job, which costs half of what an executor takes.

    What is to be done first has a queue of its own, which is looked into before each job of the other.
    """

    def __init__(self, name: str, count: int, open: Callable[[], ThreadConnection]) -> None:
        self._name = name
        self._count = count
        self._open = open
        self._jobs: SimpleQueue[_Job | _First | None] = SimpleQueue()
        self._first: SimpleQueue[_Job] = SimpleQueue()
        self._running: list[asyncio.Future[None]] = []

    def start(self) -> None:
        """Start the threads; each opens its connection when it first needs it."""
        loop = asyncio.get_running_loop()
        for n in range(self._count):
            ended: asyncio.Future[None] = loop.create_future()
            # Daemons: one that hangs in a lock of the system must not keep the process from ending.
            threading.Thread(
                target=self._live,
                args=(self._jobs, self._first, ended),
                name=f"{self._name}-{n}",
                daemon=True,
            ).start()
            self._running.append(ended)

    async def stop(self, within: float) -> None:
        """Do what is queued, close the connections, end; what hangs after `within` seconds is left to itself."""
        running, self._running = self._running, []
        for _ in running:
            self._jobs.put(None)
        self._jobs, self._first = SimpleQueue(), SimpleQueue()
        if running:
            await asyncio.wait(running, timeout=within)

    async def run(self, work: Callable[[Connection], T], within: float | None, *, first: bool = False) -> T:
        """What `work` returns or raises; `first` before all that waits and is not. Raises `Unavailable` after `within` seconds (None: never).

        Work that has begun by then is finished all the same; what has not, never begins.
        """
        if not self._running:
            raise Unavailable
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        job = _Job(answer, work)
        if first:
            self._first.put(job)
        self._jobs.put(_FIRST if first else job)
        try:
            async with asyncio.timeout(within):
                return await answer
        except TimeoutError:
            raise Unavailable from None

    def _live(
        self,
        jobs: "SimpleQueue[_Job | _First | None]",
        first: SimpleQueue[_Job],
        ended: "asyncio.Future[None]",
    ) -> None:
        connection: ThreadConnection | None = None
        try:
            while (job := jobs.get()) is not None:
                connection = self._do_all(first, connection)
                if isinstance(job, _Job):
                    connection = self._do(job, connection)
                del job  # or it would be kept until the next one comes
            if connection is not None:
                connection.close()
        finally:
            _tell(ended, None, None)

    def _do_all(
        self, first: SimpleQueue[_Job], connection: ThreadConnection | None
    ) -> ThreadConnection | None:
        while True:
            try:
                job = first.get_nowait()
            except Empty:
                return connection
            connection = self._do(job, connection)

    def _do(self, job: _Job, connection: ThreadConnection | None) -> ThreadConnection | None:
        """Answer the job, whatever happens; a connection that cannot be opened is opened for the next one."""
        if job.answer.cancelled():
            return connection
        try:
            connection = connection or self._open()
        except BaseException as problem:  # noqa: BLE001 - it is raised again where somebody waits
            _tell(job.answer, None, problem)
        else:
            _run(job, connection)
        return connection


def _run(job: _Job, connection: ThreadConnection) -> None:
    try:
        result = connection.run(job.work)
    except BaseException as problem:  # noqa: BLE001 - it is raised again where somebody waits
        _tell(job.answer, None, problem)
    else:
        _tell(job.answer, result, None)


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
