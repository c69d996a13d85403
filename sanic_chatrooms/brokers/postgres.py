"""A broker in PostgreSQL: LISTEN and NOTIFY, where the database is all that a host has.

One channel for each instance, one connection for each process, which listens, publishes and is looked at every second.
A notification has at most 7,999 bytes of text: what does not fit goes by its number, and the hub reads it from the store;
what is in no store goes in parts. Nothing is repeated for who did not listen, so every new connection is a `reconnected`.
"""

import asyncio
import logging
import os
from base64 import b64decode, b64encode
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, ClassVar, TypeVar

import asyncpg
import msgspec

from ..drivers.sql.address import connect_options, take_prefix
from ..errors import ConfigError, Unavailable
from ..models import Envelope, Scope
from ..support.tasks import end
from .base import Deliver
from .codec import Packer, RoomBell, fitting
from .reconnect import keep
from .signed import SealedBroker

__all__ = ["PostgresBroker"]

logger = logging.getLogger("sanic_chatrooms.postgres")

PROBE = 1.0
"""Seconds between two looks whether the server answers."""
SILENCE = 4.0
"""Seconds without an answer after which a connection is given up."""
CONNECT_WITHIN = 4.0
PUBLISH_WITHIN = 4.0
TEXT_LIMIT = 7_999
"""Bytes of a notification; one more, and PostgreSQL refuses it."""
LIMIT = TEXT_LIMIT // 4 * 3 - 128
"""Bytes of envelopes that fit into a notification, written as text."""
PART = LIMIT
"""Bytes of a part: the rest is for what says which one it is."""
PART_OF = "."
"""How the text of a part begins."""
INCOMPLETE = 100
"""What came in part is forgotten when so many others have begun since."""

