"""Two people chat through a real Sanic."""

import asyncio
import time
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms
from sanic_chatrooms.observe.instruments import HEARTBEAT_SECONDS
from sanic_chatrooms.observe.meter import Histogram
from sanic_chatrooms.testing import RecordingMeter
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


class Waited(RecordingMeter):
    """Tells when something was measured."""

    def __init__(self) -> None:
        super().__init__()
        self.measured = asyncio.Event()

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        super().observe(histogram, value, *labels)
        self.measured.set()


async def test_the_way_to_a_client_and_back_is_measured_by_its_pong(
    chat: ChatRooms, connect: Connect
) -> None:
    ada = await connect()
    await ada.expect("welcome")
    running, meter = chat.running(), Waited()
    running.commands.meter = meter
    [session] = running.sessions

    session.liveness.pinged_at = time.monotonic()
    session.connection.ping()
    async with asyncio.timeout(30):
        await meter.measured.wait()

    [seconds] = meter.values(HEARTBEAT_SECONDS)
    assert seconds > 0
