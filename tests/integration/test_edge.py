"""Bytes in and bytes out: what comes early, late, in pieces or half, over TCP and TLS; and nobody waits for a slow reader."""

from __future__ import annotations

import asyncio
import errno
import gc
import json
import socket
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from unittest import mock

import pytest
import trustme
from sanic import Sanic

from sanic_chatrooms import ChatRooms, Context
from sanic_chatrooms.sessions.queue import QUEUE_LIMIT
from sanic_chatrooms.sessions.session import Session
from sanic_chatrooms.web.socket import base as edge
from tests.support.fixtures import Connect, Live, OpenRaw
from tests.support.raw import CLOSE, Raw, command
from tests.support.wire import masked, mount

App = Sanic[Any, Any]
Peer = Callable[..., Awaitable[Raw]]
KIB = 1024
LIMIT = 64 * KIB
TEXT, CONT, PING = 1, 0, 9
NORMAL = (1000).to_bytes(2, "big")


@pytest.fixture
def chat(app: App) -> ChatRooms:
    return mount(app, outbox_limit=LIMIT, max_text=60_000)


def the_session(chat: ChatRooms) -> Session:
    [session] = chat.running().sessions
    return session


def transport_of(session: Session) -> Any:
    connection: Any = session.connection
    return connection._transport


async def until(what: Callable[[], object]) -> None:
    """For what the server does by itself, in the same loop, and tells nobody."""
    async with asyncio.timeout(30):
        while not what():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def make_tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts for a server with a certificate of its own, and for clients that trust it."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    return server, client


@pytest.fixture(params=["tcp", "tls"])
async def peer(request: pytest.FixtureRequest, chat: ChatRooms, live: Live, open_raw: OpenRaw) -> Peer:
    """Opens a peer, over each kind of wire."""
    if request.param == "tcp":
        await live()
        return open_raw
    server, client = make_tls()
    await live(tls=server)
    return partial(open_raw, tls=client)


# ---- in ----


async def test_a_frame_does_not_wait_for_the_acknowledgement_of_the_last_one(
    peer: Peer, chat: ChatRooms
) -> None:
    """Nagle's algorithm is off, on every loop: with it, the second of two events may wait for 40 ms."""
    raw = await peer()
    await raw.expect("welcome")

    sock = transport_of(the_session(chat)).get_extra_info("socket")

    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_what_comes_in_one_segment_with_the_handshake_is_heard(peer: Peer) -> None:
    second = command("ping", payload={"n": 2})
    raw = await peer(early=command("ping", payload={"n": 1}) + second[:9])

    assert (await raw.expect("pong"))["payload"] == {"n": 1}
    await raw.write(second[9:])
    assert (await raw.expect("pong"))["payload"] == {"n": 2}


async def test_a_frame_may_come_byte_by_byte(peer: Peer) -> None:
    raw = await peer()

    for byte in command("ping", payload={"word": "Ä€😀"}):
        await raw.write(bytes([byte]))

    assert (await raw.expect("pong"))["payload"] == {"word": "Ä€😀"}


async def test_a_message_may_come_in_fragments_with_pings_between(peer: Peer) -> None:
    raw = await peer()
    text = json.dumps({"type": "ping", "payload": {"word": "Ä€😀"}}, ensure_ascii=False).encode()

    await raw.write(masked(TEXT, b"", fin=False))
    for byte in text:
        await raw.write(masked(CONT, bytes([byte]), fin=False))
    await raw.write(masked(PING, b"are you there?") + masked(CONT, b""))

    heard = [await raw.frame() for _ in range(3)]
    assert (10, b"are you there?") in heard
    assert json.loads(heard[-1][1])["payload"] == {"word": "Ä€😀"} or heard[-1][0] == 10


async def test_the_closing_handshake_by_the_client(peer: Peer, chat: ChatRooms) -> None:
    raw = await peer()
    await raw.expect("welcome")

    await raw.write(masked(CLOSE, NORMAL + b"bye"))

    assert await raw.frame() == (CLOSE, NORMAL + b"bye")
    assert await raw.ended() == b""
    assert len(chat.running().sessions) == 0


async def test_the_closing_handshake_by_the_server(peer: Peer, chat: ChatRooms) -> None:
    raw = await peer()
    await raw.expect("welcome")

    the_session(chat).close(4100, "go")
    assert await raw.frame() == (CLOSE, (4100).to_bytes(2, "big") + b"go")
    await raw.write(command("ping") + masked(CLOSE, (4100).to_bytes(2, "big")))

    assert await raw.ended() == b""


async def test_who_talks_on_after_its_close_frame_is_answered(peer: Peer) -> None:
    """A socket that is closed with unread bytes is reset, and the answer may never be read."""
    raw = await peer()
    await raw.expect("welcome")

    await raw.write(masked(CLOSE, NORMAL) + command("ping") * 200_000)

    assert await raw.frame() == (CLOSE, NORMAL)
    assert await raw.ended() == b""


