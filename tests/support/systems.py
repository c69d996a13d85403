"""Every kind of broker that crosses processes, on a real server that a test may break."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis.asyncio
from nats.aio.client import Client
from nats.aio.msg import Msg

from sanic_chatrooms.brokers.base import Broker
from sanic_chatrooms.brokers.nats import NATSBroker
from sanic_chatrooms.brokers.postgres import PostgresBroker
from sanic_chatrooms.brokers.redis import RedisBroker
from tests.support.nats import NATSServer
from tests.support.nats import running as running_nats
from tests.support.postgres import PostgresServer
from tests.support.valkey import ValkeyServer
from tests.support.valkey import running as running_valkey

__all__ = ["System", "broker_system", "mortal_nats", "mortal_valkey"]


@dataclass
class System:
    """A kind of broker and its server."""

    kind: type[Broker]
    url: str
    server: PostgresServer | ValkeyServer | NATSServer

    def make(self) -> Broker:
        return self.kind(self.url)  # type: ignore[call-arg]

    async def throw_out(self) -> None:
        """The server ends the connections by which brokers hear."""
        match self.server:
            case PostgresServer():
                connection = await self.server.connect()
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sanic_chatrooms'"
                )
                await connection.close()
            case ValkeyServer():
                assert self.server.ask("CLIENT", "KILL", "TYPE", "pubsub") == "1"
            case NATSServer():
                await self.crash()  # it has no such order

    async def tap(self, broker: Any, *rooms: str) -> list[Any]:
        """What travels to this broker, not started yet: pieces as they are, in the order in which they come."""
        pieces: list[Any] = []

        async def heard(room: str, own: object, message: Msg) -> None:
            pieces.append(message.data)

        match self.server:
            case PostgresServer():
                broker._received = lambda *about: pieces.append(about[-1])
            case ValkeyServer():
                broker._received = lambda channel, data: pieces.append(data)
            case NATSServer():
                broker._received = heard
        await broker.start("test", pieces.append, lambda: None)
        for room in rooms:
            await broker.subscribe(room)
        return pieces

    async def inject(self, broker: Any, room: str, piece: Any) -> None:
        """Say this where the broker hears the room, as anybody can who reaches the server."""
        match self.server:
            case PostgresServer():
                connection = await self.server.connect()
                await connection.execute("SELECT pg_notify($1, $2)", broker._channel, piece)
                await connection.close()
            case ValkeyServer():
                async with redis.asyncio.Redis(port=self.server.port) as client:
                    await client.publish(f"{broker._base}{{{room}}}", piece)
            case NATSServer():
                sender = Client()
                await sender.connect(self.server.url)
                await sender.publish(broker._base + room, piece)
                await sender.close()

    async def restart(self) -> None:
        await asyncio.to_thread(self.server.stop)
        await asyncio.to_thread(self.server.start)

    async def crash(self) -> None:
        await asyncio.to_thread(self.server.kill)
        await asyncio.to_thread(self.server.start)


@pytest.fixture(scope="session")
def mortal_valkey() -> Iterator[ValkeyServer]:
    """A server for tests that kill it; they start it again."""
    with running_valkey() as server:
        yield server


@pytest.fixture(scope="session")
def mortal_nats() -> Iterator[NATSServer]:
    """The same."""
    with running_nats() as server:
        yield server


@pytest.fixture(params=["postgresql", "redis", "nats"])
def broker_system(request: pytest.FixtureRequest) -> System:
    """Each kind in turn."""
    match request.param:
        case "postgresql":
            server = request.getfixturevalue("mortal_postgres")
            return System(PostgresBroker, server.url(), server)
        case "redis":
            server = request.getfixturevalue("mortal_valkey")
            return System(RedisBroker, server.url, server)
        case _:
            server = request.getfixturevalue("mortal_nats")
            return System(NATSBroker, server.url, server)
