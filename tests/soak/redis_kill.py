"""Valkey is killed with -9, twenty times, under load from publishers on every worker: nothing that was acked is lost, or it is said.

With `appendfsync always` nothing is lost, doubled or reordered and every position is recovered. With `everysec` every room
gets a new epoch and keeps every acked message. Without persistence everybody is told, and nobody is fooled.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from sanic_chatrooms.models import Head
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.redis import RedisStore
from sanic_chatrooms.testing import Checker
from tests.soak._talker import Talker, until
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ServerProcess, start_app
from tests.support.valkey import ValkeyServer, running

KILLS = {"always": 20, "everysec": 4, "none": 4}
SHORT = 0.05
WORKERS, TALKERS, OUTSTANDING = 4, 24, 4
ROOMS = ("red", "green", "blue")
BETWEEN = 4.0
"""Seconds between two kills, at full length: together a million deliveries."""
BACK_WITHIN = 1.0
SECRET = secrets.token_hex(32)
APP = Path(__file__).parents[1] / "support" / "redis_app.py"


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    workers, talkers = (WORKERS, TALKERS) if scale >= 0.2 else (2, 6)
    with running() as valkey:
        async with serving(valkey, workers) as server:
            for number, (persistence, count) in enumerate(KILLS.items()):
                await asyncio.to_thread(valkey.renew, persistence)
                run, kills = Run(persistence, valkey, server, talkers, verdict), max(1, round(count * scale))
                for n in range(kills):
                    await run.kill(BETWEEN * min(1.0, 4 * scale))
                    progress((number + (n + 1) / kills) / len(KILLS), f"{persistence}: {n + 1} kills")
                await run.end(kills)
    return verdict


@contextlib.asynccontextmanager
async def serving(valkey: ValkeyServer, workers: int) -> AsyncIterator[ServerProcess]:
    env = {"CHAT_REDIS": valkey.url, "CHAT_SECRET": SECRET}
    server = await asyncio.to_thread(start_app, APP, workers=workers, env=env)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop)


class Run:
    """One persistence: clients that talk, and what becomes of it."""

    def __init__(
        self, persistence: str, valkey: ValkeyServer, server: ServerProcess, talkers: int, verdict: Verdict
    ) -> None:
        self.persistence = persistence
        self.valkey = valkey
        self.verdict = verdict
        self.checker = Checker()
        url = f"{server.ws_url}/chat/ws"
        self.talkers = [Talker(f"u{n}", self.checker, url, ROOMS, SECRET) for n in range(talkers)]
        self.tasks = [asyncio.ensure_future(talker.run()) for talker in self.talkers]
        self.back: list[float] = []

    async def kill(self, talking: float) -> None:
        """Let everybody talk for a while, kill the server in the middle of it, bring it back."""
        if not await until(lambda: all(talker.is_in for talker in self.talkers), 60):
            self.wrong("not everybody is in")
        for talker in self.talkers:
            await talker.start(OUTSTANDING)
        await asyncio.sleep(talking)  # how long a server lives is what is tried here
        await asyncio.to_thread(self.valkey.kill)
        await asyncio.to_thread(self.valkey.start)
        answers = time.monotonic()
        if await until(lambda: all(talker.acked_at > answers for talker in self.talkers), 30):
            self.back.append(max(talker.acked_at for talker in self.talkers) - answers)
        else:
            self.wrong("no ack for 30 s after a restart")

    async def end(self, kills: int) -> None:
        """Say no more, wait for every ack, let everybody hear everything, and judge."""
        for talker in self.talkers:
            talker.outstanding = 0
        if not await until(lambda: not any(talker.waiting for talker in self.talkers), 60):
            self.wrong("an ack never came")
        store = RedisStore(self.valkey.url)
        await store.start("default", Bounds())
        heads = await store.heads(ROOMS)
        if not await until(lambda: all(self.is_at(talker, heads) for talker in self.talkers), 30):
            self.wrong("not everybody heard everything")
        if self.persistence != "none":
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
        if self.persistence == "none":
            # What was acked is gone with the server; what must not be is that somebody believes to know all.
            flaws = [flaw for flaw in flaws if " was acked " not in flaw]
            untold = [talker.name for talker in self.talkers if talker.told < kills]
            if untold:
                self.wrong(f"not told of every loss: {untold}")
        if self.persistence == "always" and gaps:
            self.wrong(f"{len(gaps)} times somebody was told of a gap: {gaps[:3]}")
        if self.persistence == "everysec" and not gaps:
            self.wrong("no new epoch after a kill")
        for flaw in flaws[:5]:
            self.wrong(flaw)
        heard = sum(talker.witness.heard(room) for talker in self.talkers for room in ROOMS)
        self.verdict.figures[self.persistence] = (
            f"{kills} kills, {len(self.checker.acked):,} acked, {heard:,} deliveries, {self.checker.repetitions} repetitions, "
            f"{len(gaps)} times told of a gap, {len(flaws)} flaws, all acked again after {max(self.back, default=0.0):.2f} s"
        )
        late = [round(seconds, 2) for seconds in self.back if seconds > BACK_WITHIN]
        if late and self.persistence != "none":  # there the rooms have to be made again first
            self.verdict.slow.append(f"{self.persistence}: back after {late} s, and not {BACK_WITHIN}")

    def wrong(self, what: str) -> None:
        self.verdict.wrong.append(f"{self.persistence}: {what}")


if __name__ == "__main__":
    main(soak)
