"""Whatever lives as long as the chat survives an error that nobody thought of, also one that comes late: it is logged, and
the work goes on after a wait. Brokers' own: test_reconnect.py; a watchdog's and an embedded server's: beside theirs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from sanic_chatrooms import MemoryBroker, MemoryPresence, MemoryStore, User
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.models import EVERYONE, Envelope
from sanic_chatrooms.stores.outbox import Outbox
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.tasks import LONGEST_WAIT
from sanic_chatrooms.testing import chat_client
from sanic_chatrooms.testing.connections import running_core

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")


class Clock:
    """The event loop's, moved on at will."""

    def __init__(self) -> None:
        loop: Any = asyncio.get_running_loop()
        self._offset, real = 0.0, loop.time
        loop.time = lambda: real() + self._offset

    async def until(self, happened: Callable[[], bool], step: float = LONGEST_WAIT) -> None:
        """Let time pass in steps until that is so."""
        async with asyncio.timeout(1e6):
            for _ in range(400):
                if happened():
                    return
                self._offset += step
                await asyncio.sleep(0)
                await asyncio.sleep(0.002 if not self._offset % 3 else 0)
        raise AssertionError("it did not happen")

    def skip(self, seconds: float) -> None:
        self._offset += seconds


@pytest.fixture
async def clock() -> Clock:
    return Clock()


class Store(MemoryStore, Outbox):
    """One with a part in transactions."""

    async def put(self, within: object, draft: Any, committed: Callable[[], None]) -> None:
        raise NotImplementedError

    async def number(self, limit: int) -> list[Any]:
        return []

    async def judge(self, draft: Any) -> None:
        raise NotImplementedError

    async def drop(self, msg_id: str) -> None:
        raise NotImplementedError


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    backends = Backends(Store(), MemoryBroker(MemoryBus()), MemoryPresence())
    async with running_core(backends=backends, guests=True, auto_create=True, position_check=5.0) as chat:
        yield chat


class Fault:
    """In the place of a method: raises so many times, then does what the method does."""

    def __init__(self, owner: Any, name: str, problem: BaseException, times: int = 2) -> None:
        self.left, self.done = times, 0
        self._problem, self._real = problem, getattr(owner, name)
        wrap = self._wait if asyncio.iscoroutinefunction(self._real) else self._act
        setattr(owner, name, wrap)

    def _act(self, *arguments: Any, **more: Any) -> Any:
        self._fail()
        result = self._real(*arguments, **more)
        self.done += 1
        return result

    async def _wait(self, *arguments: Any, **more: Any) -> Any:
        self._fail()
        result = await self._real(*arguments, **more)
        self.done += 1
        return result

    def _fail(self) -> None:
        if self.left:
            self.left -= 1
            raise self._problem


def logged(caplog: pytest.LogCaptureFixture, problem: BaseException) -> list[str]:
    found = [r for r in caplog.records if r.levelno >= logging.ERROR and r.exc_info]
    return [r.getMessage() for r in found if r.exc_info is not None and r.exc_info[1] is problem]


STRAY = asyncio.CancelledError
"""Of something that a driver gave up itself: not our end."""


@pytest.mark.parametrize("kind", [AttributeError, STRAY])
@pytest.mark.parametrize(
    ("owner", "method"),
    [
        ("heartbeat", "sweep"),
        ("typists", "sweep"),
        ("occupancy", "sweep"),
        ("occupancy", "refresh"),
        ("hub", "release"),
        ("hub", "check"),
        ("signed", "renew"),
        ("backends.store", "number"),
        ("journal._publisher", "_publish"),
    ],
)
async def test_a_task_of_the_chat_survives(
    chat: Chat,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    owner: str,
    method: str,
    kind: type[BaseException],
) -> None:
    clock.skip(90.0)
    problem = kind("nobody thought of this")
    fault = Fault(attrgetter(owner)(chat), method, problem)

    def happened() -> bool:
        chat.journal.publish(Envelope("r", "", 0, "typing", b"{}"))
        return fault.done > 0

    await clock.until(happened)

    assert len(logged(caplog, problem)) == 2
    assert not any(
        task.done() for task in (*chat._tasks, chat.journal._task, chat.journal._publisher._task) if task
    )


