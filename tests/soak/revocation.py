"""Users whose tokens are revoked, or who are banned from the server, under 20,000 deliveries a second on four workers: 99 of 100
connections are closed within 250 ms, and none of those users gets in again, however often they try.

Of each user one connection stays, and two are cut and opened again all the time, before, while and after it happens.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from tests.soak._hall import HALL, Hall, Socket, served_hall
from tests.soak.crowd import percentile
from tests.soak.runs import Progress, Verdict, main
from tests.support.wire import token

SHORT = 0.02
REVOCATIONS, ATONCE = 1_000, 20
MOST = 0.25
"""Seconds within which 99 of 100 connections are closed."""
BEFORE, AFTER = 0.5, 1.0
"""Seconds for which a user is there before, and tries to come back after it."""
AWAY = 0.02
CODES = {"user": 4500, "jti": 4500, "sid": 4500, "ban": 4507}
REFUSED = {4500: 401, 4507: 403}

Act = Callable[[], Awaitable[Any]]


class Victim:
    """A user who is going to be refused. `returned_at`: when the app's call had returned."""

    def __init__(self, hall: Hall, name: str, how: str) -> None:
        self.hall = hall
        self.how = how
        self.shown = token(name, iat=int(time.time()) - 60, jti=f"jti-{name}", sid=f"sid-{name}")
        chat = hall.chat
        acts: dict[str, Act] = {
            "user": lambda: chat.revoke(user=name),
            "jti": lambda: chat.revoke(jti=f"jti-{name}"),
            "sid": lambda: chat.revoke(sid=f"sid-{name}"),
            "ban": lambda: chat.ban_user(name, reason="spam"),
        }
        self._act = acts[how]
        self.began_at = self.returned_at = float("inf")
        self.delays: list[float] = []
        self.wrong: list[str] = []
        self.tries: Counter[int] = Counter()

    async def live(self) -> None:
        staying = await Socket.open(self.hall.port, self.shown)
        if (
            await staying.status != 101
            or await staying.ask("join", room=HALL, payload={"history": 0}) is None
        ):
            self.wrong.append("a user was refused before anything had happened to them")
            return
        over = asyncio.Event()
        storm = [asyncio.ensure_future(self._come_and_go(over)) for _ in range(2)]
        await asyncio.sleep(BEFORE * random.uniform(0.5, 1.5))
        self.began_at = time.monotonic()
        await self._act()
        self.returned_at = time.monotonic()
        await asyncio.sleep(AFTER)
        over.set()
        await asyncio.gather(*storm)
        self._judge(staying)

    async def _come_and_go(self, over: asyncio.Event) -> None:
        while not over.is_set():
            opened_at = time.monotonic()
            socket = await Socket.open(self.hall.port, self.shown)
            status = await socket.status
            self.tries[status] += 1
            if opened_at > self.returned_at:
                if status != REFUSED[CODES[self.how]]:
                    self.wrong.append(f"a handshake after a revocation ({self.how}) was answered by {status}")
            elif status == 101:
                # It is cut soon, unless it happens meanwhile: then it has to be closed.
                await asyncio.wait([socket.ended], timeout=random.uniform(0.0, 0.2))
                if self.began_at < float("inf"):
                    await asyncio.wait([socket.ended], timeout=10.0)
                    self._judge(socket)
            socket.cut()
            await asyncio.sleep(AWAY)

    def _judge(self, socket: Socket) -> None:
        if not socket.ended.done():
            self.wrong.append(f"a connection was not closed after a revocation ({self.how})")
            return
        if socket.ended.result() != CODES[self.how]:
            self.wrong.append(f"a connection was closed by {socket.ended.result()} ({self.how})")
        self.delays.append(socket.ended_at - self.began_at)


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    count = max(8, int(REVOCATIONS * scale))
    delays: list[float] = []
    tries: Counter[int] = Counter()
    async with served_hall(scale) as hall:
        await hall.fill()
        for start in range(0, count, ATONCE):
            some = range(start, min(count, start + ATONCE))
            victims = [Victim(hall, f"victim-{n}", list(CODES)[n % len(CODES)]) for n in some]
            await asyncio.gather(*(victim.live() for victim in victims))
            for victim in victims:
                delays += victim.delays
                tries += victim.tries
                verdict.wrong += victim.wrong
            progress(min(1.0, (start + ATONCE) / count), f"{start + len(victims):,} revoked")
        wrong, figures = await hall.end()
    verdict.wrong = [*verdict.wrong[:10], *wrong]
    verdict.figures = {
        **figures,
        "revocations": count,
        "connections closed": len(delays),
        "handshakes by answer": dict(sorted(tries.items())),
        **{f"closed within, p{p}": f"{percentile(delays, p / 100) * 1000:.1f} ms" for p in (50, 95, 99)},
        "closed within, most": f"{max(delays) * 1000:.1f} ms",
    }
    if percentile(delays, 0.99) > MOST:
        verdict.slow.append(f"1 in 100 connections was closed later than {MOST} s")
    return verdict


if __name__ == "__main__":
    main(soak)