async def test_a_peer_that_resets_the_connection_after_its_close_frame_is_no_error(
    chat: ChatRooms, peer: Peer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = await peer()
    await raw.expect("welcome")
    connection: Any = the_session(chat).connection
    transport = mock.Mock(wraps=connection._transport)
    # What the system says when the reset has arrived before the close frame was read.
    transport.write_eof.side_effect = OSError(errno.ENOTCONN, "not connected")
    transport.can_write_eof.return_value = True
    monkeypatch.setattr(connection, "_transport", transport)

    await raw.write(masked(CLOSE, NORMAL))

    await raw.ended()
    await until(lambda: len(chat.running().sessions) == 0)
    assert transport.write_eof.called
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_broken_rule_is_told_before_the_end(peer: Peer) -> None:
    raw = await peer()
    await raw.expect("welcome")

    await raw.write(b"\x81\x02{}" + command("ping") * 2_000)

    opcode, payload = await raw.frame()
    assert (opcode, int.from_bytes(payload[:2], "big")) == (CLOSE, 1002)
    assert await raw.ended() == b""


async def test_who_closes_its_half_without_a_word_is_gone(chat: ChatRooms, open_raw: OpenRaw) -> None:
    raw = await open_raw()
    await raw.expect("welcome")

    raw.writer.write_eof()

    await raw.ended()
    await until(lambda: len(chat.running().sessions) == 0)


async def test_who_closes_its_half_after_a_close_frame_is_answered(
    chat: ChatRooms, open_raw: OpenRaw
) -> None:
    raw = await open_raw()
    await raw.expect("welcome")

    raw.writer.write(masked(CLOSE, NORMAL))
    raw.writer.write_eof()

    assert await raw.frame() == (CLOSE, NORMAL)
    assert await raw.ended() == b""


async def test_who_never_answers_a_close_frame_is_cut_off(
    peer: Peer, chat: ChatRooms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "CLOSE_TIMEOUT", 0.1)
    raw = await peer()
    await raw.expect("welcome")

    the_session(chat).close(4100, "go")

    assert (await raw.frame())[0] == CLOSE
    assert await raw.ended() == b""


# ---- pausing ----


async def test_reading_stops_also_where_a_full_queue_came_with_the_handshake(
    chat: ChatRooms, open_raw: OpenRaw
) -> None:
    go_on = asyncio.Event()

    @chat.command("WAIT")
    async def wait(ctx: Context, payload: dict[str, Any]) -> None:
        await go_on.wait()

    raw = await open_raw(early=command("WAIT") * (2 * QUEUE_LIMIT))
    await raw.expect("welcome")
    await until(lambda: not the_session(chat).queue._reading)

    assert not transport_of(the_session(chat)).is_reading()
    go_on.set()
    for _ in range(2 * QUEUE_LIMIT):
        await raw.expect("ack")
    await until(lambda: transport_of(the_session(chat)).is_reading())


async def test_who_is_closed_while_paused_is_read_to_the_close_frame(
    chat: ChatRooms, open_raw: OpenRaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had sent by then is thrown away, not kept."""
    monkeypatch.setattr(edge, "CLOSE_TIMEOUT", 600.0)
    raw = await open_raw()
    await raw.expect("welcome")
    session = the_session(chat)
    for _ in range(QUEUE_LIMIT + 1):
        session.queue.do(_never)  # the app's own work
    assert not session.queue._reading
    await raw.write(command("ping") * 5_000 + masked(CLOSE, NORMAL))

    session.close(4100, "go")

    assert await raw.close_code() == 4100
    async with asyncio.timeout(30):  # not because it was cut off
        assert await raw.ended() == b""


async def _never() -> None:
    await asyncio.Event().wait()


async def test_of_who_sends_much_at_once_the_system_keeps_little(
    chat: ChatRooms, open_raw: OpenRaw, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = await open_raw()
    await raw.expect("welcome")
    connection: Any = the_session(chat).connection
    transport, sock = mock.Mock(wraps=connection._transport), mock.Mock()
    transport.get_extra_info.side_effect = {"socket": sock}.get
    monkeypatch.setattr(connection, "_transport", transport)
    ping = command("ping")

    connection._data_received(ping * (edge.MUCH // len(ping)))
    assert not sock.mock_calls
    await raw.say("ping", msgId="6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11")
    while (await raw.expect("pong")).get("replyTo") is None:
        pass  # all of these are answered
    connection._data_received(ping * (edge.MUCH // len(ping) + 1))

    sock.setsockopt.assert_called_once_with(socket.SOL_SOCKET, socket.SO_RCVBUF, edge.MUCH)


async def test_commands_of_who_reads_no_answers_wait(chat: ChatRooms, open_raw: OpenRaw) -> None:
    """Refused ones too: they are answered as well."""
    raw = await open_raw()
    await raw.expect("welcome")
    session = the_session(chat)
    narrow(session, raw)
    raw.writer.transport.pause_reading()  # type: ignore[attr-defined]

    flood = command("ping", msgId=7) * 500  # invalid_field
    sending = asyncio.ensure_future(_send(raw, flood, 4))
    await until(lambda: not transport_of(session).is_reading())

    await asyncio.sleep(0.05)  # nothing more is read, whatever still comes
    # What is answered within a turn is written before anybody looks.
    assert transport_of(session).get_write_buffer_size() < 2 * LIMIT
    assert not session.closed
    raw.writer.transport.resume_reading()  # type: ignore[attr-defined]
    for _ in range(2_000):
        assert (await raw.expect("error"))["payload"]["code"] == "invalid_field"
    await sending


async def test_what_guests_were_answered_at_once_and_do_not_read_counts_for_all_of_them(
    app: App, open_raw: OpenRaw
) -> None:
    """However little it is for each."""
    chat = mount(app)
    peers = [await open_raw() for _ in range(6)]
    for raw in peers:
        await raw.expect("welcome")
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
    backlog = chat.running().backlog
    backlog._limit = 32 * KIB
    for session in list(chat.running().sessions):
        narrow(session, *peers)

    for raw in peers:
        # More than the system takes for each of them: how much of the first that is depends on who runs when.
        raw.writer.write(command("ping", payload={"text": "x" * 60 * KIB}) * 4)

    await until(lambda: backlog.cut)
    # One that was just found to be over the limit has its answer written already.
    sessions = chat.running().sessions
    await until(lambda: sum(session.connection.behind() for session in sessions) <= backlog._limit)


async def _send(raw: Raw, data: bytes, times: int) -> None:
    for _ in range(times):
        await raw.write(data)


def narrow(session: Session, *peers: Raw) -> None:
    """So that the server's own buffer is what fills, and not megabytes of the system's."""
    for transport in (*(raw.writer.transport for raw in peers), transport_of(session)):
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * KIB)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * KIB)


# ---- out ----


async def test_answers_and_events_of_a_turn_are_one_write(
    chat: ChatRooms, open_raw: OpenRaw, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All commands are read in one turn, and the first one is not written alone, on a slow machine too.
    monkeypatch.setattr("sanic_chatrooms.web.socket.base.TURN", 60.0)
    monkeypatch.setattr("sanic_chatrooms.hub.fanout.PAUSE", 60.0)
    ada = await open_raw()
    await ada.say("join", room="general")
    await ada.expect("ack")
    bob = await connect()
    await bob.ack("join", room="general")
    writes = _count_writes(chat)

    commands = [command("message", room="general", payload={"text": str(n)}) for n in range(20)]
    await ada.write(b"".join(commands) + masked(PING, b"1") + masked(PING, b"2") + command("ping"))

    heard: Counter[str] = Counter()
    expected = Counter(message=20, ack=20, pong=1, control=2)
    while not expected <= heard:
        opcode, payload = await ada.frame()
        heard[json.loads(payload)["type"] if opcode == 1 else "control"] += 1
    await bob.expect_many("message", 20)
    # At most one for what is answered at once, one for what the store's batches answer and tell.
    assert all(1 <= count <= 3 for count in writes.values()), writes


def _count_writes(chat: ChatRooms) -> Counter[Session]:
    writes: Counter[Session] = Counter()
    for session in chat.running().sessions:
        connection: Any = session.connection
        connection._transport = Counted(connection._transport, partial(writes.update, [session]))
    return writes


class Counted:
    """A transport that tells of each write."""

    def __init__(self, transport: Any, told: Callable[[], object]) -> None:
        self._transport = transport
        self._told = told

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._told()
        self._transport.write(data)


async def test_who_stops_for_a_while_loses_nothing(
    chat: ChatRooms, open_raw: OpenRaw, connect: Connect
) -> None:
    raw, talker = await _reader_and_talker(chat, open_raw, connect)
    raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
    for n in range(10):
        await talker.ack("message", room="general", payload={"text": str(n) + "x" * 4_000})

    raw.writer.transport.resume_reading()  # type: ignore[attr-defined]

    assert [(await raw.expect("message"))["seq"] for _ in range(10)] == list(range(1, 11))


async def test_who_reads_byte_by_byte_loses_nothing_within_the_limit(
    chat: ChatRooms, open_raw: OpenRaw, connect: Connect
) -> None:
    raw, talker = await _reader_and_talker(chat, open_raw, connect)
    await talker.ack("message", room="general", payload={"text": "x" * 6_000})

    heard = bytearray()
    while b"x" * 6_000 not in heard:
        byte = await raw.reader.read(1)
        assert byte
        heard += byte

    assert not [s for s in chat.running().sessions if s.closed]


async def test_who_reads_too_slowly_is_closed_4008_after_a_whole_stream(
    chat: ChatRooms, open_raw: OpenRaw, connect: Connect
) -> None:
    raw, talker = await _reader_and_talker(chat, open_raw, connect)

    seqs, code, said = [], 0, 0
    while not code:
        if said < 60:
            await _talk(talker, 2)  # while one is read: the slowness itself
            said += 2
        opcode, payload = await raw.frame()
        if opcode == CLOSE:
            code = int.from_bytes(payload[:2], "big")
        elif (event := json.loads(payload))["type"] == "message":
            seqs.append(event["seq"])

    assert code == 4008
    assert seqs == list(range(1, len(seqs) + 1))


async def _talk(talker: Any, count: int) -> None:
    for n in range(count):
        await talker.ack("message", room="general", payload={"text": str(n) + "x" * 20_000})


async def test_who_never_reads_again_is_cut_off(
    chat: ChatRooms, open_raw: OpenRaw, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edge, "CLOSE_TIMEOUT", 0.1)
    raw, talker = await _reader_and_talker(chat, open_raw, connect)
    stalled = next(
        s for s in chat.running().sessions if transport_of(s).get_extra_info("peername") == raw.name
    )
    transport = transport_of(stalled)
    raw.writer.transport.pause_reading()  # type: ignore[attr-defined]

    await _talk(talker, 20)

    await until(lambda: len(chat.running().sessions) == 1)
    await until(transport.is_closing)
    assert transport.get_write_buffer_size() <= LIMIT + 30 * KIB


async def test_replies_close_nobody(chat: ChatRooms, open_raw: OpenRaw, connect: Connect) -> None:
    """A phone that rejoins ten busy rooms gets several times the limit, and reads it when it can."""
    raw, talker = await _reader_and_talker(chat, open_raw, connect)
    await _talk_quietly(chat, talker)
    raw.writer.transport.pause_reading()  # type: ignore[attr-defined]

    for _ in range(4):
        await raw.say("join", room="other")
    await talker.settle()
    raw.writer.transport.resume_reading()  # type: ignore[attr-defined]

    for _ in range(4):
        assert len((await raw.expect("ack"))["payload"]["messages"]) == 6


async def _talk_quietly(chat: ChatRooms, talker: Any) -> None:
    await talker.ack("join", room="other")
    for _ in range(6):
        await talker.ack("message", room="other", payload={"text": "x" * 10_000})


async def _reader_and_talker(chat: ChatRooms, open_raw: OpenRaw, connect: Connect) -> tuple[Raw, Any]:
    """Two in a room; the first one's connection has small buffers everywhere."""
    raw = await open_raw()
    await raw.say("join", room="general")
    await raw.expect("ack")
    narrow(the_session(chat), raw)
    talker = await connect()
    await talker.ack("join", room="general")
    return raw, talker


# ---- what a connection costs while nothing happens ----


IDLE = 40


async def test_an_idle_connection_has_no_task_timer_or_lock(chat: ChatRooms, open_raw: OpenRaw) -> None:
    await _joined(open_raw)
    before = _kept()

    for _ in range(IDLE):
        await _joined(open_raw)

    more = {what: (count - before[what]) / IDLE for what, count in _kept().items()}
    assert more["Task"] <= 0.1
    assert more["TimerHandle"] <= 0.1
    assert more["Lock"] <= 0.1


async def _joined(open_raw: OpenRaw) -> Raw:
    raw = await open_raw()
    await raw.say("join", room="general")
    await raw.expect("ack")
    return raw


def _kept() -> Counter[str]:
    """Tasks, locks and timers that are waiting now, by the name of their type: each loop has its own."""
    kept = [o for o in gc.get_objects() if type(o).__name__ in ("TimerHandle", "Lock")]
    found = Counter(type(o).__name__ for o in kept if not (hasattr(o, "cancelled") and o.cancelled()))
    found["Task"] = len(asyncio.all_tasks())
    return found


async def test_messages_make_no_tasks(chat: ChatRooms, open_raw: OpenRaw) -> None:
    """But for the journal's batches, and there are few of those."""
    raw = await _joined(open_raw)
    made: list[object] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **how: Any) -> asyncio.Task[Any]:
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **how)

    asyncio.get_running_loop().set_task_factory(factory)
    await raw.write(
        b"".join(command("message", room="general", payload={"text": str(n)}) for n in range(500))
    )
    for _ in range(500):
        await raw.expect("message")

    assert len(made) < 50, Counter(getattr(coro, "__qualname__", "") for coro in made)
