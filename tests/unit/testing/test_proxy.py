"""The fault proxy harms connections exactly as it is told to, and otherwise not at all. With real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sanic_chatrooms.testing import FaultProxy
from tests.support.process import free_port

pytestmark = pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])

WITHIN = 40.0


class End:
    """One end of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, count: int) -> bytes:
        async with asyncio.timeout(WITHIN):
            return await self.reader.readexactly(count)

    async def hear_all(self) -> bytes:
        """Up to an orderly end; `ConnectionResetError` after a reset."""
        async with asyncio.timeout(WITHIN):
            return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


class Line:
    """A server, a proxy before it, and the ends of the connections through it."""

    proxy: FaultProxy

    def __init__(self) -> None:
        self.server_ends: asyncio.Queue[End] = asyncio.Queue()
        self.ends: list[End] = []

    async def connect(self) -> tuple[End, End]:
        """-> (the client's end, the server's end)."""
        client = await self.dial()
        async with asyncio.timeout(WITHIN):
            return client, await self.server_ends.get()

    async def dial(self) -> End:
        client = End(*await asyncio.open_connection("127.0.0.1", self.proxy.port))
        self.ends.append(client)
        return client

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ends.append(End(reader, writer))
        self.server_ends.put_nowait(self.ends[-1])

    async def until(self, what: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN):
            while not what():  # noqa: ASYNC110 - the proxy tells nobody
                await asyncio.sleep(0.005)


@asynccontextmanager
async def a_line() -> AsyncIterator[Line]:
    line = Line()
    server = await asyncio.start_server(line.accept, "127.0.0.1", 0)
    try:
        async with FaultProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as line.proxy:
            yield line
    finally:
        server.close()
        await asyncio.gather(*(end.close() for end in line.ends))
        await server.wait_closed()


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with a_line() as line:
        yield line


# ---- without faults ----


async def test_bytes_pass_as_they_are_both_ways(line: Line) -> None:
    client, server = await line.connect()
    data = bytes(range(256)) * 4_000

    await asyncio.gather(client.say(data), server.say(data[::-1]))

    assert (await server.hear(len(data)), await client.hear(len(data))) == (data, data[::-1])
    assert (line.proxy.up.passed, line.proxy.down.passed) == (len(data), len(data))
    assert (line.proxy.accepted, line.proxy.connections) == (1, 1)


async def test_an_end_is_passed_on_and_the_other_way_goes_on(line: Line) -> None:
    client, server = await line.connect()

    await client.say(b"last")
    client.writer.write_eof()
    assert await server.hear_all() == b"last"
    await server.say(b"answer")
    await server.close()

    assert await client.hear_all() == b"answer"
    await line.until(lambda: not line.proxy.connections)


async def test_what_is_said_before_the_server_is_there_arrives(line: Line) -> None:
    client = await line.dial()
    await client.say(b"early")
    client.writer.write_eof()

    assert await (await line.server_ends.get()).hear_all() == b"early"


async def test_whoever_does_not_read_holds_up_the_other(line: Line) -> None:
    client, server = await line.connect()
    talking = asyncio.ensure_future(_talk(client))

    await line.until(lambda: line.proxy.up.passed > 500_000)
    passed = 0
    while passed < line.proxy.up.passed < 50_000_000:  # what still fits into the buffers of the system
        passed = line.proxy.up.passed
        await asyncio.sleep(0.05)
    assert line.proxy.up.passed < 50_000_000

    await server.hear(1_000_000)
    await line.until(lambda: line.proxy.up.passed > passed)
    talking.cancel()
    await asyncio.gather(talking, return_exceptions=True)


async def _talk(end: End) -> None:
    while True:
        await end.say(bytes(100_000))


async def test_a_server_that_is_not_there_is_a_reset() -> None:
    async with FaultProxy("127.0.0.1", free_port()) as proxy:
        client = End(*await asyncio.open_connection("127.0.0.1", proxy.port))

        with pytest.raises(ConnectionResetError):
            await client.hear_all()
        await client.close()


# ---- faults ----


async def test_delay_holds_bytes_back_one_way_and_keeps_their_order(line: Line) -> None:
    client, server = await line.connect()
    line.proxy.up.delay = 0.1
    loop = asyncio.get_running_loop()
    start = loop.time()
    for n in range(10):
        await client.say(b"%d" % n)
    await line.until(lambda: line.proxy.up.passed == 10)
    await server.say(b"fast")
    assert await client.hear(4) == b"fast"

    line.proxy.up.delay = 0.0
    await client.say(b"last")

    assert await server.hear(14) == b"0123456789last"
    assert (
        round(loop.time() - start, 3) >= 0.1
    )  # uvloop counts milliseconds, whose difference is no exact 0.1


async def test_delay_of_one_way_leaves_the_other_alone(line: Line) -> None:
    client, server = await line.connect()
    line.proxy.up.delay = 3600.0
    await client.say(b"slow")
    await line.until(lambda: line.proxy.up.passed == 4)
    await server.say(b"fast")

    assert await client.hear(4) == b"fast"


