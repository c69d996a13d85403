"""One connection's commands: their order, who waits for whom, and what is left of them when it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, Context, MemoryBroker, MemoryPresence, MemoryStore, User
from sanic_chatrooms.access.policy import RoomPolicy
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.config.load import load
from sanic_chatrooms.errors import Forbidden, Unavailable
from sanic_chatrooms.hooks.middleware import Handler
from sanic_chatrooms.models import Handshake, Room
from sanic_chatrooms.sessions.route import Endpoint
from sanic_chatrooms.sessions.session import QUEUE_BYTES, QUEUE_LIMIT, Seat, Session, State
from sanic_chatrooms.testing import FaultyStore, MemoryClient, MemoryConnection, RecordingMeter, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.wire.codes import CloseCode
from sanic_chatrooms.wire.decode import Command
from sanic_chatrooms.wire.encode import ack

ADA = User("u1", "Ada")


class Carrier:
    """A dispatcher that notes what is carried out: `fast` at once, `slow` until its future is done."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.gates: dict[str, asyncio.Future[None]] = {}
        self.gone = 0
        self.ended: list[str] = []
        self.then: Callable[[Session], Awaitable[None] | None] | None = None
        self.meter = RecordingMeter()
        self.counted: list[tuple[str, str]] = []

    def count(self, type: str, result: str) -> None:
        self.counted.append((type, result))

    def at_once(self, session: Session, command: Command) -> bool:
        if command.type != "message" and command.type != "fast":
            return False
        self.log.append(f"{command.type} {command.room or ''}".strip())
        if command.type == "message":
            session.begun()
        return True

    def concurrent(self, command: Command) -> bool:
        return command.type in ("message", "direct")

    async def admit(self, session: Session) -> None: ...

    def behind(self, session: Session) -> None: ...

    async def carry_out(self, session: Session, command: Command) -> None:
        name = command.room or ""
        self.log.append(f"{command.type} {name}".strip())
        try:
            if self.then is not None and (waits := self.then(session)) is not None:
                await waits
            await self.gates.setdefault(name, asyncio.get_running_loop().create_future())
            self.log.append(f"{command.type} {name} done")
        finally:
            self.ended.append(name)

    def means_the_path(self, type: str) -> bool:
        return type != "anywhere"

    def evicted(self, session: Session, room: str) -> None:
        session.seats.pop(room, None)

    def withdraw(self, session: Session) -> None: ...

    def closed(self, session: Session) -> None:
        self.gone += 1

    def let(self, *names: str) -> None:
        """Let these commands end."""
        for name in names:
            self.gates.setdefault(name, asyncio.get_running_loop().create_future()).set_result(None)


class Bench:
    """A session on its own."""

    def __init__(self, **settings: Any) -> None:
        self.carrier = Carrier()
        self.connection = MemoryConnection()
        loaded = load("test", {}, {}, {"guests": True, **settings}, debug=False, instances=("test",))
        endpoint = Endpoint(settings=loaded, policy=RoomPolicy(), authenticator=None, guests=None)
        handshake = Handshake("/ws", {}, {}, {}, "127.0.0.1", False)
        self.session = Session(
            self.connection,
            self.carrier,
            lambda session, frame: self.connection.reply(frame),
            endpoint=endpoint,
            handshake=handshake,
        )
        self.session.authenticated = True
        self.session.state = State.ACTIVE

    def is_read(self) -> bool:
        return self.connection.reading

    def send(self, type: str, room: str | None = None) -> None:
        self.session.receive(json.dumps({"type": type, "room": room}).encode())

    async def idle(self) -> None:
        """Until the session has nothing to do, or nothing it can do now."""
        for _ in range(3 * QUEUE_LIMIT):
            await asyncio.sleep(0)


@pytest.fixture
def bench() -> Bench:
    return Bench()


# ---- order ----


async def test_what_can_be_done_at_once_needs_no_task(bench: Bench) -> None:
    before = asyncio.all_tasks()

    bench.send("fast")
    bench.send("message", "a")

    assert bench.carrier.log == ["fast", "message a"]
    assert asyncio.all_tasks() == before


