"""Reports of messages: who gets them, who sees them, and that nobody learns who reports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sanic_chatrooms import User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import Member
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from tests.support.joined import joined

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with running_core(guests=True) as chat:
        yield chat


@pytest.fixture
async def clients(chat: Chat) -> list[MemoryClient]:
    """Ada and Bob, who moderate, and Eve."""
    clients = [await joined(chat, user, "general") for user in (ADA, BOB, EVE)]
    for user in (ADA, BOB):
        await members.put(chat.store, "general", Member(user.id, user.name, "moderator"))
    return clients


async def test_a_report_reaches_the_moderators_but_the_reported(
    chat: Chat, clients: list[MemoryClient]
) -> None:
    ada, bob, eve = clients
    said = await bob.ack("message", room="general", payload={"text": "bad"})
    question = {"msgId": said["msgId"], "reason": "rude"}

    taken = await eve.ack("report", room="general", payload=question)

    assert taken["duplicate"] is False
    told = await ada.expect("report")
    assert told["payload"] == {"id": taken["id"], "room": "general", "msgId": said["msgId"], "reason": "rude"}
    await bob.settle()
    assert bob.unread("report") == eve.unread("report") == []
    assert await eve.ack("report", room="general", payload=question) == {**taken, "duplicate": True}


async def test_moderators_list_and_close_reports(chat: Chat, clients: list[MemoryClient]) -> None:
    ada, bob, eve = clients
    said = await bob.ack("message", room="general", payload={"text": "bad"})
    taken = await eve.ack("report", room="general", payload={"msgId": said["msgId"], "reason": "rude"})

    [line] = (await ada.ack("reports", room="general"))["reports"]
    assert (line["by"]["id"], line["reason"], "outcome" in line) == ("u3", "rude", False)
    assert (await eve.error("reports", room="general"))["code"] == "forbidden"
    verdict = {"id": taken["id"], "outcome": "warned"}
    assert (await eve.error("report.close", payload=verdict))["code"] == "forbidden"
    await ada.ack("report.close", payload=verdict)

    assert (await ada.ack("reports", room="general"))["reports"] == []
    [closed] = (await ada.ack("reports", room="general", payload={"open": False}))["reports"]
    assert closed["outcome"] == "warned"


async def test_what_is_no_message_is_not_reported(chat: Chat, clients: list[MemoryClient]) -> None:
    eve = clients[2]

    missing = await eve.error("report", room="general", payload={"msgId": "x", "reason": ""})
    long = await eve.error("report", room="general", payload={"msgId": "x", "reason": "x" * 501})

    assert (missing["code"], long["code"]) == ("message_not_found", "too_large")


@pytest.mark.parametrize("id", ["x", "0123.nowhere", "0123.~all"])
async def test_an_unknown_report_is_in_no_room(chat: Chat, id: str) -> None:
    eve = await chat_client(chat, EVE)

    assert (await eve.error("report.close", payload={"id": id, "outcome": ""}))["code"] == "room_not_found"
