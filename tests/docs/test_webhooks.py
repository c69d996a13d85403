"""Webhooks go to a real server that fails, from a program that is killed: every event arrives, in order, and signed."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from sanic import HTTPResponse, Request, Sanic, empty

import sanic_chatrooms
from sanic_chatrooms import ChatRooms
from sanic_chatrooms.testing import running_chat
from tests.support.fixtures import Live
from tests.support.programs import followed, loaded, started
from tests.support.server import LiveServer
from tests.support.valkey import ValkeyServer, running

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with running() as server:
        yield server


@pytest.fixture
async def chat(valkey: ValkeyServer) -> AsyncIterator[ChatRooms]:
    async with sanic_chatrooms.connect(store=valkey.url, namespace="Shop", guests=True) as chat:
        for room in ("orders", "support"):
            await chat.delete_room(room)
            await chat.ensure_room(room)
        yield chat


class Receiver:
    """Takes what the program of the page verifies, and fails as it is told."""

    def __init__(self, app: Sanic[Any, Any], verified: Callable[[Request], str]) -> None:
        self.attempts: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[int] = []
        """Statuses of the next answers; 0: none at all. Then it is 204."""
        self.hanging = asyncio.Event()
        self._came = asyncio.Condition()
        self._verified = verified
        app.add_route(self.take, "/hooks/chat", methods=["POST"])

    async def take(self, request: Request) -> HTTPResponse:
        self.attempts.append((self._verified(request), request.json))
        async with self._came:
            self._came.notify_all()
        status = self.answers.pop(0) if self.answers else 204
        if status == 0:
            self.hanging.set()
            await asyncio.Event().wait()
        return empty(status)

    @property
    def texts(self) -> list[str]:
        """What came, with all repetitions."""
        return [told["data"]["payload"]["text"] for _, told in self.attempts]

    async def until(self, count: int) -> None:
        """Wait until so many have come, repetitions aside."""
        async with asyncio.timeout(80), self._came:
            await self._came.wait_for(lambda: len(dict(self.attempts)) >= count)


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The receiver of the page."""
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    module = loaded("webhook_receiver")
    module.app.config.update(MOTD=False, AUTO_EXTEND=False, TOUCHUP=False, GRACEFUL_SHUTDOWN_TIMEOUT=1.0)
    yield module
    Sanic.unregister_app(module.app)


@pytest.fixture
def receiver(shown: Any, app: Sanic[Any, Any]) -> Receiver:
    return Receiver(app, shown.verified)


@pytest.fixture
async def server(receiver: Receiver, live: Live) -> LiveServer:
    return await live()


async def test_every_event_arrives_in_order_over_failures_and_a_kill(
    chat: ChatRooms, valkey: ValkeyServer, receiver: Receiver, server: LiveServer, tmp_path: Path
) -> None:
    where = {"REDIS_URL": valkey.url, "WEBHOOK_URL": f"{server.url}/hooks/chat", "WEBHOOK_SECRET": SECRET}
    receiver.answers = [204, 500, 204, 0]
    with started("webhooks", tmp_path / "log", **where) as program:
        await followed(chat, "webhooks", "orders", "support")
        for n in range(6):
            await chat.publish("orders", "message", {"text": f"{n}"})
        async with asyncio.timeout(80):
            await receiver.hanging.wait()
        program.kill()
    in_hand = receiver.attempts[-1]
    for n in range(6, 10):
        await chat.publish("orders", "message", {"text": f"{n}"})

    with started("webhooks", tmp_path / "log", **where) as program:
        await receiver.until(10)
        assert [text for text, _ in groupby(receiver.texts)] == [f"{n}" for n in range(10)]
        assert receiver.attempts.count(in_hand) >= 2, "what was in hand comes again, under the same id"
        assert "is tried again in 1 s: status 500" in program.output


@pytest.fixture
def example(shown: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The program of the page, in this process."""
    example = loaded("webhooks")
    monkeypatch.setattr(example, "FIRST", 0.01)
    return example


def test_the_signature_is_that_of_standard_webhooks(example: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(example.time, "time", lambda: 1614265330.7)

    assert example.signed("msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}') == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


async def test_a_receiver_takes_each_webhook_once_and_none_that_is_forged_or_old(
    shown: Any, example: Any, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await live(shown.app)
    body = json.dumps({"type": "message", "data": {"room": "orders"}}).encode()

    async def post(headers: dict[str, str], body: bytes = body) -> int:
        return (await server.request("POST", "/hooks/chat", headers, body)).status

    fresh = example.signed("a", body)
    with monkeypatch.context() as before:
        now = time.time()
        before.setattr(time, "time", lambda: now - 301)
        old = example.signed("c", body)
    two = {**fresh, "webhook-signature": f"v1,AAAA {fresh['webhook-signature']}"}
    assert [await post(one) for one in (fresh, fresh, two)] == [204, 204, 204]
    assert shown.app.ctx.seen == {"a": {"room": "orders"}}
    assert [await post({**fresh, "webhook-id": "b"}), await post(fresh, body + b" "), await post(old)] == [
        403
    ] * 3
    assert await post({}) == await post({**fresh, "webhook-timestamp": "9" * 5000}) == 403


@pytest.mark.parametrize("name", ["webhook_receiver", "webhooks"])
def test_without_a_secret_nothing_begins(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEBHOOK_SECRET", raising=False)

    with pytest.raises(KeyError, match="WEBHOOK_SECRET"):
        loaded(name)


async def test_a_receiver_is_told_that_events_were_lost_and_ends_it_with_410(
    example: Any, receiver: Receiver, server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(example, "ROOMS", ["orders"])
    monkeypatch.setattr(example, "URL", f"{server.url}/hooks/chat")
    async with running_chat(guests=True, history_max=2) as chat, example.httpx.AsyncClient() as http:
        await chat.ensure_room("orders")
        forwarding = asyncio.ensure_future(example.forward(chat, http))
        await followed(chat, "webhooks", "orders")
        forwarding.cancel()
        await asyncio.gather(forwarding, return_exceptions=True)
        for n in range(9):
            await chat.publish("orders", "message", {"text": f"{n}"})

        forwarding = asyncio.ensure_future(example.forward(chat, http))
        await receiver.until(1)
        receiver.answers = [410]
        await chat.publish("orders", "message", {"text": "no more"})
        with pytest.raises(RuntimeError, match="wants no more webhooks"):
            await forwarding
    lost, last = (told for _, told in receiver.attempts)
    assert (lost["type"], lost["data"]["room"], lost["data"]["seq"]) == ("events.lost", "orders", 9)
    assert last["data"]["payload"] == {"text": "no more"}
