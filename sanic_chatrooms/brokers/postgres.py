"""A broker in PostgreSQL: LISTEN and NOTIFY, where the database is all that an app has.

One channel for each instance, one connection for each process, which listens, publishes and is checked every second.
A notification has at most 7,999 bytes of text. A durable event that does not fit goes by its number, and the hub reads it from
the store; a larger packet of a live event is cut into several notifications of one transaction, which arrive one after the other
with nothing in between.
"""

import asyncio
import logging
from binascii import a2b_base64, b2a_base64
from collections.abc import Awaitable, Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

import asyncpg

from ..drivers.sql.address import connect_options, take_prefix
from ..errors import ConfigError, Unavailable
from ..models import Envelope
from ..support.signature import Forged
from .codec import RoomEntry, fitting
from .remote import RemoteBroker

__all__ = ["PostgresBroker"]

SILENCE = 4.0
"""Seconds without an answer after which a connection is given up."""
CONNECT_WITHIN = 4.0
PUBLISH_WITHIN = 4.0
TEXT_LIMIT = 7_999
"""Bytes of a notification; one more, and PostgreSQL refuses it."""
LIMIT = TEXT_LIMIT // 4 * 3 - 128
"""Bytes of envelopes that fit into a notification, written as text."""
LIVE_LIMIT = 1024 * 1024
"""Bytes of a packet, at most. A live event that is larger is left out, as with NATS, whose servers take as much by default."""
FIRST, MIDDLE, LAST = "<", ".", ">"
"""How a notification begins that is a part of a packet. Base64 has none of these."""
MARKED = 8
"""Characters before a part: which one it is, and a number. PostgreSQL delivers equal notifications of a transaction once, and a text that
repeats itself has equal parts."""
WIDTH = TEXT_LIMIT - MARKED
PARTS_LIMIT = LIVE_LIMIT * 4 // 3 // WIDTH + 2

_PROBLEMS = (OSError, EOFError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises where a connection cannot be made or used."""
_REFUSED = ("28", "3D")
"""How the codes begin of errors that say that the URL is wrong: the user or the password, the database."""

_NOTIFY = "SELECT pg_notify($1, text) FROM unnest($2::text[]) WITH ORDINALITY AS t (text, n) ORDER BY n"

T = TypeVar("T")


class PostgresBroker(RemoteBroker[RoomEntry]):
    """Publishes through PostgreSQL, `postgresql://user@host/name`, over one connection.

    `?prefix=` is part of the channel's name. A pooler in between must keep a connection for one client. A broker does
    not receive its own envelopes.
    """

    logger = logging.getLogger("sanic_chatrooms.postgres")

    def __init__(self, url: str = "postgresql://localhost") -> None:
        super().__init__(RoomEntry)
        where, self._prefix = take_prefix(url)
        self._options = connect_options(where)
        self.server_url = url
        self._channel = ""
        self._rooms: set[str] = set()
        self._connection: Any = None
        self._pid = 0
        self._turn = asyncio.Lock()
        self._parts: list[str] = []
        self._cut = 0
        """Parts that were made so far."""

    async def _open(self, instance: str) -> None:
        # A name of PostgreSQL's has at most 63 bytes, and its letters are ours to choose.
        whose = f"{self._prefix}{instance}".encode()
        self._channel = f"chatrooms_{blake2b(whose, digest_size=16).hexdigest()}"
        try:
            await self._resubscribe()
        except Unavailable as exc:
            if (getattr(exc.__cause__, "sqlstate", None) or "").startswith(_REFUSED):
                raise ConfigError(f"PostgresBroker: PostgreSQL refuses the URL: {exc.__cause__}") from exc
            raise

    async def _close(self) -> None:
        self._rooms.clear()

    async def subscribe(self, room: str) -> None:
        """See `Broker.subscribe`. All rooms of the instance share a channel."""
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
        entries = (RoomEntry(e.epoch, e.seq, e.type, e.data, e.room) for e in envelopes)
        for some in fitting(entries, LIMIT):
            packet = self._packer.pack("", some)
            if len(packet) > LIVE_LIMIT:
                self._leave_out(some[0].room, len(packet))
            else:
                yield from self._in_parts(b2a_base64(packet, newline=False).decode("ascii"))

    def _in_parts(self, text: str) -> Iterator[str]:
        """The text as one notification, or cut into several of one transaction."""
        if len(text) <= TEXT_LIMIT:
            yield text
            return
        starts = range(0, len(text), WIDTH)
        for start in starts:
            self._cut = (self._cut + 1) % 16 ** (MARKED - 1)
            mark = FIRST if start == 0 else LAST if start == starts[-1] else MIDDLE
            yield f"{mark}{self._cut:0{MARKED - 1}x}{text[start : start + WIDTH]}"

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

    # ---- receiving ----

    def _received(self, connection: Any, pid: int, channel: str, text: str) -> None:
        if pid != self._pid:  # else it is the echo of its own
            self._receive(channel, self._unpacked, text)

    def _unpacked(self, channel: str, text: str) -> Iterator[Envelope] | tuple[()]:
        if text[:1] in (FIRST, MIDDLE, LAST):
            if not self._is_last_part(text):
                return ()
            text, self._parts = "".join(self._parts), []
        entries = self._packer.unpack("", a2b_base64(text, strict_mode=True))
        return (
            Envelope(entry.room, entry.epoch, entry.seq, entry.type, entry.data)
            for entry in entries
            if entry.room in self._rooms
        )

    def _is_last_part(self, text: str) -> bool:
        if text[0] == FIRST:
            self._parts = []
        elif not self._parts or len(self._parts) >= PARTS_LIMIT:
            self._parts = []
            raise Forged
        self._parts.append(text[MARKED:])
        return text[0] == LAST

    # ---- connections ----

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
                await connection.add_listener(self._channel, self._received)
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
        self._disconnected()
        if connection is not None:
            connection.terminate()

    async def _resubscribe(self) -> None:
        self._turn = asyncio.Lock()  # what has the old one waits for a connection that is gone
        self._parts = []
        self._connection = await self._connect()
        self._pid = self._connection.get_server_pid()

    async def _probe(self) -> None:
        if self._connection is None:
            return
        try:
            await self._ask(SILENCE, lambda c: c.execute("SELECT 1"))  # asyncpg fails on ""
        except Unavailable:
            self.logger.warning("PostgreSQL has been silent for %d seconds; connecting anew", SILENCE)


def _seen(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled():
        task.exception()  # nobody else waits any more
