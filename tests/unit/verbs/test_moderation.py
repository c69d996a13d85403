"""Kicks, bans, mutes, roles and invitations: who does what to whom, and what the others hear of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.errors import ChatError
from sanic_chatrooms.models import Appended, Draft, Member
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import MemoryClient, chat_client, running_chat
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.rooms import create
from tests.support.joined import joined

ADA, BOB, EVE, MAX = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve"), User("u4", "Max")


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True, roles={"editor": 30})


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        for id, visibility in (("general", "public"), ("team", "private")):
            await create(chat.core, None, id, visibility=visibility)
            for user, role in ((ADA, "owner"), (BOB, "moderator"), (EVE, "member")):
                await members.put(chat.store, id, Member(user.id, user.name, role))
        yield chat


async def does(client: MemoryClient, type: str, room: str = "general", **payload: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await client.ack(type, room=room, payload=payload)
    return answer


async def refused(client: MemoryClient, type: str, room: str = "general", **payload: Any) -> str:
    return str((await client.error(type, room=room, payload=payload))["code"])


@pytest.mark.parametrize("type", ["member.kick", "member.ban", "member.mute"])
async def test_moderators_reach_only_below_their_own_level(chat: Chat, type: str) -> None:
    bob, eve = await joined(chat, BOB, "general"), await joined(chat, EVE, "general")

    assert await refused(eve, type, user=BOB.id) == "forbidden"
    assert await refused(bob, type, user=ADA.id) == "forbidden"
    assert await refused(bob, type, user=BOB.id) == "forbidden"
    assert (await does(bob, type, user=EVE.id))["duplicate"] is False


async def test_a_ban_is_the_last_that_the_banned_get(chat: Chat) -> None:
    bob, eve = await joined(chat, BOB, "general"), await joined(chat, EVE, "general")
    until = time.time() + 600

    settled = await does(bob, "member.ban", user=EVE.id, until=until, reason="spam")
    await bob.ack("message", room="general", payload={"text": "after"})

    event = await eve.expect("member.banned")
    assert event["seq"] == settled["seq"]
    assert event["payload"] == {
        "user": {"id": "u3", "name": "Eve"}, "by": {"id": "u2", "name": "Bob"}, "until": until, "reason": "spam",
    }  # fmt: skip
    assert event["sender"] == {"id": "u2", "name": "Bob"}
    assert (await eve.expect("room.removed"))["payload"] == {"room": "general", "reason": "banned"}
    await eve.settle()
    assert eve.unread("message") == []
    assert await refused(eve, "join") == "banned"
    assert await members.find(chat.store, "general", EVE.id) is None


async def test_the_same_ban_again_changes_nothing_and_another_end_does(chat: Chat) -> None:
    bob = await joined(chat, BOB, "general")
    first = await does(bob, "member.ban", user=EVE.id)

    assert await does(bob, "member.ban", user=EVE.id, reason="again") == {**first, "duplicate": True}
    assert (await does(bob, "member.ban", user=EVE.id, until=time.time() + 60))["duplicate"] is False
    assert (await does(bob, "member.unban", user=EVE.id))["duplicate"] is False
    assert await does(bob, "member.unban", user=EVE.id) == {"duplicate": True}


async def test_an_unban_restores_no_membership(chat: Chat) -> None:
    bob, eve = await joined(chat, BOB, "team"), await chat_client(chat, EVE)
    await does(bob, "member.ban", "team", user=EVE.id)
    await does(bob, "member.unban", "team", user=EVE.id)

    assert await refused(eve, "join", "team") == "room_not_found"


async def test_a_kick_reaches_members_and_the_invited(chat: Chat) -> None:
    bob, eve = await joined(chat, BOB, "team"), await joined(chat, EVE, "team")

    await does(bob, "member.kick", "team", user=EVE.id, reason="bye")
    await does(bob, "member.invite", "team", user=MAX.id)
    await does(bob, "member.kick", "team", user=MAX.id)

    assert (await eve.expect("room.removed"))["payload"]["reason"] == "kicked"
    assert await refused(await chat_client(chat, MAX), "join", "team") == "room_not_found"
    assert await refused(bob, "member.kick", "team", user=EVE.id) == "invalid_field"


async def test_a_muted_moderator_moderates_without_words(chat: Chat, rooms: ChatRooms) -> None:
    bob = await joined(chat, BOB, "general")
    await rooms.mute("general", BOB, reason="loud")

    assert await refused(bob, "message", text="hi") == "muted"
    assert await refused(bob, "member.kick", user=EVE.id, reason="words") == "muted"
    assert await refused(bob, "member.invite", user=MAX.id) == "muted"
    await does(bob, "member.kick", user=EVE.id)
    assert await rooms.unmute("general", BOB)
    await bob.ack("message", room="general", payload={"text": "hi"})


async def test_restrictions_are_listed_for_moderators(chat: Chat) -> None:
    bob, eve = await joined(chat, BOB, "general"), await joined(chat, EVE, "general")
    await does(bob, "member.mute", user=MAX.id, reason="spam")

    [line] = (await does(bob, "restrictions", kind="mute"))["restrictions"]

    assert (line["user"]["id"], line["by"]["id"], line["reason"]) == ("u4", "u2", "spam")
    assert (await does(bob, "restrictions", kind="ban"))["restrictions"] == []
    assert await refused(bob, "restrictions", kind="kick") == "invalid_field"
    assert await refused(eve, "restrictions", kind="ban") == "forbidden"


async def test_the_creator_is_reached_by_nobody_and_leaving_ends_that(chat: Chat) -> None:
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    await ada.ack("room.create", room="mine", payload={"permissions": {"message": {"users": ["nobody"]}}})
    await members.put(chat.store, "mine", Member(BOB.id, BOB.name, "owner"))
    for client in (ada, bob):
        await client.ack("join", room="mine")

    assert await refused(bob, "member.ban", "mine", user=ADA.id) == "forbidden"
    assert await refused(bob, "message", "mine", text="hi") == "forbidden"
    await ada.ack("message", room="mine", payload={"text": "hi"})
    await does(ada, "member.role", "mine", user=BOB.id, role="admin")
    await does(ada, "member.role", "mine", user=BOB.id, role="owner")
    await ada.ack("leave", room="mine")
    await ada.ack("join", room="mine")
    assert await refused(ada, "message", "mine", text="hi") == "forbidden"


async def test_roles_are_given_below_ones_own_and_one_may_step_down(chat: Chat) -> None:
    ada, bob = await joined(chat, ADA, "general"), await joined(chat, BOB, "general")

    assert await refused(ada, "member.role", user=BOB.id, role="owner") == "forbidden"
    assert await refused(ada, "member.role", user=BOB.id, role="fool") == "invalid_field"
    assert await refused(ada, "member.role", user=MAX.id, role="editor") == "invalid_field"
    assert await refused(bob, "member.role", user=EVE.id, role="reader") == "forbidden"
    settled = await does(ada, "member.role", user=EVE.id, role="editor")
    assert await does(ada, "member.role", user=EVE.id, role="editor") == {**settled, "duplicate": True}
    await does(bob, "member.role", user=BOB.id, role="member")
    event = await ada.expect("member.role", seq=settled["seq"])
    assert (event["payload"]["role"], event["payload"]["by"]["id"]) == ("editor", "u1")
    assert await refused(bob, "member.role", user=BOB.id, role="moderator") == "forbidden"


async def test_an_invitation_lets_one_in_by_accept_or_by_join(chat: Chat) -> None:
    bob, max_, zoe = (
        await joined(chat, BOB, "team"),
        await chat_client(chat, MAX),
        await chat_client(chat, User("u5", "Zoe")),
    )
    assert await refused(max_, "member.accept", "team") == "room_not_found"
    for id in (MAX.id, "u5"):
        await does(bob, "member.invite", "team", user=id)

    event = await max_.expect("room.invited")
    assert event["payload"] == {"room": "team", "title": "", "by": {"id": "u2", "name": "Bob"}}
    lines = (await does(max_, "rooms", invited=True))["rooms"]
    assert [(line["room"], line["by"]["name"]) for line in lines] == [("team", "Bob")]
    assert all("by" not in line for line in (await does(bob, "rooms", mine=True))["rooms"])
    assert "member.accept" in (await max_.ack("room", room="team"))["may"]
    assert await refused(max_, "history", "team") == "forbidden"
    accepted = await does(max_, "member.accept", "team")
    assert (accepted["role"], accepted["duplicate"]) == ("member", False)
    assert (await does(max_, "member.accept", "team"))["duplicate"] is True
    assert (await zoe.ack("join", room="team"))["role"] == "member"
    assert (await does(bob, "members", "team", query="zo"))["members"][0]["id"] == "u5"


async def test_who_is_invited_hears_of_it_once(chat: Chat) -> None:
    bob, max_ = await joined(chat, BOB, "team"), await chat_client(chat, MAX)
    asked: dict[str, Any] = {"room": "team", "payload": {"user": MAX.id}, "msg_id": "a-new-invitation-1"}
    first = await bob.ack("member.invite", **asked)

    for _ in range(3):
        assert await does(bob, "member.invite", "team", user=MAX.id) == {**first, "duplicate": True}
    await max_.request("ping")
    assert len(max_.unread("room.invited")) == 1
    await bob.ack("member.invite", **asked)  # this very command again
    await max_.request("ping")
    assert len(max_.unread("room.invited")) == 2
    await does(max_, "member.accept", "team")
    await does(bob, "member.invite", "team", user=MAX.id)
    await max_.request("ping")
    assert len(max_.unread("room.invited")) == 2


async def test_members_who_have_left_a_room_with_a_connection_are_not_put_back(chat: Chat) -> None:
    bob, eve = await joined(chat, BOB, "team"), await joined(chat, EVE, "team")
    await eve.ack("exit", room="team")

    assert (await does(bob, "member.add", "team", user=EVE.id))["duplicate"] is True

    await eve.request("ping")
    assert not eve.unread("room.added")


async def test_a_declined_invitation_is_none(chat: Chat) -> None:
    bob, max_ = await joined(chat, BOB, "team"), await chat_client(chat, MAX)
    first = await does(bob, "member.invite", "team", user=MAX.id)
    assert await does(bob, "member.invite", "team", user=MAX.id) == {**first, "duplicate": True}

    assert await does(max_, "member.decline", "team") == {}

    assert (await bob.expect("member.declined"))["payload"]["user"]["id"] == "u4"
    assert await refused(max_, "member.decline", "team") == "room_not_found"


async def test_the_ban_of_the_inviter_ends_their_invitations(chat: Chat) -> None:
    ada, bob = await joined(chat, ADA, "team"), await joined(chat, BOB, "team")
    await does(bob, "member.invite", "team", user=MAX.id)

    await does(ada, "member.ban", "team", user=BOB.id)

    assert await refused(await chat_client(chat, MAX), "join", "team") == "room_not_found"


async def test_an_added_member_is_put_into_the_room(chat: Chat) -> None:
    bob, max_ = await joined(chat, BOB, "team"), await chat_client(chat, MAX)

    settled = await does(bob, "member.add", "team", user=MAX.id)
    await bob.ack("message", room="team", payload={"text": "welcome"})

    added = await max_.expect("room.added")
    assert (added["payload"]["room"], added["payload"]["by"]) == ("team", {"id": "u2", "name": "Bob"})
    assert (await max_.expect("message"))["payload"]["text"] == "welcome"
    assert (await does(bob, "member.add", "team", user=MAX.id)) == {"seq": settled["seq"], "duplicate": True}


async def test_roles_above_ones_own_are_granted_by_no_invitation(chat: Chat) -> None:
    ada, bob, max_ = (
        await joined(chat, ADA, "team"),
        await joined(chat, BOB, "team"),
        await chat_client(chat, MAX),
    )
    assert await refused(bob, "member.invite", "team", user=MAX.id, role="admin") == "forbidden"
    await does(bob, "member.invite", "team", user=MAX.id, role="editor")
    await does(ada, "member.role", "team", user=BOB.id, role="reader")

    assert (await does(max_, "member.accept", "team"))["role"] == "member", (
        "the inviter could not grant it now"
    )


class Counting(MemoryStore):
    """Counts the attempts to mute."""

    attempts = 0

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        self.attempts += sum(draft.type == "member.muted" for draft in drafts)
        return await super().append(drafts)


async def test_changes_of_rights_in_one_room_do_not_make_each_other_out_of_date() -> None:
    store = Counting()
    async with running_chat(ChatRooms("test", guests=True, store=store)) as chat:
        await chat.create_room("general")

        done = await asyncio.gather(*(chat.mute("general", f"user-{n}") for n in range(60)))

    assert all(done)
    assert store.attempts == 60


@pytest.mark.parametrize("kind", ["ban", "mute"])
async def test_a_room_keeps_so_many_bans_and_mutes_and_takes_no_more(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("sanic_chatrooms.verbs.moderation.KEPT", 3)
    bob = await joined(chat, BOB, "general")
    for number in range(3):
        await does(bob, f"member.{kind}", user=f"x{number}")

    error = await bob.error(f"member.{kind}", room="general", payload={"user": "x3"})

    assert (error["code"], error["limit"]) == ("rate_limited", "restrictions")
    changed = await does(bob, f"member.{kind}", user="x0", until=time.time() + 60)
    assert changed["duplicate"] is False, "one that is there may change"
    await does(bob, f"member.un{kind}", user="x1")
    assert (await does(bob, f"member.{kind}", user="x3"))["duplicate"] is False


async def test_a_room_keeps_so_many_invitations_and_takes_no_more(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sanic_chatrooms.verbs.moderation.KEPT", 3)
    ada = await joined(chat, ADA, "team")
    for number in range(3):
        await does(ada, "member.invite", "team", user=f"x{number}")

    error = await ada.error("member.invite", room="team", payload={"user": "x3"})

    assert (error["code"], error["limit"]) == ("rate_limited", "invitations")
    changed = await does(ada, "member.invite", "team", user="x0", role="moderator")
    assert changed["duplicate"] is False, "one that is there may change"


async def test_an_invitation_is_not_lowered_by_those_who_may_not_grant_its_role(chat: Chat) -> None:
    ada, bob, eve = [await joined(chat, user, "team") for user in (ADA, BOB, EVE)]
    first = await does(ada, "member.invite", "team", user=MAX.id, role="admin")

    for client in (bob, eve):
        assert await does(client, "member.invite", "team", user=MAX.id) == {**first, "duplicate": True}
    assert (await does(ada, "member.invite", "team", user=MAX.id))["duplicate"] is False
    await does(ada, "member.invite", "team", user=MAX.id, role="admin")

    max = await chat_client(chat, MAX)
    assert (await max.ack("member.accept", room="team"))["role"] == "admin"


async def test_a_change_of_rights_waits_for_others_no_longer_than_for_the_store(idle_time: None) -> None:
    async with running_core(ChatRooms("test", guests=True)) as chat:
        await create(chat.core, None, "general", visibility="public")
        await members.put(chat.store, "general", Member(BOB.id, BOB.name, "moderator"))
        bob = await joined(chat, BOB, "general")

        async with chat.core.settling.of("general"):  # as while the store hangs
            assert await refused(bob, "member.mute", user=EVE.id) == "unavailable"

        assert (await does(bob, "member.mute", user=EVE.id))["duplicate"] is False
