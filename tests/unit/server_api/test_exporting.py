"""`export_user`: everything that is stored of a user, and nothing of others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.testing.connections import running_core
from tests.support.joined import joined

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True)


@pytest.fixture(params=["memory:", "sqlite"])
async def chat(rooms: ChatRooms, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Chat]:
    store = request.param if request.param == "memory:" else f"sqlite:///{tmp_path / 'chat.db'}"
    async with running_core(rooms, store=store) as chat:
        yield chat


async def exported(rooms: ChatRooms, user: User) -> list[dict[str, Any]]:
    lines = [line async for line in rooms.export_user(user)]
    assert not [line for line in lines if b"\n" in line]
    return [json.loads(line) for line in lines]


async def test_what_a_user_said_did_and_is_comes_from_every_room(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.create_room("general", as_user=EVE)
    await rooms.create_room("team", visibility="private", as_user=ADA)
    ada, bob = await joined(chat, ADA, "general", "team"), await joined(chat, BOB, "general")
    said = await bob.ack("message", room="general", payload={"text": "from Bob"})
    await ada.ack("message", room="general", payload={"text": "from Ada"})
    await ada.ack("message", room="team", payload={"text": "secret"})
    await bob.ack("direct", payload={"to": ADA.id, "body": {"text": "hi Ada"}})
    await ada.ack("report", room="general", payload={"msgId": said["msgId"], "reason": "rude"})
    await ada.ack("user.block", payload={"user": BOB.id})
    await rooms.mute("general", ADA, as_user=EVE, reason="loud")

    lines = await exported(rooms, ADA)

    texts = [line["event"]["payload"].get("text") for line in lines if "event" in line]
    assert texts == ["from Ada", None, "secret"]
    assert [line["event"]["type"] for line in lines if "event" in line][1] == "member.muted"
    assert {line["blocked"]["id"] for line in lines if "blocked" in line} == {"u2"}
    assert [line["report"]["reason"] for line in lines if "report" in line] == ["rude"]
    assert {(line["room"][:8], line["fact"]) for line in lines if "fact" in line} == {
        ("general", "member"), ("general", "mute"), ("team", "member"), ("~direct.", "member"),
    }  # fmt: skip
    assert "blocked" not in {line.get("fact") for line in await exported(rooms, BOB)}


async def test_of_nobody_there_is_nothing(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.create_room("general", as_user=EVE)

    assert await exported(rooms, BOB) == []
