"""What the first milestone must show: one order, no hole, no double, while connections are cut and envelopes are lost."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
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
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import Checker, FaultyBroker
from tests.support.fixtures import Live
from tests.support.server import new_app

Frame = dict[str, Any]

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

    def __init__(
        self, name: str, checker: Checker, urls: list[str], dice: random.Random, news: asyncio.Event
    ) -> None:
        self.name = name
        self.urls = urls
        self.witness = checker.witness(name, user=name)
        self.acked: list[Frame] = []
        self.waiting: dict[str, Frame] = {}
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
            for room in ROOMS:
                since = self.witness.since(room)
                payload = {"since": since} if since else {"history": 0}
                await self.send({"type": "join", "msgId": new_id(), "room": room, "payload": payload})
            for frame in list(self.waiting.values()):
                await self.send(frame)
            try:
                async for text in ws:
                    self._take(json.loads(text))
            finally:
                self.witness.cut()

    def _take(self, frame: Frame) -> None:
        self.witness.received(frame)
        if frame["type"] == "ack" and (said := self.waiting.pop(frame["replyTo"], None)):
            self.acked.append(said)
        self._news.set()

    async def say(self, room: str, *, times: int = 1) -> None:
        msg_id = new_id()
        frame = {"type": "message", "msgId": msg_id, "room": room, "payload": {"text": f"{self.name} says"}}
        self.waiting[msg_id] = frame
        for _ in range(times):
            await self.send(frame)

    async def repeat(self) -> None:
        """Send again what was acknowledged long ago."""
        if self.acked:
            await self.send(self._dice.choice(self.acked))

    async def send(self, frame: Frame) -> None:
        with contextlib.suppress(ConnectionClosed):
            if self._ws is not None:
                self.witness.sent(frame)
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
    dice, news, checker = random.Random(7), asyncio.Event(), Checker()
    urls = [await workers.start(lose=LOST), await workers.start(lose=LOST)]
    talkers = [Talker(f"user-{i}", checker, urls, random.Random(i), news) for i in range(CLIENTS)]
    running = [asyncio.ensure_future(talker.run()) for talker in talkers]
    assert await _until(
        lambda: all(len(talker.witness.streams) == len(ROOMS) for talker in talkers), news, 60
    )

    await _storm(talkers, dice)
    assert await _until(lambda: not any(talker.waiting for talker in talkers), news, 60), "an ack is missing"
    heads = {room: head.seq for room, head in (await workers.store.heads(ROOMS)).items()}
    await _until(lambda: all(_is_at(talker, heads) for talker in talkers), news, 60)
    for room in ROOMS:
        await checker.read(workers.store, room)
    found = checker.flaws() + checker.gaps() + [str(e) for talker in talkers for e in talker.witness.errors]
    for talker in talkers:
        await talker.leave()
    await asyncio.gather(*running)

    lost = sum(broker.lost for broker in workers.brokers)
    connections = sum(talker.connections for talker in talkers)
    heard = sum(talker.witness.heard(room) for talker in talkers for room in ROOMS)
    print(  # noqa: T201 - the verdict
        f"\n{CLIENTS} clients in {len(ROOMS)} rooms, {connections} connections, {len(checker.acked)} acked, "
        f"{checker.repetitions} repetitions, {lost} envelopes lost, {heard} events heard: {len(found)} flaws"
    )
    assert not found, "\n".join(found[:20])
    assert (len(checker.acked), sum(heads.values())) == (MESSAGES, MESSAGES)
    assert heard == MESSAGES * CLIENTS
    assert connections >= CUTS
    assert checker.repetitions > 0
    assert lost > 0


def _is_at(talker: Talker, heads: dict[str, int]) -> bool:
    return all(since["seq"] >= seq for room, seq in heads.items() if (since := talker.witness.since(room)))


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
