"""What a process does again and again: when positions are compared, and which rooms are looked at."""

from __future__ import annotations

import asyncio

import pytest

from sanic_chatrooms import MemoryBroker, MemoryStore, Unavailable, upkeep
from sanic_chatrooms.models import Scope, user_room
from sanic_chatrooms.upkeep import Forgetting, PositionCheck


class Broker(MemoryBroker):
    """A broker that may be down."""

    healthy = True


class Checked:
    """Counts comparisons, and fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.count = 0
        self.failures = failures

    async def __call__(self) -> None:
        self.count += 1
        if self.count <= self.failures:
            raise Unavailable


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "SWEEP", 0.001)
    monkeypatch.setattr(upkeep, "REPEAT_WHILE_DOWN", 0.001)


@pytest.fixture
def broker() -> Broker:
    return Broker()


def positions(broker: Broker, interval: float = 3600.0) -> PositionCheck:
    check = PositionCheck(broker, interval)
    check.start()
    return check


async def test_positions_are_not_compared_before_it_is_time(broker: Broker) -> None:
    check, checked = positions(broker), Checked()

    await check.compare(checked)

    assert checked.count == 0


async def test_positions_are_compared_at_once_when_somebody_asks(broker: Broker) -> None:
    check, checked = positions(broker), Checked()
    check.soon()

    await check.compare(checked)
    await check.compare(checked)

    assert checked.count == 1


async def test_positions_are_compared_every_interval(broker: Broker) -> None:
    check, checked = positions(broker, interval=0.0), Checked()

    await check.compare(checked)
    await check.compare(checked)

    assert checked.count == 2


async def test_positions_are_compared_all_the_time_while_the_broker_loses_events(broker: Broker) -> None:
    check, checked = positions(broker), Checked()
    broker.healthy = False

    await check.compare(checked)
    await check.compare(checked)

    assert checked.count == 2


async def test_a_comparison_that_failed_is_repeated(broker: Broker) -> None:
    check, checked = positions(broker), Checked(failures=1)
    check.soon()

    for _ in range(3):
        await check.compare(checked)

    assert checked.count == 2


async def test_a_backend_that_is_down_ends_no_round() -> None:
    async def refuse() -> None:
        raise Unavailable

    await upkeep.ask(refuse)


class Shared(MemoryStore):
    scope = Scope.CLUSTER


async def test_a_users_room_that_other_processes_may_hold_is_kept() -> None:
    forgotten: list[str] = []

    async def forget(room: str) -> None:
        forgotten.append(room)

    forgetting = Forgetting(forget, Shared())
    forgetting.released(user_room("u1"))
    forgetting.released("general")
    await forgetting.settled()

    assert forgotten == ["general"]


@pytest.mark.parametrize("problem", [Unavailable(), ValueError("broken")])
async def test_a_room_that_cannot_be_looked_at_stops_nothing(problem: Exception) -> None:
    async def forget(room: str) -> None:
        raise problem

    forgetting = Forgetting(forget, MemoryStore())
    forgetting.left("general")

    await forgetting.settled()


async def test_no_room_is_looked_at_after_the_stop() -> None:
    begun = asyncio.Event()

    async def forget(room: str) -> None:
        begun.set()
        await asyncio.Event().wait()

    forgetting = Forgetting(forget, MemoryStore())
    forgetting.left("general")
    await begun.wait()
    (task,) = forgetting.stop()
    task.cancel()

    forgetting.left("staff")

    assert len(forgetting.stop()) == 1
