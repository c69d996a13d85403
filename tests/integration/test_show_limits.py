"""What the first milestone must show: who reads too slowly, floods, or is disconnected harms nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import uuid
from typing import Any

import jwt
import pytest
from sanic import Sanic
from websockets.exceptions import ConnectionClosed

from sanic_chatrooms import ChatRooms
from sanic_chatrooms.hooks.listeners import Happening
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import FaultyStore
from sanic_chatrooms.verbs.pages import PAGE_BYTES
from tests.support.client import Client
from tests.support.fixtures import Connect, Live, OpenRaw
from tests.support.raw import Raw, handshake
from tests.support.wire import masked

SECRET = "a secret of more than thirty-two bytes for tests"
KIB = 1024
BUSY = 50
MASK = bytes(4)  # a mask of zeros leaves the payload as it is
LOGGED = 20
"""Lines that one misbehaving peer may cost, at most."""


def token(name: str) -> str:
    return jwt.encode({"sub": name, "name": name, "exp": 4_000_000_000}, SECRET, "HS256")


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore(MemoryStore())


@pytest.fixture
def chat(app: Sanic[Any, Any], store: FaultyStore) -> ChatRooms:
    chat = ChatRooms(
        jwt_secret=SECRET, guests=True, store=store, outbox_limit=64 * KIB, max_connections=1_000
    )
    app.blueprint(chat.bp)
    return chat


# ---- a slow reader ----


async def test_who_stops_reading_is_closed_4008_and_nobody_else_misses_anything(
    chat: ChatRooms, live: Live, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It reads again only after all has been said, which on a busy machine takes longer than a peer has for its close frame.
    monkeypatch.setattr("sanic_chatrooms.web.socket.base.CLOSE_TIMEOUT", 50.0)
    await live()
    await chat.create_room("busy")
    slow = await connect()
    await slow.ack("join", room="busy")
    _keep_the_kernel_s_share_small(slow, chat)
    busy = [await connect() for _ in range(BUSY)]
    for client in busy:
        await client.ack("join", room="busy")
    slow.pause_reading()

    rounds, text = 12, "x" * 2_000
    for _ in range(rounds):
        acks = [client.ack("message", room="busy", payload={"text": text}) for client in busy]
        await asyncio.gather(*acks)
        _assert_bounded(chat, len(busy) * 3_000)

    for client in busy:
        events = await client.expect_many("message", rounds * BUSY)
        assert [event["seq"] for event in events] == list(range(1, rounds * BUSY + 1))
    slow.resume_reading()  # a phone comes out of the tunnel: what was written for it is still there
    assert (await slow.closed())[0] == 4008
    heard = [event["seq"] for event in slow.unread("message")]
    assert heard == list(range(1, len(heard) + 1))
    assert 0 < len(heard) < rounds * BUSY


def _keep_the_kernel_s_share_small(client: Client, chat: ChatRooms) -> None:
    """So that the server's own buffer is what fills, and not megabytes of the system's."""
    [session] = chat.running().sessions
    for transport in (client.ws.transport, session.connection._transport):  # type: ignore[attr-defined]
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * KIB)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * KIB)


def _assert_bounded(chat: ChatRooms, turn: int) -> None:
    """No connection has more waiting than the limit and what one turn of the loop adds."""
    for session in chat.running().sessions:
        waiting = session.connection._transport.get_write_buffer_size()  # type: ignore[attr-defined]
        assert waiting <= 64 * KIB + turn


# ---- a user whom the app disconnects ----


async def test_disconnected_user_stores_nothing_after_the_verb_returned(
    chat: ChatRooms, store: FaultyStore, live: Live, connect: Connect
) -> None:
    many = asyncio.Event()

    @chat.on("message")
    def heard(happening: Happening) -> None:
        if happening.event is not None and (happening.event.seq or 0) >= 50:
            many.set()

    await live()
    await chat.create_room("general")
    store.latency = lambda: asyncio.sleep(0.002)  # so that drafts queue behind a batch under way
    mallory = [await connect(token=token("mallory")) for _ in range(3)]
    for client in mallory:
        await client.ack("join", room="general")
    sending = [asyncio.ensure_future(_send_without_a_pause(client)) for client in mallory]
    await many.wait()

    await chat.disconnect("mallory")

    page = await store.inner.history("general", after=0, limit=100_000)
    for client in mallory:
        assert (await client.closed())[0] == 4503
    await asyncio.gather(*sending)
    await chat.publish("general", "message", {"text": "later"})
    after = await store.inner.history("general", after=page.seq, limit=100_000)
    assert [event.sender for event in after.events] == [None]
    assert page.seq >= 50


async def _send_without_a_pause(client: Client) -> None:
    with contextlib.suppress(ConnectionClosed):
        while client.is_open:
            await client.send("message", room="general", payload={"text": "me again"})
            await asyncio.sleep(0)  # the server lives in the same loop


async def test_disconnecting_one_session_leaves_the_others(
    chat: ChatRooms, live: Live, connect: Connect
) -> None:
    await live()
    one, other = await connect(token=token("ada")), await connect(token=token("ada"))
    session = (await one.expect("welcome"))["payload"]["sessionId"]

    await chat.disconnect("ada", session=session, code=4100, reason="over there")

    assert await one.closed() == (4100, "over there")
    await other.settle()


# ---- floods ----


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """A frame whose mask changes nothing."""
    return masked(opcode, payload, fin=final, key=MASK)


async def _flood(raw: Raw, data: bytes, times: int) -> None:
    for _ in range(times):
        await raw.write(data)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(9, b"x" * 125) * 500, 1008, id="pings that nobody reads the answers of"),
        pytest.param(frame(10, b"x" * 125) * 500, 1008, id="pongs"),
        pytest.param(frame(1, b"", final=False) + frame(0, b"", final=False) * 10_000, 1008, id="fragments"),
        pytest.param(frame(1, b"\xff\xfe"), 1007, id="text that is no UTF-8"),
        pytest.param(frame(1, b"\xed\xa0\x80", final=False) + frame(0, b"x"), 1007, id="cut UTF-8"),
        pytest.param(frame(2, b"x"), 1003, id="binary"),
        pytest.param(frame(0, b"x"), 1002, id="a continuation of nothing"),
        pytest.param(bytes((0x81, 0xFF)) + (1 << 40).to_bytes(8, "big") + MASK, 1009, id="a terabyte"),
        pytest.param(b"\x81\x02{}", 1002, id="unmasked"),
    ],
)
async def test_misbehaviour_has_its_code_and_costs_little(
    chat: ChatRooms,
    live: Live,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
    data: bytes,
    code: int,
) -> None:
    server = await live()
    caplog.set_level(logging.INFO)
    caplog.clear()
    raw = await Raw.open(server)

    flooding = asyncio.ensure_future(_flood(raw, data, 50))
    other = await connect()
    await other.settle()  # the server serves others meanwhile
    _assert_bounded(chat, 256 * KIB)
    found = await raw.close_code()
    await flooding
    await raw.close()

    assert found == code
    assert len(caplog.records) <= LOGGED
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


async def test_ping_flood_in_small_doses_is_not_buffered_for_who_never_reads(
    chat: ChatRooms, live: Live, connect: Connect
) -> None:
    """Below the flood's rate nobody is closed; the pongs that are not read stay within the limit."""
    server = await live()
    raw = await Raw.open(server)
    await raw.write(frame(9, b"x" * 125) * 90)
    client = await connect()
    await client.settle()

    _assert_bounded(chat, 90 * 127)

    await raw.write(frame(8, (1000).to_bytes(2, "big")))
    assert await raw.close_code() == 1000
    await raw.close()


