"""A broker in Redis or Valkey: PUBLISH and SUBSCRIBE, in a cluster their sharded forms.

What a server says of its own accord is not trusted to come: it is pinged every second, and after a few seconds without
a word the connection is made anew. Whatever was published meanwhile is gone, so every new connection is a `reconnected`.
"""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Annotated, ClassVar

import msgspec
from redis.exceptions import ResponseError

from ..drivers.redis.cluster import Call, RedisLink, RedisServer
from ..drivers.redis.subscriber import Ear
from ..errors import ConfigError, Unavailable
from ..models import Envelope, Scope
from ..support.signature import STAMPED
from ..support.tasks import end
from .base import Deliver
from .codec import Bell, Packer, by_room
from .reconnect import keep
from .signed import SealedBroker

__all__ = ["RedisBroker"]

logger = logging.getLogger("sanic_chatrooms.redis")

PROBE = 1.0
"""Seconds between two pings."""
SILENCE = 4.0
"""Seconds without a word after which a connection is given up."""
PUBLISH_WITHIN = 4.0
SUBSCRIBE_WITHIN = 4.0


class _Mark(msgspec.Struct, frozen=True, gc=False):
    """What of an event's text says which it is."""

    seq: Annotated[int, msgspec.Meta(ge=1)]
    type: str


_rung = msgspec.json.Decoder(tuple[str, str, list[msgspec.Raw]])
_mark = msgspec.json.Decoder(_Mark)


