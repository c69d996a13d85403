"""The commands of one connection: their order, their limits, and what a store that fails means for those behind."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, Context, MemoryBroker, MemoryPresence, MemoryStore, User
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.hooks.middleware import Handler
from sanic_chatrooms.models import Room
from sanic_chatrooms.sessions.queue import QUEUE_BYTES, QUEUE_LIMIT
from sanic_chatrooms.sessions.seats import Seat
from sanic_chatrooms.sessions.session import Session
from sanic_chatrooms.testing import FaultyStore, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.wire.codes import CloseCode
from sanic_chatrooms.wire.decode import Command
from tests.support.sessions import Bench

pytestmark = pytest.mark.usefixtures("idle_time")

ADA = User("u1", "Ada")


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


@pytest.mark.skipif(sys.version_info < (3, 12), reason="its tasks begin in the next turn")
async def test_a_command_begins_where_it_was_read_and_leaves_no_task_if_it_need_not_wait(
    bench: Bench,
) -> None:
    before = asyncio.all_tasks()
    bench.carrier.let("1", "3")

    def then(session: Session) -> None:
        if bench.carrier.log == ["slow 1"]:
            bench.send("slow", "2")  # comes while the first is carried out

    bench.carrier.then = then
    bench.send("slow", "1")
    assert bench.carrier.log == ["slow 1", "slow 1 done", "slow 2"]
    bench.send("slow", "3")
    bench.send("fast")
    assert bench.carrier.log[3:] == []

    bench.carrier.let("2")
    await bench.idle()

    assert bench.carrier.log[3:] == ["slow 2 done", "slow 3", "slow 3 done", "fast"]
    bench.send("slow", "1")
    assert bench.carrier.log[7:] == ["slow 1", "slow 1 done"]
    assert asyncio.all_tasks() == before


async def test_a_message_that_is_judged_again_comes_before_what_was_sent_after_it(bench: Bench) -> None:
    seat = bench.session.seats["a"] = Seat(Room("a", "e", 0), Standing())
    bench.send("message", "a")
    bench.send("message", "b")
    seat.fresh = False  # while these two are under way
    bench.send("message", "a")
    await bench.idle()
    assert bench.carrier.log == ["message a", "message b"], "the third waits until both have their answers"

    for room in "ab":
        bench.session.queue.redo(Command("again", room=room))
        bench.session.queue.ended()
    bench.carrier.let("a", "b")
    await bench.idle()

    assert bench.carrier.log[2:] == ["again a", "again a done", "again b", "again b done", "message a"]


async def test_nothing_of_a_closed_connection_is_judged_again(bench: Bench) -> None:
    bench.session.close(CloseCode.NORMAL)

    bench.session.queue.redo(Command("again", room="a"))
    await bench.idle()

    assert bench.carrier.log == []


async def test_messages_are_under_way_together(bench: Bench) -> None:
    for name in "abc":
        bench.send("message", name)

    assert bench.carrier.log == ["message a", "message b", "message c"]
    assert bench.session.queue.under_way == 3


async def test_every_other_command_waits_for_the_messages_before_it(bench: Bench) -> None:
    bench.send("message", "a")
    bench.send("message", "b")
    bench.send("fast")
    await bench.idle()
    assert bench.carrier.log == ["message a", "message b"]

    bench.session.queue.ended()
    await bench.idle()
    assert bench.carrier.log == ["message a", "message b"]

    bench.session.queue.ended()
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
    bench.session.queue.do(work)
    bench.send("fast")
    await bench.idle()
    assert bench.carrier.log == ["message a"]

    bench.session.queue.ended()
    await bench.idle()

    assert bench.carrier.log == ["message a", "work", "fast"]


async def test_no_more_messages_are_under_way_than_may_queue(bench: Bench) -> None:
    for _ in range(QUEUE_LIMIT + 2):
        bench.send("message", "a")
    await bench.idle()
    assert bench.session.queue.under_way == QUEUE_LIMIT

    for _ in range(QUEUE_LIMIT):
        bench.session.queue.ended()
    await bench.idle()

    assert bench.session.queue.under_way == 2


async def test_an_idle_session_owns_no_task(bench: Bench) -> None:
    before = asyncio.all_tasks()

    bench.send("slow", "1")
    assert len(asyncio.all_tasks()) == len(before) + 1
    bench.carrier.let("1")
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
        bench.session.queue.do(Command("slow", None, str(number), large.encode()))
    assert not bench.is_read()

    bench.carrier.let("first", *map(str, range(3)))
    await bench.idle()
    assert not bench.is_read()

    bench.carrier.let("3", "4")
    await bench.idle()
    assert bench.is_read()
    bench.carrier.let("5", "6", "7")
    await bench.idle()


async def test_a_connection_that_rests_is_not_read_although_a_command_is_done(bench: Bench) -> None:
    bench.session.queue.rest(3_600)
    bench.carrier.let("1")

    bench.send("slow", "1")
    await bench.idle()

    assert bench.carrier.log[-1] == "slow 1 done"
    assert not bench.is_read()


async def test_after_its_rest_a_connection_is_read_unless_its_queue_is_full(bench: Bench) -> None:
    queue = bench.session.queue
    queue.rest(3_600)
    for number in range(QUEUE_LIMIT):
        bench.send("slow", str(number))

    assert isinstance(queue._reading, asyncio.Future)
    queue._rested(queue._reading)
    assert not bench.is_read()

    bench.carrier.let(*map(str, range(QUEUE_LIMIT)))
    await bench.idle()
    assert bench.is_read()


async def test_if_a_command_that_has_waited_asks_for_a_rest_those_behind_it_wait_too(bench: Bench) -> None:
    queue = bench.session.queue
    bench.carrier.then = lambda _: queue.rest(3_600)
    bench.carrier.let("1", "2")

    bench.send("slow", "1")
    bench.send("slow", "2")
    await bench.idle()
    assert bench.carrier.log == ["slow 1", "slow 1 done"]

    assert isinstance(queue._reading, asyncio.Future)
    queue._rested(queue._reading)
    await bench.idle()
    assert bench.carrier.log[2:] == ["slow 2", "slow 2 done"]


async def test_closing_ends_a_rest(bench: Bench) -> None:
    bench.carrier.then = lambda session: session.queue.rest(3_600)
    bench.carrier.let("1")
    before = asyncio.all_tasks()
    bench.send("slow", "1")
    bench.send("slow", "2")
    await bench.idle()
    queue = bench.session.queue

    bench.session.close(4100)
    await bench.idle()

    assert asyncio.all_tasks() == before
    queue._rested(asyncio.get_running_loop().create_future())


async def test_a_connection_that_is_closed_does_not_rest(bench: Bench) -> None:
    """Its close frame is awaited."""
    bench.session.close(4100)

    bench.session.queue.rest(3_600)

    assert bench.is_read()


async def test_a_congested_connection_carries_out_nothing_until_it_is_drained(bench: Bench) -> None:
    bench.connection.congest()
    bench.send("fast")
    bench.send("message", "a")
    await bench.idle()
    assert bench.carrier.log == []

    bench.connection.decongest()
    await bench.idle()

    assert bench.carrier.log == ["fast", "message a"]


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
