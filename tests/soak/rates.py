"""Floods of each class of commands beside 50 who behave, with the limits as they come: nobody else is refused or waits.

The flood is played by a process of its own (`_rating.py`), from another address. On a machine with few processors, that
process costs the 50 something whatever the server does: it takes a processor from the server, and from the process that
measures. So each round has two parts:

- *Flood*: its process notes when it sent what, and how many bytes came back.
- *Control*: the same process does the same work again, by its notes: as many connections, the same frames at the same
  times, and as many bytes of answers to look through. But it sends them to another server, which reads and discards
  (`_discarding.py`). The chat only has the 50.

So flood and control differ in one thing: whether it is the chat that gets the flood.

**What is judged.** The 99th percentile of all deliveries beside the floods of a class, divided by that of all deliveries in
its controls. All rounds count, and everything in them. We pool instead of taking the median of the rounds' ratios, for two
reasons. A round has 200 messages, so its percentile is the third slowest of them, and the ratio of two such numbers is mostly
chance; of 11 rounds it is the 22nd of 2,200. And a median passes a flood that hurts in five rounds of eleven. Many short
rounds in turn, because a machine that is slow for a while is slow for both.

**What is told beside it.** The interval in which nine of ten ratios lie if the rounds are drawn again at random (bootstrap):
where it contains the bar, the verdict is chance, and the machine is too restless. The least and the greatest ratio of one
round. The percentile without flood (*idle*), measured once for each class: flood and control also have in them what the
flood's process costs on this machine.

**Every flood begins in the same state**: from an address that was never seen, so all buckets are full and no flood is
remembered, after everybody of the flood before is gone, and in a room with a full page of messages. What a `join` or a `history`
costs depends on that page; when the first class filled the room, they were cheaper alone than in the whole run.

`SOAK_RATES=read,join` runs these classes only.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.soak._rating import KINDS, ROOM
from tests.soak.crowd import Crowd, memory, percentile, sessions
from tests.soak.floods import AT_MOST, GROWTH, RATE, SIZE, Peak
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ROOT, ServerProcess, start_app

SHORT = 0.03
ROUNDS, SECONDS, MEMBERS = 11, 2.0, 50
PAGE, EACH = 60, 20
"""Messages in the room that is flooded, before; and how many of them a guest may send at once."""
GONE = 60.0
"""Seconds after which the connections of a flood are gone. Who sent too much is not read for a while; their end comes after what they sent."""
DRAWN = 400
"""Times that the rounds are drawn again."""
ON = {"SANIC_CHATROOMS_RATE_LIMITS": "on", "SANIC_CHATROOMS_OVERLOAD_LAG": "0.25"}
SHARE = 0.99


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    rounds, seconds = max(1, round(ROUNDS * scale)), max(0.4, SECONDS * min(1.0, 4 * scale))
    kinds = os.environ.get("SOAK_RATES", ",".join(KINDS)).split(",")
    server = await asyncio.to_thread(start_app, Path(__file__).with_name("served.py"), env=ON)
    crowd = Crowd(server.port, "general")
    try:
        await furnish(server.port)
        await crowd.join(MEMBERS)
        await delays(crowd, 0.5, verdict)  # the first messages find everything cold
        async with discarding() as control, playing(server.port, control, seconds) as flood:
            verdict.figures["class"] = HEAD
            for number, kind in enumerate(kinds):
                idle = percentile(await delays(crowd, seconds, verdict), SHARE)
                found = []
                for turn in range(rounds):
                    done = (number * rounds + turn) / (len(kinds) * rounds)
                    progress(done, f"{kind}, {turn + 1} of {rounds}")
                    found.append(await measure(server, crowd, flood, f"{kind} {turn}", seconds, verdict))
                judge(kind, idle, found, verdict)
    finally:
        crowd.leave()
        await asyncio.to_thread(server.stop)
    if "Traceback" in server.output:
        verdict.wrong.append("the server has logged a traceback: " + server.output[-2_000:])
    progress(1.0, "done")
    return verdict


async def furnish(port: int) -> None:
    """A page of messages in the room that is flooded."""
    guests = Crowd(port, ROOM)
    await guests.join(PAGE // EACH)
    for guest in guests.members * EACH:
        guest.say(ROOM, SIZE)
    assert await guests.heard(PAGE) == []
    guests.leave()


# ---- the other processes ----


@contextlib.asynccontextmanager
async def discarding() -> AsyncIterator[int]:
    """The port of the server that discards."""
    async with process("tests.soak._discarding") as server:
        yield int(await line_of(server))


@contextlib.asynccontextmanager
async def playing(*arguments: float) -> AsyncIterator[Process]:
    """The process that floods."""
    async with process("tests.soak._rating", *map(str, arguments)) as flood:
        await line_of(flood)  # it has imported what it needs
        yield flood


@contextlib.asynccontextmanager
async def process(module: str, *arguments: str) -> AsyncIterator[Process]:
    """A Python module that runs until its input ends."""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, cwd=ROOT, stdin=PIPE, stdout=PIPE
    )
    try:
        yield running
    finally:
        assert running.stdin is not None
        running.stdin.close()
        await running.wait()


async def line_of(running: Process) -> str:
    assert running.stdout is not None
    line = (await running.stdout.readline()).decode()
    assert line, "the process has ended"
    return line


# ---- a round ----


@dataclass
class Round:
    """What one round found: seconds of each delivery in order, KiB, commands."""

    flood: list[float]
    control: list[float]
    growth: int
    unheard: int
    sent: int
    refused: dict[str, int]
    closed: int
    turned_away: int

    @property
    def ratio(self) -> float:
        return percentile(self.flood, SHARE) / percentile(self.control, SHARE)


async def measure(
    server: ServerProcess, crowd: Crowd, flood: Process, turn: str, seconds: float, verdict: Verdict
) -> Round:
    """So long beside the flood, and beside the same work elsewhere."""
    before, peak, wrong = memory(server), Peak(server), len(verdict.wrong)
    beside, told = await turn_of(flood, f"flood {turn}", crowd, seconds, verdict)
    growth = peak.stop() - before
    await emptied(server.port)
    control, again = await turn_of(flood, f"again {turn}", crowd, seconds, verdict)
    if again["sent"] != told["sent"]:
        verdict.wrong.append(f"the control has sent {again['sent']} commands, and the flood {told['sent']}")
    return Round(sorted(beside), sorted(control), growth, len(verdict.wrong) - wrong, **told)


async def turn_of(
    flood: Process, turn: str, crowd: Crowd, seconds: float, verdict: Verdict
) -> tuple[list[float], dict[str, Any]]:
    """-> the seconds of each delivery beside this turn of the flood, and what its process tells."""
    assert flood.stdin is not None
    flood.stdin.write(f"{turn}\n".encode())
    await line_of(flood)  # it has begun
    beside = await delays(crowd, seconds, verdict)
    return beside, json.loads(await line_of(flood))


async def delays(crowd: Crowd, seconds: float, verdict: Verdict) -> list[float]:
    """The seconds of each delivery while all talk. Who was refused shows here, for that message is not heard."""
    verdict.wrong += await crowd.heard(await crowd.talk(seconds, RATE, SIZE))
    return crowd.delays()


async def emptied(port: int) -> None:
    """Return when the server has let go of everybody of the flood."""
    async with asyncio.timeout(GONE):
        while await sessions(port) > MEMBERS:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)


# ---- the verdict ----

HEAD = f"{'p99/control':>12} {'9 of 10':>12} {'a round':>12} {'flood':>9} {'control':>9} {'idle':>9} {'memory':>9}   verdict"


def judge(kind: str, idle: float, rounds: list[Round], verdict: Verdict) -> None:
    ratio, drawn = ratio_of(rounds), redrawn(rounds)
    single = [one.ratio for one in rounds]
    growth = max(one.growth for one in rounds)
    refused = sum((Counter(one.refused) for one in rounds), Counter[str]())
    wrong, slow = [], []
    if not refused[kind]:
        wrong.append(f"nothing of the flood was refused for it: {dict(refused)}")
    if growth > GROWTH:
        wrong.append(f"memory grew by {growth / 1024:.0f} MB")
    if ratio > AT_MOST:
        slow.append(f"others' p99 is {ratio:.2f} times what it is in the control")
    verdict.wrong += [f"{kind}: {finding}" for finding in wrong]
    verdict.slow += [f"{kind}: {finding}" for finding in slow]
    bad = wrong or slow or any(one.unheard for one in rounds)
    verdict.figures[kind] = (
        f"{ratio:>{17 - len(kind)}.2f} {between(drawn):>12} {between(single):>12} "
        + " ".join(
            f"{p99 * 1000:>6.2f} ms" for p99 in (p99_of(rounds, "flood"), p99_of(rounds, "control"), idle)
        )
        + f" {growth / 1024:>+6.1f} MB   {'FAILED' if bad else 'passed'}: at most {AT_MOST}, sent {sum(r.sent for r in rounds):,}, "
        f"refused {dict(refused)}, closed {sum(r.closed for r in rounds)} times, not let in "
        f"{sum(r.turned_away for r in rounds)} times"
    )


def ratio_of(rounds: Sequence[Round]) -> float:
    return p99_of(rounds, "flood") / p99_of(rounds, "control")


def p99_of(rounds: Sequence[Round], part: str) -> float:
    """The percentile of all deliveries of these rounds together."""
    lists: list[list[float]] = [getattr(one, part) for one in rounds]
    count = sum(map(len, lists))
    above = count - int(count * SHARE)
    # The percentile is among the so many slowest of each round: sorting these is exact, and costs a tenth.
    return sorted(delay for one in lists for delay in one[-above:])[-above]


def redrawn(rounds: list[Round]) -> list[float]:
    """Ratios of as many rounds, drawn at random from these: the middle nine of ten."""
    dice = random.Random(1)
    ratios = sorted(ratio_of(dice.choices(rounds, k=len(rounds))) for _ in range(DRAWN))
    return ratios[DRAWN // 20 : -DRAWN // 20]


def between(values: list[float]) -> str:
    return f"{min(values):.2f}-{max(values):.2f}"


if __name__ == "__main__":
    main(soak)
