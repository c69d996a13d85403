"""A client of the long runs: talks, comes back, recovers, repeats what was not acknowledged; a checker watches it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Callable
from typing import Any

import jwt
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import Checker

__all__ = ["Talker", "until"]

Frame = dict[str, Any]


class Talker:
    """`run` until `leave`. It speaks as long as `speaking`, with `outstanding` messages that wait for their ack."""

    def __init__(self, name: str, checker: Checker, url: str, rooms: tuple[str, ...], secret: str) -> None:
        self.name = name
        self.rooms = rooms
        self.witness = checker.witness(name, user=name)
        self.waiting: dict[str, Frame] = {}
        self.acked = 0
        self.acked_at = 0.0
        self.told = 0
        """How often it was told that it may have missed something."""
        self.connections = 0
        self.outstanding = 0
        self._url = url
        self._token = jwt.encode({"sub": name, "name": name, "exp": 4_000_000_000}, secret, "HS256")
        self._ws: ClientConnection | None = None
        self._joining: dict[str, str] = {}
        self._leaving = False
        self._later: set[asyncio.Task[None]] = set()

    @property
    def is_in(self) -> bool:
        """In all its rooms?"""
        streams = self.witness.streams
        return all(room in streams and streams[room].open for room in self.rooms)

    async def run(self) -> None:
        while not self._leaving:
            with contextlib.suppress(ConnectionClosed, OSError, InvalidHandshake, TimeoutError):
                await self._be_connected()
            await asyncio.sleep(random.uniform(0.0, 0.2))  # as clients do: full jitter

    async def leave(self) -> None:
        self._leaving = True
        if self._ws is not None:
            await self._ws.close()

    async def _be_connected(self) -> None:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with connect(
            self._url, additional_headers=headers, compression=None, ping_interval=None, proxy=None
        ) as ws:
            self._ws = ws
            self.connections += 1
            self._joining.clear()
            try:
                for room in self.rooms:
                    await self._join(room)
                for frame in list(self.waiting.values()):
                    await self._send(frame)
                async for text in ws:
                    await self._take(json.loads(text))
                    await self._talk()
            finally:
                self.witness.cut()

    async def _join(self, room: str) -> None:
        since = self.witness.since(room)
        msg_id = new_id()
        self._joining[msg_id] = room
        payload = {"since": since} if since else {"history": 0}
        await self._send({"type": "join", "msgId": msg_id, "room": room, "payload": payload})

    async def _take(self, frame: Frame) -> None:
        self.witness.received(frame)
        type, payload, reply_to = frame["type"], frame["payload"], frame.get("replyTo", "")
        if type == "ack":
            room = self._joining.pop(reply_to, None)
            self.told += room is not None and not payload["recovered"] and self.connections > 1
            if self.waiting.pop(reply_to, None) is not None:
                self.acked += 1
                self.acked_at = time.monotonic()
        elif type == "error":
            again = asyncio.ensure_future(self._again(reply_to))
            self._later.add(again)
            again.add_done_callback(self._later.discard)
        elif type in ("reset", "room.removed"):
            self.told += 1
            await self._join(payload["room"])

    async def _again(self, reply_to: str) -> None:
        """What was refused for now is sent again a little later."""
        room, said = self._joining.pop(reply_to, None), self.waiting.get(reply_to)
        await asyncio.sleep(random.uniform(0.05, 0.15))
        with contextlib.suppress(ConnectionClosed):
            if room is not None:
                await self._join(room)
            elif said is not None and said["msgId"] in self.waiting:
                await self._send(said)

    async def _talk(self) -> None:
        while len(self.waiting) < self.outstanding and self.is_in:
            frame = {
                "type": "message",
                "msgId": new_id(),
                "room": random.choice(self.rooms),
                "payload": {"text": f"{self.name} says"},
            }
            self.waiting[frame["msgId"]] = frame  # type: ignore[index]
            await self._send(frame)

    async def start(self, outstanding: int) -> None:
        """Begin to speak."""
        self.outstanding = outstanding
        await self._talk()

    async def _send(self, frame: Frame) -> None:
        assert self._ws is not None
        self.witness.sent(frame)
        await self._ws.send(json.dumps(frame))


async def until(what: Callable[[], bool], within: float) -> bool:
    """Wait for it, in other processes; False if it does not come."""
    deadline = time.monotonic() + within
    while not what():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True
