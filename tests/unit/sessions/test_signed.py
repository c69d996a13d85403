"""Tests for `sanic_chatrooms.sessions.signed`: the broker as the core uses it, its key and what it lets through."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sanic_chatrooms.brokers.memory import MemoryBroker
from sanic_chatrooms.hub.hub import Hub
from sanic_chatrooms.models import EVERYONE, LOOK, Envelope, Room, user_room
from sanic_chatrooms.observe.instruments import BROKER_HEALTHY, BROKER_RECONNECTS, FORGED, UNFIT
from sanic_chatrooms.sessions import signed as signed_module
from sanic_chatrooms.sessions.signed import SignedBroker
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import Clock, RecordingMeter
from sanic_chatrooms.wire.encode import encode


class KeyedBroker(MemoryBroker):
    """It notes its keys, and counts what the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: list[bytes] = []
        self.strangers = 0

    def rekey(self, key: bytes) -> None:
        self.keys.append(key)

    @property
    def forged(self) -> int:
        return self.strangers


class Desk:
    """SignedBroker, with what is around them."""

    def __init__(self) -> None:
        self.store, self.broker, self.clock, self.lost = MemoryStore(), KeyedBroker(), Clock(), 0
        self.hub = Hub(self.store, self.broker)
        self.delivered: list[Envelope] = []
        self.hub.deliver = self.take  # type: ignore[method-assign]
        self.meter = RecordingMeter()
        self.signed = SignedBroker(
            self.store, self.broker, self.hub, self.store, self.miss, self.clock, self.meter
        )

    def take(self, envelope: Envelope) -> None:
        self.delivered.append(envelope)

    def miss(self) -> None:
        self.lost += 1


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    await desk.store.start("test", Bounds())
    await desk.store.create_room(Room("r", "", 0))
    await desk.signed.start("test")
    yield desk
    await desk.broker.stop()


def event(**changes: Any) -> bytes:
    return encode({"type": "message", "room": "r", "seq": 7, "msgId": "1", "payload": {}} | changes)


FIT = [
    Envelope("r", "e", 7, "message", event()),
    Envelope("r", "e", 7, "message", b""),
    Envelope("r", "", 0, "notice", encode({"type": "notice", "room": "r", "payload": {}})),
    Envelope("r", "", 0, LOOK, b"{}"),
    Envelope(EVERYONE, "", 0, "push", b'{"event":{"type":"notice"}}'),
    Envelope(user_room("u"), "e", 1, "order", b'{"payload":{"type":"close","code":4000,"reason":""}}'),
]
UNFIT_ENVELOPES = [
    Envelope("r", "e", 7, "message", event(seq=8)),
    Envelope("r", "e", 7, "message", event(room="s")),
    Envelope("r", "e", 7, "message", event(type="notice")),
    Envelope("r", "e", 7, "message", b"[]"),
    Envelope("r", "e", 7, "message", b"{"),
    Envelope("r", "e", 7, "message", event() + b"}"),
    Envelope("r", "e", 7, "message", event(payload="X").replace(b"X", b"\xff")),
    Envelope("r", "e", 7, "message", b"[" * 100_000),
    Envelope("r", "", 0, "notice", b""),
    Envelope("r", "", 0, "notice", encode({"type": "message", "room": "r"})),
    Envelope("r", "", 0, "notice", encode({"type": "notice", "room": "s"})),
    Envelope("r", "", 0, "notice", encode({"type": "notice", "room": "r", "seq": 3})),
    Envelope(EVERYONE, "", 0, "push", b"{}"),
    Envelope(user_room("u"), "e", 1, "order", b'{"payload":{"type":"close"}}'),
    Envelope(user_room("u"), "e", 1, "order", b'{"payload":{"type":"close"}}'),
]


@pytest.mark.parametrize("envelope", FIT)
def test_what_the_hub_can_use_it_gets(desk: Desk, envelope: Envelope) -> None:
    desk.signed.receive(envelope)

    assert desk.delivered == [envelope]
    assert desk.signed.dropped == 0


@pytest.mark.parametrize("envelope", UNFIT_ENVELOPES)
def test_what_nobody_could_use_is_counted_and_dropped(desk: Desk, envelope: Envelope) -> None:
    desk.signed.receive(envelope)

    assert desk.delivered == []
    assert desk.signed.dropped == 1


def test_what_a_workers_own_hearing_cannot_read_is_dropped_too(desk: Desk) -> None:
    def heard(envelope: Envelope) -> None:
        signed_module._mark(envelope.data)

    desk.hub.handle("typing", heard)
    desk.hub.deliver = heard  # type: ignore[method-assign]

    desk.signed.receive(Envelope("r", "", 0, "typing", b"{}"))

    assert desk.signed.dropped == 1


def test_what_is_dropped_is_logged_now_and_then(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(100):
        desk.signed.receive(UNFIT_ENVELOPES[0])
    desk.clock.advance(signed_module.LOG_EVERY)
    desk.signed.receive(UNFIT_ENVELOPES[0])

    assert [record.args[-1] for record in caplog.records if isinstance(record.args, tuple)] == [1, 101]


# ---- the key ----


async def test_the_key_is_the_stores_and_there_before_the_broker_starts(desk: Desk) -> None:
    assert len(desk.broker.keys) == 1
    assert len(desk.broker.keys[0]) == 64
    assert desk.store.publish_key == desk.broker.keys[0]


async def test_another_secret_is_used_within_a_minute(desk: Desk) -> None:
    await desk.signed.renew()
    desk.store._secrets["broker"] = "another"
    await desk.signed.renew()
    assert len(desk.broker.keys) == 1, "it is not looked at every second"

    desk.clock.advance(signed_module.LOOK_EVERY)
    await desk.signed.renew()

    assert len(desk.broker.keys) == 2
    assert desk.store.publish_key == desk.broker.keys[1]
    assert desk.lost == 1


async def test_what_another_key_signed_makes_it_look_soon_but_not_each_second(desk: Desk) -> None:
    await desk.signed.renew()
    desk.clock.advance(signed_module.SUSPECT_EVERY)
    desk.store._secrets["broker"] = "another"
    desk.broker.strangers += 1

    await desk.signed.renew()
    assert len(desk.broker.keys) == 2
    desk.store._secrets["broker"] = "a third"
    desk.broker.strangers += 1
    await desk.signed.renew()
    assert len(desk.broker.keys) == 2

    desk.clock.advance(signed_module.SUSPECT_EVERY)
    await desk.signed.renew()
    assert len(desk.broker.keys) == 3
    assert desk.lost == 2


async def test_what_the_broker_did_can_be_read(desk: Desk) -> None:
    desk.signed.receive(UNFIT_ENVELOPES[0])
    desk.broker.strangers = 3
    desk.signed._reconnected()

    assert desk.lost == 1
    values = [desk.meter.value(one) for one in (BROKER_HEALTHY, BROKER_RECONNECTS, FORGED, UNFIT)]
    assert values == [1, 1, 3, 1]
