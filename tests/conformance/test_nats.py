"""The broker in NATS keeps the contract."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sanic_chatrooms.brokers.base import Broker
from sanic_chatrooms.brokers.nats import NATSBroker
from sanic_chatrooms.testing import BrokerSuite
from tests.support.nats import NATSServer, running


@pytest.fixture(scope="module")
def nats() -> Iterator[NATSServer]:
    with running() as server:
        yield server


class TestNATSBroker(BrokerSuite):
    @pytest.fixture(autouse=True)
    def on(self, nats: NATSServer) -> None:
        self.url = nats.url

    async def make(self) -> tuple[Broker, Broker]:
        return NATSBroker(self.url), NATSBroker(f"{self.url}?prefix=chatrooms")
