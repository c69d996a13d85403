"""`MAX_MEMBERS`: a full room takes nobody more, whatever way they come, and two workers do not let in one too many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs import capacity, membership
from tests.support.joined import joined
from tests.unit.verbs.test_at_once import NoLocks

ADA, BOB, EVE, MAX = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve"), User("u4", "Max")
GUEST = User("guest-1", "Guest", guest=True)


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True, max_members=2)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        yield chat


async def total(chat: Chat, room: str) -> int:
    return (await members.page(chat.store, room)).total


@pytest.mark.parametrize("announce", [False, True])
async def test_a_full_public_room_takes_no_member_more(chat: Chat, rooms: ChatRooms, announce: bool) -> None:
    await rooms.create_room("hall", announce=announce)
    ada, _ = await joined(chat, ADA, "hall"), await joined(chat, BOB, "hall")
    eve = await joined(chat, EVE)

    refused = await eve.error("join", room="hall")
    for user in (ADA, GUEST):  # a member already; nobody who becomes one
        await joined(chat, user, "hall")
    await ada.ack("leave", room="hall")
    await eve.ack("join", room="hall")

    assert (refused["code"], refused["limit"], refused["room"]) == ("room_limit", 2, "hall")
    assert await total(chat, "hall") == 2


async def test_a_full_private_room_takes_nobody_by_invitation_or_addition(
    chat: Chat, rooms: ChatRooms
) -> None:
    await rooms.create_room("team", visibility="private", as_user=ADA)
    ada = await joined(chat, ADA, "team")
    await ada.ack("member.invite", room="team", payload={"user": EVE.id})
    await ada.ack("member.add", room="team", payload={"user": BOB.id})
    eve = await joined(chat, EVE)

    refused = [
        await ada.error("member.add", room="team", payload={"user": MAX.id}),
        await eve.error("member.accept", room="team"),
        await eve.error("join", room="team"),
    ]
    await ada.ack("member.kick", room="team", payload={"user": BOB.id})
    accepted = await eve.ack("member.accept", room="team")

    assert [error["code"] for error in refused] == ["room_limit"] * 3
    assert accepted["role"] == "member"
    assert await total(chat, "team") == 2


async def test_the_app_may_add_more(chat: Chat, rooms: ChatRooms) -> None:
    await rooms.create_room("team", visibility="private", as_user=ADA)
    for user in (BOB, EVE, MAX):
        await rooms.add_member("team", user)

    assert await total(chat, "team") == 4


@pytest.mark.parametrize("kind", ["announced", "silent", "private"])
async def test_two_workers_give_the_last_place_once(
    chat: Chat, rooms: ChatRooms, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    visibility = "private" if kind == "private" else "public"
    await rooms.create_room("hall", visibility=visibility, announce=kind == "announced", as_user=ADA)
    clients = []
    for user in (EVE, MAX):
        if kind == "private":
            await rooms.invite("hall", user)
        clients.append(await joined(chat, user))
    chat.core.settling = NoLocks()
    count_together(chat, monkeypatch)

    replies = await asyncio.gather(*(client.request("join", room="hall") for client in clients))

    codes = [reply["payload"].get("code", "ack") for reply in replies]
    assert sorted(codes) == ["ack", "room_limit"]
    assert await total(chat, "hall") == 2


async def test_of_two_who_take_the_last_place_and_find_the_room_too_full_one_stays(
    chat: Chat, rooms: ChatRooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rooms.create_room("hall", as_user=ADA)
    clients = [await joined(chat, user) for user in (EVE, MAX)]
    chat.core.settling = NoLocks()
    count_together(chat, monkeypatch, counts=4)

    replies = await asyncio.gather(*(client.request("join", room="hall") for client in clients))

    assert sorted(reply["payload"].get("code", "ack") for reply in replies) == ["ack", "room_limit"]
    assert await total(chat, "hall") == 2


async def test_what_the_app_makes_of_one_who_found_the_room_full_stays(
    chat: Chat, rooms: ChatRooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rooms.create_room("hall", as_user=ADA)
    client = await joined(chat, EVE)

    async def is_over(*_: Any) -> bool:
        await rooms.add_member("hall", EVE, role="moderator")
        return True

    monkeypatch.setattr(membership, "is_over", is_over)
    refused = await client.error("join", room="hall")
    assert refused["code"] == "unavailable", "the room has changed meanwhile"
    ack = await client.ack("join", room="hall")

    assert ack["role"] == "moderator"


def count_together(chat: Chat, monkeypatch: pytest.MonkeyPatch, counts: int = 2) -> None:
    """Of the first counts, two at a time begin and end before either caller goes on."""
    both, left, facts = asyncio.Barrier(2), [counts], chat.store.facts

    async def counted(room: str, kind: str, **how: Any) -> Any:
        together = left[0] > 0
        left[0] -= together
        if together:
            await both.wait()
        found = await facts(room, kind, **how)
        if together:
            await both.wait()
        return found

    monkeypatch.setattr(chat.store, "facts", counted)


async def test_members_of_a_room_with_many_free_places_are_counted_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rooms = ChatRooms("test", guests=True, max_members=1_000)
    async with running_core(rooms) as chat:
        counts, count = [0], capacity._members

        async def counted(*args: Any) -> int:
            counts[0] += 1
            return await count(*args)

        monkeypatch.setattr(capacity, "_members", counted)
        await rooms.create_room("hall")
        for n in range(40):
            await joined(chat, User(f"m{n}", "M"), "hall")

        assert counts[0] == 5
