"""What the first milestone must show: one order, no hole, no double, while connections are cut and bells are lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from sanic import Sanic
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from sanic_chatrooms import ChatRooms
from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.presence.memory import MemoryBoard, MemoryPresence
from sanic_chatrooms.stores.memory import MemoryStore
from sanic_chatrooms.testing import FaultyBroker
from tests.support.fixtures import Live
from tests.support.server import new_app
from tests.support.streams import Frame, Stream, flaws

SECRET = "a secret of more than thirty-two bytes for tests"
ROOMS = ("red", "green", "blue")
CLIENTS = 20
RATE = 20.0
MESSAGES = 160
CUTS = 100
REPEATED = 0.2
LOST = 0.05


class Talker:
    """One client that comes back whenever it is cut: joins its rooms by `since`, repeats what was not acknowledged."""

    def __init__(self, name: str, urls: list[str], dice: random.Random, news: asyncio.Event) -> None:
        self.name = name
        self.urls = urls
        self.streams = {room: Stream(name, room) for room in ROOMS}
        self.acked: dict[str, tuple[str, int]] = {}
        self.wrong: list[str] = []
        self.waiting: dict[str, Frame] = {}
        self.duplicates = 0
        self.connections = 0
        self._ws: ClientConnection | None = None
        self._leaving = False
        self._dice = dice
        self._news = news

    async def run(self) -> None:
        token = jwt.encode({"sub": self.name, "name": self.name, "exp": 4_000_000_000}, SECRET, "HS256")
        headers = {"Authorization": f"Bearer {token}"}
        while not self._leaving:
            # Cut while it shakes hands, while it is answered, or later: it simply comes back.
            with contextlib.suppress(ConnectionClosed, OSError):
                await self._be_connected(self._dice.choice(self.urls), headers)

    async def _be_connected(self, url: str, headers: dict[str, str]) -> None:
        async with connect(
            url, additional_headers=headers, compression=None, ping_interval=None, proxy=None
        ) as ws:
            self._ws = ws
            self.connections += 1
            for room, stream in self.streams.items():
                since = {"since": stream.since} if stream.since else {"history": 0}
                await ws.send(json.dumps({"type": "join", "room": room, "payload": since}))
            for frame in list(self.waiting.values()):
                await ws.send(json.dumps(frame))
            async for text in ws:
                self._take(json.loads(text))

    def _take(self, frame: Frame) -> None:
        if "seq" in frame:
            self.streams[frame["room"]].heard(frame)
        elif frame["type"] == "ack" and "messages" in frame["payload"]:
            self.streams[frame["payload"]["room"]].joined(frame["payload"])
        elif frame["type"] == "ack":
            self._acknowledged(frame["replyTo"], frame["payload"])
        elif frame["type"] in ("error", "reset"):
            self.wrong.append(str(frame))
        self._news.set()

    def _acknowledged(self, msg_id: str, payload: Frame) -> None:
        frame = self.waiting.pop(msg_id, None)
        self.duplicates += payload["duplicate"]
        if frame is not None:
            self.acked[msg_id] = (frame["room"], payload["seq"])
        elif self.acked[msg_id][1] != payload["seq"] or not payload["duplicate"]:
            self.wrong.append(f"{msg_id} was acked as {self.acked[msg_id]}, then {payload}")

    async def say(self, room: str, *, times: int = 1) -> None:
        msg_id = str(uuid.uuid4())
        frame = {"type": "message", "msgId": msg_id, "room": room, "payload": {"text": f"{self.name} says"}}
        self.waiting[msg_id] = frame
        for _ in range(times):
            await self.send(frame)

    async def repeat(self) -> None:
        """Send again what was acknowledged long ago."""
        if self.acked:
            msg_id = self._dice.choice(list(self.acked))
            payload = {"text": f"{self.name} says"}
            await self.send(
                {"type": "message", "msgId": msg_id, "room": self.acked[msg_id][0], "payload": payload}
            )

    async def send(self, frame: Frame) -> None:
        with contextlib.suppress(ConnectionClosed):
            if self._ws is not None:
                await self._ws.send(json.dumps(frame))

    def cut(self) -> None:
        if self._ws is not None:
            self._ws.transport.abort()

    async def leave(self) -> None:
        self._leaving = True
        if self._ws is not None:
            await self._ws.close()


class Workers:
    """Several apps in this process that share store, bus and board as workers share servers."""

    def __init__(self, live: Live) -> None:
        self.store = MemoryStore()
        self.bus, self.board = MemoryBus(), MemoryBoard()
        self.brokers: list[FaultyBroker] = []
        self.apps: list[Sanic[Any, Any]] = []
        self._live = live

    async def start(self, **faults: Any) -> str:
        """One more worker; its WebSocket's address."""
        app = new_app("worker")
        self.apps.append(app)
        broker = FaultyBroker(MemoryBroker(self.bus), random=random.Random(len(self.apps)), **faults)
        self.brokers.append(broker)
        presence = MemoryPresence(self.board)
        chat = ChatRooms(
            jwt_secret=SECRET,
            auto_create=True,
            store=self.store,
            broker=broker,
            presence=presence,
            position_check=0.5,
        )
        app.blueprint(chat.bp)
        server = await self._live(app)
        return server.ws_url + "/chat/ws"


