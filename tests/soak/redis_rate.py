"""Acked messages a second on Valkey: `publish` from 100 senders beside the bare script's own batches; what a crash survives costs both."""

from __future__ import annotations

import asyncio
import secrets
import socket
import statistics
import time

import hiredis
import uvloop

import sanic_chatrooms as chatrooms
from sanic_chatrooms import Room, Sender
from sanic_chatrooms.models import Draft
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.stores.redis.scripts import APPEND
from sanic_chatrooms.stores.redis.store import RedisStore
from tests.soak.runs import Progress, Verdict, main
from tests.support.valkey import ValkeyServer, running

ROUNDS = 15
SECONDS = 1.5
SHORT = 0.02
ROOMS = [f"room.{n}" for n in range(100)]
SENDERS = 100
TEXT = "x" * 140
WANTED = 0.5


async def soak(scale: float, progress: Progress) -> Verdict:
    rounds = max(1, round(ROUNDS * scale))
    seconds = SECONDS * min(1.0, scale * 2)
    rates: dict[str, list[tuple[float, float]]] = {"none": [], "always": []}
    for n in range(rounds):
        for persistence, found in rates.items():
            with running(persistence=persistence) as server:
                # In turns, since the machine has other things to do too, now more and now less of them.
                batches = await asyncio.to_thread(bare, server, seconds, SENDERS)
                found.append((await asyncio.to_thread(uvloop.run, published(server.url, seconds)), batches))
        ours, theirs = rates["always"][-1]
        progress((n + 1) / rounds, f"publish {ours:,.0f}/s, bare batches {theirs:,.0f}/s")
    return judged(rates)


def judged(rates: dict[str, list[tuple[float, float]]]) -> Verdict:
    verdict = Verdict()
    for persistence, found in rates.items():
        for name, of in zip(("publish", "bare batches"), zip(*found, strict=True), strict=True):
            verdict.figures[f"{name}, {persistence}, median/s"] = round(statistics.median(of))
        ratio = statistics.median(ours / theirs for ours, theirs in found)
        verdict.figures[f"publish against them, {persistence}"] = f"{ratio:.2f} (must be {WANTED})"
        if ratio < WANTED:
            verdict.slow.append(
                f"publish with {persistence} reaches {ratio:.2f} of the bare batches, and not {WANTED}"
            )
    return verdict


async def published(url: str, seconds: float) -> float:
    async with chatrooms.connect("default", namespace="none", guests=True, store=url) as chat:
        for room in ROOMS:
            await chat.ensure_room(room)
        began = time.perf_counter()
        counts = await asyncio.gather(*(say(chat, n, began + seconds) for n in range(SENDERS)))
        return sum(counts) / (time.perf_counter() - began)


async def say(chat: chatrooms.ChatRooms, number: int, end: float) -> int:
    sender, count = Sender(f"user{number}", "Some Name"), 0
    while time.perf_counter() < end:
        room = ROOMS[(number + count * 37) % len(ROOMS)]
        await chat.publish(room, "message", {"text": TEXT}, sender=sender, key=secrets.token_hex(16))
        count += 1
    return count


def bare(server: ValkeyServer, seconds: float, size: int) -> float:
    """The same script with the same arguments over a plain socket: bytes made before the clock, replies only counted."""
    batches = asyncio.run(packed(server.url, size, 500))
    reader, count = hiredis.Reader(), 0
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        began = time.perf_counter()
        while time.perf_counter() < began + seconds:
            data, replies = batches[(count // size) % len(batches)]
            connection.sendall(data)
            while replies:
                while (reply := reader.gets()) is False:
                    reader.feed(connection.recv(65536))
                if isinstance(reply, Exception):
                    raise reply
                replies -= 1
            count += size
        return count / (time.perf_counter() - began)


# Enough batches that none is sent twice: a repetition costs the script less.
async def packed(url: str, size: int, count: int) -> list[tuple[bytes, int]]:
    store = RedisStore(url)
    store.publishes_as = "0123456789abcdef"  # as the store of a chat does whose broker is the same server
    await store.start("default", Bounds())
    for room in ROOMS:
        await store.create_room(Room(room, "", 0))
    batches = []
    for n in range(count):
        rooms: dict[str, list[Draft]] = {}
        for k in range(size):
            room = ROOMS[(k + n * 37) % len(ROOMS)]
            rooms.setdefault(room, []).append(draft(room, k))
        calls = [store._append_call(room, "epoch", drafts).command("") for room, drafts in rooms.items()]
        assert all(call[1] == APPEND.script.sha for call in calls)
        batches.append((b"".join(map(hiredis.pack_command, calls)), len(calls)))
    await store.stop()
    return batches


def draft(room: str, number: int) -> Draft:
    sender = Sender(f"user{number}", "Some Name")
    key, payload = secrets.token_hex(16), b'{"text":"%s"}' % TEXT.encode()
    return Draft(
        room, "message", payload, secrets.token_hex(16), time.time(), sender, (sender.id, key), bytes(16)
    )


if __name__ == "__main__":
    main(soak)
