"""The socket of a connection to Redis or Valkey that redis-py has opened: commands are written without a task, replies come by a callback.

redis-py connects and authenticates (TLS, ACL users, Unix sockets), and its parser makes the replies. Its stream is not used: waking
a task for each reply, and five coroutines to read it, cost more than all other work for a message.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import hiredis
from hiredis import pack_command
from redis.exceptions import ConnectionError as Refused
from redis.exceptions import InvalidResponse

__all__ = ["Command", "Wire"]

logger = logging.getLogger("sanic_chatrooms.redis")

Command = tuple[Any, ...]


class Wire(asyncio.Protocol):
    """`heard` gets each reply: bytes, int, list, None, or a `ResponseError` as a value. `ended` is called once, at the end.

    Once `open` is False it stays so.
    """

    def __init__(self, connection: Any, heard: Callable[[Any], None], ended: Callable[[], None]) -> None:
        self.open = True
        self._heard = heard
        self._loop = asyncio.get_running_loop()
        self._later: list[bytes] = []
        """What waits for the end of this turn."""
        self._ended = ended
        # `contract` has looked for these names. They are the same in redis-py 6 to 8.
        self._reader = hiredis.Reader(
            protocolError=InvalidResponse, replyError=connection._parser.parse_error
        )
        self._writer, connection._writer = connection._writer, None  # this object closes the socket
        self._transport: asyncio.Transport = self._writer.transport
        self._transport.set_protocol(self)

    def send(self, commands: Sequence[Command], *, at_once: bool) -> None:
        """Write commands, in order: `at_once`, with what waits, or with all others at the end of this turn of the event loop, because a
        write takes as long as all else that is done for a request here."""
        self._later.append(b"".join(map(pack_command, commands)))
        if at_once:
            self._write()
        elif len(self._later) == 1:
            self._loop.call_soon(self._write)

    def _write(self) -> None:
        later, self._later = self._later, []
        if later and self.open:
            self._transport.write(b"".join(later))

    def close(self) -> None:
        """End it. Calling it again does nothing."""
        self._transport.abort()
        self._end()

    # ---- what asyncio calls ----

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        reader, heard = self._reader, self._heard
        reader.feed(data)
        try:
            while self.open and (reply := reader.gets(False)) is not False:
                if isinstance(reply, Refused):  # the server is loading its data, or has too many clients
                    self._transport.abort()
                    return
                heard(reply)
        except InvalidResponse:
            self._transport.abort()
        except Exception:
            logger.exception("a reply of Redis could not be handled; the connection is made anew")
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._end()

    def _end(self) -> None:
        if self.open:
            self.open = False
            self._ended()
