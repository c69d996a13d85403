"""What PostgreSQL does to those who publish through it: restarts, silence, garbage, events that do not fit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from sanic_chatrooms import User
from sanic_chatrooms.brokers import postgres as broker_module
from sanic_chatrooms.brokers import remote
from sanic_chatrooms.brokers.postgres import PostgresBroker
from sanic_chatrooms.errors import ConfigError, Unavailable
from sanic_chatrooms.models import Scope, Sender
from sanic_chatrooms.observe.instruments import REPAIRED
from sanic_chatrooms.presence.base import Entry
from sanic_chatrooms.presence.sql import SQLPresence
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import RecordingMeter, chat_client
from sanic_chatrooms.testing.connections import running_core
from tests.support.brokers import WITHIN, arrived, envelope, holds, started
from tests.support.postgres import PostgresServer


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on, what takes seconds takes fractions of them. On a busy machine, a start takes longer."""
    monkeypatch.setattr(remote, "PROBE", 0.05)

    def begin() -> None:
        for name in ("SILENCE", "PUBLISH_WITHIN", "CONNECT_WITHIN"):
            monkeypatch.setattr(broker_module, name, 0.5)

    return begin


async def notify(server: PostgresServer, channel: str, text: str) -> None:
    connection = await server.connect()
    await connection.execute("SELECT pg_notify($1, $2)", channel, text)
    await connection.close()


async def test_after_a_kill_and_a_start_everything_is_heard_again(mortal_postgres: PostgresServer) -> None:
    one, other = PostgresBroker(mortal_postgres.url()), PostgresBroker(mortal_postgres.url())
    async with started(one, other) as (_, heard):
        for room in ("r", "s"):
            await other.subscribe(room)
        await asyncio.to_thread(mortal_postgres.kill)
        await holds(lambda: not other.healthy and not one.healthy)

        with pytest.raises(Unavailable):
            await one.publish([envelope(1)])
        with pytest.raises(Unavailable):
            await other.subscribe("t")
        await other.unsubscribe("s")
        await asyncio.to_thread(mortal_postgres.start)
        await holds(lambda: heard.reconnects == 1)

        assert other.healthy
        await arrived(one, heard, 2)
        await one.publish([envelope(3, "s"), envelope(3)])
        await holds(lambda: heard.envelopes[-1].seq == 3)
        assert {found.room for found in heard.envelopes} == {"r"}


async def test_a_server_that_stands_still_is_noticed_told_in_the_log_and_used_again(
    mortal_postgres: PostgresServer, impatient: Callable[[], None], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = PostgresBroker(mortal_postgres.url()), PostgresBroker(mortal_postgres.url())
    async with started(one, other) as (_, heard):
        await other.subscribe("r")
        impatient()
        mortal_postgres.freeze()
        try:
            with pytest.raises(Unavailable):
                await one.publish([envelope(1)])
            await holds(lambda: not other.healthy)
        finally:
            mortal_postgres.thaw()
        await holds(lambda: other.healthy)

        assert "PostgreSQL has been silent for" in caplog.text
        assert heard.reconnects >= 1
        await arrived(one, heard, 2)


async def test_whom_the_server_throws_out_comes_back_and_says_so(postgres: PostgresServer) -> None:
    one, other = PostgresBroker(postgres.url()), PostgresBroker(postgres.url())
    async with started(one, other) as (_, heard):
        await other.subscribe("r")

        connection = await postgres.connect()
        await connection.execute("SELECT pg_terminate_backend($1)", other._connection.get_server_pid())
        await connection.close()

        await holds(lambda: heard.reconnects == 1)
        await arrived(one, heard, 1)


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "not ours",
        "é",
        "gAA=",
        "kwKoMTIzNDU2NzgA",
        "{",
        ".",
        ".gAA=",
        ".AgAAAAAAAAAAAAAAAAAAAAA=",
    ],
)
async def test_garbage_on_the_channel_is_counted_and_dropped(postgres: PostgresServer, garbage: str) -> None:
    one, other = PostgresBroker(postgres.url()), PostgresBroker(postgres.url())
    async with started(one, other) as (_, heard):
        await other.subscribe("r")

        await notify(postgres, other._channel, garbage)
        await arrived(one, heard, 1)

        assert other.dropped == 1
        assert {found.seq for found in heard.envelopes} == {1}
        assert other.healthy


async def test_a_batch_is_one_notification_as_long_as_it_fits(postgres: PostgresServer) -> None:
    one, other = PostgresBroker(postgres.url()), PostgresBroker(postgres.url())
    texts: list[str] = []
    async with started(one, other) as (_, heard):
        await other._connection.add_listener(other._channel, lambda *about: texts.append(about[-1]))
        for room in ("r", "s"):
            await other.subscribe(room)

        await one.publish([envelope(n, room) for n in range(1, 11) for room in ("r", "s")])
        await heard.until(20)
        await one.publish([msgspec.structs.replace(envelope(n), data=b"x" * 2_000) for n in range(11, 17)])
        await heard.until(26)

        assert [len(text) <= 7_999 for text in texts] == [True] * 4
        assert [found.seq for found in heard.of("r")] == list(range(1, 17))


