"""An app with an embedded server is killed under load and started again, 10 times, every other time together with its server:
nothing that was acked is lost, and rooms keep their epochs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from pathlib import Path

from sanic_chatrooms.drivers.redis.embedded import boot_id, embedded_url
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.redis.store import RedisStore
from tests.soak._crowd import Crowd
from tests.soak._workers import SECRET, App, running_app
from tests.soak.runs import Progress, Verdict, main
from tests.support.embedded import server_of

KILLS, PEOPLE, WORKERS = 10, 100, 4
SHORT = 0.1


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, dice = Verdict(), random.Random(7)
    kills, people = max(1, round(KILLS * scale)), max(12, round(PEOPLE * scale))
    servers: set[int] = set()
    async with (
        running_app(WORKERS if scale >= 1 else 2) as app,
        Crowd(app.ws_url, SECRET, people, pace=0.2) as crowd,
    ):
        for n in range(kills):
            await asyncio.sleep(
                dice.uniform(0.2, 1.0)
            )  # how long it talks before it dies is what varies here
            servers.add(server_of(app.directory))
            await app.kill()
            if not n % 2:
                with contextlib.suppress(ProcessLookupError):  # it is ended anyway, a moment later
                    os.kill(server_of(app.directory), signal.SIGKILL)
            await app.start()
            await crowd.all_in(within=60.0)
            progress((n + 1) / (kills + 1), f"{n + 1} kills, {len(crowd.checker.acked):,} acked")
        await read_all(app, crowd)
        verdict.wrong += await crowd.flaws()
        verdict.wrong += [f"told of a gap: {gap}" for gap in crowd.checker.gaps()]
        servers.discard(server_of(app.directory))
        verdict.wrong += [f"server {pid} was left behind" for pid in servers if is_alive(pid)]
    verdict.figures = {
        "kills": kills,
        "acked": len(crowd.checker.acked),
        "connections cut": len(crowd.closes),
    }
    return verdict


async def read_all(app: App, crowd: Crowd) -> None:
    """What the store has, beside what clients saw."""
    await crowd.flaws()
    store = RedisStore(embedded_url(app.directory), run_id=boot_id())
    await store.start("default", Bounds())
    try:
        for room in {person.room for person in crowd.people}:
            await crowd.checker.read(store, room)
    finally:
        await store.stop()


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"  # ended, and its parent died before it could hear of it


if __name__ == "__main__":
    main(soak)
