"""Entering: who gets into a room, with which past, and how a connection leaves it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any

import pytest

from sanic_chatrooms import MemoryBroker, MemoryPresence, MemoryStore, User
from sanic_chatrooms.access.policy import RoomPolicy
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.declaration import RouteDeclaration
from sanic_chatrooms.errors import Forbidden
from sanic_chatrooms.models import Member, Page, Room
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import Checker, FaultyStore, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.drafts import draft
from sanic_chatrooms.verbs.membership import add_member
from sanic_chatrooms.verbs.rooms import create

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


# ---- in ----


async def test_a_join_tells_where_the_room_stands(chat: Chat) -> None:
    await create(chat.core, None, "general", title="General")
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
    await create(chat.core, None, "general", announce=True)
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    await bob.ack("join", room="general")

    for _ in range(2):
        await ada.ack("join", room="general")

    assert await types(chat, "general") == ["member.joined", "member.joined"]
    heard = [(await bob.expect("member.joined"))["payload"]["user"]["id"] for _ in range(2)]
    assert heard == ["u2", "u1"]


async def test_the_event_of_one_s_own_joining_comes_once(chat: Chat) -> None:
    await create(chat.core, None, "general", announce=True)
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
    await create(chat.core, None, "general")
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
    await create(chat.core, None, "general")
    while True:
        await chat.journal.append(draft("general", "message", b'{"text":"hi"}', None))


async def test_guests_are_present_and_no_members(chat: Chat) -> None:
    guest = await chat_client(chat, GUEST)

    joined = await guest.ack("join", room="general")

    assert (joined["role"], joined["online"]) == ("guest", 1)
    assert await member(chat, "general", GUEST) is None


async def test_a_private_room_is_for_its_members(chat: Chat) -> None:
    await create(chat.core, None, "secret", visibility="private")
    await add_member(chat.core, "secret", ADA, "moderator")
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
        def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
            if action == "room.create":
                raise Forbidden

    ada = await chat_client(chat, ADA, route=RouteDeclaration("/ws", policy=Closed()))

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


@pytest.mark.parametrize(
    ("command", "code"), [("member.ban", "banned"), ("member.mute", None)], ids=["banned", "muted"]
)
async def test_who_is_restricted_while_a_join_looks_is_judged_by_it(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, command: str, code: str | None
) -> None:
    await create(chat.core, None, "general")
    await add_member(chat.core, "general", ADA, "owner")
    await add_member(chat.core, "general", BOB)
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    await ada.ack("join", room="general")
    look, asked = chat.store.rooms_about, list[str]()

    async def slow(rooms: Collection[str], key: str) -> Any:
        found = await look(rooms, key)
        asked.append(key)
        if asked == [BOB.id]:
            await ada.ack(command, room="general", payload={"user": BOB.id})
        return found

    monkeypatch.setattr(chat.store, "rooms_about", slow)
    if code is not None:
        assert (await bob.error("join", room="general"))["code"] == code
        assert bob.session.seats == {}
    else:
        assert (await bob.ack("join", room="general"))["seq"] == 1
        assert bob.session.seats["general"].standing.muted is not None
    assert asked.count(BOB.id) > 1


async def test_a_join_that_fails_leaves_nobody_half_inside() -> None:
    store = FaultyStore(MemoryStore())
    async with running_core(guests=True, backends=Backends(store, MemoryBroker(), MemoryPresence())) as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="general")
        await ada.ack("exit", room="general")
        for verb in ("rooms_about", "history"):
            store.fail_next(verb=verb)
            assert (await ada.error("join", room="general"))["code"] == "unavailable"
            held = chat.hub.room("general")
            assert ada.session.seats == {}
            assert held is None or held.unused

        await ada.ack("join", room="general")


# ---- out ----


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


async def test_who_vanishes_is_out_of_every_room(chat: Chat) -> None:
    ada = await chat_client(chat, ADA)
    for room in "ab":
        await ada.ack("join", room=room)

    ada.disconnect()

    assert ada.session.seats == {}
    assert all(held.unused for held in chat.hub.rooms() if not held.id.startswith("~all"))
