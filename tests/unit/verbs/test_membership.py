"""Membership: who is made a member, leaves, or is taken out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from sanic_chatrooms import Forbidden, User
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import Appended, Draft, Fact, Member, Room
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.invitations import Invite
from sanic_chatrooms.verbs.membership import add_member, remove_member
from sanic_chatrooms.verbs.moderation import Ban
from sanic_chatrooms.verbs.rooms import create, ensure

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


def first(monkeypatch: pytest.MonkeyPatch, chat: Chat, act: Callable[[], Awaitable[object]]) -> None:
    """Let this happen right before the next membership is stored without an event, as another worker may do it."""
    store = chat.store
    set_fact = store.set_fact

    async def later(room: str, fact: Fact) -> bool:
        if fact.kind == members.MEMBER:
            monkeypatch.setattr(store, "set_fact", set_fact)
            await act()
        return await set_fact(room, fact)

    monkeypatch.setattr(store, "set_fact", later)


async def test_a_join_does_not_take_the_role_that_somebody_gave_meanwhile(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure(chat.core, "general")
    ada = await chat_client(chat, ADA)
    first(monkeypatch, chat, lambda: add_member(chat.core, "general", ADA, "reader"))

    await ada.ack("join", room="general")

    there = await member(chat, "general", ADA)
    assert there is not None
    assert there.role == "reader"
    refused = await ada.error("message", room="general", payload={"text": "hi"})
    assert refused["code"] == "forbidden"


async def test_a_role_that_is_given_while_the_user_joins_is_an_event(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure(chat.core, "general")
    ada = await chat_client(chat, ADA)
    first(monkeypatch, chat, lambda: ada.ack("join", room="general"))

    await add_member(chat.core, "general", ADA, "reader")

    there = await member(chat, "general", ADA)
    assert there is not None
    assert there.role == "reader"
    assert await types(chat, "general") == ["member.role"]


async def test_a_name_that_is_given_while_the_role_changes_keeps_the_role(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ensure(chat.core, "general")
    await add_member(chat.core, "general", ADA)
    first(monkeypatch, chat, lambda: add_member(chat.core, "general", ADA, "reader"))

    await add_member(chat.core, "general", User("u1", "Ada L."))

    there = await member(chat, "general", ADA)
    assert there is not None
    assert (there.name, there.role) == ("Ada L.", "member")
    assert await types(chat, "general") == ["member.role", "member.role"]


async def test_a_role_is_not_given_to_who_leaves_meanwhile(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    for client in (ada, bob):
        await client.ack("join", room="general")
    await add_member(chat.core, "general", BOB, "owner")
    append = chat.core.journal.append

    async def left_first(draft: Draft, *how: Any) -> Appended:
        monkeypatch.setattr(chat.core.journal, "append", append)
        await ada.ack("leave", room="general")
        return await append(draft, *how)

    monkeypatch.setattr(chat.core.journal, "append", left_first)

    refused = await bob.error("member.role", room="general", payload={"user": "u1", "role": "moderator"})

    assert refused["field"] == "user"
    assert await member(chat, "general", ADA) is None


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
    await create(chat.core, None, "secret", visibility="private")
    for user in (ADA, BOB):
        await add_member(chat.core, "secret", user)
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

    assert await remove_member(chat.core, "general", ADA, reason="kicked")
    assert await remove_member(chat.core, "general", GUEST, reason="kicked"), "no member, but there"
    assert not await remove_member(chat.core, "general", BOB, reason="kicked"), "never seen"

    for client in (ada, guest):
        assert (await client.expect("room.removed"))["payload"]["reason"] == "kicked"
    assert await types(chat, "general") == ["member.kicked"] * 3


async def test_who_is_kicked_from_a_public_room_may_be_back_at_once(chat: Chat) -> None:
    guest = await chat_client(chat, GUEST)
    await guest.ack("join", room="general")

    await remove_member(chat.core, "general", GUEST, reason="kicked")

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
        await remove_member(chat.core, "general", ADA, reason="kicked" if way == "kick" else "left")

    assert await present(bob) == await present(ada) == ["u2"]
    assert (await bob.ack("join", room="general"))["online"] == 1
    await ada.ack("join", room="general")
    assert await present(ada) == ["u1", "u2"]


async def test_a_new_role_is_one_event_and_no_second_join(chat: Chat) -> None:
    await create(chat.core, None, "secret", visibility="private")
    await add_member(chat.core, "secret", ADA)
    first = await member(chat, "secret", ADA)

    for _ in range(2):
        await add_member(chat.core, "secret", ADA, "moderator")

    now = await member(chat, "secret", ADA)
    assert first is not None
    assert now == msgspec.structs.replace(first, role="moderator")
    assert await types(chat, "secret") == ["member.joined", "member.role"]
    event = (await chat.store.history("secret", after=1, limit=1)).events[0]
    assert msgspec.json.decode(event.payload) == {
        "user": {"id": "u1", "name": "Ada"},
        "role": "moderator",
        "by": None,
    }
    assert event.sender is None


@pytest.mark.parametrize("announce", [False, True])
async def test_a_join_while_the_room_becomes_private_makes_no_member(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, announce: bool
) -> None:
    await ensure(chat.core, "general", announce=announce)
    ada = await chat_client(chat, ADA)
    permit = ada.session.policy.require
    looks = 0

    async def slow(user: User, action: str, room: Room | None, standing: Standing) -> None:
        nonlocal looks
        permit(user, action, room, standing)
        looks += action == "join"
        if looks == 1:
            looks += 1
            await ensure(chat.core, "general", visibility="private", announce=announce)

    monkeypatch.setattr(ada.session.policy, "require", slow)

    await ada.error("join", room="general")
    assert await member(chat, "general", ADA) is None
    assert (await ada.error("join", room="general"))["code"] == "room_not_found"


@pytest.mark.parametrize("announce", [False, True])
async def test_a_join_while_the_user_is_banned_makes_no_member(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, announce: bool
) -> None:
    await ensure(chat.core, "general", announce=announce)
    ada = await chat_client(chat, ADA)
    permit = ada.session.policy.require
    looks = 0

    async def slow(user: User, action: str, room: Room | None, standing: Standing) -> None:
        nonlocal looks
        permit(user, action, room, standing)
        looks += action == "join"
        if looks == 1:
            looks += 1
            await chat.commands.give("member.ban", Ban(ADA.id), room="general")

    monkeypatch.setattr(ada.session.policy, "require", slow)

    assert (await ada.error("join", room="general"))["code"] == "banned"
    assert await member(chat, "general", ADA) is None
    page = await chat.store.history("general", after=0, limit=10)
    assert [event.type for event in page.events][-1] == "member.banned"


async def test_the_app_adds_nobody_who_is_banned(chat: Chat) -> None:
    await create(chat.core, None, "hall")
    ban = Ban(ADA.id)
    await chat.commands.give("member.ban", ban, room="hall")

    with pytest.raises(Forbidden, match="banned"):
        await add_member(chat.core, "hall", ADA)

    assert await member(chat, "hall", ADA) is None


async def test_who_is_added_by_the_app_is_not_invited_any_more(chat: Chat) -> None:
    await create(chat.core, None, "hall")
    await chat.commands.give("member.invite", Invite(ADA.id), room="hall")

    await add_member(chat.core, "hall", ADA)

    assert set(await chat.store.facts_about("hall", ADA.id)) == {"member"}
