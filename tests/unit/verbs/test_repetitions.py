"""Repetitions of commands (the same `msgId`) after what they did has ended: the first result, and nothing is done again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing.connections import running_core
from tests.support.joined import joined

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")
ID, OTHER = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True, client_room_ids=True)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        await rooms.create_room("team", visibility="private", as_user=ADA)
        yield chat


async def test_a_deletion_is_answered_after_the_room_is_gone(chat: Chat) -> None:
    ada, eve = await joined(chat, ADA, "team"), await joined(chat, EVE)
    first = await ada.ack("room.delete", room="team", msg_id=ID)

    again = await ada.ack("room.delete", room="team", msg_id=ID)

    assert (first, again) == ({"duplicate": False}, {"duplicate": True})
    assert (await ada.error("room.delete", room="team", msg_id=OTHER))["code"] == "room_not_found"
    assert (await eve.error("room.delete", room="team", msg_id=ID))["code"] == "room_not_found"


@pytest.mark.parametrize("by", [ADA, EVE])
async def test_a_repeated_deletion_does_not_touch_a_room_that_was_made_again(chat: Chat, by: User) -> None:
    ada, maker = await joined(chat, ADA, "team"), await joined(chat, by)
    await ada.ack("room.delete", room="team", msg_id=ID)
    await maker.ack("room.create", room="team", payload={"visibility": "private"})

    again = await ada.ack("room.delete", room="team", msg_id=ID)

    assert again == {"duplicate": True}
    assert await chat.store.room("team") is not None


async def test_a_deletion_that_ended_too_early_is_carried_out_by_its_repetition(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await joined(chat, ADA, "team")

    async def dies(self: MemoryStore, room: str, *, unused: bool = False) -> bool:
        raise OSError

    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "delete_room", dies)
        await ada.error("room.delete", room="team", msg_id=ID)
    assert await ada.ack("room.delete", room="team", msg_id=ID) == {"duplicate": False}

    assert await chat.store.room("team") is None


async def test_a_deletion_is_forgotten_after_the_window() -> None:
    rooms = ChatRooms("test", guests=True, dedup_window=300)
    async with running_core(rooms) as chat:
        room = await rooms.create_room("team", as_user=ADA)
        ada = await joined(chat, ADA)
        await ada.ack("room.delete", room=room.id, msg_id=ID)
        [fact] = (await chat.store.facts("~all", "deletion")).facts
        until = float(fact.value.split(b",")[0][1:])

        assert 299 < until - room.created_at < 600


async def accepted(chat: Chat, rooms: ChatRooms) -> tuple[Any, dict[str, Any]]:
    await rooms.invite("team", BOB, "moderator")
    bob = await joined(chat, BOB)
    return bob, await bob.ack("member.accept", room="team", msg_id=ID)


@pytest.mark.parametrize("ended", ["left", "kicked", "banned", "promoted", "invited again"])
async def test_an_accepted_invitation_is_answered_whatever_became_of_the_membership(
    chat: Chat, rooms: ChatRooms, ended: str
) -> None:
    bob, first = await accepted(chat, rooms)
    if ended == "promoted":
        await rooms.set_role("team", BOB, "admin")
    elif ended == "banned":
        await rooms.ban("team", BOB)
    elif ended == "kicked":
        await rooms.kick("team", BOB)
    else:
        await bob.ack("leave", room="team")
    if ended == "invited again":
        await rooms.invite("team", BOB)

    again = await bob.ack("member.accept", room="team", msg_id=ID)

    assert first == {"role": "moderator", "seq": 2, "duplicate": False}
    assert again == {**first, "duplicate": True}


async def test_what_was_declined_is_not_accepted_and_declining_may_be_repeated(
    chat: Chat, rooms: ChatRooms
) -> None:
    await rooms.invite("team", BOB)
    bob = await joined(chat, BOB)
    await bob.ack("member.decline", room="team", msg_id=ID)

    assert await bob.ack("member.decline", room="team", msg_id=ID) == {}
    assert (await bob.error("member.accept", room="team", msg_id=OTHER))["code"] == "room_not_found"
    assert (await bob.error("member.decline", room="team"))["code"] == "room_not_found"
    assert (await bob.error("member.accept", room="team", msg_id=ID))["code"] == "conflict"


async def test_leaving_a_private_room_may_be_repeated(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.add_member("team", BOB)
    bob = await joined(chat, BOB, "team")
    await bob.ack("leave", room="team", msg_id=ID)

    assert await bob.ack("leave", room="team", msg_id=ID) == {}
    assert (await bob.error("leave", room="team", msg_id=OTHER))["code"] == "room_not_found"
