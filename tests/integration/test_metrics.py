"""`<prefix>/metrics` of a real server: of one worker, and of several that are summed."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sanic import Sanic

from sanic_chatrooms.observe.instruments import INSTRUMENTS
from tests.support.fixtures import Connect, Live, SubprocessServer
from tests.support.process import ServerProcess
from tests.support.server import LiveServer, http_request
from tests.support.two_workers import on_both
from tests.support.wire import SECRET, mount

App = Sanic[Any, Any]
WITHIN = 40.0
TOKEN = "a token of the metrics"
TWO_WORKERS = f"""
import os
from sanic import Sanic
from sanic_chatrooms import ChatRooms

app = Sanic("counted")
chat = ChatRooms(jwt_secret={SECRET!r}, auto_create=True, metrics=True, store="sqlite:///" + os.environ["CHAT_DB"],
    broker=os.environ["CHAT_BROKER"])

@chat.command("test.where")
async def where(ctx, payload):
    return {{"pid": os.getpid()}}

app.blueprint(chat.bp)
"""


def samples(page: str) -> dict[str, float]:
    """By name, the sum over all labels."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0) + sample.value
    return found


async def counted(server: LiveServer | ServerProcess) -> dict[str, float]:
    answer = await http_request("127.0.0.1", server.port, "GET", "/chat/metrics")
    assert answer.status == 200, getattr(server, "output", answer.text)
    return samples(answer.text)


async def test_a_page_has_every_instrument(app: App, connect: Connect, live: Live) -> None:
    mount(app, metrics=True)
    ada = await connect()
    await ada.ack("join", room="general")

    answer = await (await live.first()).get("/chat/metrics")

    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["cache-control"] == "no-store"
    page = answer.text
    assert [
        one.name for one in INSTRUMENTS if f"# TYPE chatrooms_{one.name.removesuffix('_total')}" not in page
    ] == []
    assert samples(page)["chatrooms_connections"] == 1
    assert 'chatrooms_commands_total{result="ok",type="join"} 1.0' in page


async def test_without_the_setting_there_are_none(app: App, live: Live) -> None:
    mount(app)

    assert (await (await live()).get("/chat/metrics")).status == 404


@pytest.mark.parametrize(
    "shown", [None, "Bearer wrong", TOKEN, f"Basic {TOKEN}", "Bearer", "Bearer größer", "Bearer \udcff"]
)
async def test_metrics_with_a_token_are_for_those_who_show_it(
    app: App, live: Live, shown: str | None
) -> None:
    mount(app, metrics=True, metrics_token=TOKEN)
    server = await live()
    headers = {} if shown is None else {"Authorization": shown}

    refused = await server.request("GET", "/chat/metrics", headers)

    assert refused.status == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    assert TOKEN not in refused.text
    allowed = await server.request("GET", "/chat/metrics", {"Authorization": f"bearer {TOKEN}"})
    assert allowed.status == 200


@pytest.mark.asyncio(loop_factories=["asyncio"])  # the servers choose their own
async def test_two_workers_are_one_sum_that_never_shrinks(
    subprocess_server: SubprocessServer, connect: Connect, tmp_path: Path, valkey_url: str
) -> None:
    file = tmp_path / "app.py"
    file.write_text(TWO_WORKERS)
    env = {"CHAT_DB": str(tmp_path / "chat.db"), "CHAT_BROKER": valkey_url}
    server = await subprocess_server(file, workers=2, env=env)
    clients, pids = await on_both(connect, server, "ada", "bob")
    for client in clients.values():
        await client.ack("join", room="general")
        for _ in range(10):
            await client.ack("message", room="general", payload={"text": "hi"})

    async with asyncio.timeout(WITHIN):
        while (before := await counted(server))["chatrooms_append_batch_drafts_sum"] < 20:  # noqa: ASYNC110 - others show it
            await asyncio.sleep(0.05)
    assert before["chatrooms_connections"] == before["chatrooms_workers"] == 2

    os.kill(pids[0], signal.SIGKILL)
    last = before
    async with asyncio.timeout(WITHIN):
        while len(server.workers) < 3 or last["chatrooms_workers"] < 2 or last["chatrooms_connections"] > 1:
            try:
                now = await counted(server)
            except (OSError, asyncio.IncompleteReadError, ValueError):
                continue  # the killed worker had accepted it
            assert all(
                now[name] >= count for name, count in last.items() if name.endswith(("_total", "_count"))
            )
            last = now
    assert last["chatrooms_append_batch_drafts_sum"] >= 20
