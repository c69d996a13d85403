"""Every kind of broker that crosses processes, on a real server that a test may break."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

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
