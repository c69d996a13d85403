"""A worker is stopped (SIGSTOP) under load: it is killed and replaced in 15 s, its clients are elsewhere, nothing is lost."""

from __future__ import annotations

import signal

from tests.soak._crowd import Crowd
from tests.soak._workers import SECRET, running_app
from tests.soak.runs import Progress, Verdict, main
from tests.soak.worker_killed import presence_is_clean

FREEZES, PEOPLE, WORKERS = 3, 200, 4
SHORT = 0.1
REPLACED = 15.0


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    freezes, people = max(1, round(FREEZES * scale)), max(12, round(PEOPLE * scale))
    silence = "10" if scale >= 1 else "1.5"
    replaced: list[float] = []
    async with (
        running_app(WORKERS if scale >= 1 else 2, watchdog_silence=silence) as app,
        Crowd(app.ws_url, SECRET, people, pace=max(0.5, 2.0 * scale)) as crowd,
    ):
        for n in range(freezes):
            replaced.append(await app.end_worker(app.alive[0], signal.SIGSTOP))
            await crowd.all_in(within=60.0)
            progress((n + 1) / (freezes + 1), f"{n + 1} frozen, {len(crowd.checker.acked):,} acked")
        verdict.wrong += await crowd.flaws()
        verdict.wrong += [f"told of a gap: {gap}" for gap in crowd.checker.gaps()]
        await presence_is_clean(crowd, people // 2, verdict)
    verdict.figures = {
        "frozen": freezes,
        "acked": len(crowd.checker.acked),
        "connections cut": len(crowd.closes),
        "replaced, slowest (s)": round(max(replaced), 2),
    }
    if max(replaced) > REPLACED:
        verdict.slow.append(f"a frozen worker was replaced after {max(replaced):.1f} s")
    return verdict


if __name__ == "__main__":
    main(soak)
