"""Rooms that keep their events for a shorter time than others, on memory and on SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sanic_chatrooms import ChatRooms, InvalidField, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs import retention
from sanic_chatrooms.verbs.drafts import draft
from sanic_chatrooms.verbs.retention import drop_old
from tests.support.joined import joined

ADA = User("u1", "Ada")
NOW = 1_900_000_000.0


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True)


@pytest.fixture(params=["memory:", "sqlite"])
async def chat(
    rooms: ChatRooms, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Chat]:
    monkeypatch.setattr(retention, "now", lambda: NOW)
    store = request.param if request.param == "memory:" else f"sqlite:///{tmp_path / 'chat.db'}"
    async with running_core(rooms, store=store) as chat:
        yield chat


async def said(chat: Chat, room: str, *ages: float) -> None:
    await chat.store.append([draft(room, "message", b"{}", None, timestamp=NOW - age) for age in ages])


async def left(chat: Chat, room: str) -> list[int | None]:
    return [event.seq for event in (await chat.store.history(room, after=0, limit=200)).events]


async def test_what_is_too_old_goes_in_rooms_with_a_retention_of_their_own(
    chat: Chat, rooms: ChatRooms
) -> None:
    await rooms.create_room("short", retention=60)
    await rooms.ensure_room("ensured", retention=30)
    await rooms.create_room("long")
    for room in ("short", "ensured", "long"):
        await said(chat, room, 600, 61, 40, 90, 0)

    await drop_old(chat.store)

    assert [await left(chat, room) for room in ("short", "ensured", "long")] == [
        [3, 4, 5], [5], [1, 2, 3, 4, 5],
    ]  # fmt: skip


async def test_many_old_events_go_in_steps(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.create_room("short", retention=60)
    await said(chat, "short", *[100.0] * 450, 10)

    await drop_old(chat.store)

    assert await left(chat, "short") == [451]
    assert (await rooms.history("short")).seq == 451


async def test_it_can_be_changed_and_ended(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.create_room("general")
    assert await rooms.update_room("general", retention=60)
    assert not await rooms.update_room("general", retention=60)
    await said(chat, "general", 100)
    await drop_old(chat.store)
    gone = await left(chat, "general")
    assert await rooms.update_room("general", retention=0)
    await said(chat, "general", 100)
    await drop_old(chat.store)

    room = await rooms.room("general")
    assert room is not None
    assert (gone, room.retention) == ([], 0)
    assert len(await left(chat, "general")) == 2


async def test_only_the_app_sets_it(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.create_room("general", as_user=ADA)
    ada = await joined(chat, ADA, "general")
    with pytest.raises(InvalidField, match="retention"):
        await rooms.update_room("general", retention=60, as_user=ADA)
    for wrong in (-1, 0.5, float("nan"), 1e12):
        with pytest.raises(InvalidField, match="retention"):
            await rooms.update_room("general", retention=wrong)

    await ada.ack("room.update", room="general", payload={"retention": 60, "topic": "Tea"})

    room = await rooms.room("general")
    assert room is not None
    assert (room.retention, room.topic) == (0, "Tea")


async def test_rooms_are_found_by_their_topics_too(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.create_room("a", title="Tea", topic="Green and black")
    await rooms.create_room("b", title="Coffee", topic="no TEA here")
    await rooms.create_room("c", title="Milk")
    ada = await joined(chat, ADA)

    found = await ada.ack("rooms", payload={"query": "tea"})

    assert [line["room"] for line in found["rooms"]] == ["a", "b"]
