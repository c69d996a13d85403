"""All workers are restarted under load with 1,000 clients: each is back in 10 s, 95 of 100 in 6 s; nobody is refused, nothing
is lost, and they are sent away over more than a second."""

from __future__ import annotations

import asyncio

from tests.soak._crowd import Crowd
from tests.soak._workers import SECRET, App, running_app
from tests.soak.runs import Progress, Verdict, main
from tests.support.server import http_request

PEOPLE, WORKERS = 1_000, 4
SHORT = 0.06
BACK, BACK_95, SPREAD = 10.0, 6.0, 1.0


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, people, workers = Verdict(), max(20, round(PEOPLE * scale)), WORKERS if scale >= 1 else 2
    async with (
        running_app(workers, presence_ttl="60", presence_grace="10") as app,  # the defaults
        Crowd(app.ws_url, SECRET, people, pace=max(2.0, 8.0 * scale)) as crowd,
    ):
        progress(0.3, f"{people} clients are in")
        await restart(app, workers)
        await crowd.all_in(within=60.0)
        progress(0.8, f"{len(crowd.backs)} came back")
        verdict.wrong += await crowd.flaws()
        verdict.wrong += [f"told of a gap: {gap}" for gap in crowd.checker.gaps()]
        progress(1.0, "all is said")
    judge(crowd, people, verdict, full=scale >= 1)
    return verdict


async def restart(app: App, workers: int) -> None:
    """Return when the new workers serve and the old ones are gone."""
    before = app.running.output.count("Worker complete")
    await http_request("127.0.0.1", app.running.port, "POST", "/restart")
    await asyncio.to_thread(
        app.running.wait_for,
        lambda output: output.count("Worker complete") >= before + workers,
        "the end of the old workers",
        within=120.0,
    )


def judge(crowd: Crowd, people: int, verdict: Verdict, *, full: bool) -> None:
    backs, times = sorted(crowd.backs), sorted(at for at, _ in crowd.closes)
    spread = times[-1] - times[0]
    verdict.figures = {
        "clients": people,
        "acked": len(crowd.checker.acked),
        "sent away": len(times),
        "sent away over (s)": round(spread, 2),
        "back, 95 of 100 (s)": round(backs[len(backs) * 95 // 100], 2),
        "back, slowest (s)": round(backs[-1], 2),
        "unreachable for a moment": crowd.unreachable,
    }
    codes = {code for _, code in crowd.closes}
    if codes != {1012} or len(times) < people:
        verdict.wrong.append(f"{len(times)} of {people} were sent away, with {codes}")
    if crowd.refused:
        verdict.wrong.append(f"refused: {dict(crowd.refused)}")
    if full and spread < SPREAD:
        verdict.wrong.append(f"all were sent away within {spread:.2f} s")
    if backs[-1] > BACK:
        verdict.slow.append(f"one was back after {backs[-1]:.1f} s")
    if backs[len(backs) * 95 // 100] > BACK_95:
        verdict.slow.append(f"95 of 100 were back after {backs[len(backs) * 95 // 100]:.1f} s")


if __name__ == "__main__":
    main(soak)
