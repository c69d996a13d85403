"""Messages that code of the app writes: how they end, and what the room sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sanic_chatrooms import (
    ChatRooms,
    Conflict,
    InvalidField,
    InvalidText,
    MemoryBroker,
    MemoryPresence,
    MemoryStore,
    RoomNotFound,
    TooLarge,
    User,
)
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.models import Member
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import FaultyStore, MemoryClient, chat_client, running_chat
from sanic_chatrooms.testing.connections import running_core

ADA, BOT = User("u1", "Ada"), User("bot", "Bot")


@pytest.fixture
async def chat() -> AsyncIterator[ChatRooms]:
    async with running_chat(ChatRooms("test", guests=True)) as chat:
        yield chat


@pytest.fixture
async def ada(chat: ChatRooms) -> MemoryClient:
    client = await chat_client(chat, ADA)
    await client.ack("join", room="support")
    return client


async def shown(ada: MemoryClient) -> Any:
    return (await ada.ack("history", room="support"))["messages"]


async def test_what_code_writes_is_watched_and_closed_at_the_end_of_the_block(
    chat: ChatRooms, ada: MemoryClient
) -> None:
    asked = await ada.ack("message", room="support", payload={"text": "?"})
    async with chat.stream("support", sender=BOT, parent=asked["msgId"], body={"model": "x"}) as out:
        opened = await ada.expect("message", seq=2)
        out.write("He")
        out.write("llo")
        await out.flush()
        first = await ada.expect("message.delta")
        late = await shown(ada)
    closed = await ada.expect("message.edited")

    body = {"text": "Hello", "model": "x", "parent": asked["msgId"]}
    assert (opened["streaming"], opened["sender"]) == ({"at": 0}, {"id": "bot", "name": "Bot"})
    assert (first["payload"]["at"], late[1]["streaming"]) == (0, {"at": 5})
    assert closed["payload"] == {"seq": 2, "msgId": out.msg_id, "body": body, "closed": True}
    assert (await shown(ada))[1]["payload"] == body
    assert (out.seq, out.text, out.cancelled_by) == (2, "Hello", None)


async def test_a_reader_cancels_and_the_code_behind_the_block_goes_on(
    chat: ChatRooms, ada: MemoryClient
) -> None:
    asked = await ada.ack("message", room="support", payload={"text": "?"})
    reached: list[str] = []

    async def answer() -> Any:
        async with chat.stream("support", sender=BOT, parent=asked["msgId"]) as out:
            out.write("Let me th")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                reached.append("inside")
                raise
        await asyncio.sleep(0)
        reached.append("behind")
        return out.cancelled_by

    task = asyncio.ensure_future(answer())
    opened = await ada.expect("message", seq=2)
    await ada.ack("message.cancel", room="support", payload={"msgId": opened["msgId"]})
    by = await task
    closed = await ada.expect("message.edited")

    assert (by.id, reached) == ("u1", ["inside", "behind"])
    assert (closed["payload"]["ended"], closed["payload"]["body"]["text"]) == ("cancelled", "Let me th")


async def test_a_cancel_that_comes_when_the_block_ends_anyway_does_no_harm(
    chat: ChatRooms, ada: MemoryClient
) -> None:
    async with chat.stream("support", sender=BOT) as out:
        out.write("x")
        chat.running().streams.tell_stop("support", out.msg_id, None)
    await asyncio.sleep(0)
    closed = await ada.expect("message.edited")

    assert closed["payload"]["ended"] == "cancelled"


async def test_an_exception_inside_ends_with_error_and_goes_on(chat: ChatRooms, ada: MemoryClient) -> None:
    async def answer() -> None:
        async with chat.stream("support") as out:
            out.write("x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await answer()
    closed = await ada.expect("message.edited")

    assert closed["payload"]["ended"] == "error"
    assert "sender" not in closed


async def test_a_task_that_is_cancelled_for_another_reason_stays_cancelled(
    chat: ChatRooms, ada: MemoryClient
) -> None:
    async def answer() -> None:
        async with chat.stream("support", sender=BOT) as out:
            out.write("x")
            await asyncio.Event().wait()

    task = asyncio.ensure_future(answer())
    await ada.expect("message.delta")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    closed = await ada.expect("message.edited")

    assert closed["payload"]["ended"] == "interrupted"


async def test_a_task_that_is_cancelled_while_it_opens_a_message_leaves_none_open() -> None:
    store, at_work, go_on = FaultyStore(MemoryStore()), asyncio.Event(), asyncio.Event()
    chat = ChatRooms("test", guests=True)

    async def wait() -> None:
        if store.calls[-1] == "append":
            at_work.set()
            await go_on.wait()

    async def answer() -> None:
        async with chat.stream("support", sender=BOT, body={"text": "Let me"}):
            raise AssertionError("it was cancelled before")

    async with running_core(chat, backends=Backends(store, MemoryBroker(), MemoryPresence())) as core:
        ada = await chat_client(core, ADA)
        await ada.ack("join", room="support")
        store.latency = wait
        task = asyncio.ensure_future(answer())
        async with asyncio.timeout(40):
            await at_work.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()

        closed = await ada.expect("message.edited")
        assert (closed["payload"]["body"], closed["payload"]["ended"]) == ({"text": "Let me"}, "interrupted")


async def test_code_is_stopped_whose_message_is_deleted(chat: ChatRooms, ada: MemoryClient) -> None:
    async def answer() -> None:
        async with chat.stream("support", sender=BOT):
            await asyncio.Event().wait()

    task = asyncio.ensure_future(answer())
    opened = await ada.expect("message")
    await chat.delete("support", opened["msgId"])
    await task
    await ada.settle()

    assert not ada.unread("message.edited")
    assert (await shown(ada))[0]["deleted"]


async def test_it_keeps_its_lease_by_itself(chat: ChatRooms, ada: MemoryClient) -> None:
    core = chat.running()
    async with chat.stream("support", sender=BOT) as out:
        (writing,) = core.streams.own.values()
        writing.heard_at -= 100
        writing.kept_at -= 100
        await core.closing.sweep()
        (known,) = await core.store.open_streams(2**40)
        out.write("still here")

    assert known.msg_id == out.msg_id
    assert "ended" not in (await ada.expect("message.edited"))["payload"]


async def test_limits_for_the_number_of_messages_do_not_apply(chat: ChatRooms, ada: MemoryClient) -> None:
    async with (
        chat.stream("support", sender=BOT), chat.stream("support", sender=BOT), chat.stream("support", sender=BOT),
        chat.stream("support", sender=BOT), chat.stream("support", sender=BOT),
    ):  # fmt: skip
        assert len(await shown(ada)) == 5


async def test_a_muted_bot_goes_on_because_the_app_is_trusted(chat: ChatRooms, ada: MemoryClient) -> None:
    await members.put(chat.running().store, "support", Member("u1", "Ada", "owner"))
    async with chat.stream("support", sender=BOT) as out:
        await ada.ack("member.mute", room="support", payload={"user": "bot"})
        out.write("x")

    assert "ended" not in (await ada.expect("message.edited"))["payload"]


async def test_what_cannot_be_written_is_refused(chat: ChatRooms, ada: MemoryClient) -> None:
    async with chat.stream("support") as out:
        for wrong, error in (
            ("\ud800", InvalidText),
            ("\0", InvalidText),
            ("x" * 200_000, TooLarge),
            (7, InvalidField),
        ):
            with pytest.raises(error):
                out.write(wrong)  # type: ignore[arg-type]
        out.write("é")
    with pytest.raises(Conflict):
        out.write("late")

    assert (await ada.expect("message.edited"))["payload"]["body"] == {"text": "é"}


async def test_what_cannot_be_begun_is_refused(chat: ChatRooms, ada: MemoryClient) -> None:
    with pytest.raises(InvalidField):
        chat.stream("support", body={"text": 7})
    for wrong in ("nowhere", "~all"):
        with pytest.raises(RoomNotFound):
            await chat.stream(wrong).__aenter__()
    with pytest.raises(InvalidField, match="parent"):
        await chat.stream("support", parent="6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a12").__aenter__()
    with pytest.raises(RuntimeError, match="inside"):
        chat.stream("support").write("x")

    assert not chat.running().streams.own
