"""The other worker of `redis_latency`, a process of its own: hears a channel, or a room, and says when each message came."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any

import hiredis
import uvloop

from sanic_chatrooms.chat import Chat
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.web.chatrooms import ChatRooms
from sanic_chatrooms.websocket.codec import FRAMES

__all__ = ["BARE", "INSTANCE", "ROOM", "Member", "enter", "packed"]

BARE, INSTANCE, ROOM = "bare", "latency", "r"
_NUMBER = re.compile(rb'"n":(\d+)')


class Member:
    """A session as the hub sees it, without a connection."""

    codec = FRAMES
    check_every = 65_536

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self.write = write

    def push(self, frames: bytes, replies: bytes = b"") -> None:
        self.write(frames)

    def reply(self, frames: bytes) -> None:
        """The answer to the join."""

    def evicted(self, room: str) -> None:
        raise AssertionError(f"thrown out of {room}")


async def enter(chat: Chat, member: Member, room: str) -> None:
    held = await chat.hub.enter(member, room)
    assert chat.hub.admit(member, held)


class Arrivals:
    """When each number came, in seconds of the machine's monotonic clock."""

    def __init__(self, count: int) -> None:
        self.at: dict[int, float] = {}
        self.all = asyncio.Event()
        self._count = count

    def came(self, data: bytes) -> None:
        now = time.monotonic()
        for number in _NUMBER.findall(data):
            self.at[int(number)] = now
        if len(self.at) == self._count:
            self.all.set()

    async def told(self) -> None:
        """Say that it has begun, and at the end what came when."""
        print("ready", flush=True)
        async with asyncio.timeout(60):
            await self.all.wait()
        print(json.dumps(self.at), flush=True)


class Subscriber(asyncio.Protocol):
    """Reads what a subscription brings, and does nothing else."""

    def __init__(self, arrivals: Arrivals) -> None:
        self.arrivals = arrivals
        self.reader = hiredis.Reader()
        self.subscribed = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.reader.feed(data)
        while (reply := self.reader.gets()) is not False:
            if reply[0] == b"message":
                self.arrivals.came(reply[2])
            else:
                self.subscribed.set()


def packed(*words: Any) -> bytes:
    data: bytes = hiredis.pack_command(words)
    return data


async def hear_bare(port: int, arrivals: Arrivals) -> None:
    loop = asyncio.get_running_loop()
    listening, subscriber = await loop.create_connection(lambda: Subscriber(arrivals), "127.0.0.1", port)
    listening.write(packed("SUBSCRIBE", BARE))
    await subscriber.subscribed.wait()
    await arrivals.told()
    listening.close()


async def hear_ours(port: int, arrivals: Arrivals) -> None:
    url = f"redis://127.0.0.1:{port}"
    async with running_core(ChatRooms(INSTANCE), guests=True, store=url) as chat:
        await enter(chat, Member(arrivals.came), ROOM)
        await arrivals.told()


async def main(kind: str, port: int, count: int) -> None:
    await (hear_bare if kind == BARE else hear_ours)(port, Arrivals(count))


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
