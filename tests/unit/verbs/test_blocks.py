"""Blocks: the blocked user is not heard, and learns nothing of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import direct_room
from sanic_chatrooms.testing import MemoryClient
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs import blocks
from tests.support.joined import joined

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        yield chat


@pytest.fixture
async def ada(chat: Chat) -> MemoryClient:
    return await joined(chat, ADA)


@pytest.fixture
async def bob(chat: Chat) -> MemoryClient:
    return await joined(chat, BOB)


def said(to: User) -> dict[str, object]:
    return {"to": to.id, "body": {"text": "hi"}}


async def test_in_a_direct_room_the_blocked_is_muted(ada: MemoryClient, bob: MemoryClient) -> None:
    first = await bob.ack("direct", payload=said(ADA))
    room = first["room"]

    await ada.ack("user.block", payload={"user": BOB.id})

    edit = {"msgId": first["msgId"], "body": {"text": "no"}}
    refused = [
        await bob.error("message", room=room, payload={"text": "hi"}),
        await bob.error("message.edit", room=room, payload=edit),
        await bob.error("typing", room=room, payload={"active": True}),
        await bob.error("message.pin", room=room, payload={"msgId": first["msgId"]}),
        await bob.error("reaction.add", room=room, payload={"msgId": first["msgId"], "emoji": "👍"}),
    ]
    assert [error["code"] for error in refused] == ["muted"] * 5
    assert (await bob.error("direct", payload=said(ADA)))["code"] == "forbidden"
    assert (await bob.ack("history", room=room))["messages"]
    await ada.ack("message", room=room, payload={"text": "the other way"})
    await bob.ack("message.delete", room=room, payload={"msgId": first["msgId"]})


async def test_who_was_blocked_before_there_was_a_room_is_muted_in_it(
    chat: Chat, ada: MemoryClient, bob: MemoryClient
) -> None:
    await ada.ack("user.block", payload={"user": BOB.id})

    assert (await bob.error("direct", payload=said(ADA)))["code"] == "forbidden"
    assert await chat.store.room(direct_room(ADA.id, BOB.id)) is None
    room = (await ada.ack("direct", payload=said(BOB)))["room"]
    await bob.expect("room.added")

    assert (await bob.error("message", room=room, payload={"text": "hi"}))["code"] == "muted"


async def test_a_block_that_has_ended_leaves_nothing(ada: MemoryClient, bob: MemoryClient) -> None:
    room = (await bob.ack("direct", payload=said(ADA)))["room"]
    for _ in range(2):
        await ada.ack("user.block", payload={"user": BOB.id})
    for _ in range(2):
        await ada.ack("user.unblock", payload={"user": BOB.id})

    await bob.ack("message", room=room, payload={"text": "hi"})
    await bob.ack("direct", payload=said(ADA))
    assert await ada.ack("user.blocked") == {"users": []}


async def test_a_block_stops_invitations_and_additions(
    chat: Chat, rooms: ChatRooms, ada: MemoryClient, bob: MemoryClient
) -> None:
    await rooms.create_room("team", visibility="private", as_user=BOB)
    await ada.ack("user.block", payload={"user": BOB.id})

    errors = [
        await bob.error(type, room="team", payload={"user": ADA.id})
        for type in ("member.invite", "member.add")
    ]

    assert {(error["code"], error["message"]) for error in errors} == {
        ("forbidden", "you cannot reach this user here")
    }
    await rooms.invite("team", ADA)  # the app
    await ada.ack("member.accept", room="team")


async def test_a_mute_by_the_app_outlives_a_block(
    rooms: ChatRooms, ada: MemoryClient, bob: MemoryClient
) -> None:
    room = (await bob.ack("direct", payload=said(ADA)))["room"]
    await rooms.mute(room, BOB, reason="spam")
    await ada.ack("user.block", payload={"user": BOB.id})
    await ada.ack("user.unblock", payload={"user": BOB.id})

    error = await bob.error("message", room=room, payload={"text": "hi"})

    assert (error["code"], error["reason"]) == ("muted", "spam")


async def test_the_blocked_are_listed_page_by_page(ada: MemoryClient, bob: MemoryClient) -> None:
    for user in ("x3", BOB.id, "x1"):
        await ada.ack("user.block", payload={"user": user})
    await bob.ack("user.block", payload={"user": ADA.id})

    first = await ada.ack("user.blocked", payload={"limit": 2})
    rest = await ada.ack("user.blocked", payload={"cursor": first["cursor"]})

    assert first["users"] == [{"id": "u2", "name": "Bob"}, {"id": "x1", "name": "x1"}]
    assert rest == {"users": [{"id": "x3", "name": "x3"}]}
    assert (await ada.error("user.blocked", payload={"cursor": "x"}))["code"] == "invalid_cursor"


async def test_who_cannot_be_blocked(ada: MemoryClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "KEPT", 2)
    errors = [await ada.error("user.block", payload={"user": user}) for user in ("", ADA.id, "x" * 129, 5)]
    for user in ("a", "b", "b"):
        await ada.ack("user.block", payload={"user": user})
    full = await ada.error("user.block", payload={"user": "c"})
    again = await ada.ack("user.block", payload={"user": "a"})

    assert {(error["code"], error["field"]) for error in errors} == {("invalid_field", "user")}
    assert (full["code"], full["limit"], again) == ("rate_limited", "blocks", {})


async def test_who_blocks_whom_is_told_to_nobody(chat: Chat, ada: MemoryClient, bob: MemoryClient) -> None:
    await bob.ack("direct", payload=said(ADA))
    await bob.settle()
    before = len(bob.frames)

    await ada.ack("user.block", payload={"user": BOB.id})

    await bob.settle()
    assert [frame["type"] for frame in bob.frames[before:]] == ["pong", "pong"]
