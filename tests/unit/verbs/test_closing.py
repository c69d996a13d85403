"""How messages that are being written end when something is in the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sanic_chatrooms import (
    ChatError,
    ChatRooms,
    Forbidden,
    MemoryBroker,
    MemoryPresence,
    MemoryStore,
    Room,
    RoomPolicy,
    Standing,
    Unavailable,
    User,
)
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.models import Draft, Member
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores import streams as kept
from sanic_chatrooms.testing import FaultyStore, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs import closing

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")
NO_MESSAGE = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a12"
WITHIN = 40.0


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True)


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore(MemoryStore())


@pytest.fixture
async def chat(rooms: ChatRooms, store: FaultyStore) -> AsyncIterator[Chat]:
    backends = Backends(store, MemoryBroker(), MemoryPresence())
    async with running_core(rooms, backends=backends) as chat:
        yield chat


async def enter(chat: Chat, user: User, room: str = "general") -> MemoryClient:
    client = await chat_client(chat, user)
    await client.ack("join", room=room)
    return client


async def open_message(client: MemoryClient, text: str = "") -> str:
    id: str = (await client.ack("message.open", room="general", payload={"text": text}))["msgId"]
    return id


async def ask(client: MemoryClient, type: str, id: str, **payload: Any) -> Any:
    return (await client.request(type, room="general", payload={"msgId": id, **payload}))["payload"]


async def ended(client: MemoryClient, count: int = 1) -> list[Any]:
    """The payloads of the first `count` messages that were closed."""
    async with asyncio.timeout(WITHIN):
        while True:
            seen = [frame["payload"] for frame in client.frames if frame["type"] == "message.edited"]
            if len(seen) >= count:
                return seen
            await asyncio.sleep(0.01)  # nothing tells when a frame has come


async def test_a_refused_open_leaves_others_in_the_room_observed(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, eve = [await enter(chat, user) for user in (ADA, BOB, EVE)]
    await members.put(chat.store, "general", Member(BOB.id, BOB.name, "moderator"))
    append, going_on, reached = chat.journal.append, asyncio.Event(), asyncio.Event()

    async def slowly(item: Draft, source: object = None) -> Any:
        stored = await append(item, source)
        if item.type == "message" and item.sender is not None and item.sender.id == ADA.id:
            reached.set()
            await going_on.wait()
        return stored

    monkeypatch.setattr(chat.journal, "append", slowly)
    opening = asyncio.ensure_future(open_message(ada))
    await reached.wait()
    body = {"text": "", "parent": NO_MESSAGE}
    refused = await eve.request("message.open", room="general", payload=body)
    going_on.set()
    id = await opening

    await bob.ack("member.ban", room="general", payload={"user": ADA.id})

    assert refused["payload"]["code"] == "invalid_field"
    assert [payload["ended"] for payload in await ended(bob)] == ["interrupted"]
    assert "code" in await ask(ada, "message.append", id, at=0, text="I am banned")


async def test_a_message_whose_close_was_refused_takes_no_more_pieces(rooms: ChatRooms, chat: Chat) -> None:
    ada, bob = await enter(chat, ADA), await enter(chat, BOB)
    id = await open_message(ada)
    await ask(ada, "message.append", id, at=0, text="a bad word")

    refused = await ask(ada, "message.close", id)
    more = await ask(ada, "message.append", id, at=10, text=" and another")

    assert refused["code"] == "forbidden"
    assert more["code"] in ("conflict", "message_not_found")
    assert [payload.get("ended") for payload in await ended(bob)] == ["error"]
    assert chat.streams.own == {}


@pytest.fixture(autouse=True)
def _check(rooms: ChatRooms) -> None:
    @rooms.before_publish(budget=5.0)
    async def check(ctx: Any) -> None:
        if "bad" in ctx.payload["text"]:
            raise Forbidden("a bad word")
        if "strange" in ctx.payload["text"]:
            raise ValueError("nobody thought of this")


async def test_one_message_that_cannot_be_closed_keeps_no_other_open(
    chat: Chat, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ada, bob = await enter(chat, ADA), await enter(chat, BOB)
    for text in ("one", "two"):
        id = await open_message(ada)
        await ask(ada, "message.append", id, at=0, text=text)
        await chat.streams._keep(chat.streams.own[id])
    chat.streams.own.clear()  # as if the worker were another one
    finish, failed = closing.finish, list[str]()

    async def once(core: Any, known: Any, *rest: Any) -> bool:
        if not failed:
            failed.append(known.msg_id)
            raise ValueError("nobody thought of this")
        return await finish(core, known, *rest)

    monkeypatch.setattr(closing, "finish", once)
    monkeypatch.setattr(closing, "LEASE", -60.0)

    await chat.closing.look_for_silent()

    assert len(await ended(bob)) == 1
    assert failed
    assert failed[0] in caplog.text


async def test_a_text_is_closed_whole_when_the_store_is_back(
    chat: Chat, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "AGAIN", 0.01)
    ada, bob = await enter(chat, ADA), await enter(chat, BOB)
    id = await open_message(ada)
    await ask(ada, "message.append", id, at=0, text="the whole answer")
    there, asked = kept.stream, list[str]()

    async def away_at_first(*args: Any) -> Any:
        asked.append(id)
        if len(asked) < 3:
            raise Unavailable
        return await there(*args)

    monkeypatch.setattr(kept, "stream", away_at_first)
    await chat.closing.interrupt(chat.streams.own[id])

    [payload] = await ended(bob)
    assert (payload["body"]["text"], payload["ended"]) == ("the whole answer", "interrupted")
    assert chat.streams.own == {}


async def test_a_take_over_that_fails_observes_nothing(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await enter(chat, ADA)
    id = await open_message(ada)
    writing = chat.streams.own.pop(id)
    chat.streams.close(writing)

    async def away(*_: Any) -> Any:
        raise Unavailable

    monkeypatch.setattr(kept, "take_over", away)
    with pytest.raises(Unavailable):
        await chat.streams.take_over("general", id)

    assert chat.streams._observing.observers == {}


async def test_a_message_to_somebody_who_blocks_its_writer_ends(chat: Chat) -> None:
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    said = await ada.ack("direct", payload={"to": BOB.id, "body": {"text": "hi"}})
    await ada.ack("join", room=said["room"])
    await bob.ack("join", room=said["room"])
    id = (await ada.ack("message.open", room=said["room"], payload={"text": ""}))["msgId"]

    await bob.ack("user.block", payload={"user": ADA.id})

    assert [payload["ended"] for payload in await ended(bob)] == ["interrupted"]
    more = await ada.request("message.append", room=said["room"], payload={"msgId": id, "at": 0, "text": "x"})
    assert "code" in more["payload"]


async def test_messages_that_a_user_opens_at_once_are_counted_too(chat: Chat) -> None:
    clients = [await enter(chat, ADA) for _ in range(8)]

    answers = await asyncio.gather(
        *(client.request("message.open", room="general", payload={"text": ""}) for client in clients)
    )

    codes = [answer["payload"].get("code", answer["type"]) for answer in answers]
    assert sorted(codes) == ["ack"] * 4 + ["rate_limited"] * 4


# ---- closes that are cancelled ----


async def test_a_close_that_is_cancelled_after_it_was_stored_ends_the_writing(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = await enter(chat, ADA), await enter(chat, BOB)
    id = await open_message(ada)
    append = chat.journal.append

    async def never_answers(item: Draft, source: object = None) -> Any:
        await append(item, source)
        if item.type == "message.edited":
            raise asyncio.CancelledError

    async def nothing() -> None:
        """Only what is under test ends it."""

    monkeypatch.setattr(chat.journal, "append", never_answers)
    monkeypatch.setattr(chat.streams, "keep", nothing)
    await ada.request("message.close", room="general", payload={"msgId": id})
    await ended(bob)

    await background(chat)
    assert chat.streams.own == {}
    assert chat.streams._observing.observers == {}


async def test_a_close_that_is_cancelled_before_it_is_stored_lets_the_writer_go_on(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await enter(chat, ADA)
    id = await open_message(ada)

    async def cancelled(item: Draft, source: object = None) -> Any:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(chat.journal, "append", cancelled)
        await ada.request("message.close", room="general", payload={"msgId": id})
    async with asyncio.timeout(WITHIN):
        while (answer := await ask(ada, "message.append", id, at=0, text="x")) != {"at": 1}:
            assert answer["code"] == "conflict"

    assert (await ada.request("message.close", room="general", payload={"msgId": id}))["type"] == "ack"


async def test_the_app_cancelled_while_it_closes_loses_nothing_of_the_text(
    rooms: ChatRooms, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await enter(chat, BOB)
    there, reached = kept.stream, asyncio.Event()

    async def slow_at_first(*args: Any) -> Any:
        if not reached.is_set():
            reached.set()
            await asyncio.Event().wait()
        return await there(*args)

    async def write() -> None:
        async with rooms.stream("general") as out:
            out.write("the whole answer")

    monkeypatch.setattr(kept, "stream", slow_at_first)
    writing = asyncio.ensure_future(write())
    await reached.wait()
    writing.cancel()
    await asyncio.wait([writing])

    [payload] = await ended(bob)
    assert payload["body"]["text"] == "the whole answer"
    assert chat.streams.own == {}


async def test_a_worker_that_stops_while_it_closes_a_message_keeps_its_text(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await enter(chat, ADA)
    id = await open_message(ada)
    await ask(ada, "message.append", id, at=0, text="the whole answer")
    reached = asyncio.Event()

    async def hangs(*args: Any) -> bool:
        reached.set()
        await asyncio.Event().wait()
        return False

    monkeypatch.setattr(closing, "finish", hangs)
    chat.streams.in_background(chat.closing.interrupt(chat.streams.own[id]))
    await reached.wait()
    await chat.streams.stop()

    known = await kept.stream(chat.store, "general", id)
    assert known is not None
    assert known.text == "the whole answer"


# ---- who may go on ----


class Strict(RoomPolicy):
    """Refuses an action once it is named, and lifts the needs of others."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refuses = self.widens = ""

    def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        self.asked.append(action)
        if action == self.refuses:
            raise Forbidden("not now")

    def widen(self, user: User, action: str, room: Room, standing: Standing, refused: ChatError) -> bool:
        return action.startswith(self.widens) and bool(self.widens)


