"""Senders that publish and never give up, and a look at what the database has of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from sanic_chatrooms import ChatRooms, Unavailable

__all__ = ["Senders", "flaws"]

NAMES = ("one", "two", "three", "four")
"""The rooms."""


@dataclass
class Senders:
    """Publish all the time, each one message after the other; what is unavailable is published again under its msgId."""

    chat: ChatRooms
    count: int
    pause: float = 0.0
    acked: dict[str, tuple[str, int, str]] = field(default_factory=dict)
    """By the key: room, number and id that the ack named."""
    wrong: list[str] = field(default_factory=list)
    refused: int = 0
    """How often a sender was told unavailable."""
    longest: float = 0.0
    """Seconds that one call of `publish` took at most, answered or refused."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        for room in NAMES:
            await self.chat.ensure_room(room)
        self._tasks = [asyncio.ensure_future(self._send(number)) for number in range(self.count)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for outcome in await asyncio.gather(*self._tasks, return_exceptions=True):
            if not isinstance(outcome, asyncio.CancelledError):
                self.wrong.append(f"a sender ended with {outcome!r}")

    async def next_ack(self, within: float = 60.0) -> float:
        """Wait for an ack; seconds that it took."""
        self._heard.clear()
        began = time.monotonic()
        async with asyncio.timeout(within):
            await self._heard.wait()
        return time.monotonic() - began

    async def _send(self, number: int) -> None:
        room, serial = NAMES[number % len(NAMES)], 0
        while True:
            serial += 1
            await self._send_until_acked(room, f"sender-{number:04}-{serial:08}")
            await asyncio.sleep(self.pause)

    async def _send_until_acked(self, room: str, key: str) -> None:
        while True:
            began = time.monotonic()
            try:
                answer = await self.chat.publish(room, "SOAK", {"key": key}, key=key)
            except Unavailable:
                self.refused += 1
                await asyncio.sleep(0.02)
                continue
            finally:
                self.longest = max(self.longest, time.monotonic() - began)
            assert answer is not None
            self.acked[key] = (room, answer.seq, answer.msg_id)
            self._heard.set()
            return


async def flaws(connection: Any, instance: str, acked: dict[str, tuple[str, int, str]]) -> list[str]:
    """What is wrong with the rows of the database, held beside the acks."""
    rows = await connection.fetch(
        f"SELECT r.name, e.seq, e.msg_id, e.key_id FROM chatrooms_{instance}_event e "
        f"JOIN chatrooms_{instance}_room r ON r.id = e.room_id WHERE e.type = 'SOAK' ORDER BY r.name, e.seq"
    )
    found = []
    stored: dict[str, tuple[str, int, str]] = {}
    numbers: dict[str, list[int]] = {}
    for name, seq, msg_id, key in rows:
        if key in stored:
            found.append(f"{key} is stored twice: {stored[key]} and {(name, seq, msg_id)}")
        stored[key] = (name, seq, msg_id)
        numbers.setdefault(name, []).append(seq)
    found += [
        f"{key} was acked as {ack} and is {stored.get(key)}"
        for key, ack in acked.items()
        if stored.get(key) != ack
    ]
    for name, given in numbers.items():
        if given != list(range(1, len(given) + 1)):
            found.append(f"the numbers of {name} have holes or doubles")
    return found[:20]
