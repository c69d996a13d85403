"""Each instrument changes when what it counts happens: read from the metrics of a real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sanic import Sanic
from sqlalchemy.ext.asyncio import create_async_engine

from sanic_chatrooms import ChatRooms
from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.brokers.redis import RedisBroker
from sanic_chatrooms.errors import Forbidden
from sanic_chatrooms.hooks import listeners
from sanic_chatrooms.hub import publisher
from sanic_chatrooms.models import Draft, Envelope
from sanic_chatrooms.observe.instruments import INSTRUMENTS
from sanic_chatrooms.presence.memory import MemoryBoard, MemoryPresence
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing import FaultyBroker, FaultyStore
from tests.support.client import Client
from tests.support.fixtures import Connect, Live
from tests.support.server import LiveServer, new_app
from tests.support.valkey import running
from tests.support.wire import SECRET, masked, mount, token, write

App = Sanic[Any, Any]
WITHIN = 40.0
Sample = tuple[str, frozenset[tuple[str, str]]]


class Stage:
    """A server whose backends fail on demand, another worker of the same chat, and people."""

    def __init__(self, app: App, live: Live, connect: Connect) -> None:
        self.app, self._live, self._connect = app, live, connect
        self.store = FaultyStore(MemoryStore())
        self._bus, self._presences = MemoryBus(), MemoryBoard()
        self.broker = FaultyBroker(MemoryBroker(self._bus))
        self._apps: list[App] = []

    async def serve(self, **settings: Any) -> ChatRooms:
        self.chat = mount(
            self.app, metrics=True, guests=True, jwt_secret=SECRET, auto_create=True, store=self.store, broker=self.broker,
            presence=MemoryPresence(self._presences), position_check=300, **settings,
        )  # fmt: skip
        self.server = await self._live()
        return self.chat

    async def another(self) -> LiveServer:
        """Another worker, without metrics."""
        app = new_app()
        self._apps.append(app)
        mount(
            app, guests=False, jwt_secret=SECRET, auto_create=True, store=self.store, broker=MemoryBroker(self._bus),
            presence=MemoryPresence(self._presences),
        )  # fmt: skip
        return await self._live(app)

    async def come(
        self, user: str = "ada", room: str | None = None, server: LiveServer | None = None
    ) -> Client:
        client = await self._connect(server=server or self.server, token=token(user))
        await client.expect("welcome")
        if room is not None:
            await client.ack("join", room=room)
        return client

    async def read(self) -> dict[Sample, float]:
        page = (await self.server.get("/chat/metrics")).text
        return {
            (sample.name.removeprefix("chatrooms_"), frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
        }

    async def value(self, name: str, **labels: str) -> float:
        """The sum over all labels but these."""
        page = await self.read()
        return sum(
            value for (its, has), value in page.items() if its == name and labels.items() <= dict(has).items()
        )

    async def shows(self, name: str, expected: Callable[[float], bool], **labels: str) -> None:
        async with asyncio.timeout(WITHIN):
            while not expected(await self.value(name, **labels)):  # noqa: ASYNC110 - nothing tells when
                await asyncio.sleep(0.02)

    async def grows(self, name: str, happen: Callable[[], Awaitable[object]], **labels: str) -> None:
        before = await self.value(name, **labels)
        await happen()
        await self.shows(name, lambda value: value > before, **labels)

    def end(self) -> None:
        if isinstance(self.store, FaultyStore):
            self.store.mend()
        for app in self._apps:
            Sanic.unregister_app(app)


@pytest.fixture
async def stage(app: App, live: Live, connect: Connect) -> Any:
    stage = Stage(app, live, connect)
    yield stage
    stage.end()


SHOWN: dict[str, Callable[..., Awaitable[None]]] = {}


def shows(*names: str) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., Awaitable[None]]]:
    """The test shows that these instruments change."""

    def note(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        SHOWN.update(dict.fromkeys(names, test))
        return test

    return note


def hi(client: Client, room: str = "general") -> Callable[[], Awaitable[object]]:
    return lambda: client.ack("message", room=room, payload={"text": "hi"})


# ---- connections ----


@shows("connections", "closed_connections_total", "workers")
async def test_connections_come_and_go(stage: Stage) -> None:
    await stage.serve()
    client = await stage.come()
    assert await stage.value("connections") == 1
    assert await stage.value("workers") == 1

    await client.close()

    await stage.shows("connections", lambda value: value == 0)
    assert await stage.value("closed_connections_total") == 1


@shows("refused_handshakes_total")
async def test_handshakes_are_refused(stage: Stage, connect: Connect) -> None:
    await stage.serve()

    await stage.grows(
        "refused_handshakes_total", lambda: connect.refused(origin="https://evil.example"), code="forbidden"
    )


@shows("heartbeat_seconds")
async def test_pings_come_back(stage: Stage) -> None:
    await stage.serve(heartbeat_interval=0.1)
    await stage.come()

    await stage.shows("heartbeat_seconds_count", lambda value: value > 0)


@shows("unread_bytes", "cut_connections_total")
async def test_guests_do_not_read(stage: Stage, connect: Connect) -> None:
    await stage.serve(rate_limits=False)
    speaker, guests = await stage.come(room="general"), [await connect() for _ in range(2)]
    for _ in range(40):
        await speaker.ack("message", room="general", payload={"text": "x" * 10_000})
    for guest in guests:
        await guest.ack("join", room="general", payload={"history": 0})
        guest.pause_reading()

    async def ask() -> None:
        for guest in guests:
            for _ in range(10):
                await guest.send("history", room="general", payload={"limit": 100})

    await stage.grows("unread_bytes", ask)
    stage.chat.running().backlog._limit = 1
    await stage.grows("cut_connections_total", ask)


# ---- commands ----


@shows("commands_total")
async def test_commands_are_carried_out_and_refused(stage: Stage) -> None:
    await stage.serve()
    ada = await stage.come()

    await stage.grows("commands_total", lambda: ada.ack("join", room="general"), type="join", result="ok")
    await stage.grows("commands_total", hi(ada), type="message", result="ok")
    await stage.grows("commands_total", lambda: ada.error("dance"), type="unknown", result="unknown_command")


@shows("publish_checks_total")
async def test_the_app_checks_what_is_said(stage: Stage) -> None:
    chat = ChatRooms("checked", metrics=True, guests=True, auto_create=True)
    stage.app.blueprint(chat.bp)

    @chat.before_publish
    async def check(ctx: Any) -> None:
        if "no" in ctx.payload["text"]:
            raise Forbidden("no")

    await stage.serve()
    client = await stage._connect("/checked/ws")
    await client.ack("join", room="general")
    await client.ack("message", room="general", payload={"text": "hi"})
    await client.error("message", room="general", payload={"text": "no"})

    page = (await stage.server.get("/checked/metrics")).text
    assert 'chatrooms_publish_checks_total{result="passed"} 1.0' in page
    assert 'chatrooms_publish_checks_total{result="refused"} 1.0' in page


@shows("rate_refusals_total", "rate_accounts")
async def test_too_much_is_refused(stage: Stage) -> None:
    await stage.serve(rate_limits=True, rate_message="1/h")
    ada = await stage.come(room="general")
    assert await stage.value("rate_accounts") > 0
    await hi(ada)()

    await stage.grows(
        "rate_refusals_total",
        lambda: ada.error("message", room="general", payload={"text": "hi"}),
        limit="message",
        whose="user",
    )


@shows("received_bytes_total")
async def test_bytes_come_also_more_at_once_than_is_read_in_a_turn(stage: Stage) -> None:
    await stage.serve()
    ada = await stage.come()
    ping = masked(0x1, b'{"type":"ping"}')
    before = await stage.value("received_bytes_total")

    write(ada, ping * 200)
    for _ in range(200):
        await ada.expect("pong")

    assert await stage.value("received_bytes_total") - before == len(ping) * 200


# ---- rooms ----


@shows("rooms", "streams", "deliveries_total", "delivered_bytes_total")
async def test_rooms_are_joined_and_spoken_in(stage: Stage) -> None:
    await stage.serve()
    ada = await stage.come()

    await stage.grows("rooms", lambda: ada.ack("join", room="general"))
    await stage.grows("deliveries_total", hi(ada))
    await stage.grows("delivered_bytes_total", hi(ada))
    await stage.grows("streams", lambda: ada.ack("message.open", room="general", payload={"text": ""}))


@shows("gaps_total", "repaired_events_total")
async def test_an_event_is_lost_and_read(stage: Stage) -> None:
    await stage.serve()
    ada = await stage.come(room="general")
    bob = await stage.come("bob", "general", await stage.another())
    stage.broker.lose_next()

    await hi(bob)()
    await hi(bob)()

    await ada.expect("message")
    await stage.shows("repaired_events_total", lambda value: value >= 1)
    assert await stage.value("gaps_total") >= 1


@shows("resets_total")
async def test_a_room_has_another_past(stage: Stage) -> None:
    chat = (await stage.serve()).running()
    await stage.come(room="general")
    head = (await stage.store.heads(("general",)))["general"]

    async def restore() -> None:
        await stage.store.renew_epoch("general", head.epoch)
        await chat.hub.check()

    await stage.grows("resets_total", restore)


# ---- store and broker ----


@shows("append_batch_drafts", "append_seconds", "store_seconds")
async def test_messages_are_stored(stage: Stage) -> None:
    await stage.serve()
    ada = await stage.come()

    await stage.grows("store_seconds_count", lambda: ada.ack("join", room="general"), verb="rooms_about")
    for name in ("append_batch_drafts_count", "append_batch_drafts_sum", "append_seconds_count"):
        await stage.grows(name, hi(ada))


@shows("drafts_waiting", "store_errors_total")
async def test_the_store_hangs_and_fails(stage: Stage) -> None:
    await stage.serve()
    ada = await stage.come(room="general")
    stage.store.hang()
    stored = stage.store.calls.count("append")
    await ada.send("message", room="general", payload={"text": "hi"})
    async with asyncio.timeout(WITHIN):
        while stage.store.calls.count("append") == stored:  # noqa: ASYNC110 - the next one waits behind it
            await asyncio.sleep(0.02)
    await ada.send("message", room="general", payload={"text": "hi"})
    await stage.shows("drafts_waiting", lambda value: value > 0)
    stage.store.resume()
    await stage.shows("drafts_waiting", lambda value: value == 0)

    async def fail() -> None:
        stage.store.fail_next(1, "history")
        await ada.error("history", room="general", payload={"limit": 1})

    await stage.grows("store_errors_total", fail, verb="history", code="unavailable")


@shows("dropped_commits_total")
async def test_a_commit_cannot_be_stored(stage: Stage, tmp_path: Path) -> None:
    stage.store = SQLStore(f"sqlite:///{tmp_path}/chat.db")  # type: ignore[assignment]
    await stage.serve()
    deleted_meanwhile = Draft("gone", "ORDERED", b"{}", "an-order-of-the-app", time.time())
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/chat.db")

    async def commit() -> None:
        async with engine.begin() as connection:
            await stage.chat.running().backends.store.put(connection, deleted_meanwhile, lambda: None)  # type: ignore[attr-defined]

    await stage.grows("dropped_commits_total", commit, code="room_not_found")
    await engine.dispose()


@shows("publish_batch_envelopes", "publish_seconds", "envelopes_waiting", "dropped_envelopes_total")
async def test_events_go_to_the_broker(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "WAITING_LIMIT", 10)
    await stage.serve()
    ada = await stage.come(room="general")
    for name in ("publish_batch_envelopes_sum", "publish_seconds_count"):
        await stage.grows(name, hi(ada))
    hangs, goes_on = asyncio.Event(), asyncio.Event()

    async def hang(envelopes: Any) -> None:
        hangs.set()
        await goes_on.wait()

    monkeypatch.setattr(stage.broker, "publish", hang)
    await hi(ada)()
    async with asyncio.timeout(WITHIN):
        await hangs.wait()
    await stage.grows("envelopes_waiting", hi(ada))

    await stage.grows("dropped_envelopes_total", lambda: asyncio.gather(*(hi(ada)() for _ in range(10))))

    goes_on.set()


@shows("broker_healthy", "broker_reconnects_total")
async def test_the_broker_goes_and_comes(stage: Stage) -> None:
    await stage.serve()
    assert await stage.value("broker_healthy") == 1

    stage.broker.down()
    assert await stage.value("broker_healthy") == 0

    async def come_back() -> None:
        stage.broker.up()

    await stage.grows("broker_reconnects_total", come_back)


@shows("unfit_envelopes_total")
async def test_an_envelope_is_unfit(stage: Stage) -> None:
    await stage.serve()
    await stage.come(room="general")
    stranger = MemoryBroker(stage._bus)
    await stranger.start(
        stage.chat.running().settings.space(shared=False), lambda envelope: None, lambda: None
    )

    await stage.grows(
        "unfit_envelopes_total",
        lambda: stranger.publish([Envelope("general", "epoch", 7, "message", b"nonsense")]),
    )


@shows("forged_packets_total")
async def test_a_packet_is_forged(stage: Stage) -> None:
    with running() as valkey:
        stage.broker = RedisBroker(valkey.url)  # type: ignore[assignment]
        await stage.serve()
        await stage.come(room="general")
        forger = RedisBroker(valkey.url)
        await forger.start(
            stage.chat.running().settings.space(shared=True), lambda envelope: None, lambda: None
        )

        await stage.grows(
            "forged_packets_total",
            lambda: forger.publish([Envelope("general", "epoch", 7, "message", b"{}")]),
        )

        await forger.stop()
        await stage._live.stop()


# ---- the process ----


@shows("happenings_waiting", "dropped_happenings_total")
async def test_a_listener_is_slow(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "WAITING", 2)
    goes_on = asyncio.Event()
    chat = ChatRooms("heard", metrics=True, guests=True, auto_create=True)
    stage.app.blueprint(chat.bp)

    @chat.on("message")
    async def wait(happening: Any) -> None:
        await goes_on.wait()

    await stage.serve()
    client = await stage._connect("/heard/ws")
    await client.ack("join", room="general")
    for _ in range(5):
        await hi(client)()

    page = (await stage.server.get("/heard/metrics")).text
    assert "chatrooms_happenings_waiting 2.0" in page
    assert "chatrooms_dropped_happenings_total 2.0" in page
    goes_on.set()


@shows("event_loop_lag_seconds", "overloaded", "shed_events_total")
async def test_the_event_loop_is_late(stage: Stage) -> None:
    await stage.serve(overload_lag=0.1)
    ada = await stage.come(room="general")
    await stage.shows("event_loop_lag_seconds_count", lambda value: value > 0)

    async with asyncio.timeout(WITHIN):
        while not await stage.value("overloaded"):
            time.sleep(1.5)  # noqa: ASYNC251 - nothing else runs meanwhile: that is the point
            await asyncio.sleep(0)
    async with asyncio.timeout(WITHIN):  # for a second without being late it would be over
        while not await stage.value("shed_events_total", type="typing"):
            time.sleep(1.5)  # noqa: ASYNC251 - the same
            await asyncio.sleep(0)
            await ada.send("typing", room="general")


def test_every_instrument_is_shown() -> None:
    assert {one.name for one in INSTRUMENTS} == SHOWN.keys()
