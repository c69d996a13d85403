"""Where Sanic or websockets are not what the fast edge was made for, the plain one serves, and the log says why."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from sanic import Sanic
from sanic.server.protocols.http_protocol import HttpProtocol
from sanic.server.protocols.websocket_protocol import WebSocketProtocol
from sanic.server.websockets.impl import WebsocketImplProtocol
from websockets.protocol import Protocol, State

from sanic_chatrooms.web.socket import fast
from sanic_chatrooms.web.socket.plain import PlainConnection
from tests.support.fixtures import Connect, Live
from tests.support.wire import mount

App = Sanic[Any, Any]
Patch = pytest.MonkeyPatch


def without_state(patch: Patch) -> None:
    """A websockets whose connection's state is not ours to set."""

    def keep_the_first(protocol: Any, value: State) -> None:
        protocol.__dict__.setdefault("first_state", value)

    patch.setattr(Protocol, "state", property(lambda protocol: protocol.first_state, keep_the_first))


def reading_by_itself(patch: Patch) -> None:
    """A Sanic that reads WebSockets in another way than by `data_received` of its WebSocket object."""
    hear: Any = WebsocketImplProtocol.data_received
    unshaken: Any = HttpProtocol.data_received

    def data_received(self: WebSocketProtocol, data: bytes) -> None:
        if self.websocket is None:
            unshaken(self, data)
        else:
            hear(self.websocket, data)

    patch.setattr(WebSocketProtocol, "data_received", data_received)


def with_other_names(patch: Patch) -> None:
    """A fast edge that relies on what this Sanic does not have."""
    patch.setattr(fast, "_OF_CONNECTION", (*fast._OF_CONNECTION, "inbox", "outbox"))


def failing(patch: Patch) -> None:
    def fail(self: WebSocketProtocol) -> None:
        raise LookupError("no such thing any more")

    patch.setattr(WebSocketProtocol, "eof_received", fail)


def test_the_installed_sanic_has_all_that_is_needed() -> None:
    assert fast.shortcoming() is None


@pytest.mark.parametrize(
    ("cripple", "says"),
    [
        (reading_by_itself, "does not pass what it reads"),
        (with_other_names, "connections have no inbox and its connections have no outbox"),
    ],
)
async def test_a_chat_goes_on_by_the_plain_edge(
    app: App,
    live: Live,
    connect: Connect,
    monkeypatch: Patch,
    caplog: pytest.LogCaptureFixture,
    cripple: Callable[[Patch], None],
    says: str,
) -> None:
    chat = mount(app)
    cripple(monkeypatch)
    with caplog.at_level(logging.INFO, "sanic_chatrooms"):
        await live()
    ada, bob = await connect(), await connect()
    for client in (ada, bob):
        await client.ack("join", room="general")

    await ada.ack("message", room="general", payload={"text": "hi"})

    assert (await bob.expect("message"))["payload"] == {"text": "hi"}
    assert all(isinstance(s.connection, PlainConnection) for s in chat.running().sessions)
    (line,) = [r.getMessage() for r in caplog.records if "plain WebSocket edge" in r.getMessage()]
    assert says in line


@pytest.mark.parametrize(
    ("cripple", "says"), [(without_state, "cannot be set"), (failing, "no such thing any more")]
)
def test_what_is_missing_is_found_by_trying(
    monkeypatch: Patch, cripple: Callable[[Patch], None], says: str
) -> None:
    cripple(monkeypatch)

    found = fast.shortcoming()

    assert found is not None
    assert says in found
