"""The operators' page under 5,000 connections on four workers: its figures agree with what the load generator did, and cost little."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.soak.crowd import Crowd
from tests.soak.runs import Progress, Verdict, main
from tests.soak.two_workers import busy
from tests.support.process import ServerProcess, start_app
from tests.support.server import http_request
from tests.support.valkey import running
from tests.support.wire import SECRET, token

SHORT = 0.01
CONNECTIONS, ROOM, WORKERS, SECONDS, RATE, SIZE = 5_000, 50, 4, 60.0, 40.0, 200
POLLS, EVERY = 200, 2.0
"""Polls that are measured, and the seconds from one to the next while the page is open."""
APART, COST = 0.02, 0.01
WITHIN = 30.0
ASKED = ("overview", "heads?rooms=", "tail?room=room-0", "people")


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    rooms = max(2, round(CONNECTIONS * scale / ROOM))
    seconds, polls = max(3.0, SECONDS * scale), max(5, round(POLLS * scale))
    async with serving(WORKERS if scale > 0.1 else 2) as server:
        page = Page(server, [f"room-{number}" for number in range(rooms)])
        crowds = [Crowd(server.port, room) for room in page.rooms]
        for number, crowd in enumerate(crowds):
            await crowd.join(ROOM)
            progress(0.5 * number / rooms, f"{number * ROOM:,} connections")
        await compare_connections(page, rooms * ROOM, verdict)
        await compare_talk(page, crowds, seconds, verdict)
        progress(0.9, "what the page costs")
        await measure_cost(page, polls, verdict)
        for crowd in crowds:
            crowd.leave()
    return verdict


@contextlib.asynccontextmanager
async def serving(workers: int) -> AsyncIterator[ServerProcess]:
    with running() as valkey:
        env = {"STORE": valkey.url, "ADMIN": "read", "JWT_SECRET": SECRET, "RATE_LIMITS": "false"}
        server = await asyncio.to_thread(
            start_app,
            Path(__file__).with_name("served.py"),
            workers=workers,
            env={f"SANIC_CHATROOMS_{name}": value for name, value in env.items()},
        )
        try:
            yield server
        finally:
            await asyncio.to_thread(server.stop)


class Page:
    """What the page asks."""

    def __init__(self, server: ServerProcess, rooms: list[str]) -> None:
        self.server = server
        self.rooms = rooms
        self._headers = {"Authorization": f"Bearer {token('op', expires_in=36_000, scope='chat:admin')}"}

    async def ask(self, what: str) -> Any:
        path = f"/chat/admin/api/{what}"
        answer = await http_request("127.0.0.1", self.server.port, "GET", path, self._headers)
        assert answer.status == 200, answer.text
        return json.loads(answer.body)

    async def until(self, figure: str, value: float) -> float:
        """The sum of a figure, once it is as much, or time is up."""
        until = time.monotonic() + WITHIN
        while (now := total(await self.ask("overview"), figure)) < value and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.25)
        return now

    async def poll(self) -> None:
        """What the page asks in each of its turns: of a list of rooms, of one room, and of people, though only one of these is on show."""
        for what in ASKED:
            await self.ask(what + (",".join(self.rooms[:25]) if what.endswith("rooms=") else ""))


def total(overview: Any, figure: str) -> float:
    return float(sum(worker[figure] for worker in overview["workers"]))


def rate(figure: str, now: Any, before: Any) -> float:
    """As the page computes it: by the times at which each worker's figures were taken."""
    then = {worker["worker"]: worker for worker in before["workers"]}
    pairs = [(worker, then[worker["worker"]]) for worker in now["workers"]]
    return float(
        sum(
            (one[figure] - other[figure]) / ((now["at"] - one["age"]) - (before["at"] - other["age"]))
            for one, other in pairs
        )
    )


async def compare_connections(page: Page, connections: int, verdict: Verdict) -> None:
    shown = await page.until("connections", connections)
    compare("connections", shown, connections, verdict)


async def compare_talk(page: Page, crowds: list[Crowd], seconds: float, verdict: Verdict) -> None:
    messages, deliveries = [
        total(await page.ask("overview"), figure) for figure in ("messages", "deliveries")
    ]
    talking = [asyncio.ensure_future(crowd.talk(seconds, RATE / len(crowds), SIZE)) for crowd in crowds]
    await asyncio.sleep(seconds / 6)
    before = await page.ask("overview")
    await asyncio.sleep(seconds * 4 / 6)
    now = await page.ask("overview")
    spoken = await asyncio.gather(*talking)
    for crowd, count in zip(crowds, spoken, strict=True):
        verdict.wrong += await crowd.heard(count)
    said = sum(spoken)
    compare("messages", await page.until("messages", messages + said) - messages, said, verdict)
    delivered = said * ROOM
    compare(
        "deliveries", await page.until("deliveries", deliveries + delivered) - deliveries, delivered, verdict
    )
    shown = rate("messages", now, before)
    verdict.figures["messages per second, shown / done"] = f"{shown:.2f} / {said / seconds:.2f}"
    if abs(shown - said / seconds) > APART * said / seconds:
        verdict.slow.append(f"{shown:.2f} messages a second were shown, {said / seconds:.2f} were sent")


def compare(figure: str, shown: float, done: float, verdict: Verdict) -> None:
    verdict.figures[f"{figure}, shown / done"] = f"{shown:,.0f} / {done:,.0f}"
    if abs(shown - done) > APART * done:
        verdict.wrong.append(f"{figure}: {shown:,.0f} are shown, {done:,.0f} were done")


async def measure_cost(page: Page, polls: int, verdict: Verdict) -> None:
    """The processor time of all workers for one turn of the page, less what they use in the same time without it."""
    began, before = time.monotonic(), busy(page.server)
    for _ in range(polls):
        await page.poll()
    took, used = time.monotonic() - began, busy(page.server) - before
    before = busy(page.server)
    await asyncio.sleep(took)
    idle = busy(page.server) - before
    share = max(0.0, used - idle) / polls / EVERY
    verdict.figures["ms of processor time for a turn of the page"] = round(
        1000 * max(0.0, used - idle) / polls, 1
    )
    verdict.figures["share of one processor while it is open"] = f"{share:.2%} (at most {COST:.0%})"
    if share > COST:
        verdict.slow.append(f"the page costs {share:.2%} of a processor")


if __name__ == "__main__":
    main(soak)