async def test_an_end_is_delayed_too(line: Line) -> None:
    client, server = await line.connect()
    line.proxy.up.delay = 0.05
    await client.say(b"hi")
    client.writer.write_eof()

    assert await server.hear_all() == b"hi"


async def test_a_connection_that_is_reset_as_it_comes_in_ends() -> None:
    class Hasty(FaultProxy):
        def _accept(self) -> Any:
            side = super()._accept()
            self.reset()
            return side

    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server, Hasty("127.0.0.1", server.sockets[0].getsockname()[1]) as proxy:
        client = End(*await asyncio.open_connection("127.0.0.1", proxy.port))

        with contextlib.suppress(ConnectionResetError):
            assert await client.hear_all() == b""
        await client.close()


async def test_at_the_end_nothing_stays_open_for_a_client_that_does_not_read() -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(bytes(100_000))
                await writer.drain()

    line, server = Line(), await asyncio.start_server(flood, "127.0.0.1", 0)
    async with server, FaultProxy("127.0.0.1", server.sockets[0].getsockname()[1]) as line.proxy:
        client = End(*await asyncio.open_connection("127.0.0.1", line.proxy.port, limit=1))
        await line.until(lambda: any(map(_has_unwritten, line.proxy._links)))
        line.proxy.cut()

    with pytest.raises(ConnectionError):
        async with asyncio.timeout(WITHIN):
            await _talk(client)
    await client.close()


def _has_unwritten(link: Any) -> bool:
    return link.client.transport is not None and link.client.transport.get_write_buffer_size() > 0


async def test_cut_ends_a_connection_in_the_middle_of_a_piece(line: Line) -> None:
    client, server = await line.connect()
    other_client, other_server = await line.connect()
    line.proxy.down.cut_next(3)
    await server.say(b"frame")
    assert await client.hear_all() == b"fra"
    assert await server.hear_all() == b""

    await other_server.say(b"whole")

    assert await other_client.hear(5) == b"whole"


async def test_cut_strikes_as_many_connections_as_it_is_told(line: Line) -> None:
    line.proxy.up.cut_next(0, count=2)
    for _ in range(2):
        client, server = await line.connect()
        await client.say(b"frame")
        assert await server.hear_all() == b""

    client, server = await line.connect()
    await client.say(b"frame")
    assert await server.hear(5) == b"frame"


async def test_a_black_hole_takes_everything_and_tells_nobody(line: Line) -> None:
    client, server = await line.connect()
    line.proxy.up.swallow = True
    await client.say(b"lost")
    await line.until(lambda: line.proxy.up.swallowed == 4)
    await server.say(b"the other way is open")
    assert await client.hear(21) == b"the other way is open"

    line.proxy.up.swallow = False
    await client.say(b"again")

    assert await server.hear(5) == b"again"


async def test_a_black_hole_takes_the_end_too(line: Line) -> None:
    client, server = await line.connect()
    line.proxy.up.swallow = True
    await client.close()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(server.reader.read(), 0.05)
    await server.say(b"into the void")  # and no error either


@pytest.mark.parametrize("kept", ["server", "client"])
async def test_half_open_takes_one_side_away_and_tells_the_other_nothing(line: Line, kept: str) -> None:
    ends = dict(zip(("client", "server"), await line.connect(), strict=True))
    alive = ends.pop(kept)
    (gone,) = ends.values()

    line.proxy.half_open(keep=kept)  # type: ignore[arg-type] # a literal, one of two

    with pytest.raises(ConnectionResetError):
        await gone.hear_all()
    await alive.say(b"are you there?")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(alive.reader.read(), 0.05)
    assert line.proxy.connections == 1


@pytest.mark.parametrize("end", [FaultProxy.reset, FaultProxy.cut])
async def test_every_connection_ends_at_once(line: Line, end: Callable[[FaultProxy], None]) -> None:
    pairs = [await line.connect() for _ in range(3)]
    await pairs[0][0].say(b"said before")
    assert await pairs[0][1].hear(11) == b"said before"

    end(line.proxy)

    for side in (side for pair in pairs for side in pair):
        if end is FaultProxy.reset:
            with pytest.raises(ConnectionResetError):
                await side.hear_all()
        else:
            assert await side.hear_all() == b""
    await line.until(lambda: not line.proxy.connections)


async def test_a_reset_is_passed_on(line: Line) -> None:
    client, server = await line.connect()
    client.writer.transport.abort()

    assert await _ended(server.hear_all)


async def _ended(hear: Callable[[], Awaitable[bytes]]) -> bool:
    try:
        return await hear() == b""
    except ConnectionResetError:
        return True


async def test_refusing_resets_who_comes_and_harms_nobody_who_is_here(line: Line) -> None:
    client, server = await line.connect()
    line.proxy.refusing = True

    with pytest.raises(ConnectionResetError):
        await (await line.dial()).hear_all()
    await client.say(b"still here")
    assert await server.hear(10) == b"still here"

    line.proxy.refusing = False
    await line.connect()


async def test_what_is_open_at_the_end_is_reset() -> None:
    async with a_line() as line:
        client, _ = await line.connect()
        await line.proxy.__aexit__()

        with pytest.raises(ConnectionResetError):
            await client.hear_all()
