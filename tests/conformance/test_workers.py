"""Two workers of Sanic and a process without sockets are one chat, on every backend that serves several processes.

Most tests share the two workers of their backend: each has users and rooms of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

import sanic_chatrooms as chatrooms
from sanic_chatrooms import ChatRooms, User
from tests.support.client import Client
from tests.support.fixtures import Connect, SubprocessServer
from tests.support.nats import running as running_nats
from tests.support.postgres import PostgresServer, new_database
from tests.support.process import ServerProcess, start_app
from tests.support.two_workers import on_both
from tests.support.valkey import running as running_valkey
from tests.support.wire import SECRET

APP = Path(__file__).parents[1] / "support" / "workers_app.py"


class Deployment:
    """The backends that the workers share."""

    def __init__(self, store: str, broker: str | None = None) -> None:
        self.env = {"CHAT_STORE": store, "CHAT_SECRET": SECRET}
        self.settings: dict[str, Any] = {"store": store}
        if broker is not None:
            self.env["CHAT_BROKER"] = self.settings["broker"] = broker

    def connect(self) -> AbstractAsyncContextManager[ChatRooms]:
        """A process without sockets."""
        return chatrooms.connect(namespace="none", jwt_secret=SECRET, **self.settings)


@pytest.fixture(scope="module", params=["valkey", "postgres", "nats beside postgres"])
def deployment(request: pytest.FixtureRequest, postgres: PostgresServer) -> Iterator[Deployment]:
    with ExitStack() as stack:
        if request.param == "valkey":
            yield Deployment(stack.enter_context(running_valkey()).url)
        elif request.param == "postgres":
            yield Deployment(asyncio.run(new_database(postgres)))
        else:
            broker = stack.enter_context(running_nats()).url
            yield Deployment(asyncio.run(new_database(postgres)), broker)


@pytest.fixture(scope="module")
def server(deployment: Deployment) -> Iterator[ServerProcess]:
    server = start_app(APP, workers=2, env=deployment.env)
    yield server
    server.stop()


async def test_two_workers_and_a_process_without_sockets_are_one_chat(
    deployment: Deployment, server: ServerProcess, connect: Connect
) -> None:
    clients, pids = await on_both(connect, server, "ada", "bob")
    ada, bob = clients["ada"], clients["bob"]
    assert len(set(pids)) == 2

    for client in (ada, bob):
        await client.ack("join", room="general")
    said = await ada.ack("message", room="general", payload={"text": "from ada"})
    heard = await bob.expect("message", room="general")
    assert (heard["seq"], heard["payload"]["text"]) == (said["seq"], "from ada")
    await bob.ack("message", room="general", payload={"text": "x" * 12_000})  # more than some brokers take
    assert [len((await ada.expect("message"))["payload"]["text"]) for _ in range(2)] == [8, 12_000]

    direct = await ada.ack("direct", payload={"to": "bob", "body": {"text": "psst"}})
    assert (await bob.expect("room.added"))["payload"]["room"] == direct["room"]
    assert (await bob.expect("message", room=direct["room"]))["payload"]["text"] == "psst"

    async with deployment.connect() as chat:
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
    deployment: Deployment, subprocess_server: SubprocessServer, connect: Connect
) -> None:
    # As soon as it can be, so that an entry outlives any pause of a worker.
    server = await subprocess_server(APP, workers=2, env={**deployment.env, "CHAT_PRESENCE_TTL": "6"})
    clients, _ = await on_both(connect, server, "eve", "eve'")
    for client in clients.values():
        await client.ack("join", room="killed")

    async with deployment.connect() as chat:
        presence = chat.running().backends.presence
        # The name is that of the worker that told the backend last.
        assert [user.id for user in (await presence.list("killed")).users] == ["eve"]
        assert await presence.count(["killed"]) == {"killed": 1}

        await clients["eve"].ack("exit", room="killed")
        assert await presence.count(["killed"]) == {"killed": 1}

        server.kill()
        async with asyncio.timeout(40):
            while await presence.count(["killed"]) != {"killed": 0} or await chat.online("eve"):  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.1)


LIMITS = {
    "SANIC_CHATROOMS_RATE_LIMITS": "on",
    "SANIC_CHATROOMS_RATE_MESSAGE": "20/h",
    "SANIC_CHATROOMS_RATE_CHANGE": "5/h",
}


async def test_two_workers_limit_a_user_together(
    deployment: Deployment, subprocess_server: SubprocessServer, connect: Connect
) -> None:
    server = await subprocess_server(APP, workers=2, env={**deployment.env, **LIMITS})
    clients, pids = await on_both(connect, server, "max", "max'")
    assert len(set(pids)) == 2
    both = list(clients.values())
    for client in both:
        await client.ack("join", room="limited")

    async def passes(client: Client, type: str, payload: dict[str, Any]) -> bool:
        answer = await client.request(type, room="limited", payload=payload)
        return bool(answer["payload"].get("code") != "rate_limited")

    pins = [await passes(client, "message.pin", {"msgId": "none"}) for _ in range(5) for client in both]
    said = [await passes(client, "message", {"text": "x"}) for _ in range(20) for client in both]

    assert sum(pins) == 5  # the store decides
    assert 20 <= sum(said) < 30  # a worker hears from the other: a tenth of a burst, and what is under way
    assert not any([await passes(client, "message", {"text": "x"}) for client in both])


async def test_two_workers_count_together_what_a_user_writes_at_a_time(
    server: ServerProcess, connect: Connect
) -> None:
    clients, pids = await on_both(connect, server, "kim", "kim'")
    assert len(set(pids)) == 2
    opening = []
    for client in clients.values():
        for room in ("counted", "counted-too"):
            await client.ack("join", room=room)
            opening += [client.request("message.open", room=room, payload={"text": ""}) for _ in range(2)]

    answers = await asyncio.gather(*opening)
    refused = [answer["payload"] for answer in answers if answer["type"] == "error"]

    assert [(payload["code"], payload["limit"]) for payload in refused] == [("rate_limited", "streams")] * 4


async def test_what_is_written_on_one_worker_is_watched_and_taken_over_on_the_other(
    deployment: Deployment, server: ServerProcess, connect: Connect
) -> None:
    clients, _ = await on_both(connect, server, "zoe", "zoe'")
    here, there = clients["zoe"], clients["zoe'"]
    for client in (here, there):
        await client.ack("join", room="written")

    id = (await here.ack("message.open", room="written", payload={"text": ""}))["msgId"]
    opened = await there.expect("message")
    await here.ack("message.append", room="written", payload={"msgId": id, "at": 0, "text": "é😀" * 3_000})
    piece = await there.expect("message.delta")
    (shown,) = (await there.ack("history", room="written"))["messages"]
    assert (opened["streaming"], piece["payload"]["at"], len(piece["payload"]["text"])) == (
        {"at": 0},
        0,
        6_000,
    )
    assert (shown["streaming"], len(shown["payload"]["text"])) == ({"at": 6_000}, 6_000)

    late = {"msgId": id, "at": 6_000, "text": "!"}
    answer = (await there.request("message.append", room="written", payload=late))["payload"]
    if (
        answer["at"] != 6_001
    ):  # as on any machine that is not so slow that the first worker has kept all of it by now
        assert answer["code"] == "conflict"
        whole = {"msgId": id, "at": answer["at"], "text": ("é😀" * 3_000 + "!")[answer["at"] :]}
        answer = await there.ack("message.append", room="written", payload=whole)
    assert answer == {"at": 6_001}
    await here.ack("message.close", room="written", payload={"msgId": id})
    for client in (here, there):
        closed = (await client.expect("message.edited"))["payload"]
        assert (closed["closed"], closed["body"]["text"]) == (True, "é😀" * 3_000 + "!")

    async with deployment.connect() as chat:
        async with chat.stream("written", sender=User("bot", "Bot"), parent=id) as out:
            out.write("Let me th")
            await here.expect("message.delta", room="written")
            await there.ack("message.cancel", room="written", payload={"msgId": out.msg_id})
            await asyncio.sleep(20)
        assert out.cancelled_by is not None
        assert out.cancelled_by.id == "zoe"
        assert (await here.expect("message.edited"))["payload"]["ended"] == "cancelled"
