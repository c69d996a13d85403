"""The verb `audit`: who did what to whom, in a room or in all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, InvalidCursor, RoomNotFound, Sender, User
from sanic_chatrooms.server_api.auditing import AuditLine
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.drafts import draft
from sanic_chatrooms.verbs.operators import keep
from tests.support.joined import joined

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")


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


async def test_without_a_room_the_decisions_of_all_rooms_are_told_page_by_page() -> None:
    rooms = ChatRooms("test", guests=True)
    async with running_core(rooms):
        await rooms.create_room("b", visibility="private", as_user=ADA)
        await rooms.create_room("a", as_user=BOB)
        await rooms.create_room("quiet")
        for room, by in (("b", ADA), ("a", BOB)):
            for _ in range(2):
                await rooms.mute(room, EVE, as_user=by)
                await rooms.unmute(room, EVE, as_user=by)

        told = [line async for line in _all(rooms, limit=3)]
        of_one = [line async for line in _all(rooms, limit=1, actor=ADA)]

        assert [(line.room, line.seq) for line in told] == [
            (room, seq) for room in "ab" for seq in (4, 3, 2, 1)
        ]
        assert [(line.room, line.seq) for line in of_one] == [("b", seq) for seq in (4, 3, 2, 1)]
        with pytest.raises(InvalidCursor):
            await rooms.audit(cursor="x")


async def test_what_operators_decided_for_the_whole_server_comes_first_page_by_page() -> None:
    rooms = ChatRooms("test", guests=True)
    async with running_core(rooms) as chat:
        await rooms.create_room("a")
        await rooms.mute("a", EVE)
        for n, by in enumerate((ADA, BOB, ADA, ADA)):
            who, details = Sender(by.id, by.name), {"n": n}
            await keep(chat.store, "user.banned", who, user=EVE.id, reason="spam", details=details)

        told: list[AuditLine] = []
        for limit in (1, 2, 50):
            told = [line async for line in _all(rooms, limit=limit)]
            of_one = [line async for line in _all(rooms, limit=limit, actor=BOB)]

            assert [(line.room, line.details.get("n")) for line in told] == [
                (None, 3), (None, 2), (None, 1), (None, 0), ("a", None),
            ]  # fmt: skip
            assert [line.details["n"] for line in of_one] == [1]
        assert (told[0].seq, told[0].actor, told[0].user, told[0].reason) == (
            0,
            Sender("u1", "Ada"),
            "u3",
            "spam",
        )
        assert (await rooms.audit("a")).lines == told[4:]


async def test_a_call_reads_a_limited_number_of_rooms_and_events(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = ChatRooms("test", guests=True)
    async with running_core(rooms) as chat:
        await rooms.create_room("a-long")
        for _ in range(24):
            drafts = [draft("a-long", "message", b"{}", None) for _ in range(200)]
            await chat.store.append(drafts)
        for n in range(120):
            await rooms.create_room(f"room.{n}")
        await rooms.create_room("z")
        await rooms.ban("z", EVE)
        reads, history = [0], chat.store.history

        async def counted(*args: Any, **kwargs: Any) -> Any:
            reads[0] += 1
            return await history(*args, **kwargs)

        monkeypatch.setattr(chat.store, "history", counted)
        page = await rooms.audit()
        first, calls = reads[0], 1
        while page.cursor is not None:
            page = await rooms.audit(cursor=page.cursor)
            calls += 1

        assert [line.room for line in page.lines] == ["z"]
        assert first <= 70
        assert 2 < calls < 8


async def _all(rooms: ChatRooms, **how: Any) -> AsyncIterator[AuditLine]:
    cursor = None
    while True:
        page = await rooms.audit(cursor=cursor, **how)
        assert len(page.lines) <= how["limit"]
        for line in page.lines:
            yield line
        cursor = page.cursor
        if cursor is None:
            return


async def test_deleting_the_message_of_another_is_a_decision_and_deleting_ones_own_is_none() -> None:
    rooms = ChatRooms("test", guests=True)
    async with running_core(rooms):
        await rooms.create_room("general", as_user=ADA)
        said = [await rooms.publish("general", "message", {"text": "hi"}, as_user=by) for by in (ADA, BOB)]
        for one in said:
            assert one is not None
            await rooms.delete("general", one.msg_id, as_user=ADA)

        [line] = (await rooms.audit("general")).lines

        assert (line.type, line.actor and line.actor.id, line.user) == ("message.deleted", "u1", "u2")


async def test_adding_a_member_is_a_decision_and_joining_is_none() -> None:
    rooms = ChatRooms("test", guests=True)
    async with running_core(rooms) as chat:
        await rooms.create_room("general", announce=True, as_user=ADA)
        ada = await joined(chat, ADA, "general")
        await joined(chat, EVE, "general")
        await ada.ack("member.add", room="general", payload={"user": "u2"})

        [line] = (await rooms.audit("general")).lines

        assert (line.type, line.actor and line.actor.id, line.user) == ("member.joined", "u1", "u2")
