from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from functools import partial

import msgspec
import pytest

from sanic_chatrooms import MemoryBroker, MemoryPresence, MemoryStore, Unavailable, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.errors import InvalidCursor, InvalidField, RoomNotFound
from sanic_chatrooms.testing import chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.members import Asked, MemberLine
from sanic_chatrooms.verbs.membership import add_member
from sanic_chatrooms.verbs.rooms import RoomLine, create

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")


class Presence(MemoryPresence):
    away = False

    async def online(self, users: Collection[str], *, room: str | None = None) -> set[str]:
        if self.away:
            raise Unavailable
        return await super().online(users)


@pytest.fixture
async def presence() -> Presence:
    return Presence()


@pytest.fixture
async def chat(presence: Presence) -> AsyncIterator[Chat]:
    async with running_core(guests=True, backends=Backends(MemoryStore(), MemoryBroker(), presence)) as chat:
        await create(chat.core, None, "team", visibility="private")
        for user, role in ((ADA, "owner"), (BOB, "member")):
            await add_member(chat.core, "team", user, role)
        yield chat


async def test_members_with_who_is_here(chat: Chat) -> None:
    ada = await chat_client(chat, ADA)

    answer = await ada.ack("members", room="team")

    here, away = answer["members"]
    assert answer.keys() == {"members", "total"}
    assert answer["total"] == 2
    assert (here["id"], here["name"], here["role"], here["online"]) == ("u1", "Ada", "owner", True)
    assert isinstance(here["lastSeen"], float)
    assert away == {"id": "u2", "name": "Bob", "role": "member", "online": False, "lastSeen": None}


async def test_without_presence_nobody_is_known_to_be_here(chat: Chat, presence: Presence) -> None:
    ada = await chat_client(chat, ADA)
    presence.away = True

    lines = (await ada.ack("members", room="team"))["members"]

    assert [(line["online"], line["lastSeen"]) for line in lines] == [(False, None), (False, None)]


async def test_who_is_in_the_room(chat: Chat) -> None:
    ada = await chat_client(chat, ADA)
    assert await ada.ack("presence", room="team") == {"users": [], "total": 0}

    await ada.ack("join", room="team")

    assert await ada.ack("presence", room="team") == {"users": [{"id": "u1", "name": "Ada"}], "total": 1}


async def test_both_are_read_a_page_at_a_time(chat: Chat) -> None:
    for user in (ADA, BOB):
        await (await chat_client(chat, user)).ack("join", room="team")
    ada = await chat_client(chat, ADA)

    for type, key in (("members", "members"), ("presence", "users")):
        first = await ada.ack(type, room="team", payload={"limit": 1})
        rest = await ada.ack(type, room="team", payload={"limit": 1, "cursor": first["cursor"]})
        assert [line["id"] for line in first[key] + rest[key]] == ["u1", "u2"]
        assert "cursor" not in rest


async def test_outsiders_learn_nothing(chat: Chat) -> None:
    eve = await chat_client(chat, EVE)

    for type in ("members", "presence"):
        assert (await eve.error(type, room="team"))["code"] == "room_not_found"


async def test_requests_that_do_not_fit(chat: Chat) -> None:
    for type in ("members", "presence"):
        read = partial(chat.commands.give, type)
        with pytest.raises(RoomNotFound):
            await read(Asked(), room="nowhere")
        with pytest.raises(InvalidCursor):
            await read(Asked(cursor="x"), room="team")
        with pytest.raises(InvalidField):
            await read(Asked(limit=0), room="team")
        assert (await read(Asked(limit=10_000), room="team")).total in (0, 2)


def test_a_room_is_called_id_and_a_member_user_and_the_wire_keeps_its_words() -> None:
    member = MemberLine(user="u1", name="Ada", role="owner", online=True, last_seen=None)
    room = RoomLine("general", "", "public", 0, unread=0, more=False, mentions=0, online=0)

    assert set(msgspec.to_builtins(member)) == {"id", "name", "role", "online", "lastSeen"}
    assert set(msgspec.to_builtins(room)) == {
        "room", "title", "visibility", "seq", "unread", "more", "mentions", "online"
    }  # fmt: skip
