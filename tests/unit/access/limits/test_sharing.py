"""Workers tell each other what was used."""

from __future__ import annotations

import asyncio

import pytest

from sanic_chatrooms.access.limits import sharing
from sanic_chatrooms.access.limits.kinds import Kind
from sanic_chatrooms.access.limits.limits import Allowance, Limits
from sanic_chatrooms.access.limits.rate import parse_rate
from sanic_chatrooms.access.limits.sharing import Shared
from sanic_chatrooms.models import Envelope
from sanic_chatrooms.testing.clock import Clock

RATE = parse_rate("10/s burst 30")


class Workers:
    """Workers with a wire between them."""

    def __init__(self, count: int) -> None:
        self.clock = Clock(1_000.0)
        self.limits = [Limits({Kind.MESSAGE: RATE}, clock=self.clock) for _ in range(count)]
        self.wire: list[Envelope] = []
        self.down = False
        self.shared = [Shared(limits, f"w{n}", self.wire.append) for n, limits in enumerate(self.limits)]
        for limits, shared in zip(self.limits, self.shared, strict=True):
            limits.sharing = shared

    def everywhere(self, user: str) -> list[Allowance]:
        found = [limits.open(f"192.0.2.{n}") for n, limits in enumerate(self.limits)]
        for limits, allowance in zip(self.limits, found, strict=True):
            limits.identified(allowance, user)
        return found

    async def deliver(self) -> None:
        """What is due is told, and arrives."""
        await asyncio.sleep(0)
        news, self.wire[:] = list(self.wire), []
        for envelope in news:
            for shared in self.shared:
                if not self.down:
                    shared.receive(envelope)

    async def second(self) -> None:
        """A second is over: everything is told."""
        for shared in self.shared:
            shared.tell_all()
        await self.deliver()


@pytest.mark.parametrize("count", [2, 4])
async def test_workers_together_let_pass_what_one_would_within_the_bound(count: int) -> None:
    workers = Workers(count)
    everywhere, seconds, step = workers.everywhere("ada"), 30, 0.02
    passed = 0
    for turn in range(round(seconds / step)):
        for allowance in everywhere:
            passed += sum(not allowance.take(Kind.MESSAGE) for _ in range(1))
        await workers.deliver()
        if turn % 50 == 49:
            await workers.second()
        workers.clock.advance(step)

    exact = RATE.per_second * seconds + RATE.burst
    assert exact - 3 * count <= passed <= exact + (count - 1) * (RATE.burst / 10 + 1)


async def test_a_burst_in_one_moment_is_paid_back() -> None:
    workers = Workers(2)
    one, other = workers.everywhere("ada")

    at_once = sum(not a.take(Kind.MESSAGE) for a in (one, other) for _ in range(40))
    await workers.deliver()
    await workers.second()
    workers.clock.advance(2.9)
    early = other.take(Kind.MESSAGE)
    workers.clock.advance(0.2)

    assert at_once == 60
    assert early == pytest.approx(0.2, abs=0.01)
    assert not other.take(Kind.MESSAGE)


async def test_a_tenth_of_a_burst_is_told_at_once_and_less_once_a_second() -> None:
    workers = Workers(2)
    one, _ = workers.everywhere("ada")

    one.take(Kind.MESSAGE)
    one.take(Kind.MESSAGE)
    await asyncio.sleep(0)
    assert not workers.wire
    one.take(Kind.MESSAGE)
    await asyncio.sleep(0)

    assert len(workers.wire) == 1
    assert workers.wire[0].type == sharing.TYPE
    workers.shared[0].tell_all()
    assert b"ip:192.0.2.0" in workers.wire[1].data


async def test_who_moves_to_another_worker_finds_the_same_bucket_there() -> None:
    workers = Workers(2)
    [one, other] = workers.limits
    ada = one.open("192.0.2.1")
    one.identified(ada, "ada")
    for _ in range(30):
        ada.take(Kind.MESSAGE)
    one.closed(ada)
    await workers.second()

    again = other.open("192.0.2.1")
    other.identified(again, "ada")

    assert again.take(Kind.MESSAGE)


async def test_without_a_broker_each_worker_goes_by_its_own_buckets() -> None:
    workers = Workers(2)
    workers.down = True

    passed = 0
    for allowance in workers.everywhere("ada"):
        passed += sum(not allowance.take(Kind.MESSAGE) for _ in range(40))
        await workers.second()

    assert passed == 60


async def test_news_of_oneself_that_come_back_do_not_count_twice() -> None:
    workers = Workers(1)
    [ada] = workers.everywhere("ada")
    for _ in range(10):
        ada.take(Kind.MESSAGE)

    await workers.second()

    assert sum(not ada.take(Kind.MESSAGE) for _ in range(40)) == 20


async def test_news_of_a_kind_that_this_version_does_not_know_are_left_out() -> None:
    workers = Workers(1)

    workers.shared[0].receive(
        Envelope("~all", "", 0, "rates", b'{"by":"w9","used":[["user:ada",99,5.0],["user:ada",0,30.0]]}')
    )
    [ada] = workers.everywhere("ada")

    assert ada.take(Kind.MESSAGE)