@pytest.mark.parametrize("kind", [AttributeError, STRAY])
async def test_an_error_of_the_store_that_nobody_thought_of_is_answered_and_the_next_message_is_stored(
    chat: Chat, clock: Clock, kind: type[BaseException]
) -> None:
    ada = await chat_client(chat, ADA)
    await ada.ack("join", room="r")
    clock.skip(90.0)
    chat.journal._store.appends_soon = False
    Fault(chat.journal._store, "append", kind("nobody thought of this"), times=1)

    refused = await ada.error("message", room="r", payload={"text": "hi"})
    stored = await ada.ack("message", room="r", payload={"text": "hi again"})

    assert refused["code"] in ("internal", "unavailable")
    assert stored["seq"] == 1


async def test_a_repair_that_fails_tells_the_room_to_join_again_and_the_next_one_works(
    chat: Chat, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    await ada.ack("join", room="r")
    await bob.ack("join", room="r")
    clock.skip(90.0)
    problem = AttributeError("nobody thought of this")
    Fault(chat.hub._store, "history", problem, times=1)

    chat.hub.deliver(Envelope("r", chat.hub.room("r").head.epoch, 2, "message", b"{}"))  # type: ignore[union-attr]
    assert (await ada.expect("reset"))["room"] == "r"
    await ada.ack("join", room="r")
    await ada.ack("message", room="r", payload={"text": "hi"})

    assert len(logged(caplog, problem)) == 1
    assert (await ada.expect("message"))["seq"] == 1


async def test_the_room_of_all_connections_is_watched_again_whatever_comes_between(
    chat: Chat, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    clock.skip(90.0)
    problem = AttributeError("nobody thought of this")
    fault = Fault(chat.hub, "watch", problem)

    chat.sessions.on_deleted(EVERYONE)
    await clock.until(lambda: fault.done > 0)

    assert len(logged(caplog, problem)) == 2


async def test_of_rooms_to_compare_one_that_cannot_be_does_not_keep_the_others(
    chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    ada = await chat_client(chat, ADA)
    for room in ("bad", "good"):
        await ada.ack("join", room=room)
    for held in chat.hub.rooms():
        held.sequence.epoch = "another"
    fault = Fault(chat.hub, "reset", AttributeError("nobody thought of this"), times=1)

    with pytest.raises(AttributeError):
        await chat.hub.check()

    assert fault.done >= 1


async def test_of_rooms_to_let_go_one_that_cannot_be_does_not_keep_the_others(chat: Chat) -> None:
    ada = await chat_client(chat, ADA)
    for room in ("bad", "good"):
        await ada.ack("join", room=room)
        await ada.ack("exit", room=room)
    fault = Fault(chat.hub._broker, "unsubscribe", AttributeError("nobody thought of this"), times=1)

    with pytest.raises(AttributeError):
        await chat.hub.release()

    assert fault.done >= 1


async def test_of_connections_to_look_after_one_that_cannot_be_is_closed_and_does_not_keep_the_others(
    chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    clients = [await chat_client(chat, ADA) for _ in range(6)]
    problem = AttributeError("nobody thought of this")
    for client in clients[::2]:
        Fault(client.connection, "ping", problem, times=1)
    later = max(c.session.liveness.heard_at + c.session.liveness.interval for c in clients) + 2.0
    chat.heartbeat._clock = lambda: later

    chat.heartbeat.sweep()

    assert [client.connection.pings for client in clients[1::2]] == [1, 1, 1]
    assert [client.session.closed for client in clients] == [True, False] * 3
    assert len(logged(caplog, problem)) == 3


@pytest.mark.parametrize("kind", [AttributeError, STRAY])
async def test_the_upkeep_of_a_sql_store_survives(
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    kind: type[BaseException],
) -> None:
    # Not by the clock: it would run out for the threads that are asked.
    monkeypatch.setattr("sanic_chatrooms.stores.sql.trim.INTERVAL", 0.01)
    monkeypatch.setattr("sanic_chatrooms.support.tasks.FIRST_WAIT", 0.01)
    store = SQLStore(f"sqlite:///{tmp_path}/chat.db")
    async with running_core(store=store, guests=True):
        clock.skip(90.0)
        problem, looked = kind("nobody thought of this"), asyncio.Event()
        problems, look = [problem, problem], store._upkeep.look

        async def stumble() -> None:
            if problems:
                raise problems.pop()
            await look()
            looked.set()

        monkeypatch.setattr(store._upkeep, "look", stumble)
        async with asyncio.timeout(40):
            await looked.wait()

        assert len(logged(caplog, problem)) == 2