@pytest.fixture
def policy() -> Strict:
    return Strict()


@pytest.fixture
async def strict(policy: Strict) -> AsyncIterator[Chat]:
    async with running_core(ChatRooms("test", guests=True, policy=policy)) as chat:
        yield chat


async def background(chat: Chat) -> None:
    """What was begun in the background is done."""
    while chat.streams._tasks:
        await asyncio.wait(set(chat.streams._tasks), timeout=WITHIN)


async def test_the_policy_is_asked_when_a_message_is_opened_and_closed_and_for_no_piece(
    strict: Chat, policy: Strict
) -> None:
    ada = await enter(strict, ADA)
    policy.asked.clear()
    id = await open_message(ada)
    opened = policy.asked.copy()
    for at in range(3):
        await ask(ada, "message.append", id, at=at, text="x")
    written = policy.asked.copy()
    await ada.ack("message.close", room="general", payload={"msgId": id})

    assert opened == written == ["message.open", "message"]
    assert policy.asked[-2:] == ["message.open", "message"]
    assert not {"message.append", "message.close"} & set(policy.asked)


async def test_a_policy_of_the_app_is_asked_from_time_to_time_whether_a_writer_may_go_on(
    strict: Chat, policy: Strict
) -> None:
    ada, bob = await enter(strict, ADA), await enter(strict, BOB)
    id = await open_message(ada, "so far")
    policy.refuses = "message"
    strict.streams.own[id].judged_at -= closing.JUDGED_EVERY

    await strict.closing.sweep()

    [payload] = await ended(bob)
    assert (payload["body"]["text"], payload["ended"]) == ("so far", "interrupted")


