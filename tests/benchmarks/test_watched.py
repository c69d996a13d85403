"""The measurement of metrics and traces measures something."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from benchmarks.fanout import Scenario
from benchmarks.watched import Cost, _Hall, measure
from sanic_chatrooms.observe.meter import SILENT


def test_a_small_hall_is_measured_in_every_kind() -> None:
    cost = measure(Scenario("a few", 3, 2), 4)

    assert cost.turns.keys() == {"off", "metrics", "traces"}
    assert all(value > 0 for values in cost.turns.values() for value in values)
    assert len(cost.meter) == 4
    assert cost.share > 0


def test_shares_are_of_what_a_message_costs_without() -> None:
    cost = Cost({"off": [100.0] * 4, "metrics": [103.0] * 4}, [2.0] * 4)

    assert round(cost.added("metrics"), 6) == 0.03
    assert cost.share == 0.02


async def test_nothing_that_is_measured_is_decoded() -> None:
    hall = _Hall(Scenario("a few", 3, 3), SILENT, tracing=False)
    async with AsyncExitStack() as stack:
        await hall.fill(stack)
        connections: list[Any] = [client.connection for client in hall._senders]
        before = [len(connection.frames) for connection in connections]
        del hall._senders[1:]

        await hall.talk(2)

        assert [len(connection.frames) for connection in connections] == before
        assert all(connection.heard > 0 for connection in connections)
