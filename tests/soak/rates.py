"""Floods of each class of commands beside 50 who behave, with the limits as they come: nobody else is refused or waits.

In rounds, each with and without the flood; the median of the ratios of the 99th percentiles is judged, and the most memory.
The flood is played by a process of its own (`_rating.py`), from another address.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.soak._rating import KINDS
from tests.soak.crowd import Crowd, memory
from tests.soak.floods import AT_MOST, GROWTH, Peak, quiet_p99
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ROOT, ServerProcess, start_app

SHORT = 0.03
ROUNDS, SECONDS, MEMBERS = 5, 3.0, 50
ON = {"SANIC_CHATROOMS_RATE_LIMITS": "on", "SANIC_CHATROOMS_OVERLOAD_LAG": "0.25"}


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    rounds, seconds = max(1, round(ROUNDS * scale)), max(0.6, SECONDS * min(1.0, ROUNDS * scale))
    server = await asyncio.to_thread(start_app, Path(__file__).with_name("served.py"), env=ON)
    crowd = Crowd(server.port, "general")
    try:
        await crowd.join(MEMBERS)
        await quiet_p99(crowd, 0.5, verdict)  # the first messages find everything cold
        for number, kind in enumerate(KINDS):
            found = []
            for turn in range(rounds):
                progress((number * rounds + turn) / (len(KINDS) * rounds), f"{kind}, {turn + 1} of {rounds}")
                found.append(await measure(server, crowd, kind, seconds, verdict))
            judge(kind, found, verdict)
    finally:
        crowd.leave()
        await asyncio.to_thread(server.stop)
    if "Traceback" in server.output:
        verdict.wrong.append("the server has logged a traceback: " + server.output[-2_000:])
    progress(1.0, "done")
    return verdict


@dataclass
class Round:
    """What one round found: 99th percentiles in seconds, KiB, commands."""

    without: float
    beside: float
    growth: int
    sent: int
    refused: dict[str, int]
    closed: int


async def measure(server: ServerProcess, crowd: Crowd, kind: str, seconds: float, verdict: Verdict) -> Round:
    """So long without the flood, and so long beside it. `quiet_p99` notes who was refused, for that is not heard."""
    without = await quiet_p99(crowd, seconds, verdict)
    before, peak = memory(server), Peak(server)
    command = [sys.executable, "-m", "tests.soak._rating", kind, str(server.port), str(seconds)]
    flood = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE)
    assert flood.stdout is not None
    await flood.stdout.readline()  # it has begun
    beside = await quiet_p99(crowd, seconds, verdict)
    told = json.loads((await flood.communicate())[0])
    return Round(without, beside, peak.stop() - before, told["sent"], told["refused"], told["closed"])


def judge(kind: str, rounds: list[Round], verdict: Verdict) -> None:
    ratio = statistics.median(r.beside / r.without for r in rounds)
    growth = max(r.growth for r in rounds)
    refused = sum((Counter(r.refused) for r in rounds), Counter[str]())
    verdict.figures[kind] = (
        f"p99 {ratio:.2f} times {statistics.median(r.without for r in rounds) * 1000:.1f} ms; memory "
        f"{growth / 1024:+.1f} MB; sent {sum(r.sent for r in rounds):,}; refused {dict(refused)}; "
        f"closed {sum(r.closed for r in rounds)} times"
    )
    if not refused[kind]:
        verdict.wrong.append(f"{kind}: nothing of the flood was refused for it: {dict(refused)}")
    if growth > GROWTH:
        verdict.wrong.append(f"{kind}: memory grew by {growth / 1024:.0f} MB")
    if ratio > AT_MOST:
        verdict.slow.append(f"{kind}: others' p99 is {ratio:.2f} times what it is without")


if __name__ == "__main__":
    main(soak)
