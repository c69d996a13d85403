"""What the first milestone must show: ten thousand malformed frames of a hundred kinds, and a server as before.

Seventy-five kinds are text frames that get one answer each and leave the connection open; twenty-five break WebSocket itself, or
go on for too long, and get the close code that the protocol names.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.fixtures import SubprocessServer
from tests.support.process import ServerProcess
from tests.support.wire import masked

APP = """
from sanic import Sanic
from sanic_chatrooms import ChatRooms

app = Sanic("malformed")
app.blueprint(ChatRooms(guests=True, max_frame=8192).bp)
"""
EACH = 100
"""Frames of each kind."""
LOG_LINES = 100
"""What all of them together may add to the log."""
GROWTH = 16 * 1024
"""KiB of memory that may be more in use afterwards than after the warm-up, a tenth of the frames."""

Dice = random.Random
Make = Callable[[Dice], bytes]


def command(**keys: Any) -> Make:
    """A frame with these keys; a function among the values is called with the dice."""

    def make(dice: Dice) -> bytes:
        return json.dumps({k: v(dice) if callable(v) else v for k, v in keys.items()}).encode()

    return make


def text(*variants: str) -> Make:
    return lambda dice: dice.choice(variants).encode()


def word(low: int, high: int) -> Callable[[Dice], str]:
    return lambda dice: "".join(dice.choices("abcdefghij", k=dice.randint(low, high)))


def payload(type: str, value: Any) -> Make:
    """A command whose payload does not fit."""
    return command(type=type, room="general", payload=value)


def payload_text(type: str, *variants: str) -> Make:
    """The same, with JSON that no encoder writes."""
    return lambda dice: f'{{"type":"{type}","room":"general","payload":{dice.choice(variants)}}}'.encode()


def truncated(dice: Dice) -> bytes:
    whole = command(type="message", room="general", payload={"text": "hello"})(dice)
    return whole[: dice.randint(1, len(whole) - 1)]


def garbled(dice: Dice) -> bytes:
    return "".join(chr(dice.choice([dice.randint(1, 126), 0x20AC])) for _ in range(50)).encode() + b"{"


def nested(opening: str, closing: str, low: int, high: int) -> Make:
    def make(dice: Dice) -> bytes:
        depth = dice.randint(low, high)
        inner = opening * depth + "1" + closing * depth
        return f'{{"type":"message","room":"general","payload":{{"text":"x","x":{inner}}}}}'.encode()

    return make


NOT_TEXT: tuple[Any, ...] = (None, 1, 1.5, True, [], ["a"], {}, {"a": 1})
NOT_STRINGS: tuple[Any, ...] = (1, 1.5, True, [], ["a"], {}, {"a": 1})
NOT_OBJECTS: tuple[Any, ...] = (1, 1.5, True, [], ["a"], "text")
NUMBERS = ("1e999", "-1e999", "1e400", "123456789012345678901234567890", "9007199254740993", "-" + "9" * 400)


def one_of(values: Any) -> Callable[[Dice], Any]:
    return lambda dice: dice.choice(values)


ANSWERED: dict[str, Make] = {
    # the frame
    "garbled": garbled,
    "truncated": truncated,
    "empty": text("", " ", "\n\t "),
    "null": text("null", " null "),
    "true": text("true", "false"),
    "a number": text("0", "-1", "12.5e3", *NUMBERS),
    "a string": text('"message"', '""'),
    "a list": text("[]", '[{"type":"ping"}]', "[[[]]]"),
    "two objects": text('{"type":"ping"}{"type":"ping"}', '{"type":"ping"} x', '{"type":"ping"},'),
    "trailing comma": text('{"type":"ping",}', '{"type":"ping","payload":{"a":1,}}'),
    "single quotes": text("{'type':'ping'}"),
    "a comment": text('{"type":"ping"/* hello */}', '{"type":"ping"}// hello'),
    "bare words": text("{type:ping}", '{"type":ping}', "undefined", "None"),
    "not a number": text('{"type":"ping","payload":{"a":NaN}}', '{"type":"ping","payload":{"a":Infinity}}'),
    "byte order mark": text('\ufeff{"type":"ping"}'),
    "control character": text('{"type":"pi\nng"}', '{"type":"ping","payload":{"a":"\x01"}}'),
    "bad escape": text('{"type":"ping","payload":{"a":"\\x41"}}', '{"type":"ping","payload":{"a":"\\u12"}}'),
    "many open brackets": lambda dice: b"[" * dice.randint(100, 8000),
    "many open objects": lambda dice: b'{"a":' * dice.randint(100, 1500),
    # type
    "no type": command(room="general", payload={"text": "x"}),
    "empty object": text("{}"),
    "type is no string": command(type=one_of(NOT_TEXT)),
    "type is empty": command(type=""),
    "type is unknown": command(type=word(3, 60)),
    "type is long": command(type=word(1000, 7000)),
    "type is an event's": command(type=one_of(["welcome", "ack", "error", "reset", "member.joined"])),
    # msgId
    "msgId is short": command(type="ping", msgId=word(0, 15)),
    "msgId is long": command(type="ping", msgId=word(65, 3000)),
    "msgId is no string": command(type="ping", msgId=one_of(NOT_STRINGS)),
    "msgId has spaces": command(type="ping", msgId=lambda dice: f"{word(10, 20)(dice)} {word(10, 20)(dice)}"),
    "msgId is not ASCII": command(type="ping", msgId=lambda dice: word(16, 20)(dice) + "é"),
    # room
    "room is empty": command(type="join", room=""),
    "room is dots": command(type="join", room=one_of([".", ".."])),
    "room is long": command(type="join", room=word(129, 2000)),
    "room has odd characters": command(type="join", room=one_of(["a/b", "a b", "é", "a\tb", "%00", "a?b", "💬"])),
    "room is no string": command(type="join", room=one_of(NOT_STRINGS)),
    "room is missing": command(type=one_of(["join", "exit", "leave", "message", "history", "members"])),
    "room is the server's": command(type="join", room=lambda dice: "~" + word(1, 40)(dice)),
    "room is not joined": command(type="message", room=word(5, 30), payload={"text": "x"}),
    # payload
    "payload is no object": command(type="ping", payload=one_of(NOT_OBJECTS)),
    "payload is too deep: lists": nested("[", "]", 40, 3000),
    "payload is too deep: objects": nested('{"a":', "}", 40, 1000),
    "payload holds too great a number": payload_text("message", *(f'{{"text":"x","n":{n}}}' for n in NUMBERS)),
    "payload holds a lone surrogate": payload_text("message", '{"text":"\\ud800"}', '{"text":"\\udc00\\ud800"}'),
    "payload holds a NUL": payload_text("message", '{"text":"a\\u0000b"}', '{"text":"x","a\\u0000":1}'),
    # message
    "text is missing": payload("message", {"body": "x"}),
    "no payload": command(type="message", room="general"),
    "text is no string": payload("message", {"text": None}),
    "text is a list": payload("message", {"text": ["x"]}),
    "mentions are no list": payload("message", {"text": "x", "mentions": "everybody"}),
    "mentions hold no strings": payload("message", {"text": "x", "mentions": [1, None]}),
    "parent is no string": payload("message", {"text": "x", "parent": 7}),
    # direct
    "to is missing": command(type="direct", payload={"body": {"text": "x"}}),
    "to is empty": command(type="direct", payload={"to": "", "body": {"text": "x"}}),
    "to is no string": command(type="direct", payload={"to": 1, "body": {"text": "x"}}),
    "to is long": command(type="direct", payload=lambda dice: {"to": word(200, 900)(dice), "body": {"text": "x"}}),
    "body is missing": command(type="direct", payload={"to": "somebody"}),
    "body has no text": command(type="direct", payload={"to": "somebody", "body": {}}),
    # join, history, lists
    "since is no object": payload("join", {"since": "here"}),
    "since has no epoch": payload("join", {"since": {"seq": 1}}),
    "since is before the start": payload("join", {"since": {"epoch": "e", "seq": -1}}),
    "since is a fraction": payload("join", {"since": {"epoch": "e", "seq": 1.5}}),
    "history is negative": payload("join", {"history": -1}),
    "history is text": payload("join", {"history": "all"}),
    "before and after": payload("history", {"before": 5, "after": 1}),
    "before is negative": payload("history", {"before": -5}),
    "limit is nothing": payload("history", {"limit": one_of([0])(random.Random(0))}),
    "limit is text": payload("history", {"limit": "10"}),
    "cursor is not ours": payload("members", {"cursor": "nonsense"}),
    "cursor is no string": payload("presence", {"cursor": 5}),
    "active is text": payload("typing", {"active": "yes"}),
    # room.create, auth
    "title is a number": command(type="room.create", room="new-room", payload={"title": 5}),
    "title is long": command(type="room.create", room="new-room", payload={"title": "x" * 5000}),
    "visibility is unknown": command(type="room.create", room="new-room", payload={"visibility": "secret"}),
    "token proves nothing": command(type="auth", payload=lambda dice: {"token": word(1, 500)(dice)}),
}  # fmt: skip


def frames(*parts: tuple[int, bytes, bool]) -> Make:
    return lambda dice: b"".join(masked(opcode, data, fin=fin) for opcode, data, fin in parts)


def header(first: int, second: int, more: bytes = b"") -> Make:
    return lambda dice: bytes((first, second)) + more + bytes(dice.randrange(256) for _ in range(8))


BAD_UTF8 = (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80")

CLOSED: dict[str, tuple[int, Make]] = {
    "binary": (1003, lambda dice: masked(2, dice.randbytes(dice.randint(0, 200)))),
    "binary in pieces": (1003, frames((2, b"a", False), (0, b"b", True))),
    "no UTF-8": (1007, lambda dice: masked(1, b'{"type":"' + dice.choice(BAD_UTF8) + b'"}')),
    "no UTF-8 in a later piece": (1007, frames((1, b"{", False), (0, b"\xff", True))),
    "UTF-8 that ends too soon": (1007, lambda dice: masked(1, b"\xe2\x82")),
    "a close reason that is no UTF-8": (1007, frames((8, b"\x03\xe8\xff\xfe", True))),
    "unmasked": (1002, lambda dice: b"\x81\x02{}"),
    "reserved bit 1": (1002, header(0xC1, 0x80)),
    "reserved bit 2": (1002, header(0xA1, 0x80)),
    "reserved bit 3": (1002, header(0x91, 0x80)),
    "unknown opcode": (1002, lambda dice: header(0x80 | dice.randint(3, 7), 0x80)(dice)),
    "unknown control opcode": (1002, lambda dice: header(0x80 | dice.randint(11, 15), 0x80)(dice)),
    "continuation of nothing": (1002, frames((0, b"x", True))),
    "a message inside another": (1002, frames((1, b"a", False), (1, b"b", True))),
    "a long ping": (1002, header(0x89, 0xFE, b"\x00\x7e")),
    "a ping in pieces": (1002, frames((9, b"x", False))),
    "a close frame of one byte": (1002, frames((8, b"\x03", True))),
    "an invalid close code": (1002, lambda dice: masked(8, dice.choice([0, 999, 1005, 1006, 2999, 5000, 65535]).to_bytes(2, "big"))),
    "a long close frame": (1002, header(0x88, 0xFE, b"\x00\x7e")),
    "a negative length": (1002, header(0x81, 0xFF, b"\xff" * 8)),
    "too big": (1009, lambda dice: masked(1, b"x" * dice.randint(8193, 20_000))),
    "announced too big": (1009, header(0x81, 0xFF, (1 << 50).to_bytes(8, "big"))),
    "too big in pieces": (1009, lambda dice: masked(1, b"x" * 5000, fin=False) + masked(0, b"x" * 5000)),
    "too many pieces": (1008, lambda dice: masked(1, b"", fin=False) + masked(0, b"", fin=False) * 2000),
    "ten bad ones in a row": (4501, lambda dice: b"".join(masked(1, garbled(dice)) for _ in range(10))),
}  # fmt: skip


def test_there_are_a_hundred_kinds() -> None:
    assert len(ANSWERED) + len(CLOSED) == 100


class Peer:
    """A WebSocket by the byte: writes anything, reads frames of the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, server: ServerProcess) -> Peer:
        peer = cls(*await asyncio.open_connection("127.0.0.1", server.port))
        peer.write(
            b"GET /chat/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        assert b" 101 " in await peer._reader.readuntil(b"\r\n\r\n")
        assert (await peer.event())["type"] == "welcome"
        return peer

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def frame(self) -> tuple[int, bytes]:
        first, second = await self._reader.readexactly(2)
        size = second & 127
        if size >= 126:
            size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
        return first & 15, await self._reader.readexactly(size)

    async def event(self) -> Any:
        opcode, data = await self.frame()
        assert opcode == 1, (opcode, data)
        return json.loads(data)

    async def close_code(self) -> tuple[int, bytes]:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                opcode, data = await self.frame()
                if opcode == 8:
                    return int.from_bytes(data[:2], "big"), data[2:]
        return 1006, b""

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()


@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_ten_thousand_malformed_frames(tmp_path: Path, subprocess_server: SubprocessServer) -> None:
    (tmp_path / "app.py").write_text(APP)
    server = await subprocess_server(tmp_path / "app.py")
    [pid] = server.workers
    dice = random.Random(20_260)
    await _all_kinds(server, dice, EACH // 10)
    before, lines = _resident(pid), server.output.count("\n")

    await _all_kinds(server, dice, EACH)

    after, logged = _resident(pid), server.output.count("\n") - lines
    print(f"\n{100 * EACH} frames: {before} KiB before, {after} KiB after, {logged} lines logged")  # noqa: T201
    assert server.workers == [pid]
    assert after - before < GROWTH
    assert logged <= LOG_LINES, server.output[-3000:]
    assert "Traceback" not in server.output, server.output[-3000:]
    assert "never retrieved" not in server.output
    peer = await Peer.open(server)
    peer.write(masked(1, b'{"type":"join","room":"general"}'))
    assert (await peer.event())["type"] == "ack"
    await peer.close()


def _resident(pid: int) -> int:
    """KiB of memory in use."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


async def _all_kinds(server: ServerProcess, dice: Dice, each: int) -> None:
    async with asyncio.timeout(150):
        peer = await Peer.open(server)
        for kind, make in ANSWERED.items():
            await _answered(peer, kind, [make(dice) for _ in range(each)])
        await peer.close()
        for kind, (code, make) in CLOSED.items():
            for start in range(0, each, 20):
                await asyncio.gather(
                    *(_closed(server, kind, code, make(dice)) for _ in range(start, start + min(20, each)))
                )


async def _answered(peer: Peer, kind: str, malformed: list[bytes]) -> None:
    """One error each, in order; a ping after each shows that nothing else came, and that the connection lives."""
    for data in malformed:
        peer.write(masked(1, data) + masked(1, b'{"type":"ping","payload":{"after":1}}'))
    for data in malformed:
        answer = await peer.event()
        assert answer["type"] == "error", (kind, data[:200], answer)
        assert answer["payload"]["code"] not in ("internal", "unavailable"), (kind, data[:200], answer)
        pong = await peer.event()
        assert (pong["type"], pong["payload"]) == ("pong", {"after": 1}), (kind, data[:200], pong)


async def _closed(server: ServerProcess, kind: str, code: int, data: bytes) -> None:
    peer = await Peer.open(server)
    peer.write(data)
    found, reason = await peer.close_code()
    assert (found, bool(reason)) == (code, True), (kind, found, reason)
    await peer.close()
