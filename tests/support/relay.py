"""A small HTTP proxy between a client and a chat, which can be broken in the ways in which real ones are."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.support.accepting import accept_no_more

__all__ = ["Relay", "relay", "without_upgrade"]

BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nServer: relay\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Relay:
    """`change` turns the head of a request into another, or None: the connection is cut. Each may be set at any time."""

    def __init__(self, *targets: int) -> None:
        self.port = 0
        self.targets = targets
        """Ports that take turns. Where nobody listens, the answer is 502."""
        self.change: Callable[[bytes], bytes | None] = lambda head: head
        self.silent: float | None = None
        """Seconds after which a quiet connection that is made from now on is cut, once the server has answered."""
        self.mute = False
        """Nothing of what the server says on a WebSocket is passed on, once it has answered the handshake."""
        self._turn = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._pass(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = self.change(await reader.readuntil(b"\r\n\r\n"))
        if head is None:
            return
        mute = self.mute and b"websocket" in head.lower()
        target = self.targets[self._turn % len(self.targets)]
        self._turn += 1
        try:
            there, to_there = await asyncio.open_connection("127.0.0.1", target)
        except ConnectionRefusedError:
            writer.write(BAD_GATEWAY)
            await writer.drain()
            return
        try:
            to_there.write(head)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None) as quiet:
                    if mute:
                        writer.write(await there.readuntil(b"\r\n\r\n"))
                    ways = [_pump(reader, to_there, quiet)]
                    if not mute:
                        ways.append(_pump(there, writer, quiet, self.silent))
                    await asyncio.gather(*ways)
        finally:
            to_there.transport.abort()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _pump(
    source: asyncio.StreamReader,
    target: asyncio.StreamWriter,
    quiet: asyncio.Timeout,
    silent: float | None = None,
) -> None:
    while data := await source.read(65_536):
        if silent is not None:
            quiet.reschedule(asyncio.get_running_loop().time() + silent)
        target.write(data)
        await target.drain()
    target.close()


@asynccontextmanager
async def relay(*targets: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Relay]:
    """A proxy before these ports."""
    made = Relay(*targets)
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0, ssl=tls)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        await accept_no_more(server.sockets)
        server.close()
        await made.stop()


def without_upgrade(head: bytes) -> bytes:
    """What a proxy passes on that knows nothing of WebSockets."""
    return re.sub(rb"(?mi)^(upgrade|connection):.*\r\n", b"", head)
