"""A TCP proxy that simulates network failures, for any server: a chat, a database, a broker.

    async with FaultProxy("127.0.0.1", server.port) as proxy:
        client = await connect(f"ws://127.0.0.1:{proxy.port}/chat/ws")
        proxy.down.delay = 0.2        # the server's data arrives later
        proxy.down.cut_next(3)        # … or the connection ends after three more bytes, in the middle of a frame
        proxy.up.swallow = True       # a black hole: the client's data is accepted and never arrives
        proxy.half_open()             # the client is gone, and the server is not told
        proxy.reset()                 # both get a reset

`up` is the direction from client to server, `down` the way back. You can change every fault while connections are open, and
it affects all of them. Without faults, bytes pass unchanged, with back-pressure, and so do half-closed connections.
"""

import asyncio
import os
import socket
import struct
from collections import deque
from collections.abc import Callable
from typing import Literal, cast

__all__ = ["Direction", "FaultProxy"]

_ABORT = struct.pack("ii", 1, 0)
"""SO_LINGER: on, for no seconds. Closing such a socket resets the connection (RST) instead of ending it (FIN)."""


class Direction:
    """The faults of one direction through the proxy."""

    def __init__(self) -> None:
        self.delay = 0.0
        """Seconds by which all data is delayed. The order is kept."""
        self.swallow = False
        """Accept all bytes and drop them, also the end of a stream."""
        self.passed = 0
        """Bytes that were passed on."""
        self.swallowed = 0
        self._cuts: list[int] = []

    def cut_next(self, keep: int, *, count: int = 1) -> None:
        """Pass on `keep` bytes of the next piece of data in this direction, and then close the connection on both sides.

        `count`: do this on so many connections, one after the other.
        """
        self._cuts += [keep] * count

    def take_cut(self) -> int | None:
        """How much of this piece is passed on before the end, or None: all of it, and no end."""
        return self._cuts.pop(0) if self._cuts else None


class FaultProxy:
    """`async with FaultProxy(host, port) as proxy` listens on 127.0.0.1, at `proxy.port`, until the block ends."""

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.up, self.down = Direction(), Direction()
        self.refusing = False
        """Reset new connections at once, as if no server listened."""
        self.accepted = 0
        """The number of connections that were accepted so far."""
        self.target = host, port
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "FaultProxy":
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, "127.0.0.1", 0, backlog=4096)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        assert self._server is not None
        self._server.close()
        links = list(self._links)
        for link in links:
            link.abort()
        await asyncio.gather(*(link.ended() for link in links))
        await self._server.wait_closed()

    @property
    def connections(self) -> int:
        """The number of connections with at least one open side."""
        return len(self._links)

    def cut(self) -> None:
        """Close every connection on both sides (FIN)."""
        for link in list(self._links):
            link.close()

    def reset(self) -> None:
        """Reset every connection on both sides (RST)."""
        for link in list(self._links):
            link.abort()

    def half_open(self, *, keep: Literal["client", "server"] = "server") -> None:
        """Reset one side of every connection, and keep the other side, `keep`, open as a black hole."""
        for link in list(self._links):
            link.half_open(link.client if keep == "server" else link.server)

    def forget(self, link: "_Link") -> None:
        """Remove a connection with two closed sides."""
        self._links.discard(link)

    def _accept(self) -> "_Side":
        self.accepted += 1
        link = _Link(self)
        self._links.add(link)
        return link.client


