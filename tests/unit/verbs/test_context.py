"""The context of a command: who is judged by what, and what happens if rights change meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from sanic_chatrooms import ChatError, ChatRooms, Muted, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import Appended, Draft, Fact, Member, Sender, direct_room
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Stale
from sanic_chatrooms.testing import Clock, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.drafts import draft
from tests.support.joined import joined

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        yield chat


def muting(room: str, user: User) -> Draft:
    """The event by which a verb mutes somebody: it takes rights away."""
    payload = msgspec.json.encode({"user": Sender(user.id, user.name)})
    return draft(room, "member.muted", payload, None, facts=(Fact("mute", user.id, b"{}"),), restricts=True)


class Between:
    """Does something once, before the next draft of a user reaches the store."""

    def __init__(self, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
        self.judged: list[int | None] = []
        self._append = chat.backends.store.append
        self._then: list[Draft] = []
        monkeypatch.setattr(chat.backends.store, "append", self)
        monkeypatch.setattr(chat.store, "appends_soon", False)

    def first(self, item: Draft) -> None:
        self._then.append(item)

    async def __call__(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        if drafts[0].judged is not None:
            self.judged += [draft.judged for draft in drafts]
            if self._then:
                await self._append([self._then.pop()])
        return await self._append(drafts)


@pytest.fixture
def between(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> Between:
    return Between(chat, monkeypatch)


async def test_a_command_is_judged_again_if_rights_change_before_it_is_stored(
    chat: Chat, between: Between
) -> None:
    ada = await joined(chat, ADA, "general")
    said = await ada.ack("message", room="general", payload={"text": "hi"})
    between.first(muting("general", BOB))
    change: dict[str, Any] = {"msgId": said["msgId"], "body": {"text": "better"}}

    assert (await ada.ack("message.edit", room="general", payload=change))["seq"] == 3
    between.first(muting("general", ADA))
    assert (await ada.error("message.edit", room="general", payload=change))["code"] == "muted"
    assert between.judged == [0, 1, 2, 3], "what was stale was judged by the room as it was then"


def demoting(user: User) -> Draft:
    """The event by which a moderator of the room `general` becomes a member."""
    payload = msgspec.json.encode({"user": Sender(user.id, user.name)})
    fact = members.member_fact(Member(user.id, user.name))
    return draft("general", "member.role", payload, None, facts=(fact,), restricts=True)


@pytest.mark.parametrize("type", ["message.delete", "message.pin", "message.unpin"])
async def test_who_was_a_moderator_when_the_command_came_does_nothing_as_one(
    chat: Chat, between: Between, type: str
) -> None:
    ada, bob = await joined(chat, ADA, "general"), await joined(chat, BOB, "general")
    await members.put(chat.backends.store, "general", Member(BOB.id, BOB.name, "moderator"))
    said = await ada.ack("message", room="general", payload={"text": "hi"})
    target = {"msgId": said["msgId"]}
    if type == "message.unpin":
        await bob.ack("message.pin", room="general", payload=target)

    between.first(demoting(BOB))

    assert (await bob.error(type, room="general", payload=target))["code"] == "forbidden"
    page = await chat.backends.store.history("general", after=0, limit=10)
    assert page.events[-1].type == "member.role"


async def test_a_direct_message_is_judged_again_too(chat: Chat, between: Between) -> None:
    ada = await chat_client(chat, ADA)
    payload = {"to": BOB.id, "body": {"text": "hi"}}
    await ada.ack("direct", payload=payload)

    between.first(muting(direct_room(ADA.id, BOB.id), ADA))

    assert (await ada.error("direct", payload=payload))["code"] == "muted"


async def test_a_user_without_a_connection_is_judged_like_one_with(
    rooms: ChatRooms, chat: Chat, between: Between
) -> None:
    await rooms.create_room("general")
    await rooms.publish("general", "message", {"text": "hi"}, as_user=ADA)
    between.first(muting("general", ADA))

    with pytest.raises(Muted):
        await rooms.publish("general", "message", {"text": "hi"}, as_user=ADA)


async def test_the_app_is_not_judged(rooms: ChatRooms, chat: Chat, between: Between) -> None:
    await rooms.create_room("general")
    said = await rooms.publish("general", "message", {"text": "hi"})
    await chat.journal.append(muting("general", ADA))

    await rooms.edit("general", said.msg_id, {"text": "better"})

    assert between.judged == []


async def test_a_command_that_is_never_stored_in_time_is_unavailable(
    rooms: ChatRooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()

    async def always_stale(drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        clock.advance(1.0)
        return [Stale() for _ in drafts]

    async with running_core(rooms) as chat:
        ada = await joined(chat, ADA, "general")
        monkeypatch.setattr(chat.backends.store, "append", always_stale)
        monkeypatch.setattr(chat.store, "appends_soon", False)
        monkeypatch.setattr("sanic_chatrooms.verbs.context.time", SimpleNamespace(monotonic=clock))

        refused = await ada.error("message", room="general", payload={"text": "hi"})

    assert (refused["code"], refused["temporary"]) == ("unavailable", True)
