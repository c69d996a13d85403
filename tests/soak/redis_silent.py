"""Valkey stands still for 20 seconds (SIGSTOP), and is cut off without a word: noticed in 6 seconds, made good in 3, nothing lost.

Two workers in one event loop, so that what they do meanwhile can be measured: no busy loop, and no memory that grows.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import resource
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from sanic_chatrooms import User
from sanic_chatrooms.brokers import redis as broker_module
from sanic_chatrooms.brokers import remote
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.drivers.redis import cluster as redis_link
from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import Checker, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.testing.proxy import FaultProxy
from tests.soak._talker import until
from tests.soak.runs import Progress, Verdict, main
from tests.support.valkey import ValkeyServer, running

SECONDS = 20.0
ROUNDS = 3
SHORT = 0.02
SPEAKERS = 10
NOTICED, RECOVERED = 6.0, 3.0
CPU, GROWTH = 0.3, 64 * 1024


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, rounds = Verdict(), max(1, round(ROUNDS * scale))
    with scaled(scale), running(persistence="always") as valkey:
        async with FaultProxy("127.0.0.1", valkey.port) as proxy:
            url = f"redis://127.0.0.1:{proxy.port}"
            for n in range(rounds):
                for kind, silent in (("frozen", frozen(valkey)), ("cut off", cut_off(proxy))):
                    await Run(kind, verdict).through(url, silent, SECONDS if scale >= 0.2 else 1.5)
                progress((n + 1) / rounds, f"round {n + 1}")
    return verdict


@contextlib.contextmanager
def scaled(scale: float) -> Iterator[None]:
    """A short run does not wait as long as a server that stands still is waited for: it has shorter limits."""
    limits = [
        (remote, "PROBE"),
        (broker_module, "SILENCE"),
        (broker_module, "PUBLISH_WITHIN"),
        (redis_link, "ANSWER_WITHIN"),
    ]
    before = [getattr(module, name) for module, name in limits]
    if scale < 0.2:
        for (module, name), value in zip(limits, before, strict=True):
            setattr(module, name, value / 8)
    try:
        yield
    finally:
        for (module, name), value in zip(limits, before, strict=True):
            setattr(module, name, value)


@contextlib.asynccontextmanager
async def frozen(valkey: ValkeyServer) -> AsyncIterator[None]:
    valkey.freeze()
    try:
        yield
    finally:
        valkey.thaw()


@contextlib.asynccontextmanager
async def cut_off(proxy: FaultProxy) -> AsyncIterator[None]:
    proxy.up.swallow = proxy.down.swallow = True
    try:
        yield
    finally:
        proxy.up.swallow = proxy.down.swallow = False


class Run:
    """Two workers, speakers on both, one silence."""

    def __init__(self, kind: str, verdict: Verdict) -> None:
        self.kind = kind
        self.verdict = verdict
        self.checker = Checker()
        self.acked_at: dict[str, float] = {}
        self.ending = False
        self.room = f"general.{new_id()}"

    async def through(
        self, url: str, silence: contextlib.AbstractAsyncContextManager[None], seconds: float
    ) -> None:
        settings: dict[str, Any] = {"guests": True, "store": url, "store_timeout": 1.5}
        async with running_core(**settings) as one, running_core(**settings) as other:
            clients = [
                await self.enter(chat, f"u{n}")
                for n, chat in zip(range(SPEAKERS), itertools.cycle((one, other)))
            ]
            speaking = [asyncio.ensure_future(self.speak(name, client)) for name, client in clients]
            await until(lambda: len(self.acked_at) == SPEAKERS, 30)
            async with silence:
                await self.watch((one, other), seconds)
            await self.recover((one, other))
            self.ending = True
            await asyncio.gather(*speaking)
            await self.judge(one)

    async def enter(self, chat: Chat, name: str) -> tuple[str, MemoryClient]:
        client = await chat_client(chat, User(name, name), witness=self.checker.witness(name, user=name))
        await client.ack("join", room=self.room)
        return name, client

    async def speak(self, name: str, client: MemoryClient) -> None:
        """One message after the other, each until it is acknowledged."""
        while not self.ending:
            said = {"room": self.room, "payload": {"text": "hi"}, "msg_id": new_id()}
            while (await client.request("message", **said))["type"] == "error":  # noqa: ASYNC110 - a client's pause
                await asyncio.sleep(0.1)
            self.acked_at[name] = time.monotonic()
            await asyncio.sleep(0.02)

    async def watch(self, chats: tuple[Chat, Chat], seconds: float) -> None:
        began, cpu, memory = (
            time.monotonic(),
            time.process_time(),
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        )
        if not await until(lambda: not any(chat.backends.broker.healthy for chat in chats), seconds):
            self.wrong("the silence was not noticed")
        noticed = time.monotonic() - began
        self.figure("noticed after", noticed, NOTICED)
        await asyncio.sleep(max(0.0, seconds - noticed))  # what happens in a long silence is what is measured
        share = (time.process_time() - cpu) / (time.monotonic() - began)
        growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
        self.figure("share of a core meanwhile", share, CPU)
        if growth > GROWTH:
            self.wrong(f"memory grew by {growth:,} KiB")

    async def recover(self, chats: tuple[Chat, Chat]) -> None:
        back = time.monotonic()

        def all_well() -> bool:
            heard = all(at > back for at in self.acked_at.values())
            return heard and all(chat.backends.broker.healthy for chat in chats)

        if not await until(all_well, 30):
            self.wrong("not everything went on within 30 s")
        self.figure("everything went on after", time.monotonic() - back, RECOVERED)

    async def judge(self, chat: Chat) -> None:
        head = (await chat.store.heads([self.room]))[self.room].seq
        if not await until(lambda: all(w.streams[self.room].seq == head for w in self.checker.witnesses), 30):
            self.wrong("not everybody heard everything")
        await self.checker.read(chat.store, self.room)
        for found in (self.checker.flaws() + self.checker.gaps())[:5]:
            self.wrong(found)
        self.verdict.figures[f"{self.kind}: acked"] = len(self.checker.acked)

    def figure(self, name: str, value: float, most: float) -> None:
        key = f"{self.kind}: {name} (at most {most})"
        self.verdict.figures[key] = max(round(value, 2), self.verdict.figures.get(key, 0.0))
        if value > most:
            self.verdict.slow.append(f"{self.kind}: {name} {value:.2f}, and not {most}")

    def wrong(self, what: str) -> None:
        self.verdict.wrong.append(f"{self.kind}: {what}")


if __name__ == "__main__":
    main(soak)