async def test_commands_queue_behind_one_that_waits(bench: Bench) -> None:
    bench.send("slow", "1")
    bench.send("fast")
    bench.send("slow", "2")
    bench.send("message", "m")
    await bench.idle()
    assert bench.carrier.log == ["slow 1"]

    bench.carrier.let("1", "2")
    await bench.idle()

    assert bench.carrier.log == ["slow 1", "slow 1 done", "fast", "slow 2", "slow 2 done", "message m"]


async def test_a_message_that_is_judged_again_comes_before_what_was_sent_after_it(bench: Bench) -> None:
    seat = bench.session.seats["a"] = Seat(Room("a", "e", 0), Standing())
    bench.send("message", "a")
    bench.send("message", "b")
    seat.fresh = False  # while these two are under way
    bench.send("message", "a")
    await bench.idle()
    assert bench.carrier.log == ["message a", "message b"], "the third waits until both have their answers"

    for room in "ab":
        bench.session.redo(Command("again", room=room))
        bench.session.ended()
    bench.carrier.let("a", "b")
    await bench.idle()

    assert bench.carrier.log[2:] == ["again a", "again a done", "again b", "again b done", "message a"]


async def test_nothing_of_a_closed_connection_is_judged_again(bench: Bench) -> None:
    bench.session.close(CloseCode.NORMAL)

    bench.session.redo(Command("again", room="a"))
    await bench.idle()

    assert bench.carrier.log == []


async def test_messages_are_under_way_together(bench: Bench) -> None:
    for name in "abc":
        bench.send("message", name)

    assert bench.carrier.log == ["message a", "message b", "message c"]
    assert bench.session.under_way == 3


async def test_every_other_command_waits_for_the_messages_before_it(bench: Bench) -> None:
    bench.send("message", "a")
    bench.send("message", "b")
    bench.send("fast")
    await bench.idle()
    assert bench.carrier.log == ["message a", "message b"]

    bench.session.ended()
    await bench.idle()
    assert bench.carrier.log == ["message a", "message b"]

    bench.session.ended()
    await bench.idle()
    assert bench.carrier.log == ["message a", "message b", "fast"]


async def test_a_direct_does_not_wait_for_messages_but_messages_wait_for_it(bench: Bench) -> None:
    bench.send("message", "a")
    bench.send("direct", "d")
    bench.send("message", "b")
    await bench.idle()
    assert bench.carrier.log == ["message a", "direct d"]

    bench.carrier.let("d")
    await bench.idle()

    assert bench.carrier.log == ["message a", "direct d", "direct d done", "message b"]


async def test_work_of_the_servers_own_takes_its_turn(bench: Bench) -> None:
    async def work() -> None:
        bench.carrier.log.append("work")

    bench.send("message", "a")
    bench.session.do(work)
    bench.send("fast")
    await bench.idle()
    assert bench.carrier.log == ["message a"]

    bench.session.ended()
    await bench.idle()

    assert bench.carrier.log == ["message a", "work", "fast"]


async def test_no_more_messages_are_under_way_than_may_queue(bench: Bench) -> None:
    for _ in range(QUEUE_LIMIT + 2):
        bench.send("message", "a")
    await bench.idle()
    assert bench.session.under_way == QUEUE_LIMIT

    for _ in range(QUEUE_LIMIT):
        bench.session.ended()
    await bench.idle()

    assert bench.session.under_way == 2


async def test_an_idle_session_owns_no_task(bench: Bench) -> None:
    before = asyncio.all_tasks()
    bench.carrier.let("1")

    bench.send("slow", "1")
    assert len(asyncio.all_tasks()) == len(before) + 1
    await bench.idle()

    assert asyncio.all_tasks() == before


# ---- limits ----


