"""The verb `audit`: who did what to whom in a room."""

from __future__ import annotations

import pytest

from sanic_chatrooms import ChatRooms, InvalidCursor, RoomNotFound, User
from sanic_chatrooms.testing.connections import running_core

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")


async def test_decisions_are_told_newest_first_with_who_and_why() -> None:
    rooms = ChatRooms("test", guests=True)
    async with running_core(rooms):
        await rooms.create_room("general", as_user=ADA)
        await rooms.publish("general", "message", {"text": "hi"})
        await rooms.ban("general", BOB, reason="spam", as_user=ADA)
        await rooms.unban("general", BOB)

        page = await rooms.audit("general")

        assert [(line.type, line.user, line.reason) for line in page.lines] == [
            ("member.unbanned", "u2", ""), ("member.banned", "u2", "spam"),
        ]  # fmt: skip
        assert [line.actor and line.actor.id for line in page.lines] == [None, "u1"]
        assert page.cursor is None


async def test_pages_continue_and_may_be_of_one_actor() -> None:
    rooms = ChatRooms("test", guests=True)
    async with running_core(rooms):
        await rooms.create_room("general", as_user=ADA)
        for _ in range(3):
            await rooms.mute("general", BOB, as_user=ADA)
            await rooms.unmute("general", BOB)

        first = await rooms.audit("general", actor=ADA, limit=2)
        rest = await rooms.audit("general", actor=ADA, limit=2, cursor=first.cursor)

        assert [line.seq for line in (*first.lines, *rest.lines)] == [5, 3, 1]
        with pytest.raises(InvalidCursor):
            await rooms.audit("general", cursor="x")
        with pytest.raises(RoomNotFound):
            await rooms.audit("nowhere")