class RedisBroker(SealedBroker):
    """Rings through one Redis or Valkey (7 or newer), or a cluster.

    `url`: see `sanic_chatrooms.drivers.redis.address`. One's own envelopes are not echoed.
    """

    scope: ClassVar[Scope] = Scope.CLUSTER
    logger = logger

    def __init__(self, url: str = "redis://localhost") -> None:
        super().__init__()
        self._link = RedisLink(url)
        self.companion = url
        self._random = os.urandom(8).hex()
        self._packer = Packer(self._seal, "", Bell)
        self._base = ""
        self._deliver: Deliver | None = None
        self._reconnected: Callable[[], None] = lambda: None
        self._rooms: dict[str, Ear | None] = {}
        """What is to be heard, and by which ear it is; None: by none right now."""
        self._channels: dict[bytes, str] = {}
        self._ears: dict[RedisServer, Ear] = {}
        self._opening = asyncio.Lock()
        self._deaf = asyncio.Event()
        self._whole = True
        self._keeper: asyncio.Task[None] | None = None

    async def start(self, instance: str, deliver: Deliver, reconnected: Callable[[], None]) -> None:
        """See `Broker.start`. Raises `ConfigError` where the server does not let us in, `Unavailable` where there is none."""
        if self._deliver is not None:
            raise ConfigError("this RedisBroker is started already; make one per app")
        # Of this loop: an app may run again in another.
        self._deaf, self._opening = asyncio.Event(), asyncio.Lock()
        await self._link.start(PUBLISH_WITHIN)
        self._base = f"{self._link.prefix}{instance}:"
        self._seal.bind(instance)
        self._packer = Packer(self._seal, os.urandom(8).hex(), Bell)
        self._deliver, self._reconnected = deliver, reconnected
        self._whole = True
        self._keeper = asyncio.ensure_future(
            keep(self._deaf, self._hear_again, self._probe, self._give_up, PROBE)
        )
        try:
            if not self._link.is_cluster:
                await self._ear(await self._link.server(""))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """See `Broker.stop`."""
        self._deliver = None
        if self._keeper is not None:
            await end(self._keeper)
            self._keeper = None
        self._give_up()
        self._rooms.clear()
        self._channels.clear()
        await self._link.stop()

    @property
    def origin(self) -> str:  # type: ignore[override]
        """See `Broker.origin`: what a store rings as. With the process in it: an object made before a fork is in all of them."""
        return f"{self._random}.{os.getpid()}"

    @property
    def healthy(self) -> bool:
        """See `Broker.healthy`: False from when a connection broke or fell silent until all is heard again."""
        return self._whole

    # ---- subscribing ----

    async def subscribe(self, room: str) -> None:
        """See `Broker.subscribe`."""
        if self._deliver is None:
            raise Unavailable
        ear = self._rooms.get(room)
        if ear is not None and ear.alive:
            return
        new = room not in self._rooms
        self._rooms[room] = None
        self._channels[self._channel(room).encode()] = room
        try:
            await self._hear([room])
        except BaseException:
            if new and self._rooms.get(room) is None:
                self._forget(room)
            raise

    async def unsubscribe(self, room: str) -> None:
        """See `Broker.unsubscribe`. What is still under way is not delivered any more."""
        ear = self._rooms.get(room)
        self._forget(room)
        if ear is not None:
            with contextlib.suppress(Unavailable):  # then the server knows nothing of us any more
                await ear.unsubscribe(self._channel(room))

    def _forget(self, room: str) -> None:
        self._rooms.pop(room, None)
        self._channels.pop(self._channel(room).encode(), None)

    async def _hear(self, rooms: Sequence[str]) -> None:
        """Subscribe to rooms where they are served. Raises `Unavailable`."""
        try:
            async with asyncio.timeout(SUBSCRIBE_WITHIN):
                servers: dict[RedisServer, list[str]] = {}
                for room in rooms:
                    servers.setdefault(await self._link.server(self._channel(room)), []).append(room)
                for server, some in servers.items():
                    ear = await self._ear(server)
                    await ear.subscribe([self._channel(room) for room in some])
                    for room in some:
                        if room in self._rooms:
                            self._rooms[room] = ear
        except ResponseError as error:
            if not self._link.is_cluster:
                raise
            logger.info("a slot has moved: %s", error)
            self._link.suspect()
            raise Unavailable from None
        except TimeoutError:
            raise Unavailable from None

    async def _ear(self, server: RedisServer) -> Ear:
        ear = self._ears.get(server)
        if ear is not None and ear.alive:
            return ear
        async with self._opening:
            ear = self._ears.get(server)
            if ear is None or not ear.alive:
                ear = self._ears[server] = Ear(
                    await server.connect(),
                    sharded=self._link.is_cluster,
                    heard=self._heard,
                    lost=self._lost,
                    ended=self._ended,
                )
            return ear

    def _channel(self, room: str) -> str:
        return f"{self._base}{{{room}}}"

    # ---- publishing ----

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """See `Broker.publish`. One message per room, whatever the number of envelopes."""
        if self._deliver is None:
            raise Unavailable
        command = "SPUBLISH" if self._link.is_cluster else "PUBLISH"
        calls = []
        for room, bells in by_room(envelopes).items():
            channel = self._channel(room)
            calls.append(Call(channel, (command, channel, self._packer.pack(room, bells))))
        try:
            async with asyncio.timeout(PUBLISH_WITHIN):
                await self._link.run(calls)
        except TimeoutError:
            raise Unavailable from None

    # ---- hearing ----

    def _heard(self, channel: bytes, data: bytes) -> None:
        room, deliver = self._channels.get(channel), self._deliver
        if room is None or deliver is None:
            return
        try:
            envelopes = self._unpacked(room, channel, data)
        except Exception as error:  # noqa: BLE001 - logged there
            self._drop(f"the channel of room {room}", error)
            return
        for envelope in envelopes:
            try:
                deliver(envelope)
            except Exception:
                logger.exception("an envelope of room %s could not be delivered", room)

    def _unpacked(self, room: str, channel: bytes, data: bytes) -> list[Envelope]:
        if data.startswith(STAMPED):
            return self._unpacked_by_script(room, self._seal.open_stamped(channel, data))
        bells = self._packer.unpack(room, data)
        return [Envelope(room, bell.epoch, bell.seq, bell.type, bell.data) for bell in bells]

    def _unpacked_by_script(self, room: str, body: bytes) -> list[Envelope]:
        """What a store rang in the step in which it stored: events as they are kept, which is as clients get them."""
        origin, epoch, events = _rung.decode(body)
        if origin == self.origin:
            return []
        marks = [_mark.decode(event) for event in events]
        pairs = zip(marks, events, strict=True)
        return [Envelope(room, epoch, mark.seq, mark.type, bytes(event)) for mark, event in pairs]

    def _lost(self, ear: Ear, channel: bytes) -> None:
        # The server's own doing: the slot is another node's now. What we unsubscribed ourselves has no such ear any more.
        room = self._channels.get(channel)
        if room is not None and self._rooms.get(room) is ear:
            self._rooms[room] = None
            self._is_deaf()

    def _ended(self, ear: Ear) -> None:
        for room, by in self._rooms.items():
            if by is ear:
                self._rooms[room] = None
        self._ears = {server: other for server, other in self._ears.items() if other is not ear}
        self._is_deaf()

    def _is_deaf(self) -> None:
        self._whole = False
        self._link.suspect()
        self._deaf.set()

    # ---- keeping ----

    def _give_up(self) -> None:
        for ear in list(self._ears.values()):
            ear.close()
        self._is_deaf()

    async def _hear_again(self) -> bool:
        self._deaf.clear()
        try:
            if not self._link.is_cluster:
                await self._ear(await self._link.server(""))
            await self._hear([room for room, ear in self._rooms.items() if ear is None])
        except Unavailable:
            self._deaf.set()
            return False
        self._whole = not self._deaf.is_set()  # or something broke meanwhile
        self._reconnected()
        return True

    async def _probe(self) -> None:
        for ear in list(self._ears.values()):
            if time.monotonic() - ear.heard_at > SILENCE:
                logger.warning("Redis has been silent for %d seconds; connecting anew", SILENCE)
                ear.close()
                continue
            try:
                async with asyncio.timeout(PROBE):
                    await ear.ping()
            except (Unavailable, TimeoutError):
                ear.close()
