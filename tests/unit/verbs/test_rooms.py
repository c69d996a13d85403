"""Rooms: who gets in, who makes them, who is taken out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest

from sanic_chatrooms import MemoryBroker, MemoryPresence, MemoryStore, User
from sanic_chatrooms.access.policy import RoomPolicy
from sanic_chatrooms.chat import Backends, Chat, Route
from sanic_chatrooms.errors import Conflict, Forbidden, InvalidField, InvalidText, RoomNotFound, TooLarge
from sanic_chatrooms.models import Member, Page, Room
from sanic_chatrooms.testing import Checker, FaultyStore, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.messages import draft
from sanic_chatrooms.verbs.rooms import ATTRIBUTES_LIMIT, TITLE_LIMIT

ADA, BOB, GUEST = User("u1", "Ada"), User("u2", "Bob"), User("guest-1", "Guest", guest=True)
ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with running_core(guests=True, max_rooms_per_connection=3) as chat:
        yield chat


async def member(chat: Chat, room: str, user: User) -> Member | None:
    return await chat.backends.store.member(room, user.id)


async def types(chat: Chat, room: str) -> list[str]:
    """The types of all events of a room."""
    page = await chat.backends.store.history(room, after=0, limit=100)
    return [event.type for event in page.events]


# ---- joining ----


async def test_a_join_tells_where_the_room_stands(chat: Chat) -> None:
    await chat.rooms.create(None, "general", title="General")
    ada = await chat_client(chat, ADA)

    joined = await ada.ack("join", room="general")

    room = await chat.backends.store.room("general")
    assert room is not None
    assert joined == {
        "room": "general",
        "epoch": room.epoch,
        "seq": 0,
        "recovered": False,
        "messages": [],
        "more": False,
        "role": "member",
        "title": "General",
        "online": 1,
    }


async def test_a_public_room_makes_a_signed_in_user_a_member_without_an_event(chat: Chat) -> None:
    ada = await chat_client(chat, ADA)

    for _ in range(2):
        assert (await ada.ack("join", room="general"))["role"] == "member"

    assert await member(chat, "general", ADA) is not None
    assert await types(chat, "general") == []


async def test_a_room_that_announces_tells_of_the_first_join_only(chat: Chat) -> None:
    await chat.rooms.create(None, "general", announce=True)
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    await bob.ack("join", room="general")

    for _ in range(2):
        await ada.ack("join", room="general")

    assert await types(chat, "general") == ["member.joined", "member.joined"]
    heard = [(await bob.expect("member.joined"))["payload"]["user"]["id"] for _ in range(2)]
    assert heard == ["u2", "u1"]


async def test_the_event_of_one_s_own_joining_comes_once(chat: Chat) -> None:
    await chat.rooms.create(None, "general", announce=True)
    checker = Checker()
    ada = await chat_client(chat, ADA, witness=checker.witness("ada", user="u1"))

    await ada.ack("join", room="general")
    await ada.settle()

    assert checker.flaws() == []
    assert checker.head("general") == 1


async def test_what_is_said_during_a_join_comes_once() -> None:
    """The position is that of the moment from which on events wait for the joiner, whatever is looked up later."""
    store = FaultyStore(MemoryStore(), latency=lambda: asyncio.sleep(0))
    checker = Checker()
    async with running_core(guests=True, backends=Backends(store, MemoryBroker(), MemoryPresence())) as chat:
        talking = asyncio.ensure_future(_talk(chat))
        for n in range(20):
            witness = checker.witness(f"client {n}", user=f"u{n}")
            client = await chat_client(chat, User(f"u{n}", "Somebody"), witness=witness)
            await client.ack("join", room="general", payload={"history": 5})
            await client.expect("message")
            client.disconnect()
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)

    assert checker.flaws() == []
    assert checker.head("general") > 20


async def test_a_room_renewed_during_a_join_is_joined_again(chat: Chat) -> None:
    """No page of one past under the position of another."""
    ada, store = await chat_client(chat, ADA), chat.backends.store
    await chat.rooms.create(None, "general")
    history = store.history

    async def history_after_a_restore(room: str, **arguments: Any) -> Page:
        await store.renew_epoch(room, (await store.heads((room,)))[room].epoch)
        return await history(room, **arguments)

    store.history = history_after_a_restore  # type: ignore[method-assign]
    refused = await ada.error("join", room="general")
    store.history = history  # type: ignore[method-assign]

    assert refused["code"] == "unavailable"
    assert (await ada.error("join", room="general"))[
        "code"
    ] == "unavailable"  # this hub stands in the old past …
    assert (await ada.ack("join", room="general"))["seq"] == 0  # … until somebody asks


async def _talk(chat: Chat) -> None:
    await chat.rooms.create(None, "general")
    while True:
        await chat.journal.append(draft("general", "message", b'{"text":"hi"}', None))


async def test_guests_are_present_and_no_members(chat: Chat) -> None:
    guest = await chat_client(chat, GUEST)

    joined = await guest.ack("join", room="general")

    assert (joined["role"], joined["online"]) == ("guest", 1)
    assert await member(chat, "general", GUEST) is None


async def test_a_private_room_is_for_its_members(chat: Chat) -> None:
    await chat.rooms.create(None, "secret", visibility="private")
    await chat.rooms.add_member("secret", ADA, "moderator")
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)

    assert (await ada.ack("join", room="secret"))["role"] == "moderator"
    hidden, missing = await bob.error("join", room="secret"), await bob.error("join", room="~none")

    assert hidden == missing
    assert hidden["code"] == "room_not_found"
    assert bob.session.seats == {}
    assert (await ada.ack("presence", room="secret"))["total"] == 1


@pytest.mark.parametrize("room", ["~user.x", "~all", "~", "~direct.0000"])
async def test_rooms_of_the_servers_own_are_not_joined_and_not_made(chat: Chat, room: str) -> None:
    ada = await chat_client(chat, ADA)

    assert (await ada.error("join", room=room))["code"] == "room_not_found"


async def test_the_first_join_makes_the_room_where_that_is_on() -> None:
    async with running_core(guests=True) as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="new")
        made = await chat.backends.store.room("new")
        assert made is not None
        assert (made.auto, made.visibility) == (True, "public")

    async with running_core() as chat:
        ada = await chat_client(chat, ADA)
        assert (await ada.error("join", room="new"))["code"] == "room_not_found"
        assert await chat.backends.store.room("new") is None


async def test_a_policy_is_asked_before_a_join_makes_a_room(chat: Chat) -> None:
    class Closed(RoomPolicy):
        def require(self, user: User, action: str, room: Room | None, member: Member | None) -> None:
            if action == "room.create":
                raise Forbidden

    ada = await chat_client(chat, ADA, route=Route("/ws", policy=Closed()))

    assert (await ada.error("join", room="new"))["code"] == "forbidden"
    assert await chat.backends.store.room("new") is None


@pytest.mark.parametrize("room", ["a b", ".", "..", "x" * 129, "\u00fc"])
async def test_a_path_that_names_no_room_makes_none(chat: Chat, room: str) -> None:
    ada = await chat_client(chat, ADA, room=room)

    error = await ada.expect("error", replyTo="join")

    assert (error["payload"]["code"], error["payload"]["field"]) == ("invalid_field", "room")
    assert (await ada.ack("rooms"))["rooms"] == []


async def test_a_connection_is_in_so_many_rooms_at_most(chat: Chat) -> None:
    ada = await chat_client(chat, ADA)
    for room in "abc":
        await ada.ack("join", room=room)

    assert await ada.error("join", room="d") == {
        "code": "room_limit",
        "message": "this connection has reached its limit of 3 rooms; leave one first",
        "temporary": False,
        "limit": 3,
    }
    await ada.ack("join", room="a")  # again
    await ada.ack("direct", payload={"to": "u2", "body": {"text": "directs do not count"}})
    await ada.ack("exit", room="a")
    await ada.ack("join", room="d")


async def test_what_came_while_joining_follows_the_ack_without_hole_or_repeat(chat: Chat) -> None:
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    await ada.ack("join", room="general")
    for number in range(3):
        ada.send("message", room="general", payload={"text": str(number)})
    asked = bob.send("join", room="general")
    for number in range(3, 5):
        ada.send("message", room="general", payload={"text": str(number)})

    joined = (await bob.reply(asked))["payload"]
    await ada.settle()
    await bob.settle()
    assert [m["seq"] for m in joined["messages"]] == list(range(1, joined["seq"] + 1))
    assert [m["seq"] for m in bob.unread("message")] == list(range(joined["seq"] + 1, 6))


async def test_recovery_is_whole_or_is_not(chat: Chat) -> None:
    ada = await chat_client(chat, ADA)
    epoch = (await ada.ack("join", room="general"))["epoch"]
    for _ in range(4):
        await ada.ack("message", room="general", payload={"text": "x"})

    async def recovered(seq: int, epoch: str = epoch) -> tuple[bool, list[int]]:
        joined = await ada.ack("join", room="general", payload={"since": {"epoch": epoch, "seq": seq}})
        return joined["recovered"], [m["seq"] for m in joined["messages"]]

    assert await recovered(1) == (True, [2, 3, 4])
    assert await recovered(4) == (True, [])
    assert await recovered(5) == (False, [1, 2, 3, 4])
    assert await recovered(1, "another") == (False, [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ({"history": -1}, "history"),
        ({"history": "x"}, "history"),
        ({"since": {"epoch": "e"}}, "since.seq"),
        ({"since": {"epoch": "e", "seq": -1}}, "since.seq"),
        ({"since": "e:1"}, "since"),
    ],
)
async def test_joins_that_do_not_fit(chat: Chat, payload: Any, field: str) -> None:
    ada = await chat_client(chat, ADA)

    error = await ada.error("join", room="general", payload=payload)

    assert (error["code"], error["field"]) == ("invalid_field", field)
    assert await chat.backends.store.room("general") is None


async def test_a_join_that_fails_leaves_nobody_half_inside() -> None:
    store = FaultyStore(MemoryStore())
    async with running_core(guests=True, backends=Backends(store, MemoryBroker(), MemoryPresence())) as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="general")
        await ada.ack("exit", room="general")
        for verb in ("heads", "room", "member", "history"):
            store.fail_next(verb=verb)
            assert (await ada.error("join", room="general"))["code"] == "unavailable"
            held = chat.hub.room("general")
            assert ada.session.seats == {}
            assert held is None or held.unused

        await ada.ack("join", room="general")


# ---- leaving ----


async def test_an_exit_concerns_this_connection_only(chat: Chat) -> None:
    ada, phone = await chat_client(chat, ADA), await chat_client(chat, ADA)
    for client in (ada, phone):
        await client.ack("join", room="general")

    assert await ada.ack("exit", room="general") == {}
    assert await ada.ack("exit", room="general") == {}
    await phone.ack("message", room="general", payload={"text": "x"})
    await ada.settle()

    assert ada.unread("message") == []
    assert await member(chat, "general", ADA) is not None
    assert (await ada.error("message", room="general", payload={"text": "x"}))["code"] == "not_a_member"


async def test_leaving_ends_membership_on_all_connections(chat: Chat) -> None:
    ada, phone = await chat_client(chat, ADA), await chat_client(chat, ADA)
    for client in (ada, phone):
        await client.ack("join", room="general")

    assert await ada.ack("leave", room="general") == {}

    assert (await phone.expect("room.removed"))["payload"] == {"room": "general", "reason": "left"}
    await ada.settle()
    assert ada.unread("room.removed") == []
    assert ada.session.seats == phone.session.seats == {}
    assert await member(chat, "general", ADA) is None
    assert await types(chat, "general") == []


async def test_leaving_a_private_room_is_an_event(chat: Chat) -> None:
    await chat.rooms.create(None, "secret", visibility="private")
    for user in (ADA, BOB):
        await chat.rooms.add_member("secret", user)
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    for client in (ada, bob):
        await client.ack("join", room="secret")

    await ada.ack("leave", room="secret")

    assert (await bob.expect("member.left"))["payload"]["user"]["id"] == "u1"
    assert (await ada.error("leave", room="secret"))["code"] == "room_not_found"
    assert await types(chat, "secret") == ["member.joined", "member.joined", "member.left"]


async def test_a_kick_is_an_event_in_every_room_also_of_somebody_unknown(chat: Chat) -> None:
    ada, guest = await chat_client(chat, ADA), await chat_client(chat, GUEST)
    for client in (ada, guest):
        await client.ack("join", room="general")

    assert await chat.rooms.remove_member("general", ADA, reason="kicked")
    assert await chat.rooms.remove_member("general", GUEST, reason="kicked"), "no member, but there"
    assert not await chat.rooms.remove_member("general", BOB, reason="kicked"), "never seen"

    for client in (ada, guest):
        assert (await client.expect("room.removed"))["payload"]["reason"] == "kicked"
    assert await types(chat, "general") == ["member.kicked"] * 3


async def test_who_is_kicked_from_a_public_room_may_be_back_at_once(chat: Chat) -> None:
    guest = await chat_client(chat, GUEST)
    await guest.ack("join", room="general")

    await chat.rooms.remove_member("general", GUEST, reason="kicked")

    assert (await guest.ack("join", room="general"))["online"] == 1


async def present(client: MemoryClient) -> list[str]:
    return [user["id"] for user in (await client.ack("presence", room="general"))["users"]]


@pytest.mark.parametrize("way", ["exit", "leave", "kick", "remove"])
async def test_who_is_out_by_what_was_acked_is_not_present_for_who_asks_then(chat: Chat, way: str) -> None:
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    for client in (ada, bob):
        await client.ack("join", room="general")

    if way in ("exit", "leave"):
        await ada.ack(way, room="general")
    else:
        await chat.rooms.remove_member("general", ADA, reason="kicked" if way == "kick" else "left")

    assert await present(bob) == await present(ada) == ["u2"]
    assert (await bob.ack("join", room="general"))["online"] == 1
    await ada.ack("join", room="general")
    assert await present(ada) == ["u1", "u2"]


async def test_a_new_role_is_no_second_join(chat: Chat) -> None:
    await chat.rooms.create(None, "secret", visibility="private")
    await chat.rooms.add_member("secret", ADA)
    first = await member(chat, "secret", ADA)

    await chat.rooms.add_member("secret", ADA, "moderator")

    now = await member(chat, "secret", ADA)
    assert first is not None
    assert now == msgspec.structs.replace(first, role="moderator")
    assert await types(chat, "secret") == ["member.joined"]


async def test_who_vanishes_is_out_of_every_room(chat: Chat) -> None:
    ada = await chat_client(chat, ADA)
    for room in "ab":
        await ada.ack("join", room=room)

    ada.disconnect()

    assert ada.session.seats == {}
    assert all(held.unused for held in chat.hub.rooms() if not held.id.startswith("~all"))


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
        ("a", {"attributes": []}, "invalid_field"),
        ("a", {"title": "x" * (TITLE_LIMIT + 1)}, "too_large"),
        ("a", {"attributes": {"x": "x" * ATTRIBUTES_LIMIT}}, "too_large"),
    ],
)
async def test_rooms_that_cannot_be_made(chat: Chat, room: str, payload: Any, code: str) -> None:
    ada = await chat_client(chat, ADA)

    assert (await ada.error("room.create", room=room, payload=payload))["code"] == code
    assert (await ada.ack("rooms"))["rooms"] == []


async def test_the_host_makes_rooms_once_or_as_often_as_it_likes(chat: Chat) -> None:
    assert not (await chat.rooms.create(None, "orders"))[1]
    with pytest.raises(Conflict):
        await chat.rooms.create(None, "orders")
    with pytest.raises(InvalidField):
        await chat.rooms.create(None, "a b")
    with pytest.raises(TooLarge):
        await chat.rooms.create(None, "a", title="x" * (TITLE_LIMIT + 1))
    await chat.rooms.create(None, "a", attributes={"x": "x" * ATTRIBUTES_LIMIT})


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
async def test_the_host_gives_a_room_nothing_that_no_list_of_rooms_could_show(
    chat: Chat, properties: dict[str, Any]
) -> None:
    ada = await chat_client(chat, ADA)

    with pytest.raises((InvalidField, InvalidText)):
        await chat.rooms.create(None, "a", **properties)
    with pytest.raises((InvalidField, InvalidText)):
        await chat.rooms.ensure("b", **properties)
    for id in (None, 7, b"a", ["a"]):
        with pytest.raises(InvalidField):
            await chat.rooms.ensure(cast("str", id))

    assert (await ada.ack("rooms"))["rooms"] == []


async def test_where_clients_name_no_ids_the_server_chooses_them_and_tells_of_none_that_is_taken() -> None:
    async with running_core(guests=True, auto_create=False) as chat:
        await chat.rooms.create(None, "taken", visibility="private")
        ada = await chat_client(chat, ADA)

        taken, free = [await ada.error("room.create", room=room) for room in ("taken", "free")]
        made = await ada.ack("room.create", payload={"title": "T"})

        assert (taken["code"], taken["field"]) == ("invalid_field", "room")
        assert taken == free
        assert made["room"].startswith("r-")


async def test_clients_name_ids_where_a_join_makes_rooms_or_the_host_says_so() -> None:
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
        await chat.rooms.create(None, "hidden", visibility="private")
        await chat.rooms.add_member("hidden", BOB)
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
    await chat.rooms.create(None, "general", title="General")
    ada = await chat_client(chat, ADA)
    await ada.ack("join", room="general")
    await ada.ack("message", room="general", payload={"text": "x"})

    assert await ada.ack("rooms") == {
        "rooms": [
            {
                "room": "general",
                "title": "General",
                "visibility": "public",
                "seq": 1,
                "unread": 0,
                "online": 1,
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
        assert store.calls == ["rooms", "first_members"]


async def test_lists_are_read_a_page_at_a_time(chat: Chat) -> None:
    for room in "cab":
        await chat.rooms.create(None, room)
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

    assert await chat.rooms.delete("general")
    assert not await chat.rooms.delete("general")

    assert (await ada.expect("room.removed"))["payload"] == {"room": "general", "reason": "deleted"}
    assert ada.session.seats == {}
    with pytest.raises(RoomNotFound):
        await chat.access.look(None, "join", "general")


async def test_nobody_keeps_a_direct_room_of_a_guest_they_were_before(chat: Chat) -> None:
    """A guest who was spoken to has an identity: it is too late to turn out to be another user."""
    guest = await chat_client(chat)
    assert guest.session.anonymous
    bob = await chat_client(chat, BOB)

    await bob.ack("direct", payload={"to": guest.session.user.id, "body": {"text": "secret"}})
    await guest.expect("message")

    assert not guest.session.anonymous
