"""A connection to Redis or Valkey by documented calls of redis-py only: what is used where `Wire` cannot be."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

from hiredis import pack_command
from redis.exceptions import RedisError, ResponseError

from .socket import Command

__all__ = ["StreamWire"]

logger = logging.getLogger("sanic_chatrooms.redis")


class StreamWire:
    """See `Wire`, which it can replace."""

    def __init__(self, connection: Any, heard: Callable[[Any], None], ended: Callable[[], None]) -> None:
        self.open = True
        self._connection = connection
        self._heard = heard
        self._ended = ended
        self._unsent: list[bytes] = []
        self._more = asyncio.Event()
        self._tasks = {asyncio.ensure_future(step()) for step in (self._read, self._write)}

    def send(self, commands: Sequence[Command], *, at_once: bool) -> None:
        """Write commands, in order. They always go out soon, together."""
        self._unsent += list(map(pack_command, commands))  # all or none: one may be refused
        self._more.set()

    def close(self) -> None:
        """End it. Calling it again does nothing."""
        if not self.open:
            return
        self.open = False
        for task in self._tasks:
            task.cancel()
        self._tasks.add(asyncio.ensure_future(self._disconnect()))
        self._ended()

    async def _write(self) -> None:
        try:
            while self.open:
                await self._more.wait()
                self._more.clear()
                unsent, self._unsent = self._unsent, []
                await self._connection.send_packed_command(unsent, check_health=False)
        except (RedisError, OSError):
            self.close()

    async def _read(self) -> None:
        try:
            while self.open:
                self._heard(await self._next())
        except (RedisError, OSError):
            self.close()
        except Exception:
            logger.exception("a reply of Redis could not be handled; the connection is made anew")
            self.close()

    async def _disconnect(self) -> None:
        with contextlib.suppress(RedisError, OSError):
            await self._connection.disconnect(nowait=True)

    async def _next(self) -> Any:
        try:
            return await self._connection.read_response(disable_decoding=True)
        except ResponseError as error:
            return error
