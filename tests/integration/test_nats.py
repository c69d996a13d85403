"""What NATS does to those who rely on it: restarts, silence, garbage, messages that are too large, clusters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from sanic_chatrooms import User
from sanic_chatrooms.brokers import nats as broker_module
from sanic_chatrooms.brokers import remote
from sanic_chatrooms.brokers.nats import NATSBroker
from sanic_chatrooms.errors import ConfigError, Unavailable
from sanic_chatrooms.observe.instruments import REPAIRED
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import RecordingMeter, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.testing.proxy import FaultProxy
from tests.support.brokers import arrived, envelope, holds, started
from tests.support.nats import NATSServer, make_cluster, running


@pytest.fixture
def nats() -> Iterator[NATSServer]:
    with running() as server:
        yield server


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, what takes seconds takes fractions of them. On a busy machine, a start takes longer."""
    monkeypatch.setattr(remote, "PROBE", 0.05)
    limits = {
        "SILENCE": 0.3,
        "PUBLISH_WITHIN": 0.5,
        "CONNECT_WITHIN": 0.3,
        "CLOSE_WITHIN": 0.1,
    }

    def begin() -> None:
        for name, seconds in limits.items():
            monkeypatch.setattr(broker_module, name, seconds)

    return begin


async def publish(server: NATSServer, subject: str, data: bytes) -> None:
    client = Client()
    await client.connect(server.url)
    await client.publish(subject, data)
    await client.close()


async def test_after_a_kill_and_a_start_everything_is_heard_again(nats: NATSServer) -> None:
    one, other = NATSBroker(nats.url), NATSBroker(nats.url)
    async with started(one, other) as (_, heard):
        for room in ("r", "s"):
            await other.subscribe(room)
        nats.kill()
        await holds(lambda: not other.healthy and not one.healthy)

        with pytest.raises(Unavailable):
            await one.publish([envelope(1)])
        with pytest.raises(Unavailable):
            await other.subscribe("t")
        await other.unsubscribe("s")
        nats.start()
        await holds(lambda: heard.reconnects == 1)

        assert other.healthy
        await arrived(one, heard, 2)
        await one.publish([envelope(3, "s"), envelope(3)])
        await holds(lambda: heard.envelopes[-1].seq == 3)
        assert {found.room for found in heard.envelopes} == {"r"}


async def test_a_server_that_stands_still_is_noticed_told_in_the_log_and_used_again(
    nats: NATSServer, impatient: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = NATSBroker(nats.url), NATSBroker(nats.url)
    async with started(one, other) as (_, heard):
        await other.subscribe("r")
        impatient()
        nats.freeze()

        await holds(lambda: not other.healthy)
        nats.thaw()
        await holds(lambda: other.healthy)

        assert "NATS has been silent for" in caplog.text
        assert heard.reconnects >= 1
        await arrived(one, heard, 2)


async def test_a_broker_is_not_healthy_before_all_is_heard_again(
    nats: NATSServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm, asked, may = broker_module._confirm, asyncio.Event(), asyncio.Event()

    async def confirm_later(client: Client) -> None:
        asked.set()
        await may.wait()
        await confirm(client)

    broker = NATSBroker(nats.url)
    async with started(broker) as (heard,):
        await broker.subscribe("r")
        monkeypatch.setattr(broker_module, "_confirm", confirm_later)
        nats.kill()
        nats.start()
        await asked.wait()

        assert not broker.healthy
        may.set()
        await holds(lambda: broker.healthy)
        assert heard.reconnects == 1


async def test_silence_is_noticed_and_publishing_ends_in_time(
    nats: NATSServer, impatient: Callable[[], None]
) -> None:
    async with FaultProxy("127.0.0.1", nats.port) as proxy:
        one, other = NATSBroker(nats.url), NATSBroker(f"nats://127.0.0.1:{proxy.port}")
        async with started(one, other) as (_, heard):
            await other.subscribe("r")
            impatient()
            proxy.up.swallow = proxy.down.swallow = True

            with pytest.raises(Unavailable):
                await other.publish([envelope(1)])
            await holds(lambda: not other.healthy)
            with pytest.raises(Unavailable):
                await other.subscribe("s")
            proxy.up.swallow = proxy.down.swallow = False
            await holds(lambda: other.healthy)

            await arrived(one, heard, 2)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"not ours",
        b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00\x8c\x08builtins.",
        msgspec.msgpack.encode([2, "12345678", [["e", 1, "message", b"{}"]]]),
        msgspec.msgpack.encode([1, "12345678", [["e", -1, "message", b"{}"]]]),
        msgspec.msgpack.encode([1, "12345678", [["e", 1, "message"]]]),
        b"\x91" * 100_000,
    ],
)
async def test_garbage_on_a_subject_is_counted_and_dropped(nats: NATSServer, garbage: bytes) -> None:
    one, other = NATSBroker(nats.url), NATSBroker(nats.url)
    async with started(one, other) as (_, heard):
        await other.subscribe("r")

        await publish(nats, "chatrooms.test.r", garbage)
        await arrived(one, heard, 1)

        assert other.dropped == 1
        assert {found.seq for found in heard.envelopes} == {1}
        assert other.healthy


