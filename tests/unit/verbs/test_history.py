"""Pages of the past."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sanic_chatrooms import ChatError, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.history import History
from sanic_chatrooms.verbs.properties import Changes
from sanic_chatrooms.verbs.rooms import create
from tests.support.joined import joined

ADA = User("u1", "Ada")


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with running_core(guests=True, max_text=20) as chat:
        yield chat


async def test_pages_of_the_past(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")
    for number in range(1, 6):
        await ada.ack("message", room="general", payload={"text": str(number)})

    async def seqs(**payload: Any) -> tuple[list[int], bool]:
        answer = await ada.ack("history", room="general", payload=payload)
        return [message["seq"] for message in answer["messages"]], answer["more"]

    assert await seqs() == ([1, 2, 3, 4, 5], False)
    assert await seqs(limit=2) == ([4, 5], True)
    assert await seqs(before=4, limit=2) == ([2, 3], True)
    assert await seqs(before=2) == ([1], False)
    assert await seqs(before=1) == ([], False)
    assert await seqs(before=0) == ([], False)
    assert await seqs(after=0, limit=2) == ([1, 2], True)
    assert await seqs(after=5) == ([], False)
    assert await seqs(after=2**53 - 1) == ([], False)
    assert await seqs(limit=10_000) == ([1, 2, 3, 4, 5], False)


async def test_a_page_of_the_log_has_changes_and_events_about_the_room_too(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")
    said = await ada.ack("message", room="general", payload={"text": "a"})
    await ada.ack("reaction.add", room="general", payload={"msgId": said["msgId"], "emoji": "👍"})
    await chat.commands.give("room.update", Changes(topic="Tea"), room="general")
    await ada.ack("message", room="general", payload={"text": "b"})

    async def types(**payload: Any) -> list[str]:
        page = await ada.ack("history", room="general", payload=payload)
        return [event["type"] for event in page["messages"]]

    assert await types() == ["message", "message"]
    assert await types(log=True) == ["message", "reaction.added", "room.updated", "message"]
    assert await types(log=True, before=4, limit=2) == ["reaction.added", "room.updated"]
    assert await types(log=True, around=3, limit=2) == ["reaction.added", "room.updated"]


async def test_a_page_around_a_number_has_half_below_it_and_half_from_there_on(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")
    for number in range(1, 10):
        await ada.ack("message", room="general", payload={"text": str(number)})

    async def around(seq: int, limit: int) -> tuple[list[int], bool]:
        page = await ada.ack("history", room="general", payload={"around": seq, "limit": limit})
        assert page["seq"] == 9
        return [message["seq"] for message in page["messages"]], page["more"]

    assert await around(5, 4) == ([3, 4, 5, 6], True)
    assert await around(5, 5) == ([3, 4, 5, 6, 7], True)
    assert await around(5, 50) == ([1, 2, 3, 4, 5, 6, 7, 8, 9], False)
    assert await around(5, 1) == ([5], True)
    assert await around(1, 4) == ([1, 2], True)
    assert await around(0, 4) == ([1, 2], True)
    assert await around(9, 4) == ([7, 8, 9], True)
    assert await around(2**53 - 1, 4) == ([8, 9], True)


async def test_a_page_around_a_number_has_what_fits_on_both_sides(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")
    for number in range(9):
        text = {"text": str(number), "more": "x" * 50_000}
        await ada.ack("message", room="general", payload=text)

    page = await ada.ack("history", room="general", payload={"around": 5})

    assert ([message["seq"] for message in page["messages"]], page["more"]) == ([3, 4, 5, 6], True)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"before": 1, "after": 1}, "invalid_field"),
        ({"limit": 0}, "invalid_field"),
        ({"limit": -1}, "invalid_field"),
        ({"before": -1}, "invalid_cursor"),
        ({"after": -1}, "invalid_cursor"),
        ({"after": "1"}, "invalid_field"),
        ({"around": 1, "after": 1}, "invalid_field"),
        ({"around": 1, "before": 1}, "invalid_field"),
        ({"around": -1}, "invalid_cursor"),
        ({"around": "1"}, "invalid_field"),
        ({"replies": 1}, "invalid_field"),
    ],
)
async def test_positions_that_there_are_not(chat: Chat, payload: Any, code: str) -> None:
    ada = await joined(chat, ADA, "general")

    assert (await ada.error("history", room="general", payload=payload))["code"] == code


async def test_the_app_reads_what_it_likes(chat: Chat) -> None:
    await create(chat.core, None, "secret", visibility="private")

    assert (await chat.commands.give("history", History(), room="secret")).messages == []
    with pytest.raises(ChatError):
        await chat.commands.give("history", History(), room="nowhere")
