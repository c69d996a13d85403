"""One connection to a Redis or Valkey that everybody shares: requests go out at once, replies come back in their order.

redis-py makes the connection (TLS, ACL users, sockets of the machine) and speaks the protocol. Its own clients take a
connection per caller and build each reply once more; sharing one in order is what makes a batch cheap.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from hiredis import pack_command
from redis.exceptions import RedisError, ResponseError

from .errors import Unavailable
from .tasks import end

__all__ = ["Pipe"]

Command = tuple[Any, ...]


class _Request:
    """Commands that were sent together, and the replies so far."""

    __slots__ = ("count", "done", "replies")

    def __init__(self, count: int) -> None:
        self.count = count
        self.replies: list[Any] = []
        self.done: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()


class Pipe:
    """`ask` from as many tasks as there are. Once `alive` is False it stays so: open another one."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._waiting: deque[_Request] = deque()
        self._reader = asyncio.ensure_future(self._read())
        self.life = ""
        """What the server said about how long it remembers; see `RedisLink`."""

    @property
    def alive(self) -> bool:
        """Can it be asked?"""
        return not self._reader.done() and bool(self._connection.is_connected)

    async def ask(self, commands: Sequence[Command], within: float) -> list[Any]:
        """One reply per command, in order: bytes, int, list, None, or a `ResponseError` as a value.

        Raises `Unavailable` when not all came within so many seconds; the connection is given up then, since a
        server that does not answer this does not answer anybody. A caller that is cancelled disturbs nobody.
        """
        if not self.alive:
            raise Unavailable
        request = _Request(len(commands))
        self._waiting.append(request)
        try:
            async with asyncio.timeout(within):
                # Written before anything is awaited: requests go out in the order of `_waiting`.
                packed = b"".join(map(pack_command, commands))
                await self._connection.send_packed_command(packed, check_health=False)
                return await request.done
        except (TimeoutError, RedisError, OSError):
            await self.close()
            raise Unavailable from None

    async def close(self) -> None:
        """End it; whoever still waits gets `Unavailable`."""
        await end(self._reader)
        await self._connection.disconnect(nowait=True)

    async def _read(self) -> None:
        read, waiting = self._connection.read_response, self._waiting
        try:
            while True:
                try:
                    reply = await read(disable_decoding=True)
                except ResponseError as error:
                    reply = error
                request = waiting[0]
                request.replies.append(reply)
                if len(request.replies) == request.count:
                    waiting.popleft()
                    if not request.done.done():
                        request.done.set_result(request.replies)
        except (RedisError, OSError):
            pass  # gone; those who wait are told below
        finally:
            while waiting:
                done = waiting.popleft().done
                if not done.done():
                    done.set_exception(Unavailable())
                    done.exception()  # whoever gave up waiting does not make it an error that nobody saw
