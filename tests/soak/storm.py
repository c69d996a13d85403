"""A server with 10,000 clients restarts, and then one is killed: all are back within 10 s, on the core of another one, whose 1,000
clients hear messages at most three times as late meanwhile. The memory of both is at most 1.5 times what it was."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from tests.soak._clients import Clients, Figures, clients, lacking, pin, processor_time, resident
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ServerProcess, start_app
from tests.support.valkey import running

SHORT = 0.01
CLIENTS, STAY, ROOM, RATE = 10_000, 1_000, 55, 100.0
"""Messages a second, in all rooms together: those who stay say them, and what they hear is measured."""
CALM = 10.0
BACK, LATER, MORE = 10.0, 3.0, 1.5
WITHIN = 600.0
BACKLOG = os.environ.get("SERVER_BACKLOG", "4096")
APP = Path(__file__).with_name("_app.py")
WAYS: dict[str, Callable[[ServerProcess], object]] = {
    "restart": ServerProcess.terminate,
    "kill": ServerProcess.kill,
}


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    count, stay = max(20, round(CLIENTS * scale)), max(10, round(STAY * scale))
    lacks = lacking(count + stay)
    if lacks:
        verdict.wrong.append(lacks)
        return verdict
    for number, (way, end) in enumerate(WAYS.items()):
        async with scene(count, stay) as storm:
            await storm.break_out(end, calm=max(1.0, CALM * min(1.0, scale)))
        judge(way, storm, verdict)
        progress((number + 1) / len(WAYS), f"all are back after the {way}")
    return verdict


class Storm:
    """Two servers with one store, on one core, and everybody."""

    def __init__(
        self, home: ServerProcess, other: ServerProcess, crowd: Clients, count: int, stay: int
    ) -> None:
        self.home = home
        self.other = other
        self.crowd = crowd
        self.count = count
        self.stay = stay
        self.took = self.used = 0.0
        """Seconds until all were back, and of the other server's processor time."""
        self.memory = self.peak = 0
        """Bytes of both before, and the most since."""
        self.before: Figures
        self.during: Figures
        self.after: Figures

    async def break_out(self, end: Callable[[ServerProcess], object], *, calm: float) -> None:
        """Everybody comes, and those who stay talk; then one server ends, and everybody comes back."""
        await self.crowd.all_in(self.count + self.stay, within=WITHIN)
        self.crowd.tell(f"talk {RATE * self.stay / STAY}")
        await asyncio.sleep(calm)
        await self.crowd.figures()
        await asyncio.sleep(calm)
        self.before, self.memory = await self.crowd.figures(), self._resident()
        watching = asyncio.ensure_future(self._watch_memory())
        began, used = time.monotonic(), processor_time(self.other.workers)
        ending = asyncio.ensure_future(asyncio.to_thread(end, self.home))
        await self.crowd.all_back(self.count, within=WITHIN)
        self.took, self.used = time.monotonic() - began, processor_time(self.other.workers) - used
        self.during = await self.crowd.figures()
        await ending
        await asyncio.sleep(calm)
        self.after = await self.crowd.figures()
        watching.cancel()

    def _resident(self) -> int:
        return resident((*self.home.workers, *self.other.workers))

    async def _watch_memory(self) -> None:
        while True:
            self.peak = max(self.peak, self._resident())
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def scene(count: int, stay: int) -> AsyncIterator[Storm]:
    with running() as valkey:
        async with serving(valkey.url) as home, serving(valkey.url) as other:
            settings = {
                "port": home.port,
                "other": other.port,
                "stay": stay,
                "rooms": max(1, (count + stay) // ROOM),
            }
            async with clients(count + stay, **settings) as crowd:
                yield Storm(home, other, crowd, count, stay)


@contextlib.asynccontextmanager
async def serving(store: str) -> AsyncIterator[ServerProcess]:
    env = {"SOAK_STORE": store, "SERVER_BACKLOG": BACKLOG, "SANIC_CHATROOMS_OVERLOAD_LAG": "0.25"}
    server = await asyncio.to_thread(start_app, APP, env=env, within=60.0)
    try:
        pin(server)
        yield server
    finally:
        await asyncio.to_thread(server.kill)


def judge(way: str, storm: Storm, verdict: Verdict) -> None:
    before, during, after = storm.before, storm.during, storm.after
    later = during.p99 / before.p99 if before.p99 else 0.0
    more = storm.peak / storm.memory
    verdict.figures |= {
        f"{way}: back, half / 95 of 100 / all (s)": f"{during.back_50:.1f} / {during.back_95:.1f} / {during.back_last:.1f}",
        f"{way}: from its beginning until all were back (s)": round(storm.took, 1),
        f"{way}: processor time of the other server (s)": round(storm.used, 1),
        f"{way}: live p50 before / during / after (ms)": milliseconds(before.p50, during.p50, after.p50),
        f"{way}: live p99 before / during / after (ms)": milliseconds(before.p99, during.p99, after.p99),
        f"{way}: live slowest before / during / after (ms)": milliseconds(
            before.slowest, during.slowest, after.slowest
        ),
        f"{way}: memory before / peak (MiB)": f"{storm.memory >> 20} / {storm.peak >> 20}",
        f"{way}: attempts": f"{during.refused} refused, {during.unreachable} unreachable, {during.timed_out} timed out, "
        f"{during.over_http} over HTTP, {during.errors} errors, closed with {during.closes}",
    }
    for figures in (before, during, after):
        if figures.gaps or figures.resets:
            verdict.wrong.append(f"{way}: {figures.gaps} gaps, {figures.resets} rooms not continued")
    if during.back_last > BACK:
        verdict.slow.append(f"{way}: one was back after {during.back_last:.1f} s")
    if later > LATER:
        verdict.slow.append(f"{way}: of those who stayed, 1 in 100 heard messages {later:.1f} times as late")
    if more > MORE:
        verdict.slow.append(f"{way}: {more:.2f} times the memory")


def milliseconds(*times: float) -> str:
    return " / ".join(f"{time * 1000:.1f}" for time in times)


if __name__ == "__main__":
    main(soak)
