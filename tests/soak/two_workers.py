"""What a delivery in a room of 1,000 costs two workers on one Valkey, in processor time, beside what it costs one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
from collections.abc import AsyncIterator
from pathlib import Path

from tests.soak.crowd import Crowd
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ServerProcess, start_app
from tests.support.valkey import running

SHORT = 0.1
ROUNDS, SECONDS, MEMBERS, RATE, SIZE = 5, 6.0, 1_000, 30.0, 200
AT_MOST = 1.25


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    rounds, members = max(1, round(ROUNDS * scale)), max(100, int(MEMBERS * min(1.0, scale)))
    costs: dict[int, list[float]] = {1: [], 2: []}
    async with serving(1) as one, serving(2) as two:
        for number in range(rounds):
            for server in (one, two):
                crowd = Crowd(server.port, f"round-{number}")
                costs[len(server.workers)].append(await cost(server, crowd, members, scale, verdict))
            progress((number + 1) / rounds, f"round {number + 1} of {rounds}")
    if not all(costs[1]):
        verdict.figures["two to one"] = "not measured: this system does not say what a process has used"
        return verdict
    ratio = statistics.median(two / one for one, two in zip(costs[1], costs[2], strict=True))
    verdict.figures = {
        f"µs for a delivery, {workers} worker{'s'[: workers - 1]}": round(1e6 * statistics.median(of), 2)
        for workers, of in costs.items()
    }
    verdict.figures["two to one"] = f"{ratio:.2f} (at most {AT_MOST})"
    if ratio > AT_MOST:
        verdict.slow.append(f"a delivery costs two workers {ratio:.2f} times what it costs one")
    return verdict


@contextlib.asynccontextmanager
async def serving(workers: int) -> AsyncIterator[ServerProcess]:
    with running() as valkey:
        server = await asyncio.to_thread(
            start_app,
            Path(__file__).with_name("served.py"),
            workers=workers,
            env={"SANIC_CHATROOMS_STORE": valkey.url},
        )
        try:
            yield server
        finally:
            await asyncio.to_thread(server.stop)


async def cost(server: ServerProcess, crowd: Crowd, members: int, scale: float, verdict: Verdict) -> float:
    """Seconds of processor time for one delivery."""
    await crowd.join(members)
    before = busy(server)
    spoken = await crowd.talk(SECONDS * min(1.0, 3 * scale), RATE, SIZE)
    verdict.wrong += await crowd.heard(spoken)
    spent = busy(server) - before
    crowd.leave()
    return spent / (spoken * members)


def busy(server: ServerProcess) -> float:
    """Seconds of processor time that the workers have used so far; 0 where the system does not say it this way."""
    used = 0
    for pid in server.workers:
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists():
            used += sum(map(int, stat.read_text().rpartition(")")[2].split()[11:13]))
    return used / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(soak)
