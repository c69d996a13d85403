"""What the first milestone must show: a server that stops or restarts sends everybody away with 1012, in time."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms
from tests.support.client import Client
from tests.support.fixtures import Connect, Live, SubprocessServer

DRAIN = 1.0
CLIENTS = 30
APP = """
from sanic import Sanic
from sanic_chatrooms import ChatRooms

app = Sanic("stopping")
app.blueprint(ChatRooms(guests=True, drain_seconds=1.0).bp)
"""


@pytest.fixture
def chat(app: Sanic[Any, Any]) -> ChatRooms:
    chat = ChatRooms(guests=True, drain_seconds=DRAIN)
    app.blueprint(chat.bp)
    return chat


async def _talking(connect: Connect, **where: Any) -> list[Client]:
    clients = [await connect(**where) for _ in range(CLIENTS)]
    for client in clients:
        await client.ack("join", room="general")
    return clients


async def _assert_sent_away(clients: list[Client]) -> None:
    for client in clients:
        code, reason = await client.closed()
        assert (code, bool(reason)) == (1012, True)
        [closing] = client.unread("closing")
        assert closing["payload"]["reason"] == "restart"
        assert closing["payload"]["reconnectIn"] >= 0


async def test_everybody_gets_1012_and_is_back_after_the_restart(
    chat: ChatRooms, live: Live, connect: Connect
) -> None:
    server = await live()
    clients = await _talking(connect)

    await server.stop()
    await _assert_sent_away(clients)
    again = await live(port=server.port)

    client = await connect(server=again)
    joined = await client.ack("join", room="general")
    assert joined["online"] == 1


async def test_stop_in_the_middle_of_talk_logs_no_error(
    chat: ChatRooms, live: Live, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server = await live()
    clients = await _talking(connect)
    for client in clients:
        for _ in range(5):
            await client.send("message", room="general", payload={"text": "hi"})

    await server.stop()

    await _assert_sent_away(clients)
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


async def test_stalled_clients_hold_the_stop_up_no_longer_than_drain_seconds(
    chat: ChatRooms, app: Sanic[Any, Any], live: Live, connect: Connect
) -> None:
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 15.0  # Sanic's own default
    server = await live()
    clients = await _talking(connect)
    for client in clients[:5]:
        client.pause_reading()
    loop = asyncio.get_running_loop()
    start = loop.time()

    await server.stop()

    took = loop.time() - start
    assert DRAIN * 0.9 < took < DRAIN + 10
    await _assert_sent_away(clients[5:])


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_server_of_its_own_says_1012_on_sigterm(
    tmp_path: Path, subprocess_server: SubprocessServer, connect: Connect
) -> None:
    (tmp_path / "app.py").write_text(APP)
    server = await subprocess_server(tmp_path / "app.py", spawns=True)
    clients = await _talking(connect, server=server)
    for client in clients[:3]:
        client.pause_reading()

    server.terminate()

    await _assert_sent_away(clients[3:])
    code = await asyncio.to_thread(server.process.wait, 8)
    assert code in (0, -signal.SIGTERM), server.output
    assert "never retrieved" not in server.output
    assert "Traceback" not in server.output
