"""Two processes write into one SQLite file: neither waits long, neither is left behind, and the numbers have no hole."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

from sanic_chatrooms import Room
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql.store import SQLStore
from tests.soak._sqlite_writer import ROOMS
from tests.soak.runs import Progress, Verdict, main

SIZES = (1, 10, 100)
ROUNDS = 5
SECONDS = 6.0
SHORT = 0.02

LONGEST_WAIT = 0.3
SLOWER = 0.4


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, rounds = Verdict(), max(1, round(ROUNDS * scale))
    sizes = SIZES if scale > SHORT else SIZES[1:2]
    runs = [(size, n) for size in sizes for n in range(rounds)]
    found: dict[int, list[list[dict[str, Any]]]] = {size: [] for size in sizes}
    for done, (size, _) in enumerate(runs, 1):
        with tempfile.TemporaryDirectory() as directory:
            found[size].append(
                await both(Path(directory) / "chat.db", SECONDS * min(1.0, scale * 2), size, verdict)
            )
        progress(done / len(runs), f"{size} a batch")
    for size, results in found.items():
        judge(size, results, verdict)
    return verdict


async def both(file: Path, seconds: float, size: int, verdict: Verdict) -> list[dict[str, Any]]:
    store = SQLStore(f"sqlite:///{file}")
    await store.start("default", Bounds())
    try:
        for n in range(ROOMS):
            await store.create_room(Room(f"room.{n}", "", 0))
        writers = [await writer(file, seconds, size) for _ in range(2)]
        ended = await asyncio.gather(*(one.communicate(b"go\n") for one in writers))
        results = [json.loads(out) for out, _ in ended]
        heads = await store.heads([f"room.{n}" for n in range(ROOMS)])
    finally:
        await store.stop()
    if sum(head.seq for head in heads.values()) != sum(result["stored"] for result in results):
        verdict.wrong.append(f"{results} were acked, and the heads say {sum(h.seq for h in heads.values())}")
    return results


async def writer(file: Path, seconds: float, size: int) -> Process:
    arguments = ["-m", "tests.soak._sqlite_writer", str(file), str(seconds), str(size)]
    started = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=PIPE, stdout=PIPE)
    assert started.stdout is not None
    assert await started.stdout.readline() == b"ready\n"
    return started


def judge(size: int, results: list[list[dict[str, Any]]], verdict: Verdict) -> None:
    shares = [min(a["stored"], b["stored"]) / max(a["stored"], b["stored"]) for a, b in results]
    share, longest = statistics.median(shares), max(one["longest"] for pair in results for one in pair)
    verdict.figures[f"{size} a batch"] = (
        f"longest wait {longest * 1000:.0f} ms (at most {LONGEST_WAIT * 1000:.0f}), "
        f"slower {share:.2f} of faster (at least {SLOWER})"
    )
    if longest > LONGEST_WAIT:
        verdict.slow.append(f"{size} a batch: an append waited {longest * 1000:.0f} ms")
    if share < SLOWER:
        verdict.slow.append(f"{size} a batch: the slower writer got {share:.2f} of the faster")


if __name__ == "__main__":
    main(soak)
