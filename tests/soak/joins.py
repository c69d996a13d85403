"""2,000 joins by `since` over 50 rooms, 200 a second, each leaving after a second, while 200 messages a second are said."""

from __future__ import annotations

import asyncio
import random
import time

from sanic_chatrooms.testing import Checker, Witness
from tests.soak.runs import Progress, Verdict, main
from tests.soak.visitors import Visitor, latencies, served

JOINS = 2_000
SHORT = 0.03
PER_SECOND = 200
ROOMS = [f"room.{n}" for n in range(50)]
SAID_PER_SECOND = 200
SPEAKERS = 10
STAY = 1.0
ATONCE = 50
BACK = 20
"""A join brings up to so many missed events."""
MOST = 0.1
"""Seconds within which 99 of 100 joins are answered."""


async def soak(scale: float, progress: Progress) -> Verdict:
    checker, dice = Checker(), random.Random(50)
    async with served() as server:
        scene = Scene(server.ws_url, checker, dice)
        await scene.open()
        await scene.visit(int(JOINS * scale), progress)
        heads = await scene.close()
    verdict = Verdict(wrong=[*scene.wrong, *checker.flaws(), *checker.gaps()])
    if len(checker.acked) != sum(heads.values()):
        verdict.wrong.append(f"{len(checker.acked)} messages acked, {sum(heads.values())} stored")
    verdict.figures = {
        "joins": len(scene.took),
        "joins a second": round(len(scene.took) / scene.lasted),
        "messages said": len(checker.acked),
        "events recovered": sum(witness.replays for witness in checker.witnesses),
        **latencies(scene.took, "join "),
        **latencies(scene.pings, "ping before it "),
    }
    if scene.took and sorted(scene.took)[int(len(scene.took) * 0.99)] > MOST:
        verdict.slow.append(f"1 in 100 joins took longer than {MOST} s")
    return verdict


class Scene:
    """Speakers, who stay, and visitors, who come and go."""

    def __init__(self, url: str, checker: Checker, dice: random.Random) -> None:
        self.url = url
        self.checker = checker
        self.dice = dice
        self.took: list[float] = []
        self.pings: list[float] = []
        """What the machine and its other work cost: a ping right before each join."""
        self.lasted = 0.0
        self.wrong: list[str] = []
        self._speakers: list[Visitor] = []
        self._talking: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        for n in range(SPEAKERS):
            witness = self.checker.witness(f"speaker {n}", user=f"speaker-{n}")
            speaker = await Visitor.come(self.url, witness)
            self._speakers.append(speaker)
            for room in self._rooms_of(n):
                await speaker.join(room)
        self._talking = [asyncio.ensure_future(self._talk(n)) for n in range(SPEAKERS)]

    def _rooms_of(self, n: int) -> list[str]:
        return ROOMS[n::SPEAKERS]

    async def _talk(self, n: int) -> None:
        rooms, wait, said = self._rooms_of(n), SPEAKERS / SAID_PER_SECOND, 0
        began = time.monotonic()
        while True:
            await asyncio.sleep(max(0.0, began + said * wait - time.monotonic()))
            await self._speakers[n].send(
                "message", room=rooms[said % len(rooms)], payload={"text": f"{said}"}
            )
            said += 1

    async def visit(self, count: int, progress: Progress) -> None:
        """Connect first, which costs a client more than a server, and join then."""
        visitors = []
        for start in range(0, count, ATONCE):
            numbers = range(start, min(count, start + ATONCE))
            visitors += await asyncio.gather(*(self._come(n) for n in numbers))
            progress(0.5 * len(visitors) / count, f"{len(visitors):,} connected")
        began, visits = time.monotonic(), []
        for n, visitor in enumerate(visitors):
            await asyncio.sleep(max(0.0, began + n / PER_SECOND - time.monotonic()))
            visits.append(asyncio.ensure_future(self._visit(visitor)))
            progress(0.5 + 0.5 * n / count, f"{n:,} joins")
        self.lasted = time.monotonic() - began
        for outcome in await asyncio.gather(*visits, return_exceptions=True):
            if isinstance(outcome, BaseException):
                self.wrong.append(repr(outcome))
        for visitor in visitors:
            await visitor.leave()
        progress(1.0, f"{count:,} joins")

    async def _come(self, n: int) -> Visitor:
        return await Visitor.come(self.url, self.checker.witness(f"visitor {n}", user=f"visitor-{n}"))

    async def _visit(self, visitor: Visitor) -> None:
        room = self.dice.choice(ROOMS)
        self._knows(visitor.witness, room)
        start = time.perf_counter()
        await visitor.ask("ping")
        between = time.perf_counter()
        await visitor.join(room)
        self.took.append(time.perf_counter() - between)
        self.pings.append(between - start)
        await asyncio.sleep(STAY)
        await visitor.ask("exit", room=room)

    def _knows(self, witness: Witness, room: str) -> None:
        """As if it had been there: up to a little before where a speaker is."""
        since = self._speakers[ROOMS.index(room) % SPEAKERS].witness.since(room)
        assert since is not None
        witness.was_at(room, since["epoch"], max(0, since["seq"] - self.dice.randint(0, BACK)))

    async def close(self) -> dict[str, int]:
        """Stop talking, wait for every ack; where the rooms stand."""
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)
        heads = {}
        for n, speaker in enumerate(self._speakers):
            await speaker.ask("ping")
            for room in self._rooms_of(n):
                heads[room] = (await speaker.ask("history", room=room, payload={"limit": 1}))["payload"][
                    "seq"
                ]
        for speaker in self._speakers:
            await speaker.leave()
        return heads


if __name__ == "__main__":
    main(soak)
