"""What a main process does before it ends what its workers need."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sanic_chatrooms.web.workers.ending import await_workers

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

    assert [worker.exitcode for worker in workers] == [0]


@pytest.mark.parametrize("workers", [("the app's own", work)], indirect=True)
def test_processes_of_the_app_are_not_waited_for(workers: list[Any]) -> None:
    began = time.monotonic()

    await_workers(60.0)

    assert workers[0].is_alive()
    assert time.monotonic() - began < 30.0
