from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from sanic_chatrooms import Unavailable
from sanic_chatrooms.drivers.sql.sqlite_threads import Threads

T = TypeVar("T")


class ThreadConnection:
    """Keeps no connection, and remembers the threads it was used in."""

    made: list[ThreadConnection] = []  # noqa: RUF012 - emptied before each test

    def __init__(self) -> None:
        self.threads = {threading.current_thread()}
        self.closed = False
        ThreadConnection.made.append(self)

    def run(self, work: Callable[[Any], T]) -> T:
        self.threads.add(threading.current_thread())
        return work(None)

    def close(self) -> None:
        self.threads.add(threading.current_thread())
        self.closed = True


@pytest.fixture(autouse=True)
def _nothing_made() -> None:
    ThreadConnection.made.clear()


def fail(_: Any) -> None:
    raise ZeroDivisionError


async def test_each_thread_has_a_connection_of_its_own_from_its_making_to_its_end() -> None:
    threads = Threads("test", 2, ThreadConnection)
    threads.start()
    both = threading.Barrier(2, timeout=30)

    await asyncio.gather(*(threads.run(lambda _: both.wait(), 30) for _ in range(2)))
    await threads.stop(30)

    assert [len(connection.threads) for connection in ThreadConnection.made] == [1, 1]
    assert all(connection.closed for connection in ThreadConnection.made)


async def test_one_job_after_the_other_is_done_by_the_same_thread() -> None:
    threads = Threads("test", 3, ThreadConnection)
    threads.start()
    async with asyncio.timeout(30):
        while len(threads._jobs._idle) < 3:  # noqa: ASYNC110 - or one that begins late became idle last
            await asyncio.sleep(0.001)
    both = threading.Barrier(2, timeout=30)
    await asyncio.gather(*(threads.run(lambda _: both.wait(), 30) for _ in range(2)))

    used = {await threads.run(lambda _: threading.get_ident(), 30) for _ in range(50)}
    await threads.stop(30)

    assert len(used) == 1
    assert len(ThreadConnection.made) == 2, "the third thread was never needed"


async def test_what_work_raises_is_raised_where_somebody_waits_and_the_thread_goes_on() -> None:
    threads = Threads("test", 1, ThreadConnection)
    threads.start()

    with pytest.raises(ZeroDivisionError):
        await threads.run(fail, 30)

    assert await threads.run(lambda _: 7, 30) == 7
    await threads.stop(30)


async def test_what_was_asked_before_the_stop_is_done_and_what_comes_later_is_unavailable() -> None:
    threads = Threads("test", 1, ThreadConnection)
    threads.start()
    leave = threading.Event()
    asked = [asyncio.ensure_future(threads.run(lambda _: leave.wait(30), 30)) for _ in range(3)]
    await asyncio.sleep(0)
    stopping = asyncio.ensure_future(threads.stop(30))
    await asyncio.sleep(0)

    with pytest.raises(Unavailable):
        await threads.run(lambda _: 7, 30)
    leave.set()

    assert await asyncio.gather(*asked) == [True, True, True]
    await stopping
    await threads.stop(30)


async def test_what_is_to_be_done_first_waits_for_one_job_at_most() -> None:
    threads, leave, done = Threads("test", 1, ThreadConnection), threading.Event(), list[str]()
    threads.start()
    asked = [threads.run(lambda _: leave.wait(30), 30), threads.run(lambda _: done.append("later"), 30)]
    asked += [threads.run(lambda _, n=n: done.append(n), 30, first=True) for n in ("a", "b")]  # type: ignore[misc]
    waiting = asyncio.gather(*asked)
    await asyncio.sleep(0)

    leave.set()
    await waiting
    await threads.stop(30)

    assert done == ["a", "b", "later"]


async def test_a_thread_that_hangs_is_left_to_itself() -> None:
    threads = Threads("test", 1, ThreadConnection)
    threads.start()
    leave = threading.Event()
    with pytest.raises(Unavailable):
        await threads.run(lambda _: leave.wait(30), 0.01)

    async with asyncio.timeout(30):
        await threads.stop(0.01)

    leave.set()


def test_a_thread_survives_the_loop_that_asked() -> None:
    leave, done = threading.Event(), threading.Event()

    def work(_: Any) -> None:
        leave.wait(30)
        done.set()

    async def ask() -> None:
        threads = Threads("test", 1, ThreadConnection)
        threads.start()
        with pytest.raises(Unavailable):
            await threads.run(work, 0.01)
        await threads.stop(0.01)

    asyncio.run(ask())
    leave.set()

    assert done.wait(30)


async def test_a_keeper_that_cannot_be_made_is_made_for_the_next_one() -> None:
    problems: list[Exception] = [AttributeError("nobody thought of this")]

    def make() -> ThreadConnection:
        if problems:
            raise problems.pop()
        return ThreadConnection()

    threads = Threads("test", 1, make)
    threads.start()

    with pytest.raises(AttributeError):
        await threads.run(lambda _: 1, 30)
    assert await threads.run(lambda _: 2, 30) == 2
    await threads.stop(30)


async def test_a_connection_that_cannot_be_closed_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", told.append)  # pytest's own makes it an error
    monkeypatch.setattr(ThreadConnection, "close", fail)
    threads = Threads("test", 1, ThreadConnection)
    threads.start()
    await threads.run(lambda _: 1, 30)

    async with asyncio.timeout(30):
        await threads.stop(30)
    for thread in threading.enumerate():
        if thread.name == "test-0":  # it tells what has failed after `stop` was answered
            await asyncio.to_thread(thread.join, 10)