async def test_a_writer_whose_close_the_policy_refuses_does_not_go_on(strict: Chat, policy: Strict) -> None:
    ada, bob = await enter(strict, ADA), await enter(strict, BOB)
    id = await open_message(ada, "so far")
    policy.refuses = "message.open"

    refused = await ask(ada, "message.close", id, body={"text": "something else"})
    await strict.closing.sweep()

    assert refused["code"] == "forbidden"
    [payload] = await ended(bob)
    assert (payload["body"]["text"], payload["ended"]) == ("so far", "interrupted")


async def test_a_writer_whom_the_policy_lets_write_goes_on_when_rights_change(
    strict: Chat, policy: Strict
) -> None:
    policy.widens = "message"
    ada, bob = await enter(strict, ADA), await enter(strict, BOB)
    await members.put(strict.store, "general", Member(ADA.id, ADA.name, "reader"))
    await members.put(strict.store, "general", Member(BOB.id, BOB.name, "owner"))
    id = await open_message(ada)

    await bob.ack("room.update", room="general", payload={"title": "Another"})
    await background(strict)

    assert await ask(ada, "message.append", id, at=0, text="x") == {"at": 1}


async def test_a_writer_who_could_not_be_judged_is_judged_when_the_store_is_back(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = await enter(chat, ADA), await enter(chat, BOB)
    await members.put(chat.store, "general", Member(BOB.id, BOB.name, "owner"))
    id = await open_message(ada)
    there, asked = chat.access.find, list[str]()

    async def away_for_a_writer(user: User | None, room: str) -> Any:
        if user is not None and user.id == ADA.id:
            asked.append(room)
            raise Unavailable
        return await there(user, room)

    with monkeypatch.context() as patch:
        patch.setattr(chat.access, "find", away_for_a_writer)
        await bob.ack("room.update", room="general", payload={"permissions": {"message.open": 50}})
        await background(chat)
        assert asked
        assert not chat.streams.own[id].closing
    await chat.closing.sweep()

    assert [payload["ended"] for payload in await ended(bob)] == ["interrupted"]


async def test_many_messages_that_nobody_writes_any_more_are_closed_some_at_a_time(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "TOGETHER", 2)
    monkeypatch.setattr(closing, "LEASE", -60.0)
    bob, clients = await enter(chat, BOB), [await enter(chat, ADA), await enter(chat, EVE)]
    for client in clients:
        for _ in range(3):
            await open_message(client)
    chat.streams.own.clear()  # as if the worker were another one

    await chat.closing.look_for_silent()

    assert len(await ended(bob, 6)) == 6


@pytest.fixture
async def short(rooms: ChatRooms) -> AsyncIterator[Chat]:
    """A chat whose rooms keep four events."""
    async with running_core(rooms, history_max=4) as chat:
        yield chat


async def trim(client: MemoryClient) -> None:
    for n in range(12):
        await client.ack("message", room="general", payload={"text": str(n)})


async def test_a_message_that_was_trimmed_is_written_no_more_after_its_close_was_refused(short: Chat) -> None:
    ada, bob = await enter(short, ADA), await enter(short, BOB)
    id = await open_message(ada, "a")
    await trim(bob)

    refused = [await ask(ada, "message.close", id)]
    assert (await ada.expect("message.cancelled"))["payload"]["msgId"] == id
    refused.append(await ask(ada, "message.append", id, at=1, text="b"))

    assert [answer["code"] for answer in refused] == ["message_not_found"] * 2
    assert short.streams.own == {}


async def test_a_message_that_is_trimmed_while_it_grows_ends(short: Chat, rooms: ChatRooms) -> None:
    ada, bob = await enter(short, ADA), await enter(short, BOB)
    id = await open_message(ada, "a")
    opened = asyncio.Event()

    async def write() -> Any:
        async with rooms.stream("general", sender=EVE) as out:
            out.write("c" * 5_000)
            opened.set()
            await asyncio.Event().wait()
        return out.cancelled_by

    writing = asyncio.ensure_future(write())
    await opened.wait()
    await trim(bob)
    await ask(ada, "message.append", id, at=1, text="b" * 5_000)  # so much is kept at once
    await short.closing.sweep()

    assert (await ada.expect("message.cancelled"))["payload"] == {"msgId": id}
    assert await writing is None
    assert short.streams.own == {}
    assert (await short.store.facts("general", kept.STREAM)).facts == []
