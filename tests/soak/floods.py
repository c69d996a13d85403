"""Floods of five kinds beside 50 who behave: each has its close code, memory stays where it is, and nobody else waits.

In rounds, each with and without it; the median of the ratios of the 99th percentiles is judged, and the most memory.
The flood is played by a process of its own (`flooder.py`), or the measuring process would be what is flooded.
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

from tests.soak.crowd import Crowd, memory, percentile
from tests.soak.flooder import KINDS
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ROOT, ServerProcess, start_app

SHORT = 0.03
ROUNDS, SECONDS, MEMBERS, RATE, SIZE = 5, 3.0, 50, 100.0, 100
AT_MOST = 2.0
GROWTH = 50 * 1024
"""KiB that a flood may add to the server's memory at any time."""


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    rounds, seconds = max(1, round(ROUNDS * scale)), max(0.3, SECONDS * min(1.0, ROUNDS * scale))
    server = await asyncio.to_thread(start_app, Path(__file__).with_name("served.py"))
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
    """What one round found: 99th percentiles in seconds, KiB, bytes."""

    without: float
    beside: float
    growth: int
    sent: int
    codes: dict[str, int]


async def measure(server: ServerProcess, crowd: Crowd, kind: str, seconds: float, verdict: Verdict) -> Round:
    """So long without the flood, and so long beside it."""
    without = await quiet_p99(crowd, seconds, verdict)
    before, peak = memory(server), Peak(server)
    command = [sys.executable, "-m", "tests.soak.flooder", kind, str(server.port), str(seconds)]
    flood = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE)
    assert flood.stdout is not None
    await flood.stdout.readline()  # it has begun
    beside = await quiet_p99(crowd, seconds, verdict)
    told = json.loads((await flood.communicate())[0])
    return Round(without, beside, peak.stop() - before, told["sent"], told["codes"])


async def quiet_p99(crowd: Crowd, seconds: float, verdict: Verdict) -> float:
    verdict.wrong += await crowd.heard(await crowd.talk(seconds, RATE, SIZE))
    return percentile(crowd.delays(), 0.99)


def judge(kind: str, rounds: list[Round], verdict: Verdict) -> None:
    ratio = statistics.median(r.beside / r.without for r in rounds)
    growth = max(r.growth for r in rounds)
    codes = sum((Counter(r.codes) for r in rounds), Counter[str]())
    verdict.figures[kind] = (
        f"p99 {ratio:.2f} times {statistics.median(r.without for r in rounds) * 1000:.1f} ms; memory "
        f"{growth / 1024:+.1f} MB; sent {sum(r.sent for r in rounds) / 1e6:.1f} MB; closed {dict(codes)}"
    )
    if set(codes) != {KINDS[kind].code}:
        verdict.wrong.append(f"{kind}: closed with {dict(codes)}, not {KINDS[kind].code}")
    if growth > GROWTH:
        verdict.wrong.append(f"{kind}: memory grew by {growth / 1024:.0f} MB")
    if ratio > AT_MOST:
        verdict.slow.append(f"{kind}: others' p99 is {ratio:.2f} times what it is without")


class Peak:
    """Looks at the server's memory until it is stopped."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._most = 0
        self._watching = asyncio.ensure_future(self._watch())

    async def _watch(self) -> None:
        while True:
            self._most = max(self._most, memory(self._server))
            await asyncio.sleep(0.05)

    def stop(self) -> int:
        """The most KiB that it held."""
        self._watching.cancel()
        return max(self._most, memory(self._server))


if __name__ == "__main__":
    main(soak)
