"""The backends in Redis and Valkey keep the contracts, on real servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sanic_chatrooms.brokers.base import Broker
from sanic_chatrooms.brokers.redis import RedisBroker
from sanic_chatrooms.presence.base import Presence
from sanic_chatrooms.presence.redis import RedisPresence
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.redis import RedisStore
from sanic_chatrooms.testing import BrokerSuite, Clock, PresenceSuite, StoreSuite
from tests.support.valkey import ValkeyServer, running


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with running() as server:
        yield server


class TestRedisStore(StoreSuite):
    @pytest.fixture(autouse=True)
    def on(self, valkey: ValkeyServer) -> None:
        self.url = valkey.url
        self.clock = Clock()

    async def make(self) -> Store:
        return RedisStore(self.url, clock=self.clock)

    def now(self) -> float:
        return self.clock()

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class TestRedisBroker(BrokerSuite):
    @pytest.fixture(autouse=True)
    def on(self, valkey: ValkeyServer) -> None:
        self.url = valkey.url

    async def make(self) -> tuple[Broker, Broker]:
        return RedisBroker(self.url), RedisBroker(self.url)


class TestRedisPresence(PresenceSuite):
    @pytest.fixture(autouse=True)
    def on(self, valkey: ValkeyServer) -> None:
        self.url = valkey.url
        self.clock = Clock()

    async def make(self) -> tuple[Presence, Presence]:
        return RedisPresence(self.url, clock=self.clock), RedisPresence(self.url, clock=self.clock)

    def now(self) -> float:
        return self.clock()

    async def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
