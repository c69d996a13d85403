"""Listeners for rooms: in a process without sockets for what any process stores, in an app for what its own does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, ConfigError, Happening, MemoryBroker, MemoryPresence, MemoryStore, User
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.follows import listening
from sanic_chatrooms.testing.connections import running_core
from tests.support.joined import joined

ADA = User("u1", "Ada")


class Heard:
    """What a listener has heard."""

    def __init__(self) -> None:
        self._came: asyncio.Queue[Happening] = asyncio.Queue()
        self.all: list[Happening] = []

    def __call__(self, event: Happening) -> None:
        self.all.append(event)
        self._came.put_nowait(event)

    async def next(self) -> Happening:
        async with asyncio.timeout(40):
            return await self._came.get()


@pytest.fixture
def backends() -> Backends:
    return Backends(MemoryStore(), MemoryBroker(MemoryBus()), MemoryPresence())


@pytest.fixture
async def chat(backends: Backends) -> AsyncIterator[ChatRooms]:
    rooms = ChatRooms("test")
    async with running_core(rooms, guests=True, backends=backends):
        await rooms.create_room("a")
        await rooms.create_room("b")
        yield rooms


async def entered(chat: ChatRooms, *rooms: str) -> None:
    """Return when the loops of listeners have begun: what is stored now is heard."""
    async with asyncio.timeout(40):
        hub = chat.running().hub
        while any((held := hub.room(room)) is None or not list(held.sessions()) for room in rooms):  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_it_is_called_for_the_wanted_events_of_its_rooms_in_order(chat: ChatRooms) -> None:
    heard = Heard()
    chat.on("message", "ORDER", rooms=["a"])(heard)
    await entered(chat, "a")

    await chat.publish("a", "message", {"text": "1"}, sender=ADA)
    await chat.publish("b", "message", {"text": "elsewhere"})
    await chat.publish("a", "OTHER", {})
    await chat.publish("a", "ORDER", {"id": 7})

    first, second = await heard.next(), await heard.next()
    assert (first.type, first.room, first.payload, first.user) == ("message", "a", {"text": "1"}, first.user)
    assert first.user is not None
    assert first.user.id == "u1"
    assert (second.type, second.payload, second.user) == ("ORDER", {"id": 7}, None)
    assert first.event is not None
    assert first.event.seq == 1


async def test_an_event_is_not_heard_twice_while_a_listener_works_or_after_it_failed(
    chat: ChatRooms, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()

    @chat.on("message", rooms=["a", "b"])
    async def fail(event: Happening) -> None:
        heard(event)
        await asyncio.sleep(0)
        raise ValueError("broken")

    await entered(chat, "a", "b")
    for n in range(3):
        await chat.publish("a", "message", {"text": str(n)})

    assert [(await heard.next()).payload["text"] for _ in range(3)] == ["0", "1", "2"]
    await chat.running().follows.stop()
    assert "a listener for message failed" in caplog.text


async def test_it_waits_for_a_room_that_is_not_there(
    chat: ChatRooms, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listening, "AGAIN", 0.01)
    heard = Heard()
    with caplog.at_level(logging.WARNING):
        chat.on("message", rooms=["later"])(heard)
        async with asyncio.timeout(40):
            while "waits for room later" not in caplog.text:  # noqa: ASYNC110
                await asyncio.sleep(0)

    await chat.create_room("later")
    await entered(chat, "later")
    await chat.publish("later", "message", {"text": "hi"})

    assert (await heard.next()).payload == {"text": "hi"}
    assert caplog.text.count("waits for room later") == 1


async def test_it_goes_on_in_a_room_that_was_made_again(
    chat: ChatRooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "AGAIN", 0.01)
    heard = Heard()
    chat.on("message", rooms=["a"])(heard)
    await entered(chat, "a")
    await chat.delete_room("a")
    await chat.create_room("a")
    await entered(chat, "a")

    await chat.publish("a", "message", {"text": "again"})

    assert (await heard.next()).payload == {"text": "again"}


@pytest.mark.parametrize("type", ["room.entered", "connect", "disconnect"])
async def test_what_is_not_stored_cannot_be_heard_from_other_processes(chat: ChatRooms, type: str) -> None:
    with pytest.raises(ConfigError, match="only the process that serves the connection hears this"):
        chat.on(type, rooms=["a"])(lambda event: None)


@pytest.mark.parametrize("rooms", ["a", [], ["a b"], 7, [7]])
async def test_wrong_rooms_are_refused_at_the_decorator(chat: ChatRooms, rooms: Any) -> None:
    with pytest.raises(ConfigError, match=r"on\(rooms="):
        chat.on("message", rooms=rooms)


async def test_without_rooms_it_comes_too_late_in_an_app_that_runs() -> None:
    rooms = ChatRooms("test")

    @rooms.on("message", rooms=["a"])
    def before(event: Happening) -> None: ...

    assert list(rooms.declared().listeners) == ["message"]


async def test_in_an_app_a_listener_hears_its_rooms_only(backends: Backends) -> None:
    heard, rooms = Heard(), ChatRooms("test")
    rooms.on("message", "room.entered", rooms=["a"])(heard)
    async with running_core(rooms, guests=True, backends=backends):
        await rooms.create_room("a")
        await rooms.create_room("b")
        ada = await joined(rooms.running(), ADA, "b")
        await ada.ack("message", room="b", payload={"text": "elsewhere"})
        await ada.ack("join", room="a")
        await ada.ack("message", room="a", payload={"text": "hi"})
        await ada.settle()

    assert [(event.type, event.room) for event in heard.all] == [("room.entered", "a"), ("message", "a")]


async def test_a_listener_that_is_declared_again_from_the_same_place_replaces_the_first() -> None:
    rooms = ChatRooms("test")

    def declare() -> None:
        @rooms.on("message", rooms=["a"])
        def listen(event: Happening) -> None: ...

    declare()
    declare()

    assert len(rooms.declared().listeners["message"]) == 1
