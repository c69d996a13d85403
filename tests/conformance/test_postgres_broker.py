"""The broker in PostgreSQL keeps the contract on a real one."""

from __future__ import annotations

import pytest

from sanic_chatrooms.brokers.base import Broker
from sanic_chatrooms.brokers.postgres import PostgresBroker
from sanic_chatrooms.testing import BrokerSuite
from tests.support.postgres import PostgresServer


class TestPostgresBroker(BrokerSuite):
    @pytest.fixture(autouse=True)
    def _server(self, postgres: PostgresServer) -> None:
        self.url = postgres.url()

    async def make(self) -> tuple[Broker, Broker]:
        return PostgresBroker(self.url), PostgresBroker(self.url)
