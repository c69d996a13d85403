"""What `MemoryBroker` does beyond the contract of brokers, which tests/conformance holds it to."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest

from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.errors import ConfigError, Unavailable
from sanic_chatrooms.models import Envelope, Scope
from sanic_chatrooms.testing import Recorder


async def _node(bus: MemoryBus | None = None, *, instance: str = "test") -> tuple[MemoryBroker, Recorder]:
    broker, heard = MemoryBroker(bus), Recorder()
    await broker.start(instance, heard, heard.reconnected)
    return broker, heard


def _envelope(room: str = "r", seq: int = 1) -> Envelope:
    return Envelope(room, "e", seq, "message", b"{}")


def test_reaches_no_further_than_its_process() -> None:
    assert MemoryBroker.scope is Scope.PROCESS


def test_one_that_passes_on_what_is_published_is_not_alone() -> None:
    class Mirroring(MemoryBroker):
        async def publish(self, envelopes: Sequence[Envelope]) -> None:
            await super().publish(envelopes)

    assert (MemoryBroker().alone, Mirroring().alone, MemoryBroker(MemoryBus()).alone) == (True, False, False)


async def test_has_delivered_when_publish_returns_and_in_order() -> None:
    bus = MemoryBus()
    (one, _), (other, heard) = await _node(bus), await _node(bus)
    await other.subscribe("r")

    await one.publish([_envelope(seq=1), _envelope(seq=2)])
    await one.publish([_envelope(seq=3)])

    assert [envelope.seq for envelope in heard.envelopes] == [1, 2, 3]
    assert heard.reconnects == 0


async def test_does_not_echo() -> None:
    one, heard = await _node(MemoryBus())
    await one.subscribe("r")

    await one.publish([_envelope()])

    assert heard.envelopes == []


async def test_with_a_bus_of_its_own_hears_nobody() -> None:
    (one, _), (other, heard) = await _node(), await _node()
    await other.subscribe("r")

    await one.publish([_envelope()])

    assert heard.envelopes == []


async def test_listener_that_fails_is_logged_once_and_keeps_nobody_from_hearing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(envelope: Envelope) -> None:
        raise RuntimeError("no")

    bus = MemoryBus()
    broken = MemoryBroker(bus)
    await broken.start("test", fail, lambda: None)
    (one, _), (other, heard) = await _node(bus), await _node(bus)
    for broker in (broken, other):
        await broker.subscribe("r")

    with caplog.at_level(logging.ERROR):
        await one.publish([_envelope()])

    assert len(heard.envelopes) == 1
    assert [record.message for record in caplog.records] == ["an envelope of room r could not be delivered"]


async def test_listener_may_come_and_go_while_it_is_called() -> None:
    bus = MemoryBus()
    one, _ = await _node(bus)
    leaver, arrivals = MemoryBroker(bus), Recorder()

    def leave(envelope: Envelope) -> None:
        arrivals(envelope)
        with pytest.raises(StopIteration):
            leaver.unsubscribe("r").send(None)

    await leaver.start("test", leave, lambda: None)
    await leaver.subscribe("r")
    other, heard = await _node(bus)
    await other.subscribe("r")

    await one.publish([_envelope(seq=1), _envelope(seq=2)])

    assert [envelope.seq for envelope in arrivals.envelopes] == [1]
    assert [envelope.seq for envelope in heard.envelopes] == [1, 2]


async def test_started_twice_is_refused_and_says_what_to_do() -> None:
    broker, heard = await _node()

    with pytest.raises(ConfigError, match="one MemoryBroker per app"):
        await broker.start("other", heard, heard.reconnected)


async def test_can_be_started_again_after_the_end_without_its_old_rooms() -> None:
    bus = MemoryBus()
    (one, _), (other, heard) = await _node(bus), await _node(bus)
    await other.subscribe("r")
    await other.stop()

    await other.start("test", heard, heard.reconnected)
    await one.publish([_envelope()])

    assert heard.envelopes == []


async def test_not_running_is_unavailable() -> None:
    broker = MemoryBroker()

    with pytest.raises(Unavailable):
        await broker.subscribe("r")
    with pytest.raises(Unavailable):
        await broker.publish([_envelope()])


async def test_bus_keeps_nothing_of_rooms_that_nobody_hears() -> None:
    bus = MemoryBus()
    one, _ = await _node(bus)
    for n in range(100):
        await one.subscribe(f"room.{n}")
    for n in range(50):
        await one.unsubscribe(f"room.{n}")

    await one.stop()

    assert bus._subscribers == {}
