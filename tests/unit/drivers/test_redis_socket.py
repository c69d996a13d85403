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
        async with asyncio.timeout(30):
            return await self.heard.get()

    async def end_of_wire(self) -> None:
        async with asyncio.timeout(30):
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
    scene.wire.send([("PING",), ("GET", "key")], at_once=True)

    assert await scene.reader.readexactly(14) == b"*1\r\n$4\r\nPING\r\n"
    assert await scene.reader.readexactly(22) == b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n"


class Writes:
    """Notes what is written at a time."""

    def __init__(self, wire: Wire) -> None:
        self.seen: list[bytes] = []
        self._transport = wire._transport
        wire._transport = self  # type: ignore[assignment]

    def write(self, data: bytes) -> None:
        self.seen.append(data)
        self._transport.write(data)

    def abort(self) -> None:
        self._transport.abort()


async def test_the_commands_of_a_turn_are_written_together_at_its_end(scene: Scene) -> None:
    writes = Writes(scene.wire)
    for name in "ab":
        scene.wire.send([(name,)], at_once=False)
    assert writes.seen == []
    await asyncio.sleep(0)
    assert writes.seen == [b"*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n"]

    scene.wire.send([("c",)], at_once=False)
    await asyncio.sleep(0)
    assert writes.seen[1:] == [b"*1\r\n$1\r\nc\r\n"]


async def test_what_has_to_go_at_once_takes_with_it_what_was_sent_before(scene: Scene) -> None:
    writes = Writes(scene.wire)
    scene.wire.send([("a",)], at_once=False)
    scene.wire.send([("b",)], at_once=True)
    assert writes.seen == [b"*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n"]
    scene.wire.send([("c",)], at_once=False)
    await asyncio.sleep(0)

    assert writes.seen[1:] == [b"*1\r\n$1\r\nc\r\n"]


async def test_whatever_goes_at_once_all_arrive_in_the_order_of_sending(scene: Scene) -> None:
    names = [f"{number:03}" for number in range(200)]
    for number, name in enumerate(names):
        scene.wire.send([(name,)], at_once=number % 7 == 3)
        if number % 5 == 4:
            await asyncio.sleep(0)

    arrived = await scene.reader.readexactly(13 * len(names))

    assert arrived == b"".join(b"*1\r\n$3\r\n%b\r\n" % name.encode() for name in names)


async def test_a_command_that_cannot_be_written_leaves_those_that_wait(scene: Scene) -> None:
    writes = Writes(scene.wire)
    scene.wire.send([("a",)], at_once=False)
    for at_once in (False, True):
        with pytest.raises(UnicodeEncodeError):
            scene.wire.send([("b",), ("\ud800",)], at_once=at_once)
    scene.wire.send([("c",)], at_once=False)
    await asyncio.sleep(0)

    assert writes.seen == [b"*1\r\n$1\r\na\r\n*1\r\n$1\r\nc\r\n"]


async def test_an_ended_wire_writes_nothing_more(scene: Scene) -> None:
    writes = Writes(scene.wire)
    scene.wire.send([("a",)], at_once=False)
    scene.wire.close()
    await asyncio.sleep(0)

    assert writes.seen == []


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
