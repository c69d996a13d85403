"""Durable acked messages a second on SQLite: `publish` from 100 senders, beside the same with a transaction for each
message, and beside the raw driver, in batches and one by one.

What batches bring depends on what a commit costs the disk. Where a sync takes 0.1 ms, as on many virtual disks, the raw
driver's own batches are but four times its single commits: that ratio is shown and not judged.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import uvloop

import sanic_chatrooms as chatrooms
from sanic_chatrooms import Room, Sender
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.support.ids import new_id
from tests.soak.runs import Progress, Verdict, main

ROUNDS = 15
SECONDS = 2.0
SHORT = 0.02
ROOMS = [f"room.{n}" for n in range(100)]
SENDERS = 100
TEXT = "x" * 140

AGAINST_BATCHES = 0.5
AGAINST_ALONE = 5.0
"""`publish` with a transaction for each message."""


async def soak(scale: float, progress: Progress) -> Verdict:
    rounds = max(1, round(ROUNDS * scale))
    seconds = SECONDS * min(1.0, scale * 2)
    rates: dict[str, list[float]] = {name: [] for name in ("publish", "alone", "raw batches", "raw singles")}
    for n in range(rounds):
        with tempfile.TemporaryDirectory() as directory:
            # In turns, since the machine has other things to do too, now more and now less of them.
            files = [Path(directory) / f"{name}.db" for name in "bpas"]
            rates["raw batches"].append(await asyncio.to_thread(raw, files[0], seconds, SENDERS))
            rates["publish"].append(await asyncio.to_thread(published, files[1], seconds))
            with patch("sanic_chatrooms.hub.journal.BATCH_LIMIT", 1):
                rates["alone"].append(await asyncio.to_thread(published, files[2], seconds))
            rates["raw singles"].append(await asyncio.to_thread(raw, files[3], seconds, 1))
        progress((n + 1) / rounds, ", ".join(f"{name} {of[-1]:,.0f}/s" for name, of in rates.items()))
    return judged(rates)


def judged(rates: dict[str, list[float]]) -> Verdict:
    verdict = Verdict(
        figures={f"{name}, median/s": round(statistics.median(of)) for name, of in rates.items()}
    )

    def ratio(ours: str, theirs: str) -> float:
        return statistics.median(a / b for a, b in zip(rates[ours], rates[theirs], strict=True))

    for name, wanted in (("raw batches", AGAINST_BATCHES), ("alone", AGAINST_ALONE)):
        found = ratio("publish", name)
        verdict.figures[f"publish against {name}"] = f"{found:.2f} (must be {wanted})"
        if found < wanted:
            verdict.slow.append(f"publish reaches {found:.2f} of {name}, and not {wanted}")
    for name in ("publish", "raw batches"):
        verdict.figures[f"{name} against raw singles"] = f"{ratio(name, 'raw singles'):.2f}"
    return verdict


# Ours


def published(file: Path, seconds: float) -> float:
    return uvloop.run(_published(file, seconds))


async def _published(file: Path, seconds: float) -> float:
    async with chatrooms.connect("default", guests=True, store=f"sqlite:///{file}") as chat:
        for room in ROOMS:
            await chat.create_room(room)
        began = time.perf_counter()
        end = began + seconds
        counts = await asyncio.gather(*(_say(chat, n, end) for n in range(SENDERS)))
        return sum(counts) / (time.perf_counter() - began)


async def _say(chat: chatrooms.ChatRooms, number: int, end: float) -> int:
    sender, count = Sender(f"user{number}", "Some Name"), 0
    while time.perf_counter() < end:
        room = ROOMS[(number + count * 37) % len(ROOMS)]
        await chat.publish(room, "message", {"text": TEXT}, sender=sender, key=new_id())
        count += 1
    return count


# The driver's


def raw(file: Path, seconds: float, size: int) -> float:
    """The same rows into the same tables, `size` a transaction, by a loop that does nothing else."""
    asyncio.run(_make_tables(file))
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as db:
        for pragma in (
            "synchronous=FULL",
            "wal_autocheckpoint=4000",
            "cache_size=-65536",
            "secure_delete=ON",
        ):
            db.execute(f"PRAGMA {pragma}")
        return _rate(lambda: _write(db, size), seconds, size)


async def _make_tables(file: Path) -> None:
    store = SQLStore(f"sqlite:///{file}")
    await store.start("default", Bounds())
    for room in ROOMS:
        await store.create_room(Room(room, "", 0))
    await store.stop()


def _rate(write: Callable[[], None], seconds: float, size: int) -> float:
    began, count = time.perf_counter(), 0
    while time.perf_counter() < began + seconds:
        write()
        count += size
    return count / (time.perf_counter() - began)


def _write(db: sqlite3.Connection, size: int) -> None:
    rooms = [random.randrange(len(ROOMS)) + 1 for _ in range(size)]
    db.execute("BEGIN IMMEDIATE")
    marks = ",".join("?" * len(set(rooms)))
    heads = dict(
        db.execute(f"SELECT id, head FROM chatrooms_default_room WHERE id IN ({marks})", list(set(rooms)))
    )
    rows = []
    for room in rooms:
        heads[room] += 1
        key, msg_id = new_id(), new_id()
        rows.append(
            (room, heads[room], msg_id, time.time(), PAYLOAD, "user7", "Some Name", "user7", key, HASH)
        )
    db.executemany(INSERT, rows)
    db.executemany(
        "UPDATE chatrooms_default_room SET head = ? WHERE id = ?", [(n, id) for id, n in heads.items()]
    )
    db.execute("COMMIT")


PAYLOAD = b'{"text":"%s"}' % TEXT.encode()
HASH = bytes(16)
INSERT = (
    "INSERT INTO chatrooms_default_event (room_id, seq, msg_id, timestamp, type, payload, sender_id, sender_name, "
    "key_user, key_id, hash, folded, deleted) VALUES (?, ?, ?, ?, 'message', ?, ?, ?, ?, ?, ?, 0, 0)"
)


if __name__ == "__main__":
    main(soak)
