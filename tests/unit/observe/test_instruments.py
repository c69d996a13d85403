"""Each instrument shows what happens in a running chat, and has a name that Prometheus takes."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import sanic_chatrooms
from sanic_chatrooms import upkeep
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import User
from sanic_chatrooms.observe import instruments
from sanic_chatrooms.observe.instruments import (
    CLOSED,
    COMMANDS,
    CONNECTIONS,
    CUT,
    DELIVERED_BYTES,
    DELIVERIES,
    HAPPENINGS_DROPPED,
    HEARTBEAT_SECONDS,
    LOOP_LAG,
    ROOMS,
    UNREAD_BYTES,
)
from sanic_chatrooms.observe.meter import Counter, Gauge, Histogram
from sanic_chatrooms.testing import MemoryClient, RecordingMeter, chat_client
from sanic_chatrooms.testing.connections import running_core

Instrument = Counter | Gauge | Histogram
PACKAGE = Path(sanic_chatrooms.__file__).parent
ALL: dict[str, Instrument] = {
    name: value for name, value in vars(instruments).items() if isinstance(value, Counter | Gauge | Histogram)
}


# ---- names ----


@pytest.mark.parametrize("name", ALL)
def test_an_instrument_has_a_name_that_prometheus_takes(name: str) -> None:
    instrument = ALL[name]

    assert re.fullmatch(r"[a-z][a-z_]*", instrument.name)
    assert instrument.name.endswith("_total") is isinstance(instrument, Counter)
    assert instrument.help.endswith(".")
    assert not {"room", "user", "session"} & set(getattr(instrument, "labels", ()))
    assert name in instruments.__all__


def test_no_two_have_the_same_name() -> None:
    assert len({instrument.name for instrument in ALL.values()}) == len(ALL)


@pytest.mark.parametrize("name", ALL)
def test_every_instrument_is_used(name: str) -> None:
    sources = [path for path in PACKAGE.rglob("*.py") if "observe" not in path.parts]

    assert any(re.search(rf"\b{name}\b", path.read_text()) for path in sources)


# ---- a running chat ----


@asynccontextmanager
async def measured() -> AsyncIterator[tuple[Chat, RecordingMeter]]:
    meter = RecordingMeter()
    async with running_core(guests=True, meter=meter) as chat:
        yield chat, meter


async def someone(chat: Chat, name: str = "ada") -> MemoryClient:
    return await chat_client(chat, User(name, name.title()))


async def test_connections_are_counted_while_they_are_open() -> None:
    async with measured() as (chat, meter):
        ada, bob = await someone(chat), await someone(chat, "bob")
        assert meter.value(CONNECTIONS) == 2

        ada.session.disconnected()
        bob.session.close(4503)

        assert meter.value(CONNECTIONS) == 0
        assert [meter.value(CLOSED, code) for code in ("gone", "4503")] == [1, 1]


async def test_codes_of_the_app_s_own_share_one_label() -> None:
    async with measured() as (chat, meter):
        for code in (4700, 4701):
            (await someone(chat)).session.close(code, "moved")

        assert meter.value(CLOSED, "other") == meter.total(CLOSED) == 2


@pytest.mark.parametrize(
    ("type", "fields", "counted"),
    [
        ("join", {"room": "general"}, ("join", "ok")),
        ("ping", {}, ("ping", "ok")),
        ("message", {"room": "there", "payload": {"text": "hi"}}, ("message", "not_a_member")),
        ("rooms", {"payload": {"limit": "many"}}, ("rooms", "invalid_field")),
        ("dance", {}, ("unknown", "unknown_command")),
    ],
)
async def test_commands_are_counted_by_type_and_result(
    type: str, fields: dict[str, Any], counted: tuple[str, str]
) -> None:
    async with measured() as (chat, meter):
        ada = await someone(chat)

        await ada.reply(ada.send(type, **fields))

        assert meter.value(COMMANDS, *counted) == meter.total(COMMANDS) == 1


async def test_a_malformed_frame_is_a_command_of_no_type() -> None:
    async with measured() as (chat, meter):
        (await someone(chat)).session.receive(b"[]")

        assert meter.value(COMMANDS, "unknown", "bad_frame") == 1


async def test_messages_and_their_deliveries_are_counted() -> None:
    async with measured() as (chat, meter):
        clients = [await someone(chat, name) for name in ("ada", "bob")]
        for client in clients:
            await client.ack("join", room="general")
        chat.hub.flush()
        events, size = meter.value(DELIVERIES), meter.value(DELIVERED_BYTES)

        for _ in range(3):
            await clients[0].ack("message", room="general", payload={"text": "hi"})

        assert meter.value(COMMANDS, "message", "ok") == 3
        assert meter.value(DELIVERIES) - events == 3 * 2
        assert meter.value(DELIVERED_BYTES) - size > 3 * 2 * len('"payload":{"text":"hi"}')
        assert meter.value(ROOMS) == 2  # this one, and the room of everybody


async def test_a_pong_tells_how_long_the_way_is() -> None:
    async with measured() as (chat, meter):
        session = (await someone(chat)).session
        session.ponged()
        assert meter.values(HEARTBEAT_SECONDS) == [], "nobody has asked"

        session.liveness.pinged_at = session.liveness.opened_at
        session.ponged()
        session.ponged()

        assert [seconds >= 0 for seconds in meter.values(HEARTBEAT_SECONDS)] == [True]


async def test_what_waits_and_what_was_dropped_can_be_read() -> None:
    async with measured() as (chat, meter):
        chat.backlog.cut = 2

        assert [meter.value(one) for one in (UNREAD_BYTES, CUT, HAPPENINGS_DROPPED)] == [0, 2, 0]


async def test_the_event_loop_s_lag_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "SWEEP", 0.0)
    meter, times = RecordingMeter(), iter((10.0, 12.5))

    await upkeep.measure_lag(meter, lambda: next(times))

    assert meter.values(LOOP_LAG) == [2.5]
