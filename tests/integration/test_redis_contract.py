"""Names of redis-py that it does not document are taken away in turn: everything works, and the start says what is slower."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from redis.asyncio.connection import Connection

from sanic_chatrooms import RoomNotFound, User
from sanic_chatrooms.drivers.redis import contract, server
from sanic_chatrooms.drivers.redis.stream import StreamWire
from sanic_chatrooms.errors import Unavailable
from sanic_chatrooms.testing import chat_client
from sanic_chatrooms.testing.connections import running_core
from tests.support.brokers import holds
from tests.support.valkey import ValkeyServer, running


class Renamed:
    """A connection, for all who do not belong to redis-py without one of its names."""

    def __init__(self, connection: Any, path: str) -> None:
        self._connection = connection
        self._name, _, self._part = path.partition(".")

    def __getattr__(self, name: str) -> Any:
        if name != self._name:
            return getattr(self._connection, name)
        if not self._part:
            raise AttributeError(name)
        return Renamed(getattr(self._connection, name), self._part)


NAMES = ("_writer", "_writer.transport", "_parser", "_parser.parse_error")


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with running() as running_server:
        yield running_server


@pytest.fixture(params=NAMES)
def without(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name that is missing."""
    connect = server._connect

    async def connected(connection: Connection) -> Any:
        return Renamed(await connect(connection), request.param)

    monkeypatch.setattr(server, "_connect", connected)
    monkeypatch.setattr(contract, "_warned", set())
    return str(request.param)


def test_the_installed_redis_has_every_name(valkey: ValkeyServer) -> None:
    async def look() -> str:
        connection = Connection(port=valkey.port, protocol=2)
        await connection.connect()  # type: ignore[no-untyped-call]
        found = contract.missing(connection)
        await connection.disconnect(nowait=True)
        return found

    assert asyncio.run(look()) == ""


async def test_a_chat_works_without_it_and_its_start_says_what_is_missing_and_slower(
    without: str, valkey: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    options: dict[str, Any] = {
        "guests": True,
        "store": valkey.url,
        "namespace": f"without {without}".replace(" ", "-"),
    }
    async with running_core(**options) as here, running_core(**options) as there:
        said = caplog.text
        ada, bob = await chat_client(here, User("a", "Ada")), await chat_client(there, User("b", "Bob"))
        for client in (ada, bob):
            await client.ack("join", room="general")
        for n in range(20):
            await ada.ack("message", room="general", payload={"text": f"{n}"})

        heard = [(await bob.expect("message"))["payload"]["text"] for _ in range(20)]

        assert heard == [f"{n}" for n in range(20)]
        with pytest.raises(RoomNotFound):
            await here.backends.store.history("nowhere", after=0, limit=1)

    assert without in said
    assert "slower" in said
    assert said.count("redis-py's own stream") == 1


async def test_a_server_that_ends_the_connections_is_connected_to_again(
    without: str, valkey: ValkeyServer
) -> None:
    async with running_core(guests=True, store=valkey.url) as chat:
        ada = await chat_client(chat, User("a", "Ada"))
        await ada.ack("join", room="general")
        store: Any = chat.backends.store
        broker: Any = chat.backends.broker
        pipe, (subscriber,) = store._link._main._pipe, broker._subscribers.values()
        assert isinstance(pipe._wire, StreamWire)
        assert isinstance(subscriber._wire, StreamWire)

        for kind in ("normal", "pubsub"):
            valkey.ask("CLIENT", "KILL", "TYPE", kind)

        await holds(lambda: not pipe.alive and not subscriber.alive)
        await holds(lambda: broker.healthy)
        async with asyncio.timeout(30):
            while store._link._main._pipe in (None, pipe):
                with contextlib.suppress(Unavailable):
                    await store.history("general", after=0, limit=1)
                await asyncio.sleep(0.02)
