"""A worker is killed 10 times under load: clients are elsewhere in 5 s, it is replaced in 3 s, nothing is lost, nobody
stays present who is not."""

from __future__ import annotations

import asyncio
import random
import signal
import time

from tests.soak._crowd import Crowd
from tests.soak._workers import PRESENCE_TTL, SECRET, running_app
from tests.soak.runs import Progress, Verdict, main

KILLS, PEOPLE, WORKERS = 10, 200, 4
SHORT = 0.1
ELSEWHERE, REPLACED = 5.0, 3.0


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, dice = Verdict(), random.Random(6)
    kills, people = max(1, round(KILLS * scale)), max(12, round(PEOPLE * scale))
    replaced: list[float] = []
    async with (
        running_app(WORKERS if scale >= 1 else 2) as app,
        Crowd(app.ws_url, SECRET, people, pace=max(0.5, 2.0 * scale)) as crowd,
    ):
        for n in range(kills):
            replaced.append(await app.end_worker(dice.choice(app.alive), signal.SIGKILL))
            await crowd.all_in(within=60.0)
            progress((n + 1) / (kills + 1), f"{n + 1} kills, {len(crowd.checker.acked):,} acked")
        verdict.wrong += await crowd.flaws()
        verdict.wrong += [f"told of a gap: {gap}" for gap in crowd.checker.gaps()]
        await presence_is_clean(crowd, people // 2, verdict)
    judge(crowd, replaced, verdict)
    verdict.figures["kills"] = kills
    return verdict


async def presence_is_clean(crowd: Crowd, leaving: int, verdict: Verdict) -> None:
    """Half of them go home; after a while only the others are counted, however many workers had seen them."""
    await crowd.leave(leaving)
    deadline = time.monotonic() + PRESENCE_TTL + 5.0
    while (online := await crowd.online()) != len(crowd.people):
        if time.monotonic() > deadline:
            verdict.wrong.append(f"{online} are present, {len(crowd.people)} are there")
            return
        await asyncio.sleep(0.2)


def judge(crowd: Crowd, replaced: list[float], verdict: Verdict) -> None:
    verdict.figures |= {
        "acked": len(crowd.checker.acked),
        "connections cut": len(crowd.closes),
        "elsewhere, slowest (s)": round(max(crowd.backs, default=0.0), 2),
        "replaced, slowest (s)": round(max(replaced), 2),
    }
    if max(crowd.backs, default=0.0) > ELSEWHERE:
        verdict.slow.append(f"a client was away for {max(crowd.backs):.1f} s")
    if max(replaced) > REPLACED:
        verdict.slow.append(f"a worker was replaced after {max(replaced):.1f} s")


if __name__ == "__main__":
    main(soak)