@pytest.fixture
def workers(live: Live) -> Iterator[Workers]:
    workers = Workers(live)
    yield workers
    for app in workers.apps:
        Sanic.unregister_app(app)


async def _until(what: Callable[[], bool], news: asyncio.Event, within: float) -> bool:
    try:
        async with asyncio.timeout(within):
            while not what():
                news.clear()
                await news.wait()
    except TimeoutError:
        return False
    return True


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_every_receiver_hears_the_same_whole_and_once(workers: Workers) -> None:
    dice, news = random.Random(7), asyncio.Event()
    urls = [await workers.start(lose=LOST), await workers.start(lose=LOST)]
    talkers = [Talker(f"user-{i}", urls, random.Random(i), news) for i in range(CLIENTS)]
    running = [asyncio.ensure_future(talker.run()) for talker in talkers]
    streams = [stream for talker in talkers for stream in talker.streams.values()]
    assert await _until(lambda: all(stream.epoch for stream in streams), news, 10)

    await _storm(talkers, dice)
    assert await _until(lambda: not any(talker.waiting for talker in talkers), news, 5), "an ack is missing"
    heads = {room: head.seq for room, head in (await workers.store.heads(ROOMS)).items()}
    await _until(lambda: all(stream.seq >= heads[stream.room] for stream in streams), news, 5)
    for talker in talkers:
        await talker.leave()
    await asyncio.gather(*running)

    acked = {msg_id: at for talker in talkers for msg_id, at in talker.acked.items()}
    found = flaws(streams, acked) + [wrong for talker in talkers for wrong in talker.wrong]
    lost = sum(broker.lost for broker in workers.brokers)
    duplicates = sum(talker.duplicates for talker in talkers)
    connections = sum(talker.connections for talker in talkers)
    print(  # noqa: T201 - the verdict
        f"\n{CLIENTS} clients, {len(streams)} streams, {connections} connections, {len(acked)} acked, "
        f"{duplicates} repetitions, {lost} envelopes lost, {sum(len(s.events) for s in streams)} events heard: "
        f"{len(found)} flaws"
    )
    assert not found, "\n".join(found[:20])
    assert (len(acked), sum(heads.values())) == (MESSAGES, MESSAGES)
    assert connections >= CUTS
    assert duplicates > 0
    assert lost > 0


async def _storm(talkers: list[Talker], dice: random.Random) -> None:
    """Messages at a steady rate, and in between the cuts."""
    cuts = 0
    for index in range(MESSAGES):
        talker = dice.choice(talkers)
        await talker.say(dice.choice(ROOMS), times=2 if dice.random() < REPEATED else 1)
        if dice.random() < REPEATED:
            await dice.choice(talkers).repeat()
        while cuts < CUTS * (index + 1) / MESSAGES:
            cuts += 1
            dice.choice([talker, dice.choice(talkers)]).cut()  # often the one that waits for its ack
        await asyncio.sleep(dice.uniform(0, 2 / RATE))  # the rate
