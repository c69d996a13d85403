"""Messages to a room."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from sanic_chatrooms import User
from sanic_chatrooms.access.policy import Policy
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.declaration import RouteDeclaration
from sanic_chatrooms.errors import Forbidden, RateLimited
from sanic_chatrooms.models import Room
from sanic_chatrooms.server_api.base import acting_as
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.membership import add_member
from tests.support.joined import joined

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")
ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with running_core(guests=True, max_text=20) as chat:
        yield chat


# ---- to a room ----


async def test_a_message_is_acknowledged_and_heard(chat: Chat) -> None:
    ada, bob = await joined(chat, ADA, "general"), await joined(chat, BOB, "general")

    said = await ada.ack("message", room="general", payload={"text": "hi", "own": 1}, msg_id=ID)
    heard = await bob.expect("message")

    assert said == {"msgId": heard["msgId"], "seq": 1, "timestamp": heard["timestamp"], "duplicate": False}
    assert heard["payload"] == {"text": "hi", "own": 1}
    assert (heard["sender"], heard["clientMsgId"]) == ({"id": "u1", "name": "Ada"}, ID)


async def test_a_repeated_message_is_the_first_one(chat: Chat) -> None:
    ada = await joined(chat, ADA, "general")
    first = await ada.ack("message", room="general", payload={"text": "hi"}, msg_id=ID)

    phone = await joined(chat, ADA, "general")
    again = await phone.ack("message", room="general", payload={"text": "hi"}, msg_id=ID)
    other = await phone.error("message", room="general", payload={"text": "ho"}, msg_id=ID)

    assert again == {**first, "duplicate": True}
    assert other["code"] == "conflict"
    assert len(phone.unread("message")) == 0


async def test_the_same_msg_id_of_another_user_or_in_another_room_is_another(chat: Chat) -> None:
    ada, bob = await joined(chat, ADA, "a", "b"), await joined(chat, BOB, "a")

    for client, room in ((ada, "a"), (ada, "b"), (bob, "a")):
        assert not (await client.ack("message", room=room, payload={"text": "x"}, msg_id=ID))["duplicate"]


@pytest.mark.parametrize(
    ("room", "payload", "code"),
    [
        (None, {"text": "x"}, "invalid_field"),
        ("elsewhere", {"text": "x"}, "not_a_member"),
        ("general", {}, "invalid_field"),
        ("general", {"text": "x" * 21}, "too_large"),
    ],
)
async def test_messages_that_are_refused(chat: Chat, room: str | None, payload: Any, code: str) -> None:
    ada = await joined(chat, ADA, "general")

    assert (await ada.error("message", room=room, payload=payload))["code"] == code


async def test_a_message_without_msg_id_has_none_in_the_past_either(chat: Chat) -> None:
    """Live and read again, an event is the same."""
    ada, bob = await joined(chat, ADA, "general"), await joined(chat, BOB, "general")
    ada.send_raw('{"type":"message","room":"general","payload":{"text":"hi"}}')

    heard = await bob.expect("message")
    past = (await bob.ack("history", room="general"))["messages"]

    assert past == [heard]
    assert "clientMsgId" not in heard


# ---- policies ----


class Hours(Policy):
    """Refuses messages in each of the ways in which a policy may."""

    def __init__(self, refuse: Callable[[], Awaitable[None] | None]) -> None:
        self._refuse = refuse

    def require(
        self, user: User, action: str, room: Room | None, standing: Standing
    ) -> Awaitable[None] | None:
        return self._refuse() if action == "message" else None


def _at_once() -> None:
    raise Forbidden("quiet hours")


async def _later() -> None:
    raise Forbidden("quiet hours")


def _by_defect() -> None:
    raise KeyError("secret")


@pytest.mark.parametrize("refuse", [_at_once, _later, functools.partial(_later), _by_defect])
async def test_a_policy_that_refuses_is_obeyed(
    chat: Chat, refuse: Callable[[], Awaitable[None] | None]
) -> None:
    ada = await joined(chat, ADA, "general", route=RouteDeclaration("/ws", policy=Hours(refuse)))

    for _ in range(2):
        assert (await ada.error("message", room="general", payload={"text": "x"}))["code"] == "forbidden"
    assert (await ada.ack("history", room="general"))["messages"] == []


async def test_a_policy_that_allows_by_an_awaitable_is_obeyed(chat: Chat) -> None:
    async def allow() -> None: ...

    ada = await joined(chat, ADA, "general", route=RouteDeclaration("/ws", policy=Hours(allow)))
    said = [ada.send("message", room="general", payload={"text": str(n)}) for n in range(3)]

    assert [(await ada.reply(id))["payload"]["seq"] for id in said] == [1, 2, 3]


# ---- slow mode ----


async def test_in_a_slow_room_messages_of_one_user_lie_apart_but_not_those_of_others(chat: Chat) -> None:
    await chat.store.create_room(Room("slow", "", 0, slow_mode=60))
    ada, bob = await joined(chat, ADA, "slow"), await joined(chat, BOB, "slow")
    first = await ada.ack("message", room="slow", payload={"text": "one"}, msg_id=ID)

    refused = await ada.error("message", room="slow", payload={"text": "two"})
    again = await ada.ack("message", room="slow", payload={"text": "one"}, msg_id=ID)
    await bob.ack("message", room="slow", payload={"text": "other"})

    assert (refused["code"], refused["limit"]) == ("rate_limited", "slowMode")
    assert 50 < refused["retryAfter"] <= 60
    assert again == {**first, "duplicate": True}


async def test_moderators_are_not_slowed_down(chat: Chat) -> None:
    await chat.store.create_room(Room("slow", "", 0, slow_mode=60))
    await add_member(chat.core, "slow", ADA, "moderator")
    ada = await joined(chat, ADA, "slow")

    for _ in range(3):
        await ada.ack("message", room="slow", payload={"text": "calm down"})


async def test_slow_mode_binds_who_acts_without_a_connection(chat: Chat) -> None:
    await chat.store.create_room(Room("slow", "", 0, slow_mode=60))
    acting = acting_as(chat, ADA)
    await chat.commands.act(acting, acting.command("message", b'{"text":"one"}', room="slow"))

    with pytest.raises(RateLimited, match="too fast"):
        await chat.commands.act(acting, acting.command("message", b'{"text":"two"}', room="slow"))
