"""Valkey is killed with -9, twenty times, under load from publishers on every worker: nothing that was acked is lost, or it is said.

With `appendfsync always` nothing is lost, doubled or reordered and every position is recovered. With `everysec` every room
gets a new epoch and keeps every acked message. Without persistence everybody is told, and nobody is fooled.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from sanic_chatrooms.models import Head
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.redis.store import RedisStore
from sanic_chatrooms.testing import Checker
from tests.soak._talker import Talker, until
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ServerProcess, start_app
from tests.support.valkey import ValkeyServer, running

KILLS = {"always": 20, "everysec": 4, "none": 4}
SHORT = 0.05
WORKERS, TALKERS, OUTSTANDING = 4, 24, 4
ROOMS = ("red", "green", "blue")
LOSES = ("none", "Sentinel")
"""Where something acknowledged may be lost, which is then said."""
BETWEEN = 4.0
"""Seconds between two kills, at full length: together a million deliveries."""
BACK_WITHIN = 1.0
SECRET = secrets.token_hex(32)
APP = Path(__file__).parents[1] / "support" / "workers_app.py"


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    workers, talkers = (WORKERS, TALKERS) if scale >= 0.2 else (2, 6)
    with running() as valkey:
        async with serving(valkey.url, workers) as server:
            for number, (persistence, count) in enumerate(KILLS.items()):
                await asyncio.to_thread(valkey.renew, persistence)
                run = Run(persistence, valkey.url, server, talkers, verdict)
                kills = max(1, round(count * scale))
                for n in range(kills):
                    await run.strike(BETWEEN * min(1.0, 4 * scale), functools.partial(restart, valkey))
                    progress((number + (n + 1) / kills) / len(KILLS), f"{persistence}: {n + 1} kills")
                await run.end(kills)
    return verdict


def restart(valkey: ValkeyServer) -> None:
    valkey.kill()
    valkey.start()


@contextlib.asynccontextmanager
async def serving(url: str, workers: int) -> AsyncIterator[ServerProcess]:
    env = {"CHAT_STORE": url, "CHAT_SECRET": SECRET}
    server = await asyncio.to_thread(start_app, APP, workers=workers, env=env)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop)


class Run:
    """Clients that talk, something that happens to Redis, and what becomes of it. `kind`: a persistence, or in what it is."""

    def __init__(self, kind: str, store: str, server: ServerProcess, talkers: int, verdict: Verdict) -> None:
        self.kind = kind
        self.store = store
        self.verdict = verdict
        self.checker = Checker()
        url = f"{server.ws_url}/chat/ws"
        self.talkers = [Talker(f"u{n}", self.checker, url, ROOMS, SECRET) for n in range(talkers)]
        self.tasks = [asyncio.ensure_future(talker.run()) for talker in self.talkers]
        self.back: list[float] = []

    async def strike(self, talking: float, blow: Callable[[], None]) -> None:
        """Let everybody talk for a while, and in the middle of it this happens, which is over when it returns."""
        if not await until(lambda: all(talker.is_in for talker in self.talkers), 60):
            self.wrong("not everybody is in")
        for talker in self.talkers:
            await talker.start(OUTSTANDING)
        await asyncio.sleep(talking)  # how long a server lives is what is tried here
        await asyncio.to_thread(blow)
        answers = time.monotonic()
        if await until(lambda: all(talker.acked_at > answers for talker in self.talkers), 30):
            self.back.append(max(talker.acked_at for talker in self.talkers) - answers)
        else:
            self.wrong("no ack for 30 s afterwards")

    async def end(self, kills: int) -> None:
        """Say no more, wait for every ack, let everybody hear everything, and judge."""
        for talker in self.talkers:
            talker.outstanding = 0
        if not await until(lambda: not any(talker.waiting for talker in self.talkers), 60):
            self.wrong("an ack never came")
        store = RedisStore(self.store)
        await store.start("default", Bounds())
        heads = await store.heads(ROOMS)
        if not await until(lambda: all(self.is_at(talker, heads) for talker in self.talkers), 30):
            self.wrong("not everybody heard everything")
        if self.kind not in LOSES:
            for room in ROOMS:
                await self.checker.read(store, room)
        await store.stop()
        self.judge(kills)
        for talker in self.talkers:
            await talker.leave()
        await asyncio.gather(*self.tasks)

    @staticmethod
    def is_at(talker: Talker, heads: Mapping[str, Head]) -> bool:
        positions = {room: talker.witness.since(room) or {} for room in ROOMS}
        return all(
            (positions[room].get("epoch"), positions[room].get("seq")) == (head.epoch, head.seq)
            for room, head in heads.items()
        )

    def judge(self, kills: int) -> None:
        flaws, gaps = self.checker.flaws(), self.checker.gaps()
        if self.kind in LOSES:
            # What was acked may be gone with the server; what must not be is that somebody believes to know all.
            flaws = [flaw for flaw in flaws if " was acked " not in flaw]
            untold = [talker.name for talker in self.talkers if talker.told < kills]
            if untold:
                self.wrong(f"not told of every loss: {untold}")
        if self.kind == "always" and gaps:
            self.wrong(f"{len(gaps)} times somebody was told of a gap: {gaps[:3]}")
        if self.kind in ("everysec", "Cluster") and not gaps:
            self.wrong("no new epoch after a kill")
        for flaw in flaws[:5]:
            self.wrong(flaw)
        heard = sum(talker.witness.heard(room) for talker in self.talkers for room in ROOMS)
        self.verdict.figures[self.kind] = (
            f"{kills} times, {len(self.checker.acked):,} acked, {heard:,} deliveries, {self.checker.repetitions} repetitions, "
            f"{len(gaps)} times told of a gap, {len(flaws)} flaws, all acked again after {max(self.back, default=0.0):.2f} s"
        )
        late = [round(seconds, 2) for seconds in self.back if seconds > BACK_WITHIN]
        if late and self.kind in (
            "always",
            "everysec",
        ):  # elsewhere others have to take over, or rooms to be made again
            self.verdict.slow.append(f"{self.kind}: back after {late} s, and not {BACK_WITHIN}")

    def wrong(self, what: str) -> None:
        self.verdict.wrong.append(f"{self.kind}: {what}")


if __name__ == "__main__":
    main(soak)
