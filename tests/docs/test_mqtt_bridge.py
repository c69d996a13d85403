"""The bridge to a real Mosquitto, in both directions, over kills of the bridge: everything arrives, in order, and nothing goes round."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import pytest

import sanic_chatrooms
from sanic_chatrooms import ChatRooms, User
from tests.support.mosquitto import running as running_mosquitto
from tests.support.programs import followed, started
from tests.support.valkey import running

ROOMS = ("hall", "workshop")


@pytest.fixture(scope="module")
def valkey_url() -> Iterator[str]:
    with running() as server:
        yield server.url


@pytest.fixture
async def chat(valkey_url: str) -> AsyncIterator[ChatRooms]:
    async with sanic_chatrooms.connect(store=valkey_url, namespace="Shop", guests=True) as chat:
        for room in ROOMS:
            await chat.ensure_room(room)
        yield chat


@pytest.fixture
def where(valkey_url: str) -> Iterator[dict[str, str]]:
    with running_mosquitto() as port:
        yield {"REDIS_URL": valkey_url, "MQTT_PORT": str(port)}


class Device:
    """A client of the broker that hears what is said in the rooms."""

    def __init__(self, mqtt: aiomqtt.Client) -> None:
        self.mqtt = mqtt
        self.heard: list[Any] = []
        self._came = asyncio.Condition()

    async def listen(self) -> None:
        async for message in self.mqtt.messages:
            assert isinstance(message.payload, bytes)
            self.heard.append({"topic": str(message.topic), **json.loads(message.payload)})
            async with self._came:
                self._came.notify_all()

    async def until(self, text: str) -> None:
        async with asyncio.timeout(80), self._came:
            await self._came.wait_for(lambda: text in self.texts)

    @property
    def texts(self) -> list[str]:
        """What was heard, each event once."""
        return list({one["id"]: one["payload"]["text"] for one in self.heard}.values())

    async def say(self, content: object, room: str = "hall", *, retain: bool = False) -> None:
        body = content if isinstance(content, str) else json.dumps(content)
        await self.mqtt.publish(f"chat/{room}/say/lamp", body, qos=1, retain=retain)


@pytest.fixture
async def device(where: dict[str, str]) -> AsyncIterator[Device]:
    async with aiomqtt.Client("127.0.0.1", int(where["MQTT_PORT"])) as mqtt:
        await mqtt.subscribe("chat/+/said", qos=1)
        device = Device(mqtt)
        listening = asyncio.ensure_future(device.listen())
        yield device
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_both_directions_over_kills_of_the_bridge(
    chat: ChatRooms, where: dict[str, str], device: Device, tmp_path: Path
) -> None:
    ada = User("ada", "Ada")
    await chat.create_room("secret", visibility="private")
    await device.say({"id": "old", "text": "said once, and kept by the broker"}, retain=True)
    with started("mqtt_bridge", tmp_path / "log", **where) as program:
        await followed(chat, "mqtt", *ROOMS)
        await device.say({"id": "0", "text": "0"})
        await device.until("0")
        for n in range(1, 20):
            await device.say({"id": f"{n}", "text": f"{n}"})
        await chat.publish("hall", "message", {"text": "a"}, sender=ada)
        program.kill()
    await device.say({"id": "19", "text": "19"})  # a device that is not sure says it again
    await device.say({"id": "20", "text": "20"})
    await chat.publish("hall", "message", {"text": "b"}, sender=ada)

    with started("mqtt_bridge", tmp_path / "log", **where):
        for text in ("20", "a", "b"):
            await device.until(text)
        for wrong in ("no message", "[" * 100_000):
            await device.say(wrong)
        for room in ("nowhere", "secret"):
            await device.say({"id": "1", "text": "for nobody"}, room=room)
        await device.say({"id": "21", "text": "21"})
        await device.until("21")

    said = [(one["sender"]["id"], one["payload"]["text"]) for one in (await chat.history("hall")).messages]
    assert [text for sender, text in said if sender == "mqtt:lamp"] == [f"{n}" for n in range(22)]
    assert [text for sender, text in said if sender == "ada"] == ["a", "b"]
    assert (await chat.history("secret")).messages == []
    assert device.texts == [text for _, text in said], "in the room's order, each once"
    assert {one["topic"] for one in device.heard} == {"chat/hall/said"}
    assert device.heard[0]["sender"] == {"id": "mqtt:lamp", "name": "lamp (MQTT)"}
