"""How workers are told to end, and what a main process does before it ends what they need."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop

from sanic_chatrooms.web.workers.ending import await_workers, end_on_hangup, end_surely

SPAWN = multiprocessing.get_context("spawn")


def work(ready: Any, until: Any) -> None:
    ready.set()
    until.wait(60)


def work_until_told(ready: Any, _: Any, times: int = 1) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    ready.set()
    for _ in range(times):
        signal.sigwait({signal.SIGTERM})


def work_until_told_twice(ready: Any, until: Any) -> None:
    work_until_told(ready, until, times=2)


@pytest.fixture
def until() -> Any:
    return SPAWN.Event()


@pytest.fixture
def workers(until: Any, request: pytest.FixtureRequest) -> Iterator[list[Any]]:
    name, target = request.param
    ready = SPAWN.Event()
    worker = SPAWN.Process(target=target, args=(ready, until), name=name, daemon=True)
    worker.start()
    assert ready.wait(60)
    yield [worker]
    worker.kill()
    worker.join()


@pytest.mark.parametrize("workers", [("Sanic-Server-0-0", work_until_told)], indirect=True)
def test_a_worker_is_told_once_more_and_waited_for(workers: list[Any]) -> None:
    await_workers(60.0)

    assert [worker.exitcode for worker in workers] == [0]


@pytest.mark.parametrize("workers", [("Sanic-Server-0-0", work_until_told_twice)], indirect=True)
def test_a_worker_that_did_not_hear_is_told_again(workers: list[Any]) -> None:
    await_workers(1.0)

    for worker in workers:
        worker.join(60)  # on a busy machine, its end takes longer than that
    assert [worker.exitcode for worker in workers] == [0]


@pytest.mark.parametrize("workers", [("the app's own", work)], indirect=True)
def test_processes_of_the_app_are_not_waited_for(workers: list[Any]) -> None:
    began = time.monotonic()

    await_workers(60.0)

    assert workers[0].is_alive()
    assert time.monotonic() - began < 30.0


class Worker:
    """As an app of Sanic's in a worker: `stop` stops the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ctx = SimpleNamespace()
        self.multiplexer = object()
        self.loop = loop
        self.stops = 0

    def stop(self, *, terminate: bool) -> None:
        assert not terminate
        self.stops += 1
        self.loop.stop()


@pytest.fixture(params=[asyncio.SelectorEventLoop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    known = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    new_loop: Callable[[], asyncio.AbstractEventLoop] = request.param
    loop = new_loop()
    yield loop
    loop.close()
    for number, handler in known.items():
        signal.signal(number, handler)


async def have_ended_surely(worker: Worker) -> None:
    end_surely(worker)


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_that_is_told_between_two_runs_of_its_loop_ends(
    loop: asyncio.AbstractEventLoop, told: signal.Signals
) -> None:
    worker = Worker(loop)
    loop.run_until_complete(have_ended_surely(worker))
    in_vain = loop.call_later(20, loop.stop)

    signal.raise_signal(told)
    loop.run_forever()

    assert worker.stops == 1
    in_vain.cancel()


@pytest.fixture
def told() -> Iterator[list[int]]:
    """The signals that this process gets; it ends by none of them."""
    told: list[int] = []
    known = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    yield told
    for number, handler in known.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("instances", [1, 2])
def test_a_question_that_a_closed_terminal_cuts_short_is_answered(told: list[int], instances: int) -> None:
    """The process for shared state has the same terminal, and ends before it has answered."""
    shared = SPAWN.Manager()
    manager = SimpleNamespace(
        worker_state=shared.dict(), processes=[SimpleNamespace(name="Sanic-Server-0-0")]
    )
    for _ in range(instances):
        end_on_hangup(SimpleNamespace(), manager)
    server: Any = shared._process  # type: ignore[attr-defined]
    main = threading.get_ident()

    def close_terminal() -> None:
        while sys._current_frames()[main].f_code.co_name != "_recv":
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGHUP)
        while not told:
            time.sleep(0.001)
        server.kill()

    os.kill(server.pid, signal.SIGSTOP)
    closing = threading.Thread(target=close_terminal)
    closing.start()
    answer = manager.worker_state["Sanic-Server-0-0"]

    closing.join()
    server.join()
    assert (answer, told) == ({}, [signal.SIGTERM])
