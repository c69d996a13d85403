"""Who hears how far others have read, with the setting `RECEIPTS`."""

from __future__ import annotations

import pytest

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.testing import Clock, MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")
GUEST = User("guest-1", "Guest", guest=True)


async def heard(client: MemoryClient) -> list[int]:
    await client.settle()
    return [frame["payload"]["seq"] for frame in client.unread("read")]


async def read(client: MemoryClient, seq: int, **more: bool) -> None:
    await client.ack("read", room="general", payload={"seq": seq, **more})


@pytest.mark.parametrize("receipts", [True, False])
async def test_members_hear_it_where_the_setting_is_on(receipts: bool) -> None:
    async with running_core(ChatRooms("test", guests=True, receipts=receipts)) as chat:
        ada, bob, guest = [await chat_client(chat, user) for user in (ADA, BOB, GUEST)]
        for client in (ada, bob, guest):
            await client.ack("join", room="general")
        for _ in range(2):
            await ada.ack("message", room="general", payload={"text": "hi"})

        await read(bob, 2)

        assert await heard(ada) == ([2] if receipts else [])
        assert await heard(bob) == await heard(guest) == []
        await read(bob, 1, unread=True)
        assert await heard(ada) == ([2] if receipts else [])


async def test_each_user_is_told_of_once_a_second_and_the_newest_is_not_lost() -> None:
    clock = Clock()
    async with running_core(ChatRooms("test", guests=True, receipts=True)) as chat:
        chat.receipts._throttle._clock = clock
        ada, bob = [await chat_client(chat, user) for user in (ADA, BOB)]
        for client in (ada, bob):
            await client.ack("join", room="general")
        for seq in range(1, 5):
            await ada.ack("message", room="general", payload={"text": "hi"})
            await read(bob, seq)

        at_once = await heard(ada)
        clock.advance(1.5)
        chat.receipts.sweep()

        assert at_once == [1]
        assert await heard(ada) == [1, 4]


async def test_nobody_is_told_in_large_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sanic_chatrooms.verbs.unread.MOST_MEMBERS", 1)
    async with running_core(ChatRooms("test", guests=True, receipts=True)) as chat:
        ada, bob = [await chat_client(chat, user) for user in (ADA, BOB)]
        for client in (ada, bob):
            await client.ack("join", room="general")
        await ada.ack("message", room="general", payload={"text": "hi"})

        await read(bob, 1)

        assert await heard(ada) == []
