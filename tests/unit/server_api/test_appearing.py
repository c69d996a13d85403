"""Users who are code of the app: present without a connection, and typing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sanic_chatrooms import (
    ChatRooms,
    InvalidField,
    MemoryBroker,
    MemoryPresence,
    MemoryStore,
    RoomLimit,
    RoomNotFound,
    User,
)
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.models import Fact
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing.connections import MemoryClient, running_core
from tests.support.joined import joined

ADA, BOT = User("u1", "Ada"), User("bot", "Helper")


@pytest.fixture(params=["memory", "sqlite"])
async def chat(request: pytest.FixtureRequest, tmp_path: Path, often: None) -> AsyncIterator[ChatRooms]:
    store = MemoryStore() if request.param == "memory" else SQLStore(f"sqlite:///{tmp_path}/chat.db")
    rooms = ChatRooms("test")
    backends = Backends(store, MemoryBroker(), MemoryPresence())
    async with running_core(rooms, guests=True, backends=backends):
        await rooms.create_room("support")
        yield rooms


async def told(client: MemoryClient, change: str) -> Any:
    """What the room is told of the bot."""
    while True:
        event = await client.expect("presence", room="support")
        for user in event["payload"].get(change, ()):
            if user["id"] == BOT.id:
                return user


async def test_a_bot_is_present_and_online_while_the_block_runs(chat: ChatRooms) -> None:
    ada = await joined(chat.running(), ADA, "support")

    async with chat.appear(BOT, rooms=["support"]):
        assert await told(ada, "joined") == {"id": "bot", "name": "Helper"}
        assert {user.id for user in (await chat.presence("support")).users} == {"u1", "bot"}
        assert await chat.online("bot", grace=False) == {"bot"}

    assert (await told(ada, "left"))["id"] == "bot"
    assert not await chat.online("bot")


async def test_the_list_of_members_says_who_is_a_bot(chat: ChatRooms) -> None:
    ada = await joined(chat.running(), ADA, "support")
    async with chat.appear(BOT, rooms=["support"]):
        during = (await ada.ack("members", room="support"))["members"]
    after = (await ada.ack("members", room="support"))["members"]

    assert {line["id"]: line.get("bot") for line in during} == {"u1": None, "bot": True}
    assert {line["id"]: line["online"] for line in during} == {"u1": True, "bot": True}
    assert {line["id"]: line.get("bot") for line in after} == {"u1": None, "bot": True}


async def test_it_joins_a_private_room_with_an_event_and_keeps_its_role(chat: ChatRooms) -> None:
    await chat.create_room("staff", visibility="private")
    async with chat.appear(BOT, rooms=["staff"]):
        await chat.set_role("staff", BOT, "moderator")
    async with chat.appear(BOT, rooms=["staff", "support", "support"]):
        (line,) = (await chat.members("staff")).members

    assert (line.user, line.role, line.bot) == ("bot", "moderator", True)
    assert [event["type"] for event in (await chat.history("staff")).messages] == []
    assert (await chat.room("staff")).seq == 2  # type: ignore[union-attr] # member.joined, member.role


async def test_it_disappears_where_the_block_fails(chat: ChatRooms) -> None:
    with pytest.raises(ValueError, match="broken"):
        async with chat.appear(BOT, rooms=["support"]):
            raise ValueError("broken")

    assert (await chat.presence("support")).total == 0


async def test_two_blocks_of_one_user_overlap(chat: ChatRooms) -> None:
    async with chat.appear(BOT, rooms=["support"]):
        async with chat.appear(BOT, rooms=["support"]):
            pass
        assert (await chat.presence("support")).total == 1


async def test_where_a_room_is_missing_it_appears_nowhere(chat: ChatRooms) -> None:
    with pytest.raises(RoomNotFound):
        async with chat.appear(BOT, rooms=["support", "nowhere"]):
            pass

    assert (await chat.presence("support")).total == 0


@pytest.mark.parametrize(
    ("user", "rooms"), [("bot", ["support"]), (BOT, "support"), (BOT, []), (User("", ""), ["a"])]
)
async def test_wrong_arguments_are_refused(chat: ChatRooms, user: Any, rooms: Any) -> None:
    with pytest.raises(InvalidField):
        async with chat.appear(user, rooms=rooms):
            pass


async def test_a_room_has_a_bounded_number_of_bots(chat: ChatRooms) -> None:
    for n in range(200):
        await chat.running().store.set_fact("support", Fact("bot", f"b{n}", b"true"))

    with pytest.raises(RoomLimit):
        async with chat.appear(BOT, rooms=["support"]):
            pass
    async with chat.appear(User("b7", "Seven"), rooms=["support"]):
        assert (await chat.presence("support")).total == 1


# ---- typing ----


async def test_a_bot_types_and_stops(chat: ChatRooms) -> None:
    ada = await joined(chat.running(), ADA, "support")

    await chat.typing("support", BOT)
    began = await ada.expect("typing", room="support")
    await chat.typing("support", BOT, active=False)
    ended = await ada.expect("typing", room="support")

    assert began["payload"]["users"] == [{"id": "bot", "name": "Helper"}]
    assert ended["payload"]["users"] == []


async def test_typing_ends_with_what_the_bot_says(chat: ChatRooms) -> None:
    ada = await joined(chat.running(), ADA, "support")

    await chat.typing("support", BOT)
    await ada.expect("typing", room="support")
    await chat.publish("support", "message", {"text": "done"}, sender=BOT)

    assert (await ada.expect("typing", room="support"))["payload"]["users"] == []


async def test_nobody_types_in_a_missing_room(chat: ChatRooms) -> None:
    with pytest.raises(RoomNotFound):
        await chat.typing("nowhere", BOT)
