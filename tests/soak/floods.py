"""Floods of five kinds beside 50 who behave: each has its close code, memory stays where it is, and nobody else waits.

The flood is played by a process of its own (`flooder.py`), or the measuring process would be what is flooded.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from pathlib import Path

from tests.soak.crowd import Crowd, memory, percentile
from tests.soak.flooder import KINDS
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ROOT, ServerProcess, start_app

SHORT = 0.03
SECONDS, MEMBERS, RATE, SIZE = 10.0, 50, 100.0, 100
AT_MOST = 2.0
GROWTH = 50 * 1024
"""KiB that a flood may add to the server's memory at any time."""


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    seconds = max(0.3, SECONDS * scale)
    server = await asyncio.to_thread(start_app, Path(__file__).with_name("served.py"))
    crowd = Crowd(server.port, "general")
    try:
        await crowd.join(MEMBERS)
        await quiet_p99(crowd, 0.5, verdict)  # the first messages find everything cold
        for number, kind in enumerate(KINDS):
            progress(number / len(KINDS), f"{kind}, against {seconds:g} s without")
            without = await quiet_p99(crowd, seconds, verdict)
            await flooded(server, crowd, kind, seconds, without, verdict)
    finally:
        crowd.leave()
        await asyncio.to_thread(server.stop)
    if "Traceback" in server.output:
        verdict.wrong.append("the server has logged a traceback: " + server.output[-2_000:])
    progress(1.0, "done")
    return verdict


async def quiet_p99(crowd: Crowd, seconds: float, verdict: Verdict) -> float:
    verdict.wrong += await crowd.heard(await crowd.talk(seconds, RATE, SIZE))
    return percentile(crowd.delays(), 0.99)


async def flooded(
    server: ServerProcess, crowd: Crowd, kind: str, seconds: float, without: float, verdict: Verdict
) -> None:
    before = memory(server)
    peak = Peak(server)
    command = [sys.executable, "-m", "tests.soak.flooder", kind, str(server.port), str(seconds)]
    flood = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE)
    assert flood.stdout is not None
    await flood.stdout.readline()  # it has begun
    p99 = await quiet_p99(crowd, seconds, verdict)
    told = json.loads((await flood.communicate())[0])
    growth = peak.stop() - before
    judge(kind, Counter(told["codes"]), growth, p99 / without, verdict)
    verdict.figures[kind] = (
        f"p99 {p99 * 1000:.1f} ms, {p99 / without:.2f} times {without * 1000:.1f}; memory {growth / 1024:+.1f} MB; "
        f"sent {told['sent'] / 1e6:.1f} MB; closed {told['codes']}"
    )


def judge(kind: str, codes: Counter[str], growth: int, ratio: float, verdict: Verdict) -> None:
    expected = KINDS[kind].code
    if set(codes) != {expected}:
        verdict.wrong.append(f"{kind}: closed with {dict(codes)}, not {expected}")
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
