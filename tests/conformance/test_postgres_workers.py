"""Two workers of Sanic and a process without sockets, on one PostgreSQL and nothing else: they are one chat."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import sanic_chatrooms as chatrooms
from sanic_chatrooms import Sender
from tests.support.fixtures import Connect, SubprocessServer
from tests.support.process import ServerProcess
from tests.support.two_workers import on_both
from tests.support.wire import SECRET

APP = Path(__file__).parents[1] / "support" / "redis_app.py"


@pytest.fixture
async def server(postgres_url: str, subprocess_server: SubprocessServer) -> ServerProcess:
    env = {"CHAT_STORE": postgres_url, "CHAT_SECRET": SECRET, "CHAT_PRESENCE_TTL": "2"}
    return await subprocess_server(APP, workers=2, env=env)


async def test_two_workers_and_a_process_without_sockets_are_one_chat(
    postgres_url: str, server: ServerProcess, connect: Connect
) -> None:
    clients, pids = await on_both(connect, server, "ada", "bob")
    ada, bob = clients["ada"], clients["bob"]
    assert len(set(pids)) == 2

    for client in (ada, bob):
        await client.ack("join", room="general")
    said = await ada.ack("message", room="general", payload={"text": "from ada"})
    heard = await bob.expect("message", room="general")
    assert (heard["seq"], heard["payload"]["text"]) == (said["seq"], "from ada")
    await bob.ack("message", room="general", payload={"text": "x" * 12_000})  # more than a notification takes
    assert [len((await ada.expect("message"))["payload"]["text"]) for _ in range(2)] == [8, 12_000]

    direct = await ada.ack("direct", payload={"to": "bob", "body": {"text": "psst"}})
    assert (await bob.expect("room.added"))["payload"]["room"] == direct["room"]
    assert (await bob.expect("message", room=direct["room"]))["payload"]["text"] == "psst"

    async with chatrooms.connect(namespace="none", jwt_secret=SECRET, store=postgres_url) as chat:
        await chat.publish("general", "notice", {"title": "News", "content": "from a cron job"})
        for client in (ada, bob):
            assert (await client.expect("notice"))["payload"]["title"] == "News"
        await chat.notify("bob", "update", {"text": "x" * 20_000})
        assert len((await bob.expect("update"))["payload"]["text"]) == 20_000
        assert await chat.online("ada", "bob", "eve") == {"ada", "bob"}
        assert [user.id for user in (await chat.presence("general")).users] == ["ada", "bob"]

        assert await chat.kick("general", "bob")
        assert (await bob.expect("room.removed"))["payload"] == {"room": "general", "reason": "kicked"}
        assert (await ada.expect("member.kicked"))["payload"]["user"]["id"] == "bob"


async def test_presence_counts_a_user_once_and_forgets_those_of_a_killed_worker(
    postgres_url: str, server: ServerProcess, connect: Connect
) -> None:
    clients, _ = await on_both(connect, server, "ada", "ada'")
    for client in clients.values():
        await client.ack("join", room="general")

    async with chatrooms.connect(namespace="none", jwt_secret=SECRET, store=postgres_url) as chat:
        presence = chat.running().backends.presence
        assert (await presence.list("general")).users == [Sender("ada", "Ada'")]
        assert await presence.count(["general"]) == {"general": 1}

        await clients["ada"].ack("exit", room="general")
        assert await presence.count(["general"]) == {"general": 1}

        server.kill()
        async with asyncio.timeout(10):
            while await presence.count(["general"]) != {"general": 0} or await chat.online("ada"):  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.1)
