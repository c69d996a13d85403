"""Two people chat through a real Sanic."""

from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms
from tests.support.fixtures import Connect


@pytest.fixture
def chat(app: Sanic[Any, Any]) -> ChatRooms:
    chat = ChatRooms(guests=True)
    app.blueprint(chat.bp)
    return chat


async def test_two_guests_hear_each_other(chat: ChatRooms, connect: Connect) -> None:
    ada, bob = await connect(), await connect()

    welcome = await ada.expect("welcome")
    assert welcome["payload"]["user"]["name"]
    await bob.ack("join", room="general")
    joined = await ada.ack("join", room="general")
    assert joined["seq"] == 0
    assert joined["online"] == 2
    ack = await ada.ack("message", room="general", payload={"text": "hi"})
    event = await bob.expect("message")

    assert event["payload"] == {"text": "hi"}
    assert event["seq"] == ack["seq"] == 1
    history = await bob.ack("history", room="general")
    assert [m["seq"] for m in history["messages"]] == [1]
