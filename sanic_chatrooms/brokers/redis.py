"""A broker in Redis or Valkey: PUBLISH and SUBSCRIBE, in a cluster their sharded forms.

A server that is gone does not always close its connections. So it is pinged every second, and after a few seconds of silence
the connection is made anew.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Sequence
from typing import Annotated

import msgspec
from redis.exceptions import ResponseError

from ..drivers.redis.cluster import Call, RedisLink, RedisServer
from ..drivers.redis.subscriber import Subscriber
from ..errors import Unavailable
from ..models import Envelope
from ..support.signature import SCRIPT_BODY, SIGNED_BY_SCRIPT
from .codec import Entry, by_room, in_room
from .remote import RemoteBroker

__all__ = ["RedisBroker"]

SILENCE = 4.0
"""Seconds of silence after which a connection is given up."""
PUBLISH_WITHIN = 4.0
SUBSCRIBE_WITHIN = 4.0


class _Mark(msgspec.Struct, frozen=True, gc=False):
    """What of an event's text says which it is."""

    seq: Annotated[int, msgspec.Meta(ge=1)]
    type: str


_by_script = msgspec.json.Decoder(tuple[str, str, list[msgspec.Raw]])
_mark = msgspec.json.Decoder(_Mark)


class RedisBroker(RemoteBroker[Entry]):
    """Publishes through one Redis or Valkey (7 or newer), or a cluster.

    `url`: see `sanic_chatrooms.drivers.redis.address`. A broker does not receive its own envelopes.
    """

    logger = logging.getLogger("sanic_chatrooms.redis")

    def __init__(self, url: str = "redis://localhost") -> None:
        super().__init__(Entry)
        self._link = RedisLink(url)
        self.server_url = url
        self._random = os.urandom(8).hex()
        self._base = ""
        self._own = b""
        self._rooms: dict[str, Subscriber | None] = {}
        """Every subscribed room, and the connection that has it; None: none right now."""
        self._channels: dict[bytes, str] = {}
        self._subscribers: dict[RedisServer, Subscriber] = {}
        self._opening = asyncio.Lock()

    async def _open(self, instance: str) -> None:
        self._opening = asyncio.Lock()
        await self._link.start(PUBLISH_WITHIN)
        self._base = f"{self._link.prefix}{instance}:"
        self._own = f'["{self.publisher}",'.encode()
        if not self._link.is_cluster:
            await self._subscriber(await self._link.server(""))

    async def _close(self) -> None:
        self._rooms.clear()
        self._channels.clear()
        await self._link.stop()

    @property
    def publisher(self) -> str:  # type: ignore[override]
        """See `Broker.publisher`. With the process in it: an object made before a fork is in all of them."""
        return f"{self._random}.{os.getpid()}"

    # ---- subscribing ----

    async def subscribe(self, room: str) -> None:
        """See `Broker.subscribe`."""
        if self._deliver is None:
            raise Unavailable
        subscriber = self._rooms.get(room)
        if subscriber is not None and subscriber.alive:
            return
        new = room not in self._rooms
        self._rooms[room] = None
        self._channels[self._channel(room).encode()] = room
        try:
            await self._subscribe([room])
        except BaseException:
            if new and self._rooms.get(room) is None:
                self._forget(room)
            raise

    async def unsubscribe(self, room: str) -> None:
        """See `Broker.unsubscribe`. What is still under way is not delivered any more."""
        subscriber = self._rooms.get(room)
        self._forget(room)
        if subscriber is not None:
            with contextlib.suppress(Unavailable):  # then the server knows nothing of us any more
                await subscriber.unsubscribe(*reversed(self._both(room)))

    def _forget(self, room: str) -> None:
        self._rooms.pop(room, None)
        self._channels.pop(self._channel(room).encode(), None)

    async def _subscribe(self, rooms: Sequence[str]) -> None:
        """Subscribe to rooms where they are served. Raises `Unavailable`."""
        try:
            async with asyncio.timeout(SUBSCRIBE_WITHIN):
                servers: dict[RedisServer, list[str]] = {}
                for room in rooms:
                    servers.setdefault(await self._link.server(self._channel(room)), []).append(room)
                for server, some in servers.items():
                    subscriber = await self._subscriber(server)
                    await subscriber.subscribe([channel for room in some for channel in self._both(room)])
                    for room in some:
                        if room in self._rooms:
                            self._rooms[room] = subscriber
        except ResponseError as error:
            if not self._link.is_cluster:
                raise
            self.logger.info("a slot has moved: %s", error)
            self._link.suspect()
            raise Unavailable from None
        except TimeoutError:
            raise Unavailable from None

    async def _subscriber(self, server: RedisServer) -> Subscriber:
        subscriber = self._subscribers.get(server)
        if subscriber is not None and subscriber.alive:
            return subscriber
        async with self._opening:
            subscriber = self._subscribers.get(server)
            if subscriber is None or not subscriber.alive:
                subscriber = self._subscribers[server] = Subscriber(
                    await server.connect(),
                    sharded=self._link.is_cluster,
                    received=self._received,
                    dropped=self._dropped,
                    ended=self._ended,
                )
            return subscriber

    def _channel(self, room: str) -> str:
        return f"{self._base}{{{room}}}"

    def _both(self, room: str) -> tuple[str, str]:
        """The room's channel, and one on which nothing is said: by it a store that publishes itself (publish.lua) sees which subscriber of
        the first is this broker. At the server, whoever has the second has the first too."""
        channel = self._channel(room)
        return channel, f"{channel}:{self.publisher}"

    # ---- publishing ----

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """See `Broker.publish`. One message per room, whatever the number of envelopes."""
        if self._deliver is None:
            raise Unavailable
        command = "SPUBLISH" if self._link.is_cluster else "PUBLISH"
        calls = []
        for room, entries in by_room(envelopes).items():
            channel = self._channel(room)
            calls.append(Call(channel, (command, channel, self._packer.pack(room, entries))))
        try:
            async with asyncio.timeout(PUBLISH_WITHIN):
                await self._link.run(calls)
        except TimeoutError:
            raise Unavailable from None

    # ---- receiving ----

    def _received(self, channel: bytes, data: bytes) -> None:
        room = self._channels.get(channel)
        if room is not None:
            self._receive(room, self._unpacked, data)

    def _unpacked(self, room: str, data: bytes) -> list[Envelope]:
        if data.startswith(SIGNED_BY_SCRIPT):
            if data.startswith(self._own, SCRIPT_BODY):
                return []  # the echo of its store, or what pretends to be: worth no verification
            channel = self._channel(room).encode()
            return self._unpacked_by_script(room, self._signer.verify_script(channel, data))
        return in_room(room, self._packer.unpack(room, data))

    def _unpacked_by_script(self, room: str, body: bytes) -> list[Envelope]:
        """What a store published in the step in which it stored: events as they are kept, which is as clients get them."""
        _, epoch, events = _by_script.decode(body)
        marks = [_mark.decode(event) for event in events]
        pairs = zip(marks, events, strict=True)
        return [Envelope(room, epoch, mark.seq, mark.type, bytes(event)) for mark, event in pairs]

    # ---- connections ----

    def _dropped(self, subscriber: Subscriber, channel: bytes) -> None:
        # The server's own doing: the slot is another node's now. A room that we unsubscribed has no subscriber any more.
        room = self._channels.get(channel)
        if room is not None and self._rooms.get(room) is subscriber:
            self._rooms[room] = None
            self._disconnected()

    def _ended(self, subscriber: Subscriber) -> None:
        for room, by in self._rooms.items():
            if by is subscriber:
                self._rooms[room] = None
        self._subscribers = {
            server: other for server, other in self._subscribers.items() if other is not subscriber
        }
        self._disconnected()

    def _disconnected(self) -> None:
        super()._disconnected()
        self._link.suspect()

    def _give_up(self) -> None:
        for subscriber in list(self._subscribers.values()):
            subscriber.close()
        self._disconnected()

    async def _resubscribe(self) -> None:
        if not self._link.is_cluster:
            await self._subscriber(await self._link.server(""))
        await self._subscribe([room for room, subscriber in self._rooms.items() if subscriber is None])

    async def _probe(self) -> None:
        for subscriber in list(self._subscribers.values()):
            if time.monotonic() - subscriber.heard_at > SILENCE:
                self.logger.warning("Redis has been silent for %d seconds; connecting anew", SILENCE)
                subscriber.close()
                continue
            try:
                await subscriber.ping()
            except Unavailable:
                subscriber.close()