class _Link:
    """One connection of a client, and the one to the server that belongs to it."""

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.client = _Side(self, proxy.up)
        self.server = _Side(self, proxy.down)
        self.client.other, self.server.other = self.server, self.client
        self._gone = asyncio.Event()
        self._dialling: asyncio.Task[None] | None = None

    def opened(self) -> None:
        """The client is here; what it says until the server is there waits."""
        if self.proxy.refusing:
            self.abort()
        else:
            self._dialling = asyncio.ensure_future(self._dial())

    async def _dial(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.server, *self.proxy.target)
        except OSError:
            self.abort()

    def close(self) -> None:
        for side in (self.client, self.server):
            side.close()

    def abort(self) -> None:
        for side in (self.client, self.server):
            side.abort()

    def half_open(self, side: "_Side") -> None:
        side.other.alone = True
        side.abort()

    def lost(self, side: "_Side", problem: Exception | None) -> None:
        """One side is gone: the other one hears of it, unless it is kept in the dark."""
        other = side.other
        if other.transport is not None and other.closed and not other.gone:
            return  # it writes what is left, and is the last to go
        if other.gone or other.transport is None:
            self.client.closed = self.server.closed = True
            if self._dialling is not None:
                self._dialling.cancel()
            self._gone.set()
            self.proxy.forget(self)
        elif other.alone or side.way.swallow:
            other.alone = True
        elif problem is not None:
            other.abort()
        else:
            other.close()

    async def ended(self) -> None:
        await self._gone.wait()
        if self._dialling is not None:
            await asyncio.gather(self._dialling, return_exceptions=True)


class _Side(asyncio.Protocol):
    """One of the two sockets of a link. `way` is where its bytes go: to `other`."""

    other: "_Side"

    def __init__(self, link: _Link, way: Direction) -> None:
        self.way = way
        self.transport: asyncio.Transport | None = None
        self.closed = False
        """Nothing more is read from it. It may have to write what it was given before."""
        self.gone = False
        """The connection has ended."""
        self.alone = False
        """The other side is gone, and this one is not told: what it says is swallowed."""
        self._link = link
        self._early: list[bytes] = []
        self._heard_end = False
        self._said_end = False
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    # ---- what asyncio calls ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if self.closed:
            self.transport.abort()
        elif self is self._link.client:
            self._link.opened()
        else:
            self.transport.writelines(self._early)
            self._early.clear()
            if self._said_end:
                self.end()

    def data_received(self, data: bytes) -> None:
        if self.way.swallow or self.alone:
            self.way.swallowed += len(data)
            return
        keep = self.way.take_cut()
        self._pass_on(data[:keep])
        if keep is not None:
            self._later(self._link.close)

    def eof_received(self) -> bool:
        self._heard_end = True
        if not (self.way.swallow or self.alone):
            self._later(self.other.end)
        return True  # the other way may go on

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = self.gone = True
        if self._timer is not None:
            self._timer.cancel()
        self._link.lost(self, exc)

    def pause_writing(self) -> None:
        if self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other.transport is not None:
            self.other.transport.resume_reading()

    # ---- bytes out, to this side ----

    def write(self, data: bytes) -> None:
        if self.transport is None:
            self._early.append(data)
        elif not self.transport.is_closing():
            self.transport.write(data)

    def end(self) -> None:
        """Say that nothing more comes; both have said so: close."""
        self._said_end = True
        if self.transport is None or self.transport.is_closing():
            return
        self.transport.write_eof()
        if self._heard_end:
            self._link.close()

    def close(self) -> None:
        """What was written still arrives."""
        self.closed = True
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Reset the connection."""
        self.closed = True
        if self.transport is None or self.gone:
            return
        if self.transport.is_closing():
            self.transport.abort()  # what it still had to write is dropped
            return
        # A duplicate, since uvloop hands out no socket that takes options; they belong to what both stand for.
        with socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno())) as twin:
            twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        self.transport.abort()

    # ---- bytes in, from this side ----

    def _pass_on(self, data: bytes) -> None:
        self.way.passed += len(data)
        self._later(lambda: self.other.write(data))

    def _later(self, call: Callable[[], None]) -> None:
        """After the delay and after what came before; at once where nothing is delayed."""
        if not self._waiting and self.way.delay <= 0:
            call()
            return
        self._waiting.append((asyncio.get_running_loop().time() + self.way.delay, call))
        if self._timer is None:
            self._arm()

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_at(self._waiting[0][0], self._call_due)

    def _call_due(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        self._waiting.popleft()[1]()
        while self._waiting and self._waiting[0][0] <= now:
            self._waiting.popleft()[1]()
        if self._waiting and not self.closed:
            self._arm()
