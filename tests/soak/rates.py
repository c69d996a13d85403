"""Floods of each class of commands beside 50 who behave, with the limits as they come: nobody else is refused or waits.

The flood is played by a process of its own (`_rating.py`), from another address. On a machine with few processors, that
process costs the 50 something whatever the server does: it takes a processor from the server, and from the process that
measures. So each round has three parts:

- *Idle*: no flood.
- *Flood*: its process notes when it sent what, and how many bytes came back.
- *Control*: the same process does the same work again, by its notes: as many connections, the same frames at the same
  times, and as many bytes of answers to look through. But it sends them to another server, which reads and discards
  (`_discarding.py`). The chat only has the 50.

So flood and control differ in one thing: whether it is the chat that gets the flood. The median of the ratios of the
99th percentiles, flood to control, is judged. The ratio to idle is told beside it: it has in it what the flood's process
costs on this machine. Memory is the most of all rounds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.soak._rating import KINDS
from tests.soak.crowd import Crowd, memory
from tests.soak.floods import AT_MOST, GROWTH, Peak, quiet_p99
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ROOT, ServerProcess, start_app

SHORT = 0.03
ROUNDS, SECONDS, MEMBERS = 5, 3.0, 50
ON = {"SANIC_CHATROOMS_RATE_LIMITS": "on", "SANIC_CHATROOMS_OVERLOAD_LAG": "0.25"}


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    rounds, seconds = max(1, round(ROUNDS * scale)), max(0.4, SECONDS * min(1.0, ROUNDS * scale))
    server = await asyncio.to_thread(start_app, Path(__file__).with_name("served.py"), env=ON)
    crowd = Crowd(server.port, "general")
    try:
        await crowd.join(MEMBERS)
        await quiet_p99(crowd, 0.5, verdict)  # the first messages find everything cold
        async with discarding() as control, playing(server.port, control, seconds) as flood:
            for number, kind in enumerate(KINDS):
                found = []
                for turn in range(rounds):
                    progress(
                        (number * rounds + turn) / (len(KINDS) * rounds), f"{kind}, {turn + 1} of {rounds}"
                    )
                    found.append(await measure(server, crowd, flood, kind, seconds, verdict))
                judge(kind, found, verdict)
    finally:
        crowd.leave()
        await asyncio.to_thread(server.stop)
    if "Traceback" in server.output:
        verdict.wrong.append("the server has logged a traceback: " + server.output[-2_000:])
    progress(1.0, "done")
    return verdict


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
    """What one round found: 99th percentiles in seconds, KiB, commands."""

    idle: float
    flood: float
    control: float
    growth: int
    sent: int
    refused: dict[str, int]
    closed: int
    turned_away: int


async def measure(
    server: ServerProcess, crowd: Crowd, flood: Process, kind: str, seconds: float, verdict: Verdict
) -> Round:
    """So long without the flood, beside it, and beside the same work elsewhere. `quiet_p99` notes who was refused, for that
    is not heard."""
    idle = await quiet_p99(crowd, seconds, verdict)
    before, peak = memory(server), Peak(server)
    beside, told = await turn_of(flood, f"flood {kind}", crowd, seconds, verdict)
    growth = peak.stop() - before
    control, again = await turn_of(flood, f"again {kind}", crowd, seconds, verdict)
    if again["sent"] != told["sent"]:
        verdict.wrong.append(f"the control has sent {again['sent']} commands, and the flood {told['sent']}")
    return Round(idle, beside, control, growth, **told)


async def turn_of(
    flood: Process, turn: str, crowd: Crowd, seconds: float, verdict: Verdict
) -> tuple[float, dict[str, Any]]:
    """-> the percentile beside this turn of the flood, and what its process tells."""
    assert flood.stdin is not None
    flood.stdin.write(f"{turn}\n".encode())
    await line_of(flood)  # it has begun
    beside = await quiet_p99(crowd, seconds, verdict)
    return beside, json.loads(await line_of(flood))


def judge(kind: str, rounds: list[Round], verdict: Verdict) -> None:
    to_control = statistics.median(r.flood / r.control for r in rounds)
    to_idle = statistics.median(r.flood / r.idle for r in rounds)
    growth = max(r.growth for r in rounds)
    refused = sum((Counter(r.refused) for r in rounds), Counter[str]())
    verdict.figures[kind] = (
        f"p99 {milliseconds(r.flood for r in rounds)}: {to_control:.2f} times the control's "
        f"{milliseconds(r.control for r in rounds)}, {to_idle:.2f} times {milliseconds(r.idle for r in rounds)} idle; "
        f"memory {growth / 1024:+.1f} MB; sent {sum(r.sent for r in rounds):,}; refused {dict(refused)}; "
        f"closed {sum(r.closed for r in rounds)} times, not let in {sum(r.turned_away for r in rounds)} times"
    )
    if not refused[kind]:
        verdict.wrong.append(f"{kind}: nothing of the flood was refused for it: {dict(refused)}")
    if growth > GROWTH:
        verdict.wrong.append(f"{kind}: memory grew by {growth / 1024:.0f} MB")
    if to_control > AT_MOST:
        verdict.slow.append(f"{kind}: others' p99 is {to_control:.2f} times what it is in the control")


def milliseconds(seconds: Iterable[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.1f} ms"


if __name__ == "__main__":
    main(soak)
