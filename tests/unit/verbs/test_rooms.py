"""Rooms: who makes them, who sees them in lists, how they end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from sanic_chatrooms import MemoryBroker, MemoryPresence, MemoryStore, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.errors import Conflict, InvalidField, InvalidText, RoomNotFound, TooLarge, Unavailable
from sanic_chatrooms.models import Member, Room
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import FaultyStore, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.membership import add_member
from sanic_chatrooms.verbs.properties import ATTRIBUTES_LIMIT, TITLE_LIMIT
from sanic_chatrooms.verbs.rooms import create, delete, ensure
from tests.support.joined import joined

ADA, BOB, GUEST = User("u1", "Ada"), User("u2", "Bob"), User("guest-1", "Guest", guest=True)
ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with running_core(guests=True, max_rooms_per_connection=3) as chat:
        yield chat


async def member(chat: Chat, room: str, user: User) -> Member | None:
    return await members.find(chat.backends.store, room, user.id)


async def types(chat: Chat, room: str) -> list[str]:
    """The types of all events of a room."""
    page = await chat.backends.store.history(room, after=0, limit=100)
    return [event.type for event in page.events]


# ---- making ----


async def test_whoever_makes_a_room_owns_it_guests_too(chat: Chat) -> None:
    for user, room in ((ADA, "one"), (GUEST, "two")):
        client = await chat_client(chat, user)
        made = await client.ack("room.create", room=room, payload={"title": "T", "visibility": "private"})
        assert made == {"room": room, "duplicate": False}
        assert (await client.ack("join", room=room))["role"] == "owner"


async def test_making_a_room_again_by_the_same_command_is_making_it_once(chat: Chat) -> None:
    ada = await chat_client(chat, ADA)
    payload = {"title": "T"}

    await ada.ack("room.create", room="one", payload=payload, msg_id=ID)
    again = await ada.ack("room.create", room="one", payload=payload, msg_id=ID)
    other = await ada.error("room.create", room="one", payload={"title": "U"}, msg_id=ID)
    third = await ada.error("room.create", room="one", payload=payload)

    assert again == {"room": "one", "duplicate": True}
    assert (other["code"], third["code"]) == ("conflict", "conflict")


async def test_a_room_without_an_id_gets_one_from_user_and_command(chat: Chat) -> None:
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)

    first = await ada.ack("room.create", msg_id=ID)
    again = await ada.ack("room.create", msg_id=ID)
    next_one = await ada.ack("room.create")
    theirs = await bob.ack("room.create", msg_id=ID)

    assert again == {"room": first["room"], "duplicate": True}
    assert len({first["room"], next_one["room"], theirs["room"]}) == 3
    assert first["room"].startswith("r-")


async def test_a_room_is_made_without_an_id_also_on_the_path_of_another(chat: Chat) -> None:
    ada = await chat_client(chat, ADA, room="general")
    await ada.expect("ack", replyTo="join")

    made = await ada.ack("room.create", payload={"title": "New"})

    assert made["room"].startswith("r-")
    assert made["duplicate"] is False
    assert (await ada.error("room.create", room="general"))["code"] == "conflict"


async def test_making_a_room_without_msg_id_twice_makes_two(chat: Chat) -> None:
    ada = await chat_client(chat, ADA)
    for _ in range(2):
        ada.send_raw('{"type":"room.create"}')
    made = [(await ada.expect("ack"))["payload"]["room"] for _ in range(2)]

    assert made[0] != made[1]


@pytest.mark.parametrize(
    ("room", "payload", "code"),
    [
        ("~mine", {}, "invalid_field"),
        ("a", {"visibility": "direct"}, "invalid_field"),
        ("a", {"visibility": "reserved"}, "invalid_field"),
        ("a", {"title": 7}, "invalid_field"),
        ("a", {"title": " \u200b"}, "invalid_field"),
        ("a", {"topic": "\u3164"}, "invalid_field"),
        ("a", {"attributes": []}, "invalid_field"),
        ("a", {"title": "x" * (TITLE_LIMIT + 1)}, "too_large"),
        ("a", {"attributes": {"x": "x" * ATTRIBUTES_LIMIT}}, "too_large"),
    ],
)
async def test_rooms_that_cannot_be_made(chat: Chat, room: str, payload: Any, code: str) -> None:
    ada = await chat_client(chat, ADA)

    assert (await ada.error("room.create", room=room, payload=payload))["code"] == code
    assert (await ada.ack("rooms"))["rooms"] == []


async def test_the_app_makes_rooms_once_or_as_often_as_it_likes(chat: Chat) -> None:
    assert not (await create(chat.core, None, "orders"))[1]
    with pytest.raises(Conflict):
        await create(chat.core, None, "orders")
    with pytest.raises(InvalidField):
        await create(chat.core, None, "a b")
    with pytest.raises(TooLarge):
        await create(chat.core, None, "a", title="x" * (TITLE_LIMIT + 1))
    await create(chat.core, None, "a", attributes={"x": "x" * ATTRIBUTES_LIMIT})


@pytest.mark.parametrize(
    "properties",
    [
        {"title": "\ud800"},
        {"title": "a\0b"},
        {"title": 7},
        {"attributes": {"\ud800": 1}},
        {"attributes": {"a": "\0"}},
        {"attributes": {"a": 2**60}},
        {"attributes": {"a": object()}},
        {"attributes": ["a"]},
    ],
)
async def test_the_app_gives_a_room_nothing_that_no_list_of_rooms_could_show(
    chat: Chat, properties: dict[str, Any]
) -> None:
    ada = await chat_client(chat, ADA)

    with pytest.raises((InvalidField, InvalidText)):
        await create(chat.core, None, "a", **properties)
    with pytest.raises((InvalidField, InvalidText)):
        await ensure(chat.core, "b", **properties)
    for id in (None, 7, b"a", ["a"]):
        with pytest.raises(InvalidField):
            await ensure(chat.core, cast("str", id))

    assert (await ada.ack("rooms"))["rooms"] == []


async def test_where_clients_name_no_ids_the_server_chooses_them_and_tells_of_none_that_is_taken() -> None:
    async with running_core(guests=True, auto_create=False) as chat:
        await create(chat.core, None, "taken", visibility="private")
        ada = await chat_client(chat, ADA)

        taken, free = [await ada.error("room.create", room=room) for room in ("taken", "free")]
        made = await ada.ack("room.create", payload={"title": "T"})

        assert (taken["code"], taken["field"]) == ("invalid_field", "room")
        assert taken == free
        assert made["room"].startswith("r-")


async def test_clients_name_ids_where_a_join_makes_rooms_or_the_app_says_so() -> None:
    for settings in ({"auto_create": True}, {"auto_create": False, "client_room_ids": True}):
        declaration: dict[str, Any] = {"guests": True, **settings}
        async with running_core(**declaration) as chat:
            assert (await (await chat_client(chat, ADA)).ack("room.create", room="mine"))["room"] == "mine"
    async with running_core(guests=True, auto_create=True, client_room_ids=False) as chat:
        error = await (await chat_client(chat, ADA)).error("room.create", room="mine")
        assert error["code"] == "invalid_field"


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize(
    "command",
    [
        "join",
        "history",
        "members",
        "presence",
        "leave",
        "message.edit",
        "message.delete",
        "message",
        "typing",
    ],
)
async def test_a_hidden_room_answers_like_none_after_as_many_looks_at_the_store(
    command: str, held: bool
) -> None:
    store = FaultyStore(MemoryStore())
    payloads: dict[str, Any] = {
        "message.edit": {"msgId": ID, "body": {"text": "x"}},
        "message.delete": {"msgId": ID},
        "message": {"text": "x"},
        "join": {"since": {"epoch": "e", "seq": 1}},
    }
    backends = Backends(store, MemoryBroker(), MemoryPresence())
    async with running_core(guests=True, auto_create=False, backends=backends) as chat:
        await create(chat.core, None, "hidden", visibility="private")
        await add_member(chat.core, "hidden", BOB)
        bob, eve = await chat_client(chat, BOB), await chat_client(chat, ADA)
        if held:
            await bob.ack("join", room="hidden")
        answers, looks = [], []
        for room in ("hidden", "nowhere"):
            store.calls.clear()
            answers.append(await eve.error(command, room=room, payload=payloads.get(command)))
            looks.append(list(store.calls))

        assert answers[0] == answers[1]
        assert looks[0] == looks[1]
        assert (chat.hub.room("hidden") is not None) is held, "a stranger makes no worker hear the room"


# ---- listing ----


async def names(client: MemoryClient, **payload: Any) -> list[str]:
    return [line["room"] for line in (await client.ack("rooms", payload=payload))["rooms"]]


async def test_lists_show_public_rooms_and_ones_own(chat: Chat) -> None:
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    await ada.ack("room.create", room="secret", payload={"visibility": "private"})
    await bob.ack("join", room="general")

    assert await names(ada) == await names(bob) == ["general"]
    assert await names(ada, mine=True) == ["secret"]
    assert await names(bob, mine=True) == ["general"]


async def test_a_line_of_the_list(chat: Chat) -> None:
    await create(chat.core, None, "general", title="General")
    ada = await chat_client(chat, ADA)
    await ada.ack("join", room="general")
    said = await ada.ack("message", room="general", payload={"text": "x"})

    assert await ada.ack("rooms") == {
        "rooms": [
            {
                "room": "general",
                "title": "General",
                "visibility": "public",
                "seq": 1,
                "unread": 0,
                "online": 1,
                "more": False,
                "mentions": 0,
                "last": {"seq": 1, "timestamp": said["timestamp"]},
                "notify": "all",
            }
        ]
    }


async def test_a_list_asks_the_store_as_often_for_many_direct_rooms_as_for_one() -> None:
    store = FaultyStore(MemoryStore())
    async with running_core(guests=True, backends=Backends(store, MemoryBroker(), MemoryPresence())) as chat:
        ada = await chat_client(chat, ADA)
        for n in range(40):
            await ada.ack("direct", payload={"to": f"friend{n}", "body": {"text": "x"}})
        store.calls.clear()

        rooms = (await ada.ack("rooms", payload={"mine": True, "limit": 100}))["rooms"]

        assert sorted(room["with"]["id"] for room in rooms) == sorted(f"friend{n}" for n in range(40))
        assert store.calls == ["rooms", "first_facts", "unread"]


async def test_lists_are_read_a_page_at_a_time(chat: Chat) -> None:
    for room in "cab":
        await create(chat.core, None, room)
    ada = await chat_client(chat, ADA)

    first = await ada.ack("rooms", payload={"limit": 2})
    rest = await ada.ack("rooms", payload={"limit": 2, "cursor": first["cursor"]})

    assert [line["room"] for line in first["rooms"] + rest["rooms"]] == ["a", "b", "c"]
    assert "cursor" not in rest
    assert (await ada.error("rooms", payload={"cursor": "x"}))["code"] == "invalid_cursor"
    assert (await ada.error("rooms", payload={"limit": 0}))["code"] == "invalid_field"


# ---- ending ----


async def test_a_deleted_room_says_so_to_everybody_in_it(chat: Chat) -> None:
    ada = await chat_client(chat, ADA)
    await ada.ack("join", room="general")

    assert await delete(chat.core, "general")
    assert not await delete(chat.core, "general")

    assert (await ada.expect("room.removed"))["payload"] == {"room": "general", "reason": "deleted"}
    assert ada.session.seats == {}
    with pytest.raises(RoomNotFound):
        await chat.access.find(None, "general")


async def test_nobody_keeps_a_direct_room_of_a_guest_they_were_before(chat: Chat) -> None:
    """A guest who was spoken to has an identity: it is too late to turn out to be another user."""
    guest = await chat_client(chat)
    assert guest.session.who.anonymous
    bob = await chat_client(chat, BOB)

    await bob.ack("direct", payload={"to": guest.session.user.id, "body": {"text": "secret"}})
    await guest.expect("message")

    assert not guest.session.who.anonymous


async def test_a_change_to_private_that_was_cut_off_keeps_strangers_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_core(guests=True) as chat:
        await ensure(chat.core, "lobby")
        guest = await joined(chat, User("guest-1", "Guest", guest=True), "lobby")
        update = chat.backends.store.update_room

        async def cut_off(room: Room) -> Room:
            await update(room)
            raise Unavailable

        monkeypatch.setattr(chat.backends.store, "update_room", cut_off)
        with pytest.raises(Unavailable):
            await ensure(chat.core, "lobby", visibility="private")

        refused = await guest.error("message", room="lobby", payload={"text": "hi"})
        await chat.hub.check()

        assert refused["code"] == "room_not_found"
        assert (await guest.expect("reset"))["room"] == "lobby"