async def test_a_message_larger_than_nats_takes_is_read_from_the_store() -> None:
    with running("max_payload: 2048\n") as nats:
        store = MemoryStore()
        options: dict[str, Any] = {"guests": True, "store": store}
        meter = RecordingMeter()
        async with (
            running_core(**options, broker=NATSBroker(nats.url)) as here,
            running_core(**options, broker=NATSBroker(nats.url), meter=meter) as there,
        ):
            ada, bob = await chat_client(here, User("a", "Ada")), await chat_client(there, User("b", "Bob"))
            for client in (ada, bob):
                await client.ack("join", room="general")
            for text in ("first", "x" * 10_000, "last"):
                await ada.ack("message", room="general", payload={"text": text})

            heard = [(await bob.expect("message"))["payload"]["text"] for _ in range(3)]

            assert heard == ["first", "x" * 10_000, "last"]
            assert meter.value(REPAIRED) >= 1


async def test_a_live_event_larger_than_nats_takes_is_left_out_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with running("max_payload: 2048\n") as nats:
        one, other = NATSBroker(nats.url), NATSBroker(nats.url)
        async with started(one, other) as (_, heard):
            await other.subscribe("r")

            await one.publish([msgspec.structs.replace(envelope(0), data=b"x" * 3000), envelope(1)])
            await heard.until(1)

            assert [found.seq for found in heard.envelopes] == [1]
            assert "left out: the broker takes less" in caplog.text


async def test_another_server_of_the_cluster_is_taken_when_one_dies() -> None:
    with make_cluster() as servers:
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers)
        one, other = NATSBroker(f"nats://{hosts}"), NATSBroker(f"nats://{hosts}")
        async with started(one, other) as (_, heard):
            await other.subscribe("r")
            await arrived(one, heard, 1)
            # What was published while the servers told each other of the subscription is looked for in the store.
            await holds(lambda: heard.reconnects == 1)

            assert other._client is not None
            assert other._client.connected_url is not None
            (its,) = [server for server in servers if server.port == other._client.connected_url.port]
            its.kill()
            await holds(lambda: heard.reconnects >= 2)

            await arrived(one, heard, 2)


async def test_a_start_that_cannot_be_says_why() -> None:
    with running('authorization { user: "chat", password: "right" }\n') as nats:
        wrong = NATSBroker(f"nats://chat:wrong@127.0.0.1:{nats.port}")
        with pytest.raises(ConfigError, match="uthorization"):
            await wrong.start("test", lambda _: None, lambda: None)
        await wrong.stop()
        right = NATSBroker(f"nats://chat:right@127.0.0.1:{nats.port}")
        async with started(right):
            with pytest.raises(ConfigError, match="started already"):
                await right.start("test", lambda _: None, lambda: None)

    with pytest.raises(Unavailable):
        async with asyncio.timeout(40):
            await NATSBroker(nats.url).start("test", lambda _: None, lambda: None)


@pytest.mark.parametrize(
    "url",
    [
        "redis://host",
        "nats://",
        "nats://one,,two",
        "nats://host/path",
        "nats://host?prefx=shop",
        "nats://host?prefix=a b",
        "nats://host?prefix=a.",
        "nats://host?prefix=*",
    ],
)
def test_a_url_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        NATSBroker(url)


def test_the_same_object_serves_one_event_loop_after_another() -> None:
    with running() as nats:
        one, other = NATSBroker(nats.url), NATSBroker(nats.url)

        async def publish_one() -> None:
            async with started(one, other) as (_, heard):
                await other.subscribe("r")
                await arrived(one, heard, 1)

        asyncio.run(publish_one())
        asyncio.run(publish_one())
