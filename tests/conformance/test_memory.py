"""The backends in memory keep the contracts; so does a broker behind a fault proxy that does nothing."""

from __future__ import annotations

import asyncio

from sanic_chatrooms.brokers.base import Broker
from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.presence.base import Presence
from sanic_chatrooms.presence.memory import MemoryBoard, MemoryPresence
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import (
    BrokerSuite,
    Clock,
    FaultyBroker,
    FaultyStore,
    PresenceSuite,
    RecoverySuite,
    StoreSuite,
)


class OverMemory:
    """The hooks of `StoreSuite` and `RecoverySuite`, with a clock that nobody waits for."""

    def setup_method(self) -> None:
        self.clock = Clock()

    async def make(self) -> Store:
        return MemoryStore(clock=self.clock)

    async def make_unclocked(self) -> Store:
        return MemoryStore()

    def now(self) -> float:
        return self.clock()

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class TestMemoryStore(OverMemory, StoreSuite):
    pass


class TestMemoryStoreBehindFaults(TestMemoryStore):
    async def make(self) -> Store:
        return FaultyStore(await super().make())


class TestRecoveryOverMemoryStore(OverMemory, RecoverySuite):
    pass


class TestRecoveryOverSlowStore(TestRecoveryOverMemoryStore):
    async def make(self) -> Store:
        return FaultyStore(await super().make(), latency=lambda: asyncio.sleep(0))


class TestMemoryBroker(BrokerSuite):
    def setup_method(self) -> None:
        self.bus = MemoryBus()

    async def make(self) -> tuple[Broker, Broker]:
        return MemoryBroker(self.bus), MemoryBroker(self.bus)


class TestMemoryBrokerBehindFaults(TestMemoryBroker):
    async def make(self) -> tuple[Broker, Broker]:
        one, other = await super().make()
        return FaultyBroker(one), FaultyBroker(other)


class TestMemoryPresence(PresenceSuite):
    def setup_method(self) -> None:
        self.clock = Clock()
        self.board = MemoryBoard()

    async def make(self) -> tuple[Presence, Presence]:
        return MemoryPresence(self.board, clock=self.clock), MemoryPresence(self.board, clock=self.clock)

    async def make_unclocked(self) -> tuple[Presence, Presence]:
        return MemoryPresence(self.board), MemoryPresence(self.board)

    def now(self) -> float:
        return self.clock()

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
