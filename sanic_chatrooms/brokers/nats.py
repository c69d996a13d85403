"""A broker in NATS: one subject per room, for one server, a cluster, or clusters joined by gateways.

The client reconnects by itself only after minutes of silence, and then without jitter. So each connection here is used
until it ends or falls silent, and is then made anew.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Sequence
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error, SlowConsumerError

from ..errors import ConfigError, Unavailable
from ..models import Envelope
from .codec import Entry, by_room, fitting, in_room
from .nats_contract import abort, may_be_in_cluster, report
from .remote import RemoteBroker

__all__ = ["NATSBroker"]

SILENCE = 4.0
"""Seconds without an answer after which a connection is given up."""
CONNECT_WITHIN = 2.0
"""Seconds for one server; then the next one is tried."""
PUBLISH_WITHIN = 4.0
SUBSCRIBE_WITHIN = 4.0
CLOSE_WITHIN = 1.0
SETTLED = 0.5
"""Seconds in which all servers of a cluster, and those behind gateways, have learned of a subscription."""
PREFIX = "chatrooms"

_PROBLEMS = (Error, OSError, TimeoutError, EOFError)
"""What the client raises where a connection cannot be made or used."""


class NATSBroker(RemoteBroker[Entry]):
    """Publishes through NATS.

    `url`: `nats://user:password@host:4222,host:4222`, or `tls://`; `?prefix=shop` begins every subject (default
    `chatrooms`), `?credentials=FILE` names a credentials file. `options` are options of nats-py, for example `tls`.
    A broker does not receive its own envelopes.
    """

    logger = logging.getLogger("sanic_chatrooms.nats")

    def __init__(self, url: str = "nats://localhost", **options: Any) -> None:
        super().__init__(Entry)
        self._servers, self._prefix, found = _parse(url)
        self._options = found | options
        self._base = ""
        self._client: Client | None = None
        self._rooms: dict[str, Subscription | None] = {}
        """Every subscribed room; None: the server does not know yet."""
        self._ending: set[asyncio.Task[None]] = set()
        self._settling: asyncio.TimerHandle | None = None
        self._subscribed_at = 0.0
        self._last_problem: Exception | None = None
        """What the client has reported since it was last asked to connect."""

    async def _open(self, instance: str) -> None:
        self._base = f"{self._prefix}.{_token(instance)}."
        try:
            self._client = await self._connect()
        except Unavailable as exc:
            # What the server says of a wrong user, password or token.
            if "uthorization" in str(exc.__cause__):
                raise ConfigError(f"NATSBroker: {exc.__cause__}") from exc
            raise

    async def _close(self) -> None:
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        self._rooms.clear()
        await asyncio.gather(*self._ending)

    # ---- subscribing ----

    async def subscribe(self, room: str) -> None:
        """See `Broker.subscribe`. In a cluster, servers learn of it one after the other: `reconnected` is called later."""
        client = self._running()
        new = room not in self._rooms
        if new:
            self._rooms[room] = None
        try:
            async with asyncio.timeout(SUBSCRIBE_WITHIN):
                if new:
                    await self._subscribe(client, room)
                await _confirm(client)
        except BaseException as problem:
            if new and self._client is client:
                await self.unsubscribe(room)
            if isinstance(problem, _PROBLEMS):
                raise Unavailable from None
            raise
        if client is not self._client:
            raise Unavailable
        self._settle(client)

    async def unsubscribe(self, room: str) -> None:
        """See `Broker.unsubscribe`. What is still under way is not delivered any more."""
        subscription = self._rooms.pop(room, None)
        if subscription is not None:
            with contextlib.suppress(*_PROBLEMS):  # then the server knows nothing of us any more
                await subscription.unsubscribe()

    async def _subscribe(self, client: Client, room: str) -> None:
        own: list[Subscription] = []
        subscription = await client.subscribe(
            self._base + _token(room), cb=partial(self._received, room, own)
        )
        own.append(subscription)
        if room in self._rooms:
            self._rooms[room] = subscription
        else:
            await subscription.unsubscribe()

    def _settle(self, client: Client) -> None:
        """What was published elsewhere before the server there knew of the subscription is found by looking at the store."""
        if not may_be_in_cluster(client):
            return
        self._subscribed_at = time.monotonic()
        if self._settling is None:
            self._settling = asyncio.get_running_loop().call_later(SETTLED, self._settled)

    def _settled(self) -> None:
        left = self._subscribed_at + SETTLED - time.monotonic()
        if left > 0:
            self._settling = asyncio.get_running_loop().call_later(left, self._settled)
        else:
            self._settling = None
            self._reconnected()

    # ---- publishing ----

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """See `Broker.publish`. One message per room, whatever the number of envelopes, as long as they fit in one."""
        client = self._running()
        try:
            async with asyncio.timeout(PUBLISH_WITHIN):
                for room, entries in by_room(envelopes).items():
                    for some in fitting(entries, client.max_payload):
                        await self._send(client, room, self._packer.pack(room, some))
                await client.flush(PUBLISH_WITHIN)  # type: ignore[arg-type]
        except _PROBLEMS:
            if client is self._client:
                self._give_up()
            raise Unavailable from None

    async def _send(self, client: Client, room: str, packet: bytes) -> None:
        if len(packet) > client.max_payload:
            self._leave_out(room, len(packet))
        else:
            await client.publish(self._base + _token(room), packet)

    def _running(self) -> Client:
        if self._deliver is None or self._client is None:
            raise Unavailable
        return self._client

    # ---- receiving ----

    async def _received(self, room: str, own: list[Subscription], message: Msg) -> None:
        """`own`: the subscription that received it; empty as long as the client has not returned it."""
        subscription = self._rooms.get(room)
        if room not in self._rooms or (subscription is not None and subscription not in own):
            return  # of a subscription that ended
        self._receive(room, self._unpacked, message.data)

    def _unpacked(self, room: str, packet: bytes) -> list[Envelope]:
        return in_room(room, self._packer.unpack(room, packet))

    async def _failed(self, error: Exception) -> None:
        """What the client reports that is no answer to a call."""
        self._last_problem = error
        if isinstance(error, SlowConsumerError):
            self._reconnected()  # it has dropped something
        elif "ermissions" in str(error):
            self.logger.error("NATS: %s", error)

    def _reason(self, problem: Exception) -> Exception:
        """Why a connection could not be made: the client tries again until its time is over, and then says nothing."""
        return problem if str(problem) or self._last_problem is None else self._last_problem

    # ---- connections ----

    async def _connect(self) -> Client:
        """A connection to one of the servers. Raises `Unavailable`."""
        problem: Exception | None = None
        self._last_problem = None
        for server in random.sample(self._servers, len(self._servers)):
            client = Client()
            options: dict[str, Any] = {
                "name": "sanic_chatrooms",
                "allow_reconnect": False,
                "no_echo": True,
                "ping_interval": 3600,  # `_probe` does that
                "connect_timeout": CONNECT_WITHIN,
                "error_cb": self._failed,
                "disconnected_cb": partial(self._ended, client),
            }
            options |= self._options
            try:
                async with asyncio.timeout(CONNECT_WITHIN):
                    await client.connect(server, **options)
                report(client)
                return client
            except _PROBLEMS as exc:
                problem = self._reason(exc)
                self._end(client)
            except BaseException:
                self._end(client)
                raise
        raise Unavailable from problem

    async def _ended(self, client: Client) -> None:
        if client is self._client:
            self._give_up()

    def _give_up(self) -> None:
        client, self._client = self._client, None
        self._rooms = dict.fromkeys(self._rooms)
        self._disconnected()
        if client is not None:
            self._end(client)

    def _end(self, client: Client) -> None:
        # Beside everything else: the client first wants to send what it still has, to a server that may not read.
        task = asyncio.ensure_future(_close(client))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _resubscribe(self) -> None:
        client = await self._connect()
        self._client = client  # from here on it may end, and be given up, by itself
        try:
            async with asyncio.timeout(SUBSCRIBE_WITHIN):
                for room in list(self._rooms):
                    await self._subscribe(client, room)
                await _confirm(client)
        except _PROBLEMS:
            self._give_up()
            raise Unavailable from None
        self._settle(client)

    async def _probe(self) -> None:
        client = self._client
        if client is None:
            return
        try:
            async with asyncio.timeout(SILENCE):
                await client.flush(SILENCE)  # type: ignore[arg-type]
        except _PROBLEMS:
            if client is self._client:
                self.logger.warning("NATS has been silent for %d seconds; connecting anew", SILENCE)
                self._give_up()


async def _confirm(client: Client) -> None:
    """Return when the server has taken in all that was asked of it."""
    # The client's ping overtakes what it has queued. The second one is sent when the first is answered, and by then
    # the queue is on its way.
    for _ in range(2):
        await client.flush(SUBSCRIBE_WITHIN)  # type: ignore[arg-type]


async def _close(client: Client) -> None:
    task = asyncio.ensure_future(client.close())
    await asyncio.wait({task}, timeout=CLOSE_WITHIN)
    # Before the cancellation, which it may swallow: with the connection gone it has nothing to wait for.
    abort(client)
    task.cancel()
    await asyncio.wait({task}, timeout=CLOSE_WITHIN)
    if task.done() and not task.cancelled():
        task.exception()  # looked at: a connection that ended badly has ended


def _token(name: str) -> str:
    """A name as one token of a subject: no dots, wildcards or spaces, no two names the same."""
    return quote(name, safe="").replace(".", "%2E")


def _parse(url: str) -> tuple[list[str], str, dict[str, Any]]:
    """The servers, the prefix, what else the client needs. Raises `ConfigError`, without the URL: it may hold a password."""
    parts = urlsplit(url)
    if parts.scheme not in ("nats", "tls"):
        raise ConfigError(f"a NATS URL begins with nats:// or tls://, not with {parts.scheme}:")
    user, at, hosts = parts.netloc.rpartition("@")
    if not all(hosts.split(",")) or parts.path not in ("", "/"):
        raise ConfigError("a NATS URL has hosts, and no path: nats://user:password@host:4222,host:4222")
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    prefix, credentials = query.pop("prefix", PREFIX), query.pop("credentials", None)
    if query:
        raise ConfigError("after the ? of a NATS URL stands prefix= or credentials=")
    if not prefix or quote(prefix, safe=".") != prefix or not all(prefix.split(".")):
        raise ConfigError("the prefix of a NATS URL has letters, digits, _ and -, with dots between them")
    servers = [f"{parts.scheme}://{user}{at}{host}" for host in hosts.split(",")]
    return servers, prefix, {"user_credentials": credentials} if credentials else {}