async def test_reading_pauses_when_the_queue_is_full_and_goes_on_when_half_is_done(bench: Bench) -> None:
    bench.send("slow", "first")
    await bench.idle()
    for number in range(QUEUE_LIMIT - 1):
        bench.send("slow", str(number))
    assert bench.is_read()

    bench.send("slow", "last")
    assert not bench.is_read()

    bench.carrier.let("first", *map(str, range(QUEUE_LIMIT // 2)))
    await bench.idle()
    assert not bench.is_read()

    bench.carrier.let(str(QUEUE_LIMIT // 2))
    await bench.idle()
    assert bench.is_read()

    bench.carrier.let("last", *map(str, range(QUEUE_LIMIT // 2 + 1, QUEUE_LIMIT - 1)))
    await bench.idle()
    assert bench.carrier.log[-1] == "slow last done"


async def test_reading_pauses_when_large_commands_wait_and_goes_on_when_half_of_their_bytes_are_done(
    bench: Bench,
) -> None:
    large = json.dumps({"x": "x" * (QUEUE_BYTES // 8)})
    bench.send("slow", "first")
    await bench.idle()
    for number in range(8):
        bench.session.do(Command("slow", None, str(number), large.encode()))
    assert not bench.is_read()

    bench.carrier.let("first", *map(str, range(3)))
    await bench.idle()
    assert not bench.is_read()

    bench.carrier.let("3", "4")
    await bench.idle()
    assert bench.is_read()
    bench.carrier.let("5", "6", "7")
    await bench.idle()


async def test_a_congested_connection_carries_out_nothing_until_it_is_drained(bench: Bench) -> None:
    bench.connection.congest()
    bench.send("fast")
    bench.send("message", "a")
    await bench.idle()
    assert bench.carrier.log == []

    bench.connection.decongest()
    await bench.idle()

    assert bench.carrier.log == ["fast", "message a"]


# ---- what cannot be read ----


async def test_malformed_frames_are_answered_and_too_many_in_a_row_close() -> None:
    bench = Bench(max_bad_frames=3)
    for _ in range(2):
        bench.session.receive(b"{")
    bench.send("fast")
    for _ in range(2):
        bench.session.receive(b"[]")
    assert not bench.session.closed

    bench.session.receive(b"")

    assert [frame["payload"]["code"] for frame in bench.connection.frames] == ["bad_frame"] * 5
    assert bench.connection.closed == (4501, "too many malformed frames")
    assert bench.carrier.log == ["fast"]


async def test_a_wrong_field_is_no_malformed_frame() -> None:
    bench = Bench(max_bad_frames=1)

    bench.session.receive(b'{"type":"x","room":"a b"}')

    assert bench.connection.frames[0]["payload"]["code"] == "invalid_field"
    assert bench.connection.closed is None


async def test_before_authentication_a_wrong_field_is_answered_like_all_else(bench: Bench) -> None:
    bench.session.authenticated = False

    bench.session.receive(b'{"type":"x","msgId":"sixteen-letters-x","room":"a b"}')

    assert bench.connection.frames[0]["payload"]["code"] == "unauthenticated"
    assert bench.connection.frames[0]["replyTo"] == "sixteen-letters-x"


@pytest.mark.parametrize(("type", "limit"), [("auth", 16 * 1024), ("ping", 4 * 1024)])
async def test_before_authentication_only_small_frames_are_looked_at(
    bench: Bench, type: str, limit: int
) -> None:
    bench.session.authenticated = False
    empty = len(f'{{"type":"{type}","payload":{{"x":""}}}}')
    frame = f'{{"type":"{type}","payload":{{"x":"%s"}}}}'

    bench.session.receive((frame % ("x" * (limit - empty))).encode())
    bench.session.receive((frame % ("x" * (limit - empty + 1))).encode())
    bench.session.receive(b"x" * 65_536)
    await bench.idle()

    assert bench.carrier.log == [type]
    errors = [frame["payload"] for frame in bench.connection.frames]
    assert [(e["code"], e["limit"], e["size"]) for e in errors] == [
        ("too_large", limit, limit + 1),
        ("too_large", 16 * 1024, 65_536),
    ]


async def test_a_command_without_room_means_the_room_of_the_path(bench: Bench) -> None:
    bench.session.room = "lobby"

    bench.send("message")
    bench.send("message", "other")

    assert bench.carrier.log == ["message lobby", "message other"]


async def test_a_command_that_needs_no_room_does_not_mean_the_room_of_the_path(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []

    def note(session: Session, command: Command) -> bool:
        seen.append(command.room)
        return True

    monkeypatch.setattr(bench.carrier, "at_once", note)
    bench.session.room = "lobby"

    bench.send("anywhere")
    bench.send("anywhere", "other")

    assert seen == [None, "other"]


async def test_the_first_frame_after_silence_makes_it_active(bench: Bench) -> None:
    bench.session.state = State.IDLE

    bench.send("fast")

    assert bench.session.state is State.ACTIVE


# ---- the end ----


async def test_closing_ends_what_is_carried_out_and_forgets_what_queues(bench: Bench) -> None:
    bench.send("slow", "1")
    bench.send("slow", "2")
    await bench.idle()

    bench.session.close(CloseCode.DISCONNECTED)
    await bench.idle()
    bench.send("fast")

    assert bench.carrier.log == ["slow 1"]
    assert bench.carrier.ended == ["1"]
    assert bench.connection.closed == (4503, "disconnected by the application")
    assert bench.carrier.gone == 1


async def test_closing_while_commands_wait_for_messages(bench: Bench) -> None:
    bench.send("message", "a")
    bench.send("fast")
    await bench.idle()

    bench.session.close(CloseCode.DISCONNECTED)
    await bench.idle()
    bench.session.ended()

    assert bench.carrier.log == ["message a"]
    assert len(asyncio.all_tasks()) == 1


async def test_closing_while_congested(bench: Bench) -> None:
    bench.connection.congest()
    bench.send("fast")
    await bench.idle()

    bench.session.close(CloseCode.SLOW_CONSUMER)
    await bench.idle()

    assert bench.carrier.log == []
    assert len(asyncio.all_tasks()) == 1


async def test_a_handler_may_close_its_own_session_and_end_by_itself(bench: Bench) -> None:
    bench.carrier.let("1")
    bench.carrier.then = lambda session: session.close(CloseCode.INVALID_TOKEN)
    bench.send("slow", "1")
    bench.send("slow", "2")

    await bench.idle()

    assert bench.carrier.log == ["slow 1", "slow 1 done"]
    assert bench.connection.closed == (4500, "invalid token")


async def test_the_end_is_told_once(bench: Bench) -> None:
    bench.session.close(CloseCode.DISCONNECTED, "enough")
    bench.session.close(CloseCode.NO_HEARTBEAT)
    bench.session.disconnected()

    assert bench.carrier.gone == 1
    assert bench.connection.closed == (4503, "enough")
    assert bench.session.closed


async def test_a_peer_that_is_gone_is_sent_nothing(bench: Bench) -> None:
    bench.session.disconnected()

    bench.session.answer(ack(None, {}))
    bench.session.send("notice", {})

    assert bench.connection.frames == []
    assert bench.connection.closed is None
    assert bench.carrier.gone == 1


async def test_a_defect_in_the_dispatcher_closes_the_connection_and_is_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(session: Session) -> None:
        raise ZeroDivisionError

    bench.carrier.then = fail
    bench.send("slow", "1")
    await bench.idle()

    assert bench.connection.closed == (1011, "server error")
    assert "failed" in caplog.text


async def test_work_that_a_backend_cannot_do_now_sends_the_client_away_to_come_back(bench: Bench) -> None:
    """What the server does by itself has nobody to answer: a client that reconnects finds out what it missed."""

    async def work() -> None:
        raise Unavailable

    bench.session.do(work)
    await bench.idle()

    assert bench.connection.closed == (4010, "position lost")


async def test_errors_of_ours_travel_and_others_are_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.session.fail(Command("x", "i" * 16, "general"), Forbidden("no"))
    bench.session.fail(Command("x", None, "general"), ZeroDivisionError("secret"))

    first, second = bench.connection.frames
    assert (first["replyTo"], first["room"], first["payload"]["code"]) == ("i" * 16, "general", "forbidden")
    assert second["payload"]["code"] == "internal"
    assert "secret" not in json.dumps(second)
    assert "ZeroDivisionError" in caplog.text


async def test_an_eviction_takes_the_seat(bench: Bench) -> None:
    bench.session.seats["general"] = Seat(Room("general", "e", 0), Standing())

    bench.session.evicted("general")

    assert bench.session.seats == {}


# ---- a store that fails ----


class Faulty:
    """A chat over a store that fails on demand, and Ada in two of its rooms."""

    def __init__(self, store: FaultyStore, ada: MemoryClient) -> None:
        self.store = store
        self.ada = ada

    def say(self, room: str = "a") -> str:
        return self.ada.send("message", room=room, payload={"text": "x"})

    async def code(self, msg_id: str) -> str:
        """What a command was answered by: ack, or the error's code."""
        frame = await self.ada.reply(msg_id)
        return "ack" if frame["type"] == "ack" else str(frame["payload"]["code"])


async def faulty(rooms: ChatRooms | None = None) -> AsyncIterator[Faulty]:
    store = FaultyStore(MemoryStore())
    backends = Backends(store, MemoryBroker(), MemoryPresence())
    async with running_core(rooms, backends=backends, guests=True, store_timeout=0.15) as chat:
        ada = await chat_client(chat, ADA)
        for room in ("a", "b"):
            await ada.ack("join", room=room)
        yield Faulty(store, ada)


async def test_later_messages_share_the_fate_of_one_that_may_not_be_stored() -> None:
    async for chat in faulty():
        chat.store.hang()
        first = chat.say()
        await asyncio.sleep(0)  # the first is under way alone, the others are its next batch
        await asyncio.sleep(0)
        second, third, elsewhere = chat.say(), chat.say(), chat.say("b")

        assert await chat.code(first) == "unavailable"
        chat.store.resume()

        assert [await chat.code(id) for id in (second, third)] == ["unavailable", "unavailable"]
        assert await chat.code(elsewhere) == "ack"
        assert await chat.code(chat.say()) == "ack"
        assert (await chat.ada.ack("history", room="a"))["seq"] == 1


async def test_messages_that_still_queue_share_it_too() -> None:
    async for chat in faulty():
        chat.store.hang()
        said = [chat.say() for _ in range(QUEUE_LIMIT + 3)]
        elsewhere = chat.say("b")

        assert await chat.code(said[0]) == "unavailable"
        chat.store.resume()

        assert {await chat.code(id) for id in said[1:]} == {"unavailable"}
        assert await chat.code(elsewhere) == "ack"
        assert (await chat.ada.ack("history", room="a"))["messages"] == []


async def test_messages_behind_middleware_share_it_too() -> None:
    rooms = ChatRooms("test")

    @rooms.middleware("message")
    async def pass_on(ctx: Context, call_next: Handler) -> Any:
        return await call_next(ctx)

    async for chat in faulty(rooms):
        chat.store.hang()
        first, second, other = chat.say(), chat.say(), chat.ada.send("ping")

        assert await chat.code(first) == "unavailable"
        chat.store.resume()

        assert await chat.code(second) == "unavailable"
        assert (await chat.ada.reply(other))["type"] == "pong"
        assert (await chat.ada.ack("history", room="a"))["messages"] == []


async def test_directs_that_queue_behind_one_that_may_not_be_stored_share_its_fate() -> None:
    async for chat in faulty():
        await chat.ada.ack("direct", payload={"to": "u2", "body": {"text": "made"}})
        chat.store.hang()
        first = chat.ada.send("direct", payload={"to": "u2", "body": {"text": "1"}})
        second = chat.ada.send("direct", payload={"to": "u2", "body": {"text": "2"}})
        await asyncio.sleep(0)
        chat.store.fail_next(verb="room")
        chat.store.resume()

        assert await chat.code(first) == "unavailable"
        assert await chat.code(second) == "unavailable"


async def test_a_message_that_is_repeated_after_it_is_stored_once() -> None:
    async for chat in faulty():
        chat.store.unknown_outcome_next()
        first = chat.say()

        assert await chat.code(first) == "ack"
        chat.store.hang()
        second = chat.say()
        assert await chat.code(second) == "unavailable"
        chat.store.resume()
        again = await chat.ada.ack("message", room="a", payload={"text": "x"}, msg_id=second)

        assert again["seq"] == 2


async def test_other_errors_are_nobodys_fate() -> None:
    async for chat in faulty():
        first = chat.ada.send("message", room="a", payload={})
        second = chat.say()

        assert [await chat.code(id) for id in (first, second)] == ["invalid_field", "ack"]
