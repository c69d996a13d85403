"""Names of nats-py that it does not document are taken away in turn: everything works, and the log says what is different."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from nats.aio.client import Client
from nats.aio.transport import TcpTransport

from sanic_chatrooms.brokers import nats as broker_module
from sanic_chatrooms.brokers import nats_contract
from sanic_chatrooms.brokers.nats import NATSBroker
from sanic_chatrooms.errors import Unavailable
from tests.support.brokers import arrived, envelope, holds, started
from tests.support.nats import NATSServer, running
from tests.support.renamed import rename

NAMES: list[tuple[Any, str, str]] = [
    (Client, "_server_info", "_server_info"),
    (Client, "_transport", "_transport._bare_io_writer"),
    (TcpTransport, "_bare_io_writer", "_transport._bare_io_writer"),
]


@pytest.fixture(scope="module")
def nats() -> Iterator[NATSServer]:
    with running() as server:
        yield server


@pytest.fixture(params=NAMES, ids=lambda param: param[1])
def without(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the log calls the name that is missing."""
    owner, name, said = request.param
    rename(monkeypatch, owner, name)
    monkeypatch.setattr(nats_contract, "_warned", set())
    return str(said)


async def publish_many(broker: NATSBroker) -> None:
    for seq in range(1, 1000):  # a process stops a moment after the signal
        await broker.publish([envelope(seq)])


async def test_the_installed_client_has_every_name(nats: NATSServer) -> None:
    client = Client()
    await client.connect(nats.url)

    assert nats_contract.missing(client) == []
    await client.close()


async def test_envelopes_arrive_without_it_and_the_log_says_once_what_is_missing(
    nats: NATSServer, without: str, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = NATSBroker(nats.url), NATSBroker(nats.url)
    async with started(one, other) as (_, heard):
        await other.subscribe("r")

        await arrived(one, heard, 1)

    assert caplog.text.count(without) == 1


async def test_without_it_a_server_that_does_not_read_is_left(
    nats: NATSServer, without: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("PUBLISH_WITHIN", "CLOSE_WITHIN"):
        monkeypatch.setattr(broker_module, limit, 0.1)
    one, other = NATSBroker(nats.url), NATSBroker(nats.url)
    async with started(one, other) as (_, heard):
        await other.subscribe("r")
        nats.freeze()
        try:
            with pytest.raises(Unavailable):
                await publish_many(one)
        finally:
            nats.thaw()

        await holds(lambda: one.healthy)
        await arrived(one, heard, 1000)
