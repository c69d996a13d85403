"""Publishing beside everything else: bounded, in order, and whatever the broker does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from sanic_chatrooms.errors import Unavailable
from sanic_chatrooms.hub.publisher import WAITING_LIMIT, Publisher
from sanic_chatrooms.models import Envelope
from sanic_chatrooms.observe.instruments import DROPPED, ENVELOPES_WAITING
from sanic_chatrooms.testing import RecordingMeter
from tests.support.hubs import NotingBroker

pytestmark = pytest.mark.usefixtures("idle_time")

WITHIN = 40.0


class Desk:
    """A publisher with its broker."""

    def __init__(self) -> None:
        self.broker = NotingBroker()
        self.meter = RecordingMeter()
        self.publisher = Publisher(self.broker, 0.3, self.meter)

    def publish(self, *seqs: int) -> None:
        for seq in seqs:
            self.publisher.publish(Envelope("r", "e", seq, "message", b"{}"))

    async def tried(self, times: int) -> None:
        """The broker was asked so many times."""
        async with asyncio.timeout(WITHIN):
            while len(self.broker.batches) < times:  # noqa: ASYNC110 - one turn of the loop
                await asyncio.sleep(0)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    desk.publisher.start()
    yield desk
    await desk.publisher.stop()


async def test_what_gathers_in_a_turn_is_published_together_and_in_order(desk: Desk) -> None:
    desk.publish(1, 2, 3)

    assert [envelope.seq for envelope in await desk.broker.published.until(3)] == [1, 2, 3]
    assert desk.broker.batches == [3]


async def test_a_broker_that_is_away_is_logged_once(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    desk.broker.problem = Unavailable()
    for seq in range(1, 6):
        desk.publish(seq)
        await desk.tried(seq)
    desk.broker.problem = None
    desk.publish(6)
    await desk.broker.published.until(1)

    assert sum("broker is away" in r.message for r in caplog.records) == 1


async def test_a_broker_that_breaks_does_not_end_the_publishing(desk: Desk) -> None:
    desk.broker.problem = OSError("wire cut")
    desk.publish(1)
    await desk.tried(1)
    desk.broker.problem = None
    desk.publish(2)

    assert [envelope.seq for envelope in await desk.broker.published.until(1)] == [2]


async def test_what_waits_is_bounded_and_the_newest_are_kept(desk: Desk) -> None:
    desk.publish(*range(1, 2 * WAITING_LIMIT))

    published = await desk.broker.published.until(1)

    assert WAITING_LIMIT // 2 < len(published) <= WAITING_LIMIT
    assert published[-1].seq == 2 * WAITING_LIMIT - 1


async def test_what_is_dropped_is_counted(desk: Desk) -> None:
    desk.publish(*range(1, WAITING_LIMIT + 2))

    assert desk.meter.value(DROPPED, "publish") == WAITING_LIMIT // 10
    assert desk.meter.value(ENVELOPES_WAITING) == WAITING_LIMIT + 1 - WAITING_LIMIT // 10


async def test_stop_publishes_what_waits(desk: Desk) -> None:
    desk.publish(1)

    await desk.publisher.stop()

    assert [envelope.seq for envelope in desk.broker.published.envelopes] == [1]


async def test_stop_is_not_held_up_by_the_broker(desk: Desk) -> None:
    async def never(envelopes: Sequence[Envelope]) -> None:
        await asyncio.Event().wait()

    desk.broker.publish = never  # type: ignore[method-assign]
    desk.publish(1)

    async with asyncio.timeout(30):
        await desk.publisher.stop()


async def test_stop_waits_for_the_envelopes_that_are_being_published(desk: Desk) -> None:
    publishing, free = asyncio.Event(), asyncio.Event()
    publish = desk.broker.publish

    async def slowly(envelopes: Sequence[Envelope]) -> None:
        publishing.set()
        await free.wait()
        await publish(envelopes)

    desk.broker.publish = slowly  # type: ignore[method-assign]
    desk.publish(1)
    async with asyncio.timeout(WITHIN):
        await publishing.wait()
    stopping = asyncio.ensure_future(desk.publisher.stop())
    for _ in range(10):
        await asyncio.sleep(0)
    free.set()
    await stopping

    assert [envelope.seq for envelope in desk.broker.published.envelopes] == [1]