_PROBLEMS = (OSError, EOFError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises where a connection cannot be made or used."""
_REFUSED = ("28", "3D")
"""How the codes begin of errors that say that the URL is wrong: the user or the password, the database."""

_NOTIFY = "SELECT pg_notify($1, text) FROM unnest($2::text[]) WITH ORDINALITY AS t (text, n) ORDER BY n"

T = TypeVar("T")


class PostgresBroker(SealedBroker):
    """Rings through a PostgreSQL, `postgresql://user@host/name`, and takes one of its connections.

    What begins tables elsewhere, `?prefix=`, keeps apps apart here. A pooler between them must keep a connection for one client.
    One's own envelopes are not echoed.
    """

    scope: ClassVar[Scope] = Scope.CLUSTER
    logger = logger

    def __init__(self, url: str = "postgresql://localhost") -> None:
        super().__init__()
        where, self._prefix = take_prefix(url)
        self._options = connect_options(where)
        self.companion = url
        self._packer = Packer(self._seal, "", RoomBell)
        self._channel = ""
        self._deliver: Deliver | None = None
        self._reconnected: Callable[[], None] = lambda: None
        self._rooms: set[str] = set()
        self._connection: Any = None
        self._turn = asyncio.Lock()
        self._deaf = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._parts = _Parts()

    async def start(self, instance: str, deliver: Deliver, reconnected: Callable[[], None]) -> None:
        """See `Broker.start`. Raises `ConfigError` where the URL is refused, `Unavailable` where no server answers."""
        if self._deliver is not None:
            raise ConfigError("this PostgresBroker is started already; make one per app")
        # Of this process and this loop: an object may be made before a fork, and an app may run again in another loop.
        self._seal.bind(instance)
        self._packer, self._deaf = Packer(self._seal, os.urandom(8).hex(), RoomBell), asyncio.Event()
        self._turn = asyncio.Lock()
        # A name of PostgreSQL's has at most 63 bytes, and its letters are ours to choose.
        whose = f"{self._prefix}{instance}".encode()
        self._channel = f"chatrooms_{blake2b(whose, digest_size=16).hexdigest()}"
        try:
            self._connection = await self._connect()
        except Unavailable as exc:
            if (getattr(exc.__cause__, "sqlstate", None) or "").startswith(_REFUSED):
                raise ConfigError(f"PostgresBroker: PostgreSQL refuses the URL: {exc.__cause__}") from exc
            raise
        self._deliver, self._reconnected = deliver, reconnected
        self._keeper = asyncio.ensure_future(
            keep(self._deaf, self._hear_again, self._probe, self._give_up, PROBE)
        )

    async def stop(self) -> None:
        """See `Broker.stop`."""
        self._deliver = None
        if self._keeper is not None:
            await end(self._keeper)
            self._keeper = None
        self._give_up()
        self._rooms.clear()

    @property
    def healthy(self) -> bool:
        """See `Broker.healthy`: False from when the connection ended or fell silent until there is another."""
        return self._connection is not None

    async def subscribe(self, room: str) -> None:
        """See `Broker.subscribe`. All of the instance is heard anyway."""
        if self._deliver is None or self._connection is None:
            raise Unavailable
        self._rooms.add(room)

    async def unsubscribe(self, room: str) -> None:
        """See `Broker.unsubscribe`."""
        self._rooms.discard(room)

    # ---- publishing ----

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        """See `Broker.publish`. One transaction, and one notification as long as all fits into one."""
        if self._deliver is None or self._connection is None:
            raise Unavailable
        texts = list(self._texts(envelopes))
        if texts:
            await self._ask(PUBLISH_WITHIN, lambda c: c.execute(_NOTIFY, self._channel, texts))

    def _texts(self, envelopes: Sequence[Envelope]) -> Iterator[str]:
        bells = (RoomBell(e.epoch, e.seq, e.type, e.data, e.room) for e in envelopes)
        for some in fitting(bells, LIMIT):
            piece = self._packer.pack("", some)
            text = b64encode(piece).decode()
            if len(text) <= TEXT_LIMIT:
                yield text
            else:
                for part in _in_parts(piece):
                    yield PART_OF + b64encode(self._seal.close(PART_OF, part)).decode()

    async def _ask(self, within: float, ask: Callable[[Any], Awaitable[T]]) -> T:
        """Use the connection, when it is our turn. Raises `Unavailable`, and gives the connection up."""
        connection = self._connection
        if connection is None:
            raise Unavailable
        # A task of its own: giving up must not wait for a database that does not even take the cancellation.
        task = asyncio.ensure_future(self._in_turn(connection, ask))
        try:
            await asyncio.wait({task}, timeout=within)
            if not task.done():
                raise Unavailable
            return task.result()
        except (Unavailable, *_PROBLEMS):
            if connection is self._connection:
                self._give_up()
            raise Unavailable from None
        finally:
            if not task.done():
                task.cancel()
                task.add_done_callback(_seen)

    async def _in_turn(self, connection: Any, ask: Callable[[Any], Awaitable[T]]) -> T:
        async with self._turn:
            return await ask(connection)

    # ---- hearing ----

    def _heard(self, connection: Any, pid: int, channel: str, text: str) -> None:
        if self._deliver is None:
            return
        try:
            envelopes = self._unpacked(text)
        except Exception as error:  # noqa: BLE001 - logged there
            self._drop(f"the channel {self._channel}", error)
            return
        for envelope in envelopes:
            if envelope.room in self._rooms:
                self._pass_on(envelope)

    def _unpacked(self, text: str) -> list[Envelope]:
        piece = b64decode(text.removeprefix(PART_OF), validate=True)
        if text.startswith(PART_OF):
            whole = self._parts.add(self._seal.open(PART_OF, piece))
            if whole is None:
                return []
            piece = whole
        bells = self._packer.unpack("", piece)
        return [Envelope(bell.room, bell.epoch, bell.seq, bell.type, bell.data) for bell in bells]

    def _pass_on(self, envelope: Envelope) -> None:
        if self._deliver is None:
            return
        try:
            self._deliver(envelope)
        except Exception:
            logger.exception("an envelope of room %s could not be delivered", envelope.room)

    # ---- keeping ----

    async def _connect(self) -> Any:
        """A connection that listens. Raises `Unavailable`."""
        settings = {
            "application_name": "sanic_chatrooms",
            "synchronous_commit": "off",  # a notification is on no disk anyway
            "statement_timeout": str(int(PUBLISH_WITHIN * 1000)),
        }
        connection = None
        try:
            async with asyncio.timeout(CONNECT_WITHIN):
                connection = await asyncpg.connect(**self._options | {"server_settings": settings})
                await connection.add_listener(self._channel, self._heard)
        except BaseException as problem:
            if connection is not None:
                connection.terminate()
            if isinstance(problem, _PROBLEMS):
                raise Unavailable from problem
            raise
        connection.add_termination_listener(self._ended)
        return connection

    def _ended(self, connection: Any) -> None:
        if connection is self._connection:
            self._give_up()

    def _give_up(self) -> None:
        connection, self._connection = self._connection, None
        self._deaf.set()
        if connection is not None:
            connection.terminate()

    async def _hear_again(self) -> bool:
        self._turn = asyncio.Lock()  # whoever has the old one waits for a connection that is gone
        self._parts = _Parts()
        try:
            self._connection = await self._connect()
        except Unavailable:
            return False
        self._deaf.clear()
        self._reconnected()
        return True

    async def _probe(self) -> None:
        try:
            await self._ask(SILENCE, lambda c: c.execute("SELECT 1"))  # asyncpg fails on ""
        except Unavailable:
            if not self._deaf.is_set():
                logger.warning("PostgreSQL has been silent for %d seconds; connecting anew", SILENCE)


class _Part(msgspec.Struct, array_like=True):
    """A part of a piece that is longer than a notification."""

    id: bytes
    number: int
    count: int
    data: bytes


_part = msgspec.msgpack.Decoder(_Part)


def _in_parts(piece: bytes) -> Iterator[bytes]:
    id, count = os.urandom(8), -(-len(piece) // PART)
    for number in range(count):
        yield msgspec.msgpack.encode(_Part(id, number, count, piece[number * PART : (number + 1) * PART]))


class _Parts:
    """What has come in part. The parts of one transaction come in order and together, or not at all."""

    def __init__(self) -> None:
        self._begun: OrderedDict[bytes, list[bytes]] = OrderedDict()

    def add(self, body: bytes) -> bytes | None:
        """Take a part; the whole if it was the last one. Raises `msgspec.DecodeError`."""
        part = _part.decode(body)
        pieces = self._begun.setdefault(part.id, [])
        if part.number != len(pieces):
            del self._begun[part.id]
            raise msgspec.ValidationError(f"part {part.number} after {len(pieces)}")
        pieces.append(part.data)
        if len(pieces) >= part.count:
            del self._begun[part.id]
            return b"".join(pieces)
        if len(self._begun) > INCOMPLETE:
            self._begun.popitem(last=False)
        return None


def _seen(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()  # nobody else waits any more
