"""What a message costs that crosses workers by Valkey: its way from send to delivery beside a bare PUBLISH, and what fan-out has left.

Two workers, two processes; and in turns with them a publisher and a subscriber, two processes too, without anything between.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import uvloop

from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.brokers.redis import RedisBroker
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.models import PUBLIC, Room
from sanic_chatrooms.presence.memory import MemoryPresence
from sanic_chatrooms.server_api import ServerAPI
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.web.chatrooms import ChatRooms
from tests.soak._hearer import BARE, INSTANCE, ROOM, Member, enter, packed
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ROOT
from tests.support.valkey import ValkeyServer, running

ROUNDS = 15
SECONDS = 2.0
SHORT = 0.02
RATE = 1000
MEMBERS = 1000
SENDERS = 50
LATENCY, FAN_OUT = 4.0, 0.8


async def soak(scale: float, progress: Progress) -> Verdict:
    return await asyncio.to_thread(uvloop.run, measured(scale, progress))


async def measured(scale: float, progress: Progress) -> Verdict:
    rounds, seconds = max(1, round(ROUNDS * scale)), SECONDS * min(1.0, 4 * scale)
    latencies: list[tuple[float, float]] = []
    rates: list[tuple[float, float]] = []
    with running() as valkey:
        for n in range(rounds):
            bare = await bare_latencies(valkey, seconds)
            ours = await our_latencies(valkey, seconds)
            latencies.append((percentile(ours), percentile(bare)))
            memory = await fan_out(MemoryBroker(MemoryBus()), seconds / 2)
            rates.append((await fan_out(RedisBroker(valkey.url), seconds / 2), memory))
            progress(
                (n + 1) / rounds,
                f"p99 {latencies[-1][0] * 1000:.2f} ms, bare {latencies[-1][1] * 1000:.2f} ms",
            )
    return judged(latencies, rates)


def judged(latencies: list[tuple[float, float]], rates: list[tuple[float, float]]) -> Verdict:
    times = statistics.median(ours / bare for ours, bare in latencies)
    share = statistics.median(ours / memory for ours, memory in rates)
    verdict = Verdict(
        figures={
            "send to delivery across workers, p99, ms": round(
                1000 * statistics.median(ours for ours, _ in latencies), 2
            ),
            "bare publish to receive, p99, ms": round(
                1000 * statistics.median(bare for _, bare in latencies), 2
            ),
            "times the bare one": f"{times:.2f} (at most {LATENCY})",
            "deliveries/s with Valkey as broker": round(statistics.median(ours for ours, _ in rates)),
            "of those with memory": f"{share:.2f} (must be {FAN_OUT})",
        }
    )
    if times > LATENCY:
        verdict.slow.append(f"across workers {times:.2f} times a bare publish, and not {LATENCY}")
    if share < FAN_OUT:
        verdict.slow.append(f"fan-out with Valkey is {share:.2f} of that with memory, and not {FAN_OUT}")
    return verdict


def percentile(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


async def paced(seconds: float, send: Callable[[int], Awaitable[None]]) -> None:
    """Call it `RATE` times a second, each time on time, whatever became of the one before."""
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[Any]]()
    began = loop.time()
    for n in range(int(RATE * seconds)):
        await asyncio.sleep(max(0.0, began + n / RATE - loop.time()))
        task = asyncio.ensure_future(send(n))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)


@contextlib.asynccontextmanager
async def hearer(
    kind: str, valkey: ValkeyServer, count: int, latencies: list[float]
) -> AsyncIterator[dict[int, float]]:
    """The other worker, which hears; into what is yielded goes when each number was sent."""
    command = [sys.executable, "-m", "tests.soak._hearer", kind, str(valkey.port), str(count)]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, limit=2**24)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    sent: dict[int, float] = {}
    yield sent
    came = {int(number): at for number, at in json.loads(await process.stdout.readline()).items()}
    await process.wait()
    latencies += [came[number] - at for number, at in sent.items()]


# Theirs


async def bare_latencies(valkey: ValkeyServer, seconds: float) -> list[float]:
    took: list[float] = []
    async with hearer(BARE, valkey, int(RATE * seconds), took) as sent:
        loop = asyncio.get_running_loop()
        sending, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", valkey.port)

        async def send(n: int) -> None:
            sent[n] = time.monotonic()
            sending.write(packed("PUBLISH", BARE, b'{"n":%d,"text":"%s"}' % (n, b"x" * 200)))

        await paced(seconds, send)
        sending.close()
    return took


# Ours


async def our_latencies(valkey: ValkeyServer, seconds: float) -> list[float]:
    took: list[float] = []
    async with running_core(ChatRooms(INSTANCE), guests=True, store=valkey.url) as chat:
        await chat.store.create_room(Room(ROOM, "", 0, visibility=PUBLIC))
        async with hearer("ours", valkey, int(RATE * seconds), took) as sent:
            verbs = verbs_of(chat)

            async def send(n: int) -> None:
                sent[n] = time.monotonic()
                await verbs.publish(ROOM, "message", {"n": n, "text": "x" * 200})

            await paced(seconds, send)
    return took


async def fan_out(broker: MemoryBroker | RedisBroker, seconds: float) -> float:
    """Deliveries a second from many senders to the members of one room, on one worker."""
    delivered = 0

    def count(frames: bytes) -> None:
        nonlocal delivered
        delivered += frames.count(b'"text"')

    backends = Backends(MemoryStore(), broker, MemoryPresence())
    async with running_core(ChatRooms("fan_out"), guests=True, backends=backends) as chat:
        await chat.store.create_room(Room("r", "", 0, visibility=PUBLIC))
        for _ in range(MEMBERS):
            await enter(chat, Member(count), "r")
        verbs, began = verbs_of(chat), time.perf_counter()

        async def talk() -> None:
            while time.perf_counter() < began + seconds:
                await verbs.publish("r", "message", {"text": "x" * 200})

        await asyncio.gather(*(talk() for _ in range(SENDERS)))
        return delivered / (time.perf_counter() - began)


def verbs_of(chat: Chat) -> ServerAPI:
    verbs: ServerAPI = chat._chatrooms
    return verbs


if __name__ == "__main__":
    main(soak)