async def test_a_message_that_does_not_fit_is_read_from_the_store(postgres: PostgresServer) -> None:
    options: dict[str, Any] = {"guests": True, "store": MemoryStore()}
    meter = RecordingMeter()
    async with (
        running_core(**options, broker=PostgresBroker(postgres.url())) as here,
        running_core(**options, broker=PostgresBroker(postgres.url()), meter=meter) as there,
    ):
        ada, bob = await chat_client(here, User("a", "Ada")), await chat_client(there, User("b", "Bob"))
        for client in (ada, bob):
            await client.ack("join", room="general")
        for text in ("first", "x" * 10_000, "last"):
            await ada.ack("message", room="general", payload={"text": text})

        heard = [(await bob.expect("message"))["payload"]["text"] for _ in range(3)]

        assert heard == ["first", "x" * 10_000, "last"]
        assert meter.value(REPAIRED) >= 1


async def test_a_live_event_that_does_not_fit_comes_in_parts(postgres: PostgresServer) -> None:
    one, other = PostgresBroker(postgres.url()), PostgresBroker(postgres.url())
    async with started(one, other) as (_, heard):
        await other.subscribe("r")
        large = msgspec.structs.replace(envelope(0), data=bytes(range(256)) * 1_000)

        await one.publish([envelope(1), large, envelope(2)])

        assert await heard.until(3) == [envelope(1), large, envelope(2)]
        assert other.dropped == 0


async def test_live_events_that_repeat_themselves_come_whole(postgres: PostgresServer) -> None:
    """PostgreSQL passes equal notifications of one transaction on once."""
    one, other = PostgresBroker(postgres.url()), PostgresBroker(postgres.url())
    async with started(one, other) as (_, heard):
        await other.subscribe("r")
        large = msgspec.structs.replace(envelope(0), data=b"x" * 100_000)

        await one.publish([envelope(1), large, large, envelope(2)])

        assert await heard.until(4) == [envelope(1), large, large, envelope(2)]
        assert other.dropped == 0


async def test_a_live_event_that_is_larger_than_any_message_is_left_out_and_the_rest_arrives(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = PostgresBroker(postgres.url()), PostgresBroker(postgres.url())
    async with started(one, other) as (_, heard):
        await other.subscribe("r")
        large = msgspec.structs.replace(envelope(0), data=b"x" * broker_module.LIVE_LIMIT)

        await one.publish([envelope(1), large, envelope(2)])

        assert await heard.until(2) == [envelope(1), envelope(2)]
        assert "left out" in caplog.text


@pytest.mark.parametrize(
    "others",
    [
        ["<AAAA"],
        [".AAAA"],
        [">AAAA"],
        [">"],
        ["<AAAA", ".AAAA"],
        ["<AAAA"] + [".AAAA"] * broker_module.PARTS_LIMIT,
    ],
)
async def test_parts_that_nobody_signed_cost_no_other_packet_and_no_memory(
    postgres: PostgresServer, others: list[str]
) -> None:
    one, other = PostgresBroker(postgres.url()), PostgresBroker(postgres.url())
    async with started(one, other) as (_, heard):
        await other.subscribe("r")
        large = msgspec.structs.replace(envelope(0), data=b"x" * 20_000)
        connection = await postgres.connect()
        for text in others:
            await connection.execute("SELECT pg_notify($1, $2)", other._channel, text)
        await connection.close()

        await one.publish([envelope(1), large, envelope(2)])

        assert await heard.until(3) == [envelope(1), large, envelope(2)]
        assert len(other._parts) <= broker_module.PARTS_LIMIT


async def test_a_start_that_cannot_be_says_why(postgres: PostgresServer) -> None:
    wrong = PostgresBroker(postgres.url("no_such_database"))
    with pytest.raises(ConfigError, match="no_such_database"):
        await wrong.start("test", lambda _: None, lambda: None)
    with pytest.raises(Unavailable):
        await PostgresBroker("postgresql://chat@127.0.0.1:1/x").start("test", lambda _: None, lambda: None)
    with pytest.raises(ConfigError, match="this is no URL"):
        PostgresBroker("postgresql//chat")


async def test_a_database_serves_several_workers_by_its_url_alone(postgres_url: str) -> None:
    async with running_core(guests=True, store=postgres_url) as chat:
        backends = chat.backends

        assert [
            type(backend).__name__ for backend in (backends.store, backends.broker, backends.presence)
        ] == [
            "SQLStore",
            "PostgresBroker",
            "SQLPresence",
        ]
        assert {backends.store.scope, backends.broker.scope, backends.presence.scope} == {Scope.CLUSTER}


def test_the_same_object_serves_one_event_loop_after_another(postgres: PostgresServer) -> None:
    one, other = PostgresBroker(postgres.url()), PostgresBroker(postgres.url())

    async def publish_one() -> None:
        async with started(one, other) as (_, heard):
            await other.subscribe("r")
            await arrived(one, heard, 1)

    asyncio.run(publish_one())
    asyncio.run(publish_one())


async def test_presence_ends_by_the_databases_own_clock(postgres_url: str) -> None:
    ada = Sender("u1", "Ada")
    dead, alive = SQLPresence(postgres_url), SQLPresence(postgres_url)
    await dead.start("test", "dead", 0.5)
    await alive.start("test", "alive", 0.5)
    await dead.touch([Entry("r", ada), Entry("", ada)])
    await dead._database.stop()  # as a killed process: nothing is taken back

    await holds_in(alive, {"r": 0})

    assert await alive.online(["u1"]) == set()
    assert await alive.touch([Entry("r", ada)]) == [True]
    await alive.stop()


async def holds_in(presence: SQLPresence, counts: dict[str, int]) -> None:
    async with asyncio.timeout(WITHIN):
        while await presence.count(counts) != counts:  # noqa: ASYNC110 - the database's clock moves by itself
            await asyncio.sleep(0.05)
