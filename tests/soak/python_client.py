"""Python clients talk through a proxy that breaks their connections in every way, for minutes: everything that was sent is stored
once and in the order of its sender, and every client hears everything once and in order.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, aclosing
from typing import Any

from sanic_chatrooms.client import ChatClient
from sanic_chatrooms.testing import FaultProxy
from tests.soak._talker import until
from tests.soak.runs import Progress, Verdict, main
from tests.soak.visitors import served
from tests.support.wire import token

CLIENTS, MESSAGES = 20, 1_000
"""Clients, and messages of each of them."""
SHORT = 0.02
EVERY = 0.15
"""Seconds between two blows; a short run has them closer together."""
ROOM = "general"
WITHIN = 120.0


async def soak(scale: float, progress: Progress) -> Verdict:
    clients, messages = (
        (CLIENTS, round(MESSAGES * scale)) if scale >= 0.2 else (5, max(60, round(MESSAGES * scale)))
    )
    async with served() as server, FaultProxy("127.0.0.1", server.port) as proxy, AsyncExitStack() as stack:
        talkers = [
            await stack.enter_async_context(Talker(f"u{n}", f"ws://127.0.0.1:{proxy.port}/chat/ws"))
            for n in range(clients)
        ]
        striking = asyncio.ensure_future(
            strike(proxy, random.Random(13), EVERY if scale >= 0.2 else EVERY / 3)
        )
        talking = [asyncio.ensure_future(talker.talk(messages)) for talker in talkers]
        wanted = clients * messages

        def said() -> bool:
            acked = sum(len(talker.acked) for talker in talkers)
            progress(0.9 * acked / wanted, f"{acked:,} stored, {proxy.accepted:,} connections")
            return all(task.done() for task in talking)

        await until(said, WITHIN + 0.5 * messages)
        striking.cancel()
        await asyncio.gather(striking, return_exceptions=True)
        proxy.down.delay = 0.0
        await until(lambda: all(len(talker.heard) >= wanted for talker in talkers), WITHIN)
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
        progress(1.0, "everybody asked")
        verdict = Verdict(wrong=[*flaws(talkers, messages)])
        verdict.figures = {
            "clients": clients,
            "connections": proxy.accepted,
            "stored": wanted,
            "heard": sum(len(talker.heard) for talker in talkers),
        }
    return verdict


async def strike(proxy: FaultProxy, dice: random.Random, every: float) -> None:
    while True:
        await asyncio.sleep(dice.uniform(0.0, 2 * every))
        match dice.randrange(6):
            case 0:
                proxy.reset()
            case 1:
                proxy.cut()
            case 2:
                proxy.half_open(keep="server")
            case 3:
                proxy.down.cut_next(dice.randrange(200))
            case 4:
                proxy.up.cut_next(dice.randrange(200))
            case 5:
                proxy.down.delay = dice.choice((0.0, 0.0, 0.02))


class Talker:
    """One client, what it has sent, and what it heard."""

    def __init__(self, user: str, url: str) -> None:
        self.user = user
        self.heard: list[tuple[int, str]] = []
        """Numbers and texts."""
        self.acked: list[int] = []
        self._client = ChatClient(url, token=token(user), backoff=(0.02, 0.3), proxy=None)
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Talker:
        await self._client.connect()
        page = await self._client.join(ROOM, history=0)
        self._listening = asyncio.ensure_future(self._listen((page["epoch"], 0)))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._client.close()
        assert self._listening is not None
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self, since: tuple[str, int]) -> None:
        async with aclosing(self._client.follow(ROOM, since=since)) as events:
            async for event in events:
                self.heard.append((event["seq"], event["payload"].get("text", "")))

    async def talk(self, messages: int) -> None:
        for n in range(0, messages, 10):  # ten at a time, which go out in order
            some = range(n, min(n + 10, messages))
            acks: list[Any] = await asyncio.gather(
                *(self._client.send(ROOM, f"{self.user} {m}") for m in some)
            )
            self.acked += [ack["seq"] for ack in acks]


def flaws(talkers: list[Talker], messages: int) -> list[str]:
    found = []
    total = len(talkers) * messages
    everything = max((talker.heard for talker in talkers), key=len)
    for talker in talkers:
        if [seq for seq, _ in talker.heard] != list(range(1, total + 1)):
            found.append(f"{talker.user} heard {len(talker.heard)} of {total}, or not in order")
        if talker.heard != everything:
            found.append(f"{talker.user} heard other things than others")
        if talker.acked != sorted(set(talker.acked)) or len(talker.acked) != messages:
            found.append(f"{talker.user}: {len(talker.acked)} acks, in order and each another: no")
        own = [text for _, text in everything if text.startswith(f"{talker.user} ")]
        if own != [f"{talker.user} {n}" for n in range(messages)]:
            found.append(f"{talker.user} said {messages} things, {len(own)} are stored, or not in order")
    return found


if __name__ == "__main__":
    main(soak)
