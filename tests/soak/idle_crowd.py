"""100,000 who are in one room and silent for ten minutes: 0 dropped, at most 1.3 GB and 3 % of a core, and a message is with all of
them within 2 s.

Where a process may not open so many files, they are shared out to several servers of one worker each, all on one core. Each has a room, and
all rooms hear their message at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.soak._clients import Clients, at_most, clients, lacking, pin, processor_time, resident
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ServerProcess, start_app

SHORT = 0.001
CLIENTS, SECONDS = 100_000, 600.0
MESSAGES = 3
"""At the beginning, in the middle, and at the end."""
GIGABYTES, SHARE, HEARD = 1.3, 0.03, 2.0
WITHIN = 900.0
SETTLED = 10.0
SETTINGS = {"heartbeat_interval": 300.0, "heartbeat_timeout": 700.0, "presence_ttl": 3_600.0}
"""Those for crowds: see docs/explanation/crowds.md."""
APP = Path(__file__).with_name("_app.py")


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    count, seconds = max(50, round(CLIENTS * scale)), max(1.0, SECONDS * scale)
    servers = 1 if lacking(count) is None else math.ceil(count / at_most())
    each = math.ceil(count / servers)
    lacks = lacking(each)
    if lacks:
        verdict.wrong.append(lacks)
        return verdict
    async with contextlib.AsyncExitStack() as stack:
        halls = [await stack.enter_async_context(_hall(each)) for _ in range(servers)]
        await Idleness(halls, each * servers, progress).go(seconds, verdict)
    return verdict


class Hall(NamedTuple):
    """A server, and the clients who are in its one room."""

    server: ServerProcess
    crowd: Clients


@contextlib.asynccontextmanager
async def _hall(count: int) -> AsyncIterator[Hall]:
    env = {"SOAK_SETTINGS": json.dumps(SETTINGS), "SERVER_BACKLOG": "4096"}
    server = await asyncio.to_thread(start_app, APP, env=env, within=60.0)
    try:
        pin(server)
        async with clients(count, port=server.port, rooms=1, opening=min(100, count)) as crowd:
            yield Hall(server, crowd)
    finally:
        await asyncio.to_thread(server.kill)


class Idleness:
    """Everybody who is there and says nothing: `count` in all halls together, as many in each."""

    def __init__(self, halls: Sequence[Hall], count: int, progress: Progress) -> None:
        self.halls = halls
        self.workers = [worker for hall in halls for worker in hall.server.workers]
        self.count = count
        self.each = count // len(halls)
        self.progress = progress
        self.heard: list[float] = []
        """Seconds until the last one had heard a message."""
        self.used = self.idle = 0.0
        """Seconds of processor time, while nothing was said, and of time."""
        self.dropped = 0
        self.wrong: list[str] = []

    async def go(self, seconds: float, verdict: Verdict) -> None:
        empty = resident(self.workers)
        began, used = time.monotonic(), processor_time(self.workers)
        await asyncio.gather(*[hall.crowd.all_in(self.each, within=WITHIN) for hall in self.halls])
        came = (time.monotonic() - began, processor_time(self.workers) - used)
        self.progress(0.3, f"{self.count:,} are in after {came[0]:.0f} s")
        await asyncio.sleep(min(SETTLED, seconds))  # what their coming left to be done and told
        full = resident(self.workers)
        await self._listen(0.0)
        for _ in range(MESSAGES - 1):
            await self._listen(seconds / (MESSAGES - 1))
        verdict.figures = {
            "connections": self.count,
            "servers": len(self.halls),
            "all in after (s)": round(came[0], 1),
            "joins per second of processor time": round(self.count / came[1]) if came[1] else "",
            "memory (MB)": round(full / 1e6),
            "memory for each (KiB)": round((full - empty) / self.count / 1024, 1),
            "memory at the end (MB)": round(resident(self.workers) / 1e6),
            "idle (s)": round(self.idle),
            "share of a core while idle": f"{self.used / self.idle:.2%}",
            "heard by all after (s)": [round(after, 2) for after in self.heard],
            "dropped": self.dropped,
        }
        self._judge(full, verdict)

    async def _listen(self, after: float) -> None:
        """Be silent for so long, then say something that all hear."""
        began, used = time.monotonic(), processor_time(self.workers)
        await asyncio.sleep(after)
        self.used += processor_time(self.workers) - used
        self.idle += time.monotonic() - began
        for hall in self.halls:
            hall.crowd.tell("say")
        due = self.each * (len(self.heard) + 1)
        await asyncio.gather(*[hall.crowd.heard(due, within=60.0) for hall in self.halls])
        figures = [await hall.crowd.figures() for hall in self.halls]
        self.heard.append(max(one.slowest for one in figures))
        for one in figures:
            self.dropped += one.lost
            if one.lost or one.gaps or one.errors:
                self.wrong.append(
                    f"{one.lost} were dropped: {one.closes}; {one.gaps} gaps, {one.errors} errors"
                )
        self.progress(0.3 + 0.7 * len(self.heard) / MESSAGES, f"heard by all after {self.heard[-1]:.2f} s")

    def _judge(self, full: int, verdict: Verdict) -> None:
        verdict.wrong += self.wrong
        if full > GIGABYTES * 1e9:
            verdict.slow.append(f"{full / 1e9:.2f} GB of memory")
        if self.used / self.idle > SHARE:
            verdict.slow.append(f"{self.used / self.idle:.1%} of a core while nothing happens")
        if max(self.heard) > HEARD:
            verdict.slow.append(f"a message was with all after {max(self.heard):.1f} s")


if __name__ == "__main__":
    main(soak)
