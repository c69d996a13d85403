"""Every ordinary end of a connection is quiet in the log, on every loop, and with every supported version of Sanic."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from sanic import Sanic
from sanic.log import websockets_logger
from sanic.server.websockets.impl import WebsocketImplProtocol

from sanic_chatrooms import ChatRooms
from sanic_chatrooms.web.socket import half_close
from tests.support.client import Client
from tests.support.fixtures import Connect, Live


async def close_as_before_25_12(ws: Any) -> None:
    """What Sanic does at the end of every WebSocket, in short: without the guard that 25.12 put around the half-closing."""
    try:
        with suppress(asyncio.CancelledError):
            await ws.data_finished_fut
        if ws.io_proto and ws.io_proto.transport and ws.io_proto.transport.can_write_eof():
            ws.io_proto.transport.write_eof()
            await ws.wait_for_connection_lost(timeout=0)
    except RuntimeError:
        websockets_logger.exception("Error closing websocket connection")
    finally:
        if ws.io_proto and ws.io_proto.transport and not ws.io_proto.transport.is_closing():
            ws.io_proto.transport.close()
        await ws.wait_for_connection_lost(timeout=ws.close_timeout)


async def say_good_bye(client: Client) -> None:
    await client.close()


async def hang_up(client: Client) -> None:
    await client.abort()


async def stay(_: Client) -> None:
    pass


@pytest.mark.parametrize("closes", [None, close_as_before_25_12], ids=["installed", "before 25.12"])
@pytest.mark.parametrize("end", [say_good_bye, hang_up, stay])
async def test_no_end_of_a_connection_is_an_error(
    app: Sanic[Any, Any],
    live: Live,
    connect: Connect,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    end: Callable[[Client], Any],
    closes: Any,
) -> None:
    if closes is not None:
        monkeypatch.setattr(WebsocketImplProtocol, "auto_close_connection", closes)
        monkeypatch.setattr(half_close, "SANIC_COMPLAINS", True)
    chat = ChatRooms(guests=True, drain_seconds=1.0)
    app.blueprint(chat.bp)
    server = await live()
    clients = [await connect() for _ in range(3)]
    for client in clients:
        await client.ack("join", room="general")

    for client in clients:
        await end(client)
    if end is not stay:
        async with asyncio.timeout(30):
            while len(chat.running().sessions):  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.005)
    await server.stop()

    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []
