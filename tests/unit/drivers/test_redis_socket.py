"""Replies of a server that speaks by the byte: whole, in pieces, wrong, and no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio.connection import Connection
from redis.exceptions import MovedError, NoScriptError

from sanic_chatrooms.drivers.redis.socket import Wire


class Scene:
    """One wire, and the server's end of it."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        self.ended: list[bool] = []
        self.connected = asyncio.Event()
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.wire: Wire

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.connected.set()

    async def next(self) -> Any:
        async with asyncio.timeout(5):
            return await self.heard.get()

    async def end_of_wire(self) -> None:
        async with asyncio.timeout(5):
            while not self.ended:  # noqa: ASYNC110 - told by a call
                await asyncio.sleep(0.001)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    async with await asyncio.start_server(scene.serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        connection = Connection(host=host, port=port, protocol=2, driver_info=None)
        await connection.connect()  # type: ignore[no-untyped-call]
        scene.wire = Wire(connection, scene.heard.put_nowait, lambda: scene.ended.append(True))
        await scene.connected.wait()
        yield scene
        scene.wire.close()
        scene.writer.close()


async def test_replies_come_in_order_in_whatever_pieces(scene: Scene) -> None:
    for piece in (b"+O", b"K\r\n:7\r\n$3\r\na", b"\r\n\r\n*2\r\n$-1\r\n$1\r\nx\r\n"):
        scene.writer.write(piece)
        await scene.writer.drain()

    assert [await scene.next() for _ in range(4)] == [b"OK", 7, b"a\r\n", [None, b"x"]]


async def test_commands_are_written_in_order(scene: Scene) -> None:
    scene.wire.send([("PING",), ("GET", "key")])

    assert await scene.reader.readexactly(14) == b"*1\r\n$4\r\nPING\r\n"
    assert await scene.reader.readexactly(22) == b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"


async def test_errors_are_values_of_the_class_that_says_which(scene: Scene) -> None:
    scene.writer.write(b"-NOSCRIPT No matching script\r\n-MOVED 7 127.0.0.1:7001\r\n")

    assert isinstance(await scene.next(), NoScriptError)
    moved = await scene.next()
    assert isinstance(moved, MovedError)
    assert (moved.slot_id, moved.host, moved.port) == (7, "127.0.0.1", 7001)


@pytest.mark.parametrize("said", [b"-LOADING it is loading its data\r\n", b"HTTP/1.1 400 Bad Request\r\n"])
async def test_who_is_no_server_or_not_yet_one_is_left(scene: Scene, said: bytes) -> None:
    scene.writer.write(said + b"+OK\r\n")

    await scene.end_of_wire()

    assert not scene.wire.open
    assert scene.heard.empty()


async def test_the_end_is_told_once_whoever_ends_it(scene: Scene) -> None:
    scene.writer.close()
    await scene.end_of_wire()

    scene.wire.close()
    await asyncio.sleep(0)

    assert scene.ended == [True]
