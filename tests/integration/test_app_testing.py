"""How an app is tested, chat and all, with the tools that Sanic offers for it."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from sanic import Request, Sanic
from sanic import json as answer
from sanic.response import HTTPResponse

from sanic_chatrooms import ChatRooms
from tests.support.server import new_app

App = Sanic[Any, Any]

# sanic-testing speaks through websockets' old client (its issue 77), which says so when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning")


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """An app: one page of its own, and a chat."""
    monkeypatch.setattr(Sanic, "test_mode", True)  # sanic-testing sets it for good
    app = new_app("Shop")
    chat = ChatRooms("support", guests=True)
    app.blueprint(chat.bp, url_prefix="/support")

    @app.post("/orders")
    async def order(request: Request) -> HTTPResponse:
        stored = await chat.publish("orders", "ORDER_CREATED", {"orderId": 7})
        return answer({"seq": stored.seq})

    @app.before_server_start
    async def prepare(app: App) -> None:
        await app.ctx.chatrooms["support"].ensure_room("orders")

    yield app
    Sanic.unregister_app(app)


async def follow(ws: Any) -> None:
    """What the app's test does with the socket: join, say something, wait until it has come back."""
    assert json.loads(await ws.recv())["type"] == "welcome"
    await ws.send(json.dumps({"type": "join", "room": "orders"}))
    await ws.send(json.dumps({"type": "message", "room": "orders", "payload": {"text": "hi"}}))
    while json.loads(await ws.recv())["type"] != "message":
        pass


@pytest.fixture
def client(shop: App) -> Iterator[Any]:
    """The app, served on a port of its own until the test ends."""
    from sanic_testing.reusable import ReusableClient  # type: ignore[import-untyped]

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    loop = asyncio.new_event_loop()
    with ReusableClient(shop, host="127.0.0.1", port=port, loop=loop) as client:
        yield client
    loop.close()


def test_an_app_tests_its_pages_and_its_chat_together(client: Any) -> None:
    _, ordered = client.post("/orders")
    _, talk = client.websocket("/support/ws", mimic=follow)
    _, again = client.post("/orders")
    _, page = client.get("/support/ws")

    received = [json.loads(text) for text in talk.client_received]
    joined = next(frame for frame in received if frame["type"] == "ack")
    assert (ordered.json, again.json, page.status) == ({"seq": 1}, {"seq": 3}, 426)
    assert [event["type"] for event in joined["payload"]["messages"]] == ["ORDER_CREATED"]
    assert received[-1]["payload"] == {"text": "hi"}
