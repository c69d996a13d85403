"""What every broker survives: a connection that breaks long after the start, and errors that nobody thought of."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sanic_chatrooms.brokers import nats, remote
from tests.support.brokers import WITHIN, arrived, holds, started
from tests.support.systems import System

LATE = 61
"""Probes after which something breaks: more than a minute's."""


@pytest.fixture
def system(broker_system: System, monkeypatch: pytest.MonkeyPatch) -> System:
    """Each kind in turn; what it does every second, it does every millisecond."""
    monkeypatch.setattr(remote, "PROBE", 0.001)
    monkeypatch.setattr(nats, "SILENCE", 0.5)
    monkeypatch.setattr(nats, "PUBLISH_WITHIN", 0.5)
    return broker_system


@pytest.fixture
async def late(system: System, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Awaitable[None]]:
    """Returns when every broker was probed for more than a minute, as its clock goes."""
    probed: dict[int, int] = {}
    probe = system.kind._probe  # type: ignore[attr-defined]

    async def count(self: Any) -> None:
        await probe(self)
        probed[id(self)] = probed.get(id(self), 0) + 1

    async def wait() -> None:
        await holds(lambda: len(probed) == 2 and min(probed.values()) >= LATE)

    monkeypatch.setattr(system.kind, "_probe", count)
    return wait


@pytest.mark.parametrize("way", ["throw_out", "restart", "crash"])
async def test_a_connection_that_breaks_late_is_made_anew(
    system: System, late: Callable[[], Awaitable[None]], way: str
) -> None:
    one, other = system.make(), system.make()
    async with started(one, other) as (_, heard):
        await other.subscribe("r")
        await late()

        await getattr(system, way)()

        await arrived(one, heard, 1)
        assert heard.reconnects >= 1
        await holds(lambda: one.healthy and other.healthy)


class Unthought(Exception):
    """Nobody thought of it."""


@pytest.mark.parametrize("step", ["_probe", "_reconnect"])
async def test_an_error_that_nobody_thought_of_is_logged_and_the_task_goes_on(
    system: System,
    step: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls = itertools.count(1)
    as_it_is = getattr(system.kind, step)
    raised = asyncio.Event()

    async def fail_late(self: Any) -> Any:
        if next(calls) >= (LATE if step == "_probe" else 1) and not raised.is_set():
            raised.set()
            raise Unthought
        return await as_it_is(self)

    one, other = system.make(), system.make()
    monkeypatch.setattr(system.kind, step, fail_late)
    async with started(one, other) as (_, heard):
        await other.subscribe("r")
        if step == "_reconnect":
            await system.throw_out()
        async with asyncio.timeout(WITHIN):
            await raised.wait()

        await arrived(one, heard, 1)
        await holds(lambda: one.healthy and other.healthy)

    assert "failed unexpectedly" in caplog.text
    assert "Unthought" in caplog.text


async def test_errors_without_end_are_logged_now_and_then_and_wait_longer_and_longer(
    system: System, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    waits: list[float] = []
    fails = asyncio.Event()

    def uniform(low: float, high: float) -> float:
        waits.append(high)
        if len(waits) == 12:
            fails.set()
        return 0.0

    async def fail(self: Any) -> None:
        raise Unthought

    monkeypatch.setattr(system.kind, "_probe", fail)
    monkeypatch.setattr("random.uniform", uniform)
    async with started(system.make()):
        async with asyncio.timeout(WITHIN):
            await fails.wait()

    assert waits[:5] == [0.05, 0.1, 0.2, 0.4, 0.5]
    assert caplog.text.count("failed unexpectedly") == 1
