"""How a worker says that its loop turns."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import pytest

from sanic_chatrooms.web.workers.beats import Beat, Beats, Pipe


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


async def test_it_beats_at_once_and_says_good_bye_once(pipe: Pipe) -> None:
    beats = Beats(pipe.writer)

    beats.start()
    assert list(pipe.read()) == [Beat(os.getpid(), True)]
    beats.stop()
    beats.stop()

    assert list(pipe.read()) == [Beat(os.getpid(), False)]


async def test_it_goes_on_beating(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sanic_chatrooms.web.workers.beats.BEAT", 0.001)
    beats = Beats(pipe.writer)
    beats.start()

    heard: list[Beat] = []
    async with asyncio.timeout(30):
        while len(heard) < 5:
            await asyncio.sleep(0.001)
            heard += pipe.read()
    beats.stop()

    assert set(heard) == {Beat(os.getpid(), True)}


async def test_a_main_process_that_does_not_read_holds_nobody_up(pipe: Pipe) -> None:
    beats = Beats(pipe.writer)
    for _ in range(20_000):
        beats._send(goes_on=True)

    heard = list(pipe.read())

    assert 1_000 < len(heard) < 20_000
    assert set(heard) == {Beat(os.getpid(), True)}


async def test_it_beats_on_after_an_error_that_nobody_thought_of(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sanic_chatrooms.web.workers.beats.BEAT", 0.001)
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
    beats = Beats(pipe.writer)
    problem, real = AttributeError("nobody thought of this"), beats._send
    failing = iter([True, True, True])

    def send(*, goes_on: bool) -> None:
        if next(failing, False):
            raise problem
        real(goes_on=goes_on)

    beats.start()
    monkeypatch.setattr(beats, "_send", send)
    list(pipe.read())
    async with asyncio.timeout(30):
        while not list(pipe.read()):  # noqa: ASYNC110 - the pipe is read by looking
            await asyncio.sleep(0.001)
    beats.stop()

    assert told == [problem] * 3


async def test_a_worker_whose_main_process_is_gone_ends_itself_and_is_told_again_until_it_begins_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[int] = []
    monkeypatch.setattr("sanic_chatrooms.web.workers.beats.BEAT", 0.001)
    monkeypatch.setattr("sanic_chatrooms.web.workers.beats.os.kill", lambda pid, number: told.append(pid))
    beats = Beats(None)
    beats._parent = -1
    beats.start()
    assert told == []  # Sanic does not hear it yet

    async with asyncio.timeout(30):
        while len(told) < 3:  # noqa: ASYNC110 - nothing tells of a signal that is not sent
            await asyncio.sleep(0.001)
    beats.leave()
    so_far = len(told)
    await asyncio.sleep(0.02)  # for many beats
    beats.stop()

    assert told == [os.getpid()] * so_far


async def test_a_main_process_that_is_gone_raises_nothing() -> None:
    pipe = Pipe()
    beats = Beats(pipe.writer)
    pipe._reader.close()

    beats.start()
    beats.stop()

    pipe.writer.close()
