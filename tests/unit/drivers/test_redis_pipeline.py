"""Tests for `sanic_chatrooms.drivers.redis.pipeline`: many ask over one connection, with a server that answers by the byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio.connection import Connection
from redis.exceptions import ResponseError

from sanic_chatrooms import Unavailable
from sanic_chatrooms.drivers.redis.pipeline import Pipe
from sanic_chatrooms.support.tasks import end

LONG = 30.0


class Scene:
    """A pipe, and the server's end of it."""

    def __init__(self) -> None:
        self.connected = asyncio.Event()
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self.pipe: Pipe

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.connected.set()

    async def heard(self, text: bytes) -> None:
        async with asyncio.timeout(LONG):
            await self.reader.readuntil(text)

    def ask(self, *texts: str, within: float = LONG) -> asyncio.Future[list[object]]:
        return self.pipe.ask([("ECHO", text) for text in texts], within)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    async with await asyncio.start_server(scene.serve, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        connection = Connection(host=host, port=port, protocol=2, driver_info=None)
        await connection.connect()  # type: ignore[no-untyped-call]
        scene.pipe = Pipe(connection)
        await scene.connected.wait()
        yield scene
        scene.pipe.close()
        scene.writer.close()


async def test_each_gets_the_replies_to_what_they_asked(scene: Scene) -> None:
    one, other = scene.ask("a", "b"), scene.ask("c")
    await scene.heard(b"c\r\n")

    scene.writer.write(b"+a\r\n+b\r\n+c\r\n")

    assert (await one, await other) == ([b"a", b"b"], [b"c"])


async def test_an_error_is_one_reply_among_others(scene: Scene) -> None:
    asking = scene.ask("a", "b")
    scene.writer.write(b"-ERR no\r\n+b\r\n")

    first, second = await asking

    assert isinstance(first, ResponseError)
    assert second == b"b"
    assert scene.pipe.alive


async def test_who_gives_up_disturbs_nobody(scene: Scene) -> None:
    one, other = scene.ask("a"), scene.ask("b")
    await scene.heard(b"b\r\n")

    await end(one)
    scene.writer.write(b"+a\r\n+b\r\n")

    assert await other == [b"b"]


async def test_a_server_that_does_not_answer_in_time_is_given_up_for_all(scene: Scene) -> None:
    patient, hasty = scene.ask("a"), scene.ask("b", within=0.01)

    for asking in (patient, hasty):
        with pytest.raises(Unavailable):
            await asking
    assert not scene.pipe.alive
    with pytest.raises(Unavailable):
        await scene.pipe.ask([("PING",)], LONG)


async def test_an_answer_in_time_leaves_the_others_their_own_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One timer serves all: when it looks, it must not take the time of one for that of another."""
    loop, ahead = asyncio.get_running_loop(), 0.0
    real = loop.time
    monkeypatch.setattr(loop, "time", lambda: real() + ahead)
    hasty, patient = scene.ask("a", within=100.0), scene.ask("b", within=1_000.0)
    scene.writer.write(b"+a\r\n")
    assert await hasty == [b"a"]

    last = scene.ask("c", within=200.0)  # is due after the timer of the first has looked
    ahead = 101.0
    for _ in range(3):
        await asyncio.sleep(0)
    assert not last.done()
    assert not patient.done()
    ahead = 201.0
    with pytest.raises(Unavailable):
        await last
    with pytest.raises(Unavailable):
        await patient


async def test_who_waits_is_told_when_the_server_is_gone(scene: Scene) -> None:
    asking = scene.ask("a")
    await scene.heard(b"a\r\n")

    scene.writer.close()

    with pytest.raises(Unavailable):
        await asking
    assert not scene.pipe.alive


async def test_a_reply_that_makes_us_stumble_is_logged_and_ends_the_connection_for_another(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    asked = scene.ask("a")
    await scene.heard(b"a\r\n")

    scene.writer.write(b"+a\r\n+nobody asked for this\r\n")

    assert await asked == [b"a"]
    async with asyncio.timeout(LONG):
        assert await scene.reader.read() == b""
    assert not scene.pipe.alive
    assert "could not be handled" in caplog.text


async def test_who_tells_hears_each_reply_with_its_place_without_a_task(scene: Scene) -> None:
    told: list[tuple[int, object]] = []
    scene.pipe.tell([("ECHO", "a"), ("ECHO", "b")], LONG, lambda *reply: told.append(reply))
    asking = scene.ask("c")
    scene.writer.write(b"+a\r\n-ERR no\r\n+c\r\n")

    assert await asking == [b"c"]

    assert [place for place, _ in told] == [0, 1]
    assert told[0][1] == b"a"
    assert isinstance(told[1][1], ResponseError)


async def test_who_tells_hears_when_there_will_be_no_reply(scene: Scene) -> None:
    told: list[tuple[int, object]] = []
    scene.pipe.tell([("ECHO", "a"), ("ECHO", "b")], 0.01, lambda *reply: told.append(reply))
    scene.writer.write(b"+a\r\n")

    with pytest.raises(Unavailable):
        await scene.ask("c")

    assert told[0] == (0, b"a")
    assert [(place, type(reply)) for place, reply in told[1:]] == [(1, Unavailable)]
    assert not scene.pipe.alive


async def test_command_that_cannot_be_written_costs_nobody_their_reply(scene: Scene) -> None:
    with pytest.raises(UnicodeEncodeError):
        await scene.pipe.ask([("ECHO", "a"), ("ECHO", "\ud800")], LONG)
    with pytest.raises(UnicodeEncodeError):
        scene.pipe.tell([("ECHO", "\ud800")], LONG, lambda *_: None)

    asking = scene.ask("b")
    await scene.heard(b"b\r\n")
    scene.writer.write(b"+b\r\n")

    assert await asking == [b"b"]


async def test_who_asks_and_who_tells_in_one_turn_get_their_own_replies(scene: Scene) -> None:
    told: list[object] = []
    asking = [scene.ask("a"), scene.ask("b")]
    await asyncio.sleep(0)  # both have asked, and nothing is written yet
    scene.pipe.tell([("ECHO", "c")], LONG, lambda _, reply: told.append(reply))
    asking.append(scene.ask("d"))
    await scene.heard(
        b"a\r\n*2\r\n$4\r\nECHO\r\n$1\r\nb\r\n*2\r\n$4\r\nECHO\r\n$1\r\nc\r\n*2\r\n$4\r\nECHO\r\n$1\r\nd\r\n"
    )

    scene.writer.write(b"+a\r\n+b\r\n+c\r\n+d\r\n")

    assert await asyncio.gather(*asking) == [[b"a"], [b"b"], [b"d"]]
    assert told == [b"c"]


async def test_who_gives_up_before_the_write_disturbs_nobody(scene: Scene) -> None:
    asking = [scene.ask("a"), scene.ask("b"), scene.ask("c")]
    asking[1].cancel()
    await scene.heard(b"b\r\n*2\r\n$4\r\nECHO\r\n$1\r\nc\r\n")

    scene.writer.write(b"+a\r\n+b\r\n+c\r\n")

    assert [await asking[0], await asking[2]] == [[b"a"], [b"c"]]


async def test_who_waits_for_the_write_is_told_when_the_connection_ends_before(scene: Scene) -> None:
    asking = [scene.ask("a"), scene.ask("b")]
    scene.pipe.close()

    for one in asking:
        with pytest.raises(Unavailable):
            await one
    assert await scene.reader.read() == b""
