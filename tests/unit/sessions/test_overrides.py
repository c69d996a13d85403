"""Settings that are changed while a chat runs, on all workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, ConfigError, MemoryBroker, User
from sanic_chatrooms.access.limits.kinds import Kind
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.presence.memory import MemoryPresence
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing.connections import running_core
from tests.support.joined import joined

ADA = User("u1", "Ada")
WITHIN = 40.0


class Workers:
    """Starts workers over one store and one bus."""

    def __init__(self, folder: Path) -> None:
        self._url = f"sqlite:///{folder}/chat.db"
        self._bus = MemoryBus()

    def start(self, rooms: ChatRooms, **settings: Any) -> AbstractAsyncContextManager[Chat]:
        backends = Backends(SQLStore(self._url), MemoryBroker(self._bus), MemoryPresence())
        return running_core(rooms, guests=True, backends=backends, **settings)


@pytest.fixture
def workers(tmp_path: Path) -> Workers:
    return Workers(tmp_path)


@pytest.fixture
async def chat() -> AsyncIterator[ChatRooms]:
    rooms = ChatRooms("test")
    async with running_core(rooms, guests=True, max_text=100):
        yield rooms


async def follows(chat: Chat, max_text: int) -> None:
    async with asyncio.timeout(WITHIN):
        while chat.settings.max_text != max_text:  # noqa: ASYNC110 - nobody tells a test when a setting is used
            await asyncio.sleep(0.01)


async def test_a_change_holds_for_open_connections_at_once(chat: ChatRooms) -> None:
    ada = await joined(chat.running(), ADA, "general")

    in_force = await chat.reconfigure(max_text=5, rate_limits=True, rate_message="2/h", overload_lag=3.0)

    assert (in_force["max_text"], in_force["rate_message"], in_force["overload_lag"]) == (5, "2/h", 3.0)
    assert (await ada.error("message", room="general", payload={"text": "x" * 6}))["code"] == "too_large"
    said = [await ada.request("message", room="general", payload={"text": "x"}) for _ in range(3)]
    assert said[-1]["payload"]["code"] == "rate_limited"
    assert chat.running().overload.limit == 3.0


async def test_none_restores_what_is_configured_and_the_word_none_switches_off(chat: ChatRooms) -> None:
    await chat.reconfigure(max_text=5, rate_message="2/h")

    in_force = await chat.reconfigure(max_text=None, rate_message="none")

    assert (in_force["max_text"], in_force["rate_message"]) == (100, None)
    assert chat.running().settings.max_text == 100


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"max_frame": 4096}, "only a restart changes this"),
        ({"max_frame": None}, "only a restart changes this"),
        ({"max_txt": 5}, "did you mean max_text"),
        ({"max_txt": None}, "did you mean max_text"),
        ({"max_text": 0}, "too small"),
        ({"max_text": 1_000_000}, "must be at most"),
        ({"rate_message": "often"}, "no rate"),
    ],
)
async def test_what_cannot_be_changed_is_refused_and_nothing_is_changed(
    chat: ChatRooms, settings: dict[str, object], why: str
) -> None:
    before = await chat.reconfigure()

    with pytest.raises(ConfigError, match=why):
        await chat.reconfigure(rate_limits=True, **settings)  # type: ignore[arg-type]

    assert await chat.reconfigure() == before


async def test_a_route_keeps_a_value_of_its_own() -> None:
    rooms = ChatRooms("test")
    rooms.add_route("/desk", max_text=50)
    async with running_core(rooms, guests=True) as chat:
        desk = await joined(chat, ADA, "general", route="/desk")

        await rooms.reconfigure(max_text=5)

        assert desk.session.settings.max_text == 50
        assert (await joined(chat, ADA)).session.settings.max_text == 5


async def test_other_workers_follow_and_late_ones_begin_with_it(workers: Workers) -> None:
    one, other, late = ChatRooms("test"), ChatRooms("test"), ChatRooms("test")
    async with workers.start(one), workers.start(other) as second:
        await one.reconfigure(max_text=5)
        await follows(second, 5)
        await other.reconfigure(rate_limits=True, rate_change="5/h")
        async with workers.start(late) as third:
            assert third.settings.max_text == 5
            assert str(third.settings.rates[Kind.CHANGE]) == "5/h"


async def test_a_change_outlives_a_restart_and_is_left_out_where_it_does_not_fit(workers: Workers) -> None:
    first = ChatRooms("test")
    async with workers.start(first):
        await first.reconfigure(max_text=5_000)

    async with workers.start(ChatRooms("test")) as again:
        assert again.settings.max_text == 5_000
    async with workers.start(ChatRooms("test"), max_frame=1024, max_text=100) as small:
        assert small.settings.max_text == 100
