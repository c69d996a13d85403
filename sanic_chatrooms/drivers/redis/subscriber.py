"""One connection that is subscribed to channels of a Redis or Valkey server, and knows how long the server has been silent."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import ResponseError

from ...errors import Unavailable
from .contract import open_wire
from .socket import Command

__all__ = ["Subscriber"]

CHANNELS = 500
"""Channels in one command."""


class Subscriber:
    """`received` gets channel and data of every message, `dropped` a channel that the server unsubscribed by itself.

    Once `alive` is False it stays so: open another.
    """

    def __init__(
        self,
        connection: Any,
        *,
        sharded: bool,
        received: Callable[[bytes, bytes], None],
        dropped: Callable[["Subscriber", bytes], None],
        ended: Callable[["Subscriber"], None],
    ) -> None:
        self._sharded = sharded
        self._received = received
        self._dropped = dropped
        self._when_ended = ended
        self._unconfirmed: deque[tuple[list[int], asyncio.Future[None]]] = deque()
        self.heard_at = time.monotonic()
        """When the server last said anything."""
        self._wire = open_wire(connection, self._take, self._ended)

    @property
    def alive(self) -> bool:
        """Is the connection open, as far as is known?"""
        return self._wire.open

    async def subscribe(self, channels: Sequence[str]) -> None:
        """Return when the server has confirmed all. Raises `Unavailable`, or the server's `ResponseError`."""
        # Channels of different slots cannot stand in one command.
        width = 1 if self._sharded else CHANNELS
        command = "SSUBSCRIBE" if self._sharded else "SUBSCRIBE"
        groups = [channels[low : low + width] for low in range(0, len(channels), width)]
        confirmed: list[asyncio.Future[None]] = []
        for group in groups:
            done = asyncio.get_running_loop().create_future()
            self._unconfirmed.append(([len(group)], done))
            confirmed.append(done)
        self._send([(command, *group) for group in groups])
        if len(confirmed) == 1:  # as nearly always, and `gather` would take as long as the rest
            await confirmed[0]
            return
        for answer in await asyncio.gather(*confirmed, return_exceptions=True):
            if answer is not None:
                raise answer

    async def unsubscribe(self, *channels: str) -> None:
        """Ask the server to send no more of these channels, which are in one slot. Nothing is waited for."""
        self._send([("SUNSUBSCRIBE" if self._sharded else "UNSUBSCRIBE", *channels)])

    async def ping(self) -> None:
        """Make the server say something."""
        self._send([("PING",)])

    def close(self) -> None:
        """End it. What waits gets `Unavailable`."""
        self._wire.close()

    def _send(self, commands: Sequence[Command]) -> None:
        if not self.alive:
            raise Unavailable
        self._wire.send(commands, at_once=False)

    def _take(self, reply: Any) -> None:
        self.heard_at = time.monotonic()
        if isinstance(reply, ResponseError):
            self._answer(reply)
            return
        if not isinstance(reply, list):
            return  # a pong where nothing is subscribed
        kind, channel = reply[0], reply[1]
        if kind in (b"message", b"smessage"):
            self._received(channel, reply[2])
        elif kind in (b"subscribe", b"ssubscribe"):
            self._answer(None)
        elif kind in (b"unsubscribe", b"sunsubscribe"):
            self._dropped(self, channel)

    def _ended(self) -> None:
        while self._unconfirmed:
            self._answer(Unavailable())
        self._when_ended(self)

    def _answer(self, error: Exception | None) -> None:
        if not self._unconfirmed:
            return
        left, done = self._unconfirmed[0]
        left[0] -= 1
        if error is None and left[0]:
            return
        self._unconfirmed.popleft()
        if done.done():
            return
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)
