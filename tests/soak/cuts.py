"""1,000 clients whose connections are cut about every 15 s, away for 2 s, while 120 messages are said, two a second."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time

from sanic_chatrooms.testing import Checker, Witness
from tests.soak.runs import Progress, Verdict, main
from tests.soak.visitors import Visitor, latencies, served

CLIENTS = 1_000
SHORT = 0.02
MESSAGES = 120
"""At any scale at least ten, so that a short run has its cuts."""
PER_SECOND = 2.0
CUT_EVERY = 15.0
AWAY = 2.0
ROOM = "general"
ATONCE = 50
BACK_WITHIN = 30.0
MOST = 3.0
"""Seconds within which 99 of 100 recoveries are done, the connection included."""


async def soak(scale: float, progress: Progress) -> Verdict:
    checker, dice = Checker(), random.Random(15)
    messages = max(10, int(MESSAGES * scale))
    async with served() as server:
        crowd = Crowd(server.ws_url, checker, dice, max(10, int(CLIENTS * scale)), messages / MESSAGES)
        await crowd.come(progress)
        await crowd.be_told(messages, progress)
        wrong = await crowd.end(messages)
    heard = sum(client.heard(ROOM) for client in crowd.clients)
    wanted = messages * len(crowd.clients)
    if heard != wanted:
        wrong.append(f"{heard} of {wanted} deliveries")
    verdict = Verdict(wrong=[*wrong, *checker.flaws(), *checker.gaps()])
    verdict.figures = {
        "clients": len(crowd.clients),
        "messages": messages,
        "cuts": crowd.cuts,
        "delivered": f"{heard:,} of {wanted:,} ({heard / wanted:.2%})",
        "of them by recovery": sum(client.replays for client in crowd.clients),
        **latencies(crowd.took, "recovered in "),
    }
    if crowd.took and sorted(crowd.took)[int(len(crowd.took) * 0.99)] > MOST:
        verdict.slow.append(f"1 in 100 recoveries took longer than {MOST} s")
    return verdict


class Crowd:
    """Everybody in one room. `pace`: the share of the full time that they have, with as many cuts each."""

    def __init__(self, url: str, checker: Checker, dice: random.Random, count: int, pace: float) -> None:
        self.url = url
        self.dice = dice
        self.clients = [checker.witness(f"client {n}", user=f"client-{n}") for n in range(count)]
        self.cuts = 0
        self.took: list[float] = []
        self._pace = pace
        self._speaker_witness = checker.witness("speaker", user="speaker")
        self._speaker: Visitor
        self._here: dict[Witness, Visitor] = {}
        self._lives: list[asyncio.Task[None]] = []
        self._over = asyncio.Event()

    async def come(self, progress: Progress) -> None:
        self._speaker = await Visitor.come(self.url, self._speaker_witness)
        await self._speaker.join(ROOM)
        for start in range(0, len(self.clients), ATONCE):
            await asyncio.gather(*(self._enter(client) for client in self.clients[start : start + ATONCE]))
            progress(0.3 * start / len(self.clients), f"{start:,} connected")
        self._lives = [asyncio.ensure_future(self._live(client)) for client in self.clients]

    async def _enter(self, client: Witness) -> None:
        visitor = self._here[client] = await Visitor.come(self.url, client)
        await visitor.join(ROOM)

    async def _live(self, client: Witness) -> None:
        """Be cut now and then, stay away, come back to where one was."""
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                uncut = self.dice.uniform(0.2, 1.8) * CUT_EVERY * self._pace
                await asyncio.wait_for(self._over.wait(), uncut)
                return
            await self._here.pop(client).cut()
            self.cuts += 1
            await asyncio.sleep(AWAY * self._pace)
            start = time.perf_counter()
            await self._come_back(client)
            self.took.append(time.perf_counter() - start)

    async def _come_back(self, client: Witness) -> None:
        while client not in self._here or not client.streams[ROOM].open:
            # A busy machine may refuse a handshake; a client tries again.
            with contextlib.suppress(OSError, TimeoutError):
                await self._enter(client)

    async def be_told(self, messages: int, progress: Progress) -> None:
        for n in range(messages):
            await self._speaker.ask("message", room=ROOM, payload={"text": f"message {n}"})
            progress(0.3 + 0.7 * n / messages, f"{n} messages, {self.cuts:,} cuts")
            await asyncio.sleep(max(self._pace, 0.5) / PER_SECOND)

    async def end(self, messages: int) -> list[str]:
        """Let everybody come back, and to the end; what went wrong on the way."""
        self._over.set()
        done, late = await asyncio.wait(self._lives, timeout=BACK_WITHIN)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        wrong = [repr(task.exception()) for task in done if task.exception() is not None]
        wrong += [f"{len(late)} clients did not come back"] if late else []
        for visitor in self._here.values():
            await visitor.ask("ping")  # whatever was under way to it has come before the pong
        for visitor in [*self._here.values(), self._speaker]:
            await visitor.leave()
        return wrong


if __name__ == "__main__":
    main(soak)
