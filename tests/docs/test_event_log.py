"""Orders of an app's own transactions reach a real log, each once and in order, over kills of the program and of the log."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nats
import pytest
from sanic import Sanic

import sanic_chatrooms
from sanic_chatrooms import ChatRooms
from tests.support.fixtures import Live
from tests.support.nats import NATSServer
from tests.support.programs import followed, loaded, started
from tests.support.server import LiveServer


@pytest.fixture
async def shop(
    postgres_url: str, live: Live, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[LiveServer, ChatRooms, str]]:
    """The shop of the page on transactions, its chat and its database."""
    database = postgres_url.replace("postgresql", "postgresql+asyncpg")
    monkeypatch.setenv("SHOP_DATABASE", database)
    chat = ChatRooms()
    monkeypatch.setattr(sanic_chatrooms, "default", chat)
    monkeypatch.setattr(sanic_chatrooms, "bp", chat.bp)
    app = loaded("own_transaction").app
    app.config.update(MOTD=False, AUTO_EXTEND=False, TOUCHUP=False, GRACEFUL_SHUTDOWN_TIMEOUT=1.0)
    yield await live(app), chat, database
    await live.stop()
    Sanic.unregister_app(app)


async def logged(url: str) -> list[Any]:
    """All entries of the log."""
    async with await nats.connect(url) as connection:
        log = connection.jetstream()
        info = await log.stream_info("CHAT")
        return [
            json.loads((await log.get_msg("CHAT", seq)).data or b"")
            for seq in range(1, info.state.last_seq + 1)
        ]


async def test_each_committed_order_is_in_the_log_once_and_no_other(
    shop: tuple[LiveServer, ChatRooms, str], tmp_path: Path
) -> None:
    server, chat, database = shop
    log = NATSServer(f'jetstream {{store_dir: "{tmp_path / "log"}"}}\n')
    log.start()
    where = {"SHOP_DATABASE": database, "NATS_URL": log.url}
    committed: list[int] = []

    async def order(*articles: str) -> None:
        for article in articles:
            body = json.dumps({"article": article}).encode()
            answer = await server.request("POST", "/orders", {"Content-Type": "application/json"}, body)
            assert answer.status == (500 if article == "unicorn" else 201)
            committed.extend([json.loads(answer.body)["orderId"]] if answer.status == 201 else [])

    async def until_logged() -> None:
        async with asyncio.timeout(80):
            while [entry["payload"]["orderId"] for entry in await logged(log.url)] != committed:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    try:
        with started("event_log", tmp_path / "output", **where) as program:
            await followed(chat, "event-log", "orders")
            await order("kettle", "unicorn", "teapot")
            await until_logged()
            log.kill()
            await order("cup", "unicorn")
            log.start()
            await order("spoon")
            program.kill()
        await order("saucer", "unicorn", "tray")
        with started("event_log", tmp_path / "output", **where):
            await until_logged()
        assert [entry["seq"] for entry in await logged(log.url)] == [1, 2, 3, 4, 5, 6]
    finally:
        log.kill()
