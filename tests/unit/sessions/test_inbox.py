"""Messages to all connections of one user, and pushes, as they travel between workers."""

from __future__ import annotations

import asyncio
import json

import pytest

from sanic_chatrooms import MemoryStore
from sanic_chatrooms.models import EVERYONE, Draft, Room, Sender, User, user_room
from sanic_chatrooms.sessions.inbox import Close, Enter, InboxMessage, Remove, decode_inbox, decode_push
from sanic_chatrooms.testing import FaultyStore, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.wire.codes import CloseCode
from sanic_chatrooms.wire.encode import encode, live
from tests.unit.sessions.test_registry import backends

ADA = User("u1", "Ada")


@pytest.mark.parametrize(
    "message",
    [
        Enter("~direct.x", "epoch", 7, Sender("u2", "Bob")),
        Enter("~direct.x", "epoch", 0),
        Remove("general", "kicked"),
        Remove("general", "left", "session"),
        Close(4503, "enough"),
        Close(4503, "enough", "session"),
    ],
)
def test_a_message_arrives_as_it_was_sent(message: InboxMessage) -> None:
    event = b'{"type":"inbox","seq":1,"payload":%s}' % encode(message)

    assert decode_inbox(event) == message


async def test_a_message_is_numbered_in_the_users_own_room() -> None:
    async with running_core(guests=True, backends=backends(MemoryStore())) as chat:
        await chat_client(chat, ADA)

        for _ in range(2):
            await chat.inbox.send("u1", Remove("general", "left"))

        page = await chat.backends.store.history(user_room("u1"), after=0, limit=10)
        assert [(event.type, event.seq) for event in page.events] == [("inbox", 1), ("inbox", 2)]


async def test_nobody_without_connections_has_an_inbox() -> None:
    async with running_core(guests=True) as chat:
        await chat.inbox.send("nobody", Close(4503, "enough"))

        assert await chat.backends.store.room(user_room("nobody")) is None


async def test_a_message_is_handled_when_sending_it_returns() -> None:
    async with running_core(guests=True) as chat:
        ada, phone = await chat_client(chat, ADA), await chat_client(chat, ADA)

        await chat.inbox.send("u1", Close(4503, "enough", phone.session.id))

        assert phone.connection.closed == (4503, "enough")
        assert ada.connection.closed is None


async def test_an_order_returns_after_the_batch_under_way_and_may_be_given_up_meanwhile() -> None:
    store = FaultyStore(MemoryStore())  # as an app's own in memory, it may wait
    async with running_core(guests=True, store=store) as chat:
        ada = await chat_client(chat, ADA)
        await store.create_room(Room("general", "e", 0))
        store.hang()
        said = asyncio.ensure_future(chat.journal.append(Draft("general", "message", b"{}", "m1", 1.0)))
        async with asyncio.timeout(30):
            while "append" not in store.calls:  # noqa: ASYNC110
                await asyncio.sleep(0)
        given_up, order = [
            asyncio.create_task(chat.inbox.send("u1", Close(4503, "enough"))) for _ in range(2)
        ]
        for _ in range(3):
            await asyncio.sleep(0)
        given_up.cancel()
        await asyncio.wait([given_up])

        assert ada.connection.closed == (4503, "enough")
        assert not said.done()
        assert not order.done()
        store.resume()
        await order
        assert (await said).seq == 1


async def test_pushes_name_whom_they_are_for() -> None:
    async with running_core(guests=True) as chat:
        event = live("notice", {})

        one = chat.inbox.notify("u1", event, "session")
        everybody = chat.inbox.broadcast(event)

        assert (one.room, one.seq) == (user_room("u1"), 0)
        assert (everybody.room, everybody.seq) == (EVERYONE, 0)
        assert decode_push(one.data).session == "session"
        assert decode_push(everybody.data).session is None
        assert json.loads(bytes(decode_push(one.data).event))["type"] == "notice"


async def test_an_order_for_a_user_whose_room_was_forgotten_just_when_they_came_back_is_not_lost() -> None:
    """Who held the room finds another past in it, and sends the client away to come back."""
    async with running_core(guests=True, backends=backends(MemoryStore())) as chat:
        ada = await chat_client(chat, ADA)
        await chat.backends.store.delete_room(user_room("u1"))

        await chat.inbox.send("u1", Remove("general", "left"))

        assert (await ada.closed())[0] == CloseCode.POSITION_LOST
        assert await chat.backends.store.room(user_room("u1")) is not None
