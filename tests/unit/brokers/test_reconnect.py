"""Tests for `sanic_chatrooms.brokers.reconnect`."""

import asyncio
from dataclasses import dataclass, field

import pytest

from sanic_chatrooms.brokers.reconnect import keep
from sanic_chatrooms.support.tasks import end

LONG = 60.0


@dataclass
class Server:
    """One that is heard, or not; what was asked of it."""

    lost: asyncio.Event = field(default_factory=asyncio.Event)
    refusals: int = 0
    asked: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)

    async def reconnect(self) -> bool:
        self.asked.put_nowait("hear again")
        if self.refusals:
            self.refusals -= 1
            return False
        self.lost.clear()
        return True

    async def probe(self) -> None:
        self.asked.put_nowait("probe")


@pytest.fixture
def server() -> Server:
    return Server()


async def heard(server: Server, every: float, count: int) -> list[str]:
    """The first that it asks of the server."""
    task = asyncio.ensure_future(keep(server.lost, server.reconnect, server.probe, server.lost.set, every))
    try:
        async with asyncio.timeout(LONG / 2):
            return [await server.asked.get() for _ in range(count)]
    finally:
        await end(task)


async def test_who_is_heard_is_probed_again_and_again(server: Server) -> None:
    assert await heard(server, 0.001, 3) == ["probe"] * 3


async def test_who_is_not_heard_is_asked_until_it_is(server: Server) -> None:
    server.lost.set()
    server.refusals = 2

    assert await heard(server, 0.001, 4) == ["hear again"] * 3 + ["probe"]


async def test_a_loss_is_noticed_at_once_and_not_with_the_next_probe(server: Server) -> None:
    task = asyncio.ensure_future(keep(server.lost, server.reconnect, server.probe, server.lost.set, LONG))
    try:
        await asyncio.sleep(0)
        server.lost.set()
        async with asyncio.timeout(LONG / 2):
            while await server.asked.get() != "hear again":
                pass
    finally:
        await end(task)


async def test_attempts_wait_longer_and_longer_up_to_a_bound_with_full_jitter(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        bounds.append((low, high))
        return 0.0

    monkeypatch.setattr("random.uniform", uniform)
    server.lost.set()
    server.refusals = 7

    await heard(server, LONG, 8)

    assert [low for low, _ in bounds[:8]] == [0.0] * 8
    assert [high for _, high in bounds[:8]] == [0.05, 0.1, 0.2, 0.4, 0.5, 0.5, 0.5, 0.5]


@dataclass
class Breaking(Server):
    """One whose keeping fails in ways that nobody thought of."""

    problems: list[BaseException] = field(default_factory=list)

    async def reconnect(self) -> bool:
        await super().reconnect()
        if self.problems:
            raise self.problems.pop()
        return True

    async def probe(self) -> None:
        await super().probe()
        if self.problems:
            raise self.problems.pop()


@pytest.mark.parametrize("problem", [ValueError("oops"), asyncio.CancelledError()])
async def test_whatever_a_probe_raises_is_logged_and_the_server_is_heard_anew(
    problem: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    server = Breaking(problems=[problem])

    assert await heard(server, 0.001, 3) == ["probe", "hear again", "probe"]
    assert type(problem).__name__ in caplog.text


async def test_whatever_hearing_again_raises_is_logged_and_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = Breaking(problems=[ValueError("one"), KeyError("two")])
    server.lost.set()

    assert await heard(server, 0.001, 4) == ["hear again", "hear again", "hear again", "probe"]
    assert "KeyError" in caplog.text
    assert "ValueError" not in caplog.text, "one in ten seconds is enough"


async def test_giving_up_may_fail_too(caplog: pytest.LogCaptureFixture) -> None:
    server = Breaking(problems=[ValueError("one")])

    def give_up() -> None:
        server.lost.set()
        raise OSError("it cannot be closed")

    task = asyncio.ensure_future(keep(server.lost, server.reconnect, server.probe, give_up, 0.001))
    try:
        async with asyncio.timeout(LONG / 2):
            assert [await server.asked.get() for _ in range(3)] == ["probe", "hear again", "probe"]
    finally:
        await end(task)