async def test_half_handshakes_leave_nothing(
    chat: ChatRooms, live: Live, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    server = await live()
    halves = [b"", b"GET /chat/ws HTTP/1.1\r\nHost: x\r\nUpgrade: webso", b"\x16\x03\x01" * 50, b"\r\n" * 100]
    for half in halves * 10:
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(half)
        await writer.drain()
        writer.transport.abort()
    for _ in range(20):  # and those who vanish between the handshake and its answer
        _, writer = await asyncio.open_connection(server.host, server.port)
        writer.write(handshake(server.host))
        await writer.drain()
        writer.transport.abort()
    client = await connect(token=token("ada"))
    await client.settle()

    async with asyncio.timeout(30):
        while len(chat.running().sessions) > 1:  # noqa: ASYNC110 - the server's own end of 20 connections
            await asyncio.sleep(0.01)
    assert [c.user.id for c in chat.connections()] == ["ada"]


async def test_two_joins_at_once_have_two_whole_answers(
    chat: ChatRooms, live: Live, connect: Connect
) -> None:
    """Pipelined: the second starts the room afresh, and neither stream has a hole."""
    await live()
    await chat.create_room("general")
    ada, bob = await connect(), await connect()
    await bob.ack("join", room="general")

    talking = asyncio.ensure_future(_talk(bob, 60))
    ids = [await ada.send("join", room="general", payload={"history": 0}) for _ in range(10)]
    acks = [(await ada.reply(id))["payload"] for id in ids]
    await talking
    await _talk(bob, 1)  # in any case after the last join
    await ada.expect("message", seq=61)

    seqs: list[int] = []
    for f in ada.frames:
        if f["type"] == "ack" and "recovered" in f["payload"]:
            seqs = [f["payload"]["seq"]]
        elif f["type"] == "message":
            seqs.append(f["seq"])
            assert seqs[-1] == seqs[-2] + 1
    assert len(acks) == 10


async def _talk(client: Client, count: int) -> None:
    for _ in range(count):
        await client.ack("message", room="general", payload={"text": "hi"}, msg_id=str(uuid.uuid4()))


# ---- answers that nobody reads ----


@pytest.mark.parametrize("edge", ["fast", "plain"])
async def test_answers_that_nobody_reads_are_not_even_made(
    chat: ChatRooms, live: Live, connect: Connect, open_raw: OpenRaw, edge: str
) -> None:
    live.fast = edge == "fast"
    await live()
    await chat.create_room("fat")
    for _ in range(40):
        await chat.publish("fat", "message", {"text": "x" * 15_000})
    other = await connect()
    greedy = [await open_raw() for _ in range(10)]

    for raw in greedy:
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await raw.write(frame(1, b'{"type":"history","room":"fat"}') * 60)
    for _ in range(300):
        await other.settle()

    for session in chat.running().sessions:
        assert session.connection.behind() <= 16 * KIB + PAGE_BYTES + KIB
    for raw in greedy:
        raw.writer.transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(60):
            await raw.expect("ack")
