"""What nobody reads is bounded: for each connection, and for all who have not signed in together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from sanic_chatrooms import MemoryBroker, MemoryPresence, User
from sanic_chatrooms.access.limits.kinds import Kind
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.sessions.backlog import TURN, Backlog
from sanic_chatrooms.sessions.session import Session
from sanic_chatrooms.stores.memory.store import MemoryStore
from sanic_chatrooms.testing import FaultyStore, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.pages import PAGE_BYTES

KIB = 1024
LIMIT = 64 * KIB
ADA, BOB = User("u1", "Ada"), User("u2", "Bob")
GUEST = User("guest-1", "Guest", guest=True)


class Unread:
    """What a client was sent whose kernel takes nothing: it waits, until `read`."""

    def __init__(self, client: MemoryClient) -> None:
        self.waits = 0
        self.cut = False
        connection = client.connection
        write = connection.write

        def note(data: bytes) -> None:
            self.waits += len(data)
            if self.waits > LIMIT:
                connection.congest()
            write(data)

        def cut() -> None:
            self.cut = True

        connection.write = note  # type: ignore[method-assign]
        connection.behind = lambda: self.waits  # type: ignore[method-assign]
        connection.cut = cut  # type: ignore[method-assign]
        self._connection = connection

    def read(self) -> None:
        self.waits = 0
        self._connection.decongest()


@pytest.fixture(params=["at once", "later"])
async def chat(request: pytest.FixtureRequest) -> AsyncIterator[Chat]:
    """With a room of 200 large messages, in a store that answers at once or in a later turn."""
    store = FaultyStore(MemoryStore())
    async with running_core(guests=True, backends=Backends(store, MemoryBroker(), MemoryPresence())) as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="fat")
        for _ in range(60):
            await ada.ack("message", room="fat", payload={"text": "x" * 15_000})
        if request.param == "later":
            store.latency = lambda: asyncio.sleep(0)
        yield chat


async def turns(client: MemoryClient, count: int = 200) -> None:
    """Long enough for whatever could be done."""
    for _ in range(count):
        await client.settle()
        await asyncio.sleep(0)


COMMANDS = ["history", "join", "members", "presence", "rooms"]


@pytest.mark.parametrize("user", [ADA, GUEST], ids=["signed in", "guest"])
async def test_who_reads_nothing_gets_one_page_more_than_may_wait(chat: Chat, user: User) -> None:
    other, client = await chat_client(chat, BOB), await chat_client(chat, user)
    unread = Unread(client)

    for _ in range(60):
        client.send("history", room="fat")
    await turns(other)

    assert LIMIT < unread.waits <= LIMIT + PAGE_BYTES + KIB


async def test_what_was_not_read_is_answered_in_order_once_it_is(chat: Chat) -> None:
    client = await chat_client(chat, ADA)
    unread = Unread(client)
    sent = [client.send(type, room="fat") for type in COMMANDS * 4]

    answered: list[str] = []
    for _ in range(2_000):
        unread.read()
        await asyncio.sleep(0)
        answered = [frame["replyTo"] for frame in client.frames if "replyTo" in frame]
        if len(answered) == len(sent):
            break

    assert answered == sent


async def test_recovery_counts_as_well(chat: Chat) -> None:
    other, client = await chat_client(chat, BOB), await chat_client(chat, ADA)
    head = (await chat.store.heads(("fat",)))["fat"]
    unread = Unread(client)

    for _ in range(60):
        client.send("join", room="fat", payload={"since": {"epoch": head.epoch, "seq": head.seq - 30}})
    await turns(other)

    assert LIMIT < unread.waits <= LIMIT + 512 * KIB + KIB


# ---- all who have not signed in ----


async def test_strangers_who_do_not_read_are_cut_off_the_longest_first(
    chat: Chat, caplog: pytest.LogCaptureFixture
) -> None:
    chat.backlog._limit = 4 * PAGE_BYTES
    other = await chat_client(chat, BOB)
    strangers = [await chat_client(chat) for _ in range(12)]
    unread = [Unread(client) for client in strangers]

    for client in strangers:
        client.send("history", room="fat")
        await turns(other, 30)  # of one answer

    cut = [one.cut for one in unread]
    assert cut == sorted(cut, reverse=True)
    assert sum(one.waits for one in unread if not one.cut) <= 4 * PAGE_BYTES
    assert next(client.connection.closed for client in strangers if client.connection.closed) == (
        4008,
        "reads too slowly",
    )
    assert "those who have not signed in" in caplog.text
    assert other.connection.closed is None


async def test_a_stranger_whose_last_answer_is_just_on_its_way_is_not_cut_off(chat: Chat) -> None:
    chat.backlog._limit = 4 * PAGE_BYTES
    other, talking = await chat_client(chat, BOB), await chat_client(chat)
    strangers = [await chat_client(chat) for _ in range(12)]
    first, unread = Unread(talking), [Unread(client) for client in strangers]
    await talking.ack("join", room="fat", payload={"history": 0})
    assert first.waits

    for client in strangers:
        client.send("history", room="fat")
        await turns(other, 30)  # of one answer

    assert any(one.cut for one in unread)
    assert not first.cut


async def test_strangers_who_read_are_not_cut_off(chat: Chat) -> None:
    chat.backlog._limit = 2 * PAGE_BYTES
    strangers = [await chat_client(chat) for _ in range(6)]
    unread = [Unread(client) for client in strangers]

    for client, one in zip(strangers, unread, strict=True):
        await client.ack("history", room="fat")
        one.read()

    assert [one.cut for one in unread] == [False] * 6


async def test_who_is_gone_does_not_count(chat: Chat) -> None:
    chat.backlog._limit = 2 * PAGE_BYTES
    for _ in range(6):
        client = await chat_client(chat)
        one = Unread(client)
        await client.ack("history", room="fat")
        client.disconnect()
        assert not one.cut

    assert (chat.backlog.total, chat.backlog._behind) == (0, {})


async def test_who_has_signed_in_is_not_cut_off(chat: Chat) -> None:
    chat.backlog._limit = 0
    client = await chat_client(chat, ADA)
    one = Unread(client)

    await client.ack("history", room="fat")

    assert not one.cut


# ---- the others ----


async def test_in_a_turn_only_as_many_begin_as_the_others_can_bear() -> None:
    now = 0.0
    async with running_core(guests=True) as chat:
        clients = [await chat_client(chat, ADA) for _ in range(5)]
        backlog = Backlog(chat.hub.fanout, clock=lambda: now)
        began: list[int] = []
        turn = 0

        async def begin(client: MemoryClient) -> None:
            nonlocal now
            await backlog.admit(client.session)
            now += TURN * 1.5
            began.append(turn)

        tasks = [asyncio.ensure_future(begin(client)) for client in clients]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            turn += 1

        assert len(set(began)) == 5


async def test_a_connection_starts_one_in_a_turn_so_those_of_several_alternate(chat: Chat) -> None:
    answered: list[str] = []
    whole = asyncio.Event()

    def note(user: str, data: bytes) -> None:
        if b'"ack"' in data:
            answered.append(user)
        if len(answered) == 8:
            whole.set()

    for client in [await chat_client(chat, user) for user in (ADA, BOB)]:
        client.connection.write = partial(note, client.session.user.id)  # type: ignore[method-assign]
        for _ in range(4):
            client.send("members", room="fat")

    async with asyncio.timeout(30):
        await whole.wait()
    assert answered == ["u1", "u2"] * 4


async def test_who_has_many_of_them_does_not_overtake_who_waits_for_one() -> None:
    """Also where each of them takes a whole turn."""
    now = 0.0
    async with running_core(guests=True) as chat:
        many, one, another = [(await chat_client(chat, ADA)).session for _ in range(3)]
        backlog = Backlog(chat.hub.fanout, clock=lambda: now)
        began: list[object] = []

        async def begin(session: object, times: int) -> None:
            nonlocal now
            for _ in range(times):
                await backlog.admit(session)  # type: ignore[arg-type]
                now += TURN * 1.5
                began.append(session)

        await asyncio.gather(begin(many, 10), begin(one, 1), begin(another, 1))

        assert {*began[:3]} == {many, one, another}


async def test_a_crowd_starts_in_its_order_and_few_are_woken_in_vain() -> None:
    now, looks = 0.0, 0

    def clock() -> float:
        nonlocal looks
        looks += 1
        return now

    async with running_core(guests=True) as chat:
        crowd = [(await chat_client(chat, ADA)).session for _ in range(160)]
        backlog = Backlog(chat.hub.fanout, clock=clock)
        began: list[Session] = []
        tasks: list[asyncio.Future[None]] = []

        async def begin(session: Session) -> None:
            nonlocal now
            await backlog.admit(session)
            now += TURN / 4
            began.append(session)
            if len(tasks) < len(crowd):  # others come while some wait
                tasks.append(asyncio.ensure_future(begin(crowd[len(tasks)])))

        tasks += [asyncio.ensure_future(begin(session)) for session in crowd[:100]]
        while len(began) < len(crowd):
            await asyncio.gather(*tasks)

        assert began == crowd
        assert looks < 4 * len(crowd)


async def test_however_busy_the_worker_is_one_starts_in_each_turn() -> None:
    now = 0.0
    async with running_core(guests=True) as chat:
        crowd = [(await chat_client(chat, ADA)).session for _ in range(20)]
        backlog = Backlog(chat.hub.fanout, clock=lambda: now)

        async def begin(session: Session) -> None:
            nonlocal now
            await backlog.admit(session)
            now += TURN * 1.5

        tasks = [asyncio.ensure_future(begin(session)) for session in crowd]
        for _ in range(3 * len(crowd)):
            await asyncio.sleep(0)
            now += TURN * 1.5  # of other work
        assert all(task.done() for task in tasks)
        await asyncio.gather(*tasks)


async def test_who_is_gone_takes_nobodys_turn() -> None:
    now, turn = 0.0, 0
    async with running_core(guests=True) as chat:
        crowd = [(await chat_client(chat, ADA)).session for _ in range(40)]
        backlog = Backlog(chat.hub.fanout, clock=lambda: now)

        async def begin(session: Session) -> None:
            nonlocal now
            await backlog.admit(session)
            now += 2 * TURN

        tasks = [asyncio.ensure_future(begin(session)) for session in crowd]
        await asyncio.sleep(0)
        for task in tasks[:-1]:
            task.cancel()
        while not tasks[-1].done():
            await asyncio.sleep(0)
            turn += 1
        assert turn < 10


async def test_users_in_a_hurry_do_not_overtake_the_others() -> None:
    now = 0.0
    async with running_core(guests=True, rate_limits=True, rate_read="1/h burst 10") as chat:
        hurried = [(await chat_client(chat, User(f"h{n}", "Ada"))).session for n in range(8)]
        calm = [(await chat_client(chat, User(f"c{n}", "Bob"))).session for n in range(4)]
        for session in hurried:
            assert session.limits.take(Kind.READ, 6) == 0.0
        backlog = Backlog(chat.hub.fanout, clock=lambda: now)
        began: list[Session] = []

        async def begin(session: Session, times: int) -> None:
            nonlocal now
            for _ in range(times):
                await backlog.admit(session)
                now += TURN * 1.5
                began.append(session)

        tasks = [asyncio.ensure_future(begin(session, 5)) for session in hurried]
        await asyncio.gather(*tasks, *[begin(session, 1) for session in calm])
        assert max(map(began.index, calm)) < 3 * len(calm)


async def test_of_all_users_in_a_hurry_two_commands_start_in_a_turn_and_others_do_not_wait_for_them() -> None:
    async with running_core(guests=True, rate_limits=True, rate_read="1/h burst 10") as chat:
        hurried = [(await chat_client(chat, User(f"h{n}", "Ada"))).session for n in range(6)]
        calm = (await chat_client(chat, BOB)).session
        for session in hurried:
            assert session.limits.take(Kind.READ, 6) == 0.0
        backlog = Backlog(chat.hub.fanout, clock=lambda: 0.0)  # no turn of the loop takes long
        began: dict[int, list[object]] = {}
        turn = 0

        async def begin(session: Session) -> None:
            await backlog.admit(session)
            began.setdefault(turn, []).append(session)

        tasks = [asyncio.ensure_future(begin(session)) for session in (*hurried, calm)]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            turn += 1

        assert list(began.values()) == [[calm], hurried[:2], hurried[2:4], hurried[4:]]
