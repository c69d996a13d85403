"""Whom users may reach: by `direct`, and by adding them to a room."""

from __future__ import annotations

from typing import Any

import pytest

from sanic_chatrooms import ConfigError, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.load import load
from sanic_chatrooms.models import Member
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.rooms import create

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")
SECRET = "s" * 32


async def met(chat: Chat) -> None:
    """Ada and Bob share a room."""
    await create(chat.core, None, "team", visibility="private")
    for user, role in ((ADA, "owner"), (BOB, "member")):
        await members.put(chat.store, "team", Member(user.id, user.name, role))


async def answers(chat: Chat, *to: str) -> list[str]:
    ada = await chat_client(chat, ADA)
    replies = [await ada.request("direct", payload={"to": id, "body": {"text": "hi"}}) for id in to]
    return [reply["payload"].get("code", "ack") for reply in replies]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"guests": True}, ["ack", "ack", "ack"]),
        ({"jwt_secret": SECRET}, ["ack", "forbidden", "forbidden"]),
        ({"jwt_secret": SECRET, "direct": "everyone"}, ["ack", "ack", "ack"]),
        ({"guests": True, "direct": "off"}, ["forbidden", "forbidden", "forbidden"]),
    ],
)
async def test_the_setting_says_whom_users_reach(settings: dict[str, Any], expected: list[str]) -> None:
    async with running_core(**settings) as chat:
        await met(chat)

        assert await answers(chat, BOB.id, EVE.id, "unknown") == expected


async def test_nobody_is_added_to_a_room_by_somebody_who_may_not_reach_them() -> None:
    async with running_core(jwt_secret=SECRET) as chat:
        await met(chat)
        await create(chat.core, None, "other", visibility="private")
        await members.put(chat.store, "other", Member(ADA.id, ADA.name, "owner"))
        ada = await chat_client(chat, ADA)

        await ada.ack("member.add", room="other", payload={"user": BOB.id})
        refused = await ada.error("member.add", room="other", payload={"user": EVE.id})

        assert refused["code"] == "forbidden"


def test_a_value_that_there_is_not_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="everyone, members"):
        load("test", {}, {}, {"guests": True, "direct": "friends"}, debug=False, instances=("test",))
