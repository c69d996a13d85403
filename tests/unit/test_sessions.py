"""Tests for `sanic_chatrooms.sessions`: who is connected here, and what happens to all connections of one user."""

from __future__ import annotations

import pytest

from sanic_chatrooms import MemoryBroker, MemoryPresence, MemoryStore, User, sessions
from sanic_chatrooms.brokers.memory import MemoryBus
from sanic_chatrooms.chat import Backends, Chat
from sanic_chatrooms.models import EVERYONE, user_room
from sanic_chatrooms.orders import Close, Remove
from sanic_chatrooms.presence.memory import MemoryBoard
from sanic_chatrooms.protocol import CloseCode, live
from sanic_chatrooms.sessions import TooManyConnections
from sanic_chatrooms.testing import ConnectionClosed, chat_client, running_chat
from sanic_chatrooms.testing.faults import FaultyStore
from tests.support.ringing import holds

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")
NOTICE = live("notice", {"title": "Hi", "content": ""})


def backends(store: MemoryStore | FaultyStore) -> Backends:
    return Backends(store, MemoryBroker(MemoryBus()), MemoryPresence(MemoryBoard()))


async def say_to_all(chat: Chat) -> None:
    chat.hub.deliver(chat.orders.broadcast(NOTICE))


async def lose(chat: Chat, store: MemoryStore, room: str) -> None:
    """The store forgets the room, as one does that started again with empty hands; and the chat looks."""
    await store.delete_room(room)
    await chat.hub.check()


async def held(chat: Chat, room: str) -> None:
    await holds(lambda: (found := chat.hub.room(room)) is not None and found.up)


async def test_connections_are_found_by_their_user() -> None:
    async with running_chat(guests=True) as chat:
        ada, phone, bob = [await chat_client(chat, user) for user in (ADA, ADA, BOB)]

        assert chat.sessions.of("u1") == [ada.session, phone.session]
        assert list(chat.sessions) == [ada.session, phone.session, bob.session]
        phone.disconnect()
        assert chat.sessions.of("u1") == [ada.session]
        assert len(chat.sessions) == 2
        assert chat.sessions.of("nobody") == []


async def test_one_connection_more_than_a_user_may_have_is_refused() -> None:
    async with running_chat(guests=True, max_connections_per_user=2) as chat:
        first, _ = await chat_client(chat, ADA), await chat_client(chat, ADA)

        with pytest.raises(TooManyConnections):
            await chat_client(chat, ADA)
        await chat_client(chat, BOB)
        first.disconnect()
        await chat_client(chat, ADA)

        assert len(chat.sessions.of("u1")) == 2


async def test_a_worker_holds_a_users_room_as_long_as_the_user_is_here() -> None:
    async with running_chat(guests=True) as chat:
        ada, phone = await chat_client(chat, ADA), await chat_client(chat, ADA)
        room = chat.hub.room(user_room("u1"))
        assert room is not None

        ada.disconnect()
        assert not room.unused
        phone.disconnect()
        assert room.unused


async def test_orders_are_for_the_users_own_connections() -> None:
    async with running_chat(guests=True) as chat:
        ada, phone, bob = [await chat_client(chat, user) for user in (ADA, ADA, BOB)]
        for client in (ada, phone, bob):
            await client.ack("join", room="general")

        await chat.orders.give("u1", Remove("general", "kicked", phone.session.id))
        assert (await ada.expect("room.removed"))["payload"] == {"room": "general", "reason": "kicked"}
        await chat.orders.give("u1", Close(4503, "enough"))

        for client in (ada, phone):
            assert await client.closed() == (4503, "enough")
        await bob.settle()
        assert not bob.unread("room.removed")


async def test_everybody_hears_what_is_said_to_all() -> None:
    async with running_chat(guests=True) as chat:
        clients = [await chat_client(chat, ADA), await chat_client(chat, BOB)]

        await say_to_all(chat)

        for client in clients:
            await client.expect("notice")


async def test_lost_orders_close_the_connections_of_that_user_alone() -> None:
    store = MemoryStore()
    async with running_chat(guests=True, backends=backends(store)) as chat:
        ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
        await chat.orders.give("u1", Remove("nowhere", "left"))

        await lose(chat, store, user_room("u1"))

        assert (await ada.closed())[0] == CloseCode.POSITION_LOST
        await bob.settle()


async def test_a_users_room_without_orders_is_made_again_unnoticed() -> None:
    store = MemoryStore()
    async with running_chat(guests=True, backends=backends(store)) as chat:
        ada = await chat_client(chat, ADA)

        await lose(chat, store, user_room("u1"))
        await held(chat, user_room("u1"))
        await ada.settle()
        await chat.orders.give("u1", Close(4503, "enough"))

        assert await ada.closed() == (4503, "enough")


async def test_what_is_said_to_all_is_heard_also_after_the_store_forgot_everything() -> None:
    store = MemoryStore()
    async with running_chat(guests=True, backends=backends(store)) as chat:
        ada = await chat_client(chat, ADA)

        await lose(chat, store, EVERYONE)
        await held(chat, EVERYONE)
        await say_to_all(chat)

        await ada.expect("notice")


async def test_a_store_that_is_away_is_asked_for_the_room_of_all_until_it_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "AGAIN", 0.001)
    inner = MemoryStore()
    store = FaultyStore(inner)
    async with running_chat(guests=True, backends=backends(store)) as chat:
        ada = await chat_client(chat, ADA)

        store.fail_next(20, verb="create_room")
        await lose(chat, inner, EVERYONE)
        await held(chat, EVERYONE)
        await say_to_all(chat)

        await ada.expect("notice")


async def test_a_chat_stops_while_the_room_of_all_cannot_be_had() -> None:
    inner = MemoryStore()
    store = FaultyStore(inner)
    async with running_chat(guests=True, backends=backends(store)) as chat:
        ada = await chat_client(chat, ADA)
        store.fail_next(10_000, verb="create_room")
        await lose(chat, inner, EVERYONE)
        await ada.settle()

    with pytest.raises(ConnectionClosed):
        await ada.expect("notice")
