"""`<prefix>/health` and `<prefix>/ready` of a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms.brokers.memory import MemoryBroker
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import FaultyBroker, FaultyStore
from sanic_chatrooms.web import health
from sanic_chatrooms.web.mounted import mounted_in
from tests.support.fixtures import Connect, Live
from tests.support.server import LiveServer, Response
from tests.support.valkey import running
from tests.support.wire import mount

App = Sanic[Any, Any]
WITHIN = 40.0


@pytest.fixture(autouse=True)
def look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "LOOK_EVERY", 0.0)


async def becomes(server: LiveServer, status: int) -> Response:
    async with asyncio.timeout(WITHIN):
        while (answer := await server.get("/chat/ready")).status != status:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.02)
    return answer


def reasons(answer: Response) -> list[str]:
    assert answer.headers["content-type"] == "application/problem+json"
    assert "retry-after" in answer.headers
    problem = json.loads(answer.body)
    assert (problem["status"], problem["code"], problem["temporary"]) == (503, "unavailable", True)
    found: list[str] = problem["reasons"]
    return found


async def test_a_worker_that_serves_is_live_and_ready(app: App, live: Live) -> None:
    mount(app)
    server = await live()

    answers = {path: await server.get(f"/chat/{path}") for path in ("health", "ready")}

    assert {path: json.loads(answer.body)["status"] for path, answer in answers.items()} == {
        "health": "live",
        "ready": "ready",
    }
    assert {answer.headers["cache-control"] for answer in answers.values()} == {"no-store"}


async def test_without_its_store_it_is_live_and_not_ready(app: App, live: Live) -> None:
    store = FaultyStore(MemoryStore())
    mount(app, store=store)
    server = await live()

    store.fail_next(10_000, "heads")

    assert reasons(await becomes(server, 503)) == ["store"]
    assert (await server.get("/chat/health")).status == 200
    store.mend()
    await becomes(server, 200)


async def test_a_store_that_hangs_is_not_waited_for(
    app: App, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FaultyStore(MemoryStore())
    monkeypatch.setattr(health, "WITHIN", 0.1)
    mount(app, store=store, store_timeout=300)
    server = await live()

    store.hang()

    assert reasons(await becomes(server, 503)) == ["store"]
    store.resume()


async def test_without_its_broker_it_is_not_ready(
    app: App, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = FaultyBroker(MemoryBroker())
    mount(app, broker=broker)
    server = await live()

    broker.down()

    assert reasons(await becomes(server, 503)) == ["broker"]
    broker.up()
    await becomes(server, 200)


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_a_server_that_is_killed_makes_it_unready_and_is_not_named(app: App, live: Live) -> None:
    with running() as valkey:
        mount(app, store=valkey.url, store_timeout=1.0)
        server = await live()
        await becomes(server, 200)

        valkey.kill()

        answer = await becomes(server, 503)
        assert "store" in reasons(answer)
        assert valkey.url.rpartition("//")[2].partition("/")[0] not in answer.text


async def test_many_who_ask_are_one_question_to_the_store(
    app: App, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LOOK_EVERY", 600.0)
    store, asked = FaultyStore(MemoryStore()), 0
    mount(app, store=store)
    server = await live()
    heads = store.heads

    async def count(rooms: Any) -> Any:
        nonlocal asked
        asked += "~ready" in rooms
        return await heads(rooms)

    monkeypatch.setattr(store, "heads", count)

    answers = await asyncio.gather(*(server.get("/chat/ready") for _ in range(10)))

    assert {answer.status for answer in answers} == {200}
    assert asked == 1


@asynccontextmanager
async def kept_open(server: LiveServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection by which a worker is asked that accepts no others any more."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def test_a_worker_that_drains_is_not_ready(app: App, live: Live, connect: Connect) -> None:
    mount(app)
    server = await live()
    await connect()
    mounted = mounted_in(app)["default"]
    async with kept_open(server) as (reader, writer):
        assert mounted.chat is not None

        await mounted.drain()

        async with asyncio.timeout(WITHIN):
            writer.write(b"GET /chat/ready HTTP/1.1\r\nHost: here\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503")
            body = await reader.readuntil(b"}")
        assert json.loads(body)["reasons"] == ["draining"]


async def test_before_and_after_the_chat_it_is_not_ready(app: App) -> None:
    answer = await health.Readiness().answer(None)

    assert answer.status == 503
    assert json.loads(answer.body or b"")["reasons"] == ["starting"]
