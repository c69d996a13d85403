"""Reports of messages: who gets them, who sees them, and that nobody learns who reports."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from msgspec.structs import replace

from sanic_chatrooms import ChatRooms, InvalidCursor, InvalidField, Unavailable, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import Fact, Member
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.reports import REPORT
from tests.support.joined import joined

ADMIN = User("u9", "Op", scopes=("chat:admin",))
ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")


@pytest.fixture
async def chat() -> AsyncIterator[Chat]:
    async with running_core(guests=True) as chat:
        yield chat


@pytest.fixture
async def clients(chat: Chat) -> list[MemoryClient]:
    """Ada and Bob, who moderate, and Eve."""
    clients = [await joined(chat, user, "general") for user in (ADA, BOB, EVE)]
    for user in (ADA, BOB):
        await members.put(chat.store, "general", Member(user.id, user.name, "moderator"))
    return clients


async def test_a_report_reaches_the_moderators_but_the_reported(
    chat: Chat, clients: list[MemoryClient]
) -> None:
    ada, bob, eve = clients
    said = await bob.ack("message", room="general", payload={"text": "bad"})
    question = {"msgId": said["msgId"], "reason": "rude"}

    taken = await eve.ack("report", room="general", payload=question)

    assert taken["duplicate"] is False
    told = await ada.expect("report")
    assert told["payload"] == {"id": taken["id"], "room": "general", "msgId": said["msgId"], "reason": "rude"}
    await bob.settle()
    assert bob.unread("report") == eve.unread("report") == []
    assert await eve.ack("report", room="general", payload=question) == {**taken, "duplicate": True}


async def test_moderators_hear_of_a_report_that_was_kept_though_the_stores_answer_was_lost(
    chat: Chat, clients: list[MemoryClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob, eve = clients
    said = await bob.ack("message", room="general", payload={"text": "bad"})
    keep = chat.store.set_fact

    async def lose_the_answer(room: str, fact: Fact) -> bool:
        kept = await keep(room, fact)
        if fact.kind == REPORT:
            raise Unavailable
        return kept

    monkeypatch.setattr(chat.store, "set_fact", lose_the_answer)
    question = {"msgId": said["msgId"], "reason": "rude"}
    taken = await eve.ack("report", room="general", payload=question)

    assert taken["duplicate"] is False
    assert (await ada.expect("report"))["payload"]["id"] == taken["id"]


async def test_moderators_list_and_close_reports(chat: Chat, clients: list[MemoryClient]) -> None:
    ada, bob, eve = clients
    said = await bob.ack("message", room="general", payload={"text": "bad"})
    taken = await eve.ack("report", room="general", payload={"msgId": said["msgId"], "reason": "rude"})

    [line] = (await ada.ack("reports", room="general"))["reports"]
    assert (line["by"]["id"], line["reason"], "outcome" in line) == ("u3", "rude", False)
    assert (await eve.error("reports", room="general"))["code"] == "forbidden"
    verdict = {"id": taken["id"], "outcome": "warned"}
    assert (await eve.error("report.close", payload=verdict))["code"] == "forbidden"
    await ada.ack("report.close", payload=verdict)

    assert (await ada.ack("reports", room="general"))["reports"] == []
    [closed] = (await ada.ack("reports", room="general", payload={"open": False}))["reports"]
    assert closed["outcome"] == "warned"


async def test_what_is_no_message_is_not_reported(chat: Chat, clients: list[MemoryClient]) -> None:
    eve = clients[2]

    missing = await eve.error("report", room="general", payload={"msgId": "x", "reason": ""})
    long = await eve.error("report", room="general", payload={"msgId": "x", "reason": "x" * 501})

    assert (missing["code"], long["code"]) == ("message_not_found", "too_large")


@pytest.mark.parametrize("id", ["x", "0123.nowhere", "0123.~all"])
async def test_an_unknown_report_is_in_no_room(chat: Chat, id: str) -> None:
    eve = await chat_client(chat, EVE)

    assert (await eve.error("report.close", payload={"id": id, "outcome": ""}))["code"] == "room_not_found"


async def test_the_reported_moderator_does_not_see_by_whom(clients: list[MemoryClient]) -> None:
    _, bob, eve = clients
    said = await bob.ack("message", room="general", payload={"text": "bad"})
    await eve.ack("report", room="general", payload={"msgId": said["msgId"], "reason": "rude"})

    [line] = (await bob.ack("reports", room="general"))["reports"]

    assert line["by"] is None


async def test_who_is_muted_still_reports(chat: Chat, clients: list[MemoryClient]) -> None:
    ada, bob, eve = clients
    said = await bob.ack("message", room="general", payload={"text": "bad"})
    await ada.ack("member.mute", room="general", payload={"user": "u3"})

    taken = await eve.ack("report", room="general", payload={"msgId": said["msgId"], "reason": "rude"})

    assert taken["duplicate"] is False


async def test_a_deleted_message_is_not_reported(clients: list[MemoryClient]) -> None:
    _, bob, eve = clients
    said = await bob.ack("message", room="general", payload={"text": "bad"})
    await bob.ack("message.delete", room="general", payload={"msgId": said["msgId"]})

    gone = await eve.error("report", room="general", payload={"msgId": said["msgId"], "reason": ""})

    assert gone["code"] == "message_not_found"


async def test_what_one_may_not_read_is_not_reported() -> None:
    rooms = ChatRooms("test", guests=True)
    async with running_core(rooms) as chat:
        await rooms.create_room("club", visibility="private", history_visibility="joined")
        await rooms.add_member("club", BOB)
        bob = await joined(chat, BOB, "club")
        said = await bob.ack("message", room="club", payload={"text": "bad"})
        await rooms.add_member("club", EVE)
        eve = await joined(chat, EVE, "club")

        unseen = await eve.error("report", room="club", payload={"msgId": said["msgId"], "reason": ""})

    assert unseen["code"] == "message_not_found"


async def test_without_a_room_moderators_list_the_reports_of_the_rooms_that_they_moderate(
    chat: Chat, clients: list[MemoryClient]
) -> None:
    ada, _, eve = clients
    for room in ("a", "b", "c"):
        await eve.ack("join", room=room)
        said = await eve.ack("message", room=room, payload={"text": "bad"})
        await eve.ack("report", room=room, payload={"msgId": said["msgId"], "reason": room})
    for room, role in (("a", "moderator"), ("b", "member"), ("c", "moderator")):
        await members.put(chat.store, room, Member("u1", "Ada", role))

    first = await ada.ack("reports", payload={"limit": 1})
    second = await ada.ack("reports", payload={"limit": 5, "cursor": first["cursor"]})

    assert [line["room"] for line in first["reports"] + second["reports"]] == ["a", "c"]
    assert "cursor" not in second
    assert (await ada.error("reports", payload={"cursor": "x"}))["code"] == "invalid_cursor"


async def test_reports_of_direct_rooms_are_for_admins(chat: Chat, clients: list[MemoryClient]) -> None:
    ada, _, eve = clients
    admin = await chat_client(chat, ADMIN)
    said = await eve.ack("direct", payload={"to": "u1", "body": {"text": "bad"}})
    room = said["room"]

    taken = await ada.ack("report", room=room, payload={"msgId": said["msgId"], "reason": "rude"})

    told = await admin.expect("report")
    assert told["payload"] == {"id": taken["id"], "room": room, "msgId": said["msgId"], "reason": "rude"}
    await eve.settle()
    assert ada.unread("report") == eve.unread("report") == []
    assert (await ada.error("reports", room=room))["code"] == "forbidden"
    [line] = (await admin.ack("reports"))["reports"]
    assert (line["id"], line["by"]["id"]) == (taken["id"], "u1")
    await admin.ack("report.close", payload={"id": taken["id"], "outcome": "warned"})
    assert (await admin.ack("reports", room=room))["reports"] == []


async def test_moderators_are_those_whom_the_room_lets_read_reports(
    chat: Chat, clients: list[MemoryClient]
) -> None:
    ada, bob, eve = clients
    room = await chat.store.room("general")
    assert room is not None
    await chat.store.update_room(replace(room, permissions={"reports": {"users": ["u3"]}}))
    said = await bob.ack("message", room="general", payload={"text": "bad"})

    await ada.ack("report", room="general", payload={"msgId": said["msgId"], "reason": "rude"})

    await eve.expect("report")
    await ada.settle()
    assert ada.unread("report") == []


async def test_a_full_room_forgets_closed_reports_and_then_takes_no_more(
    chat: Chat, clients: list[MemoryClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sanic_chatrooms.verbs.reports.KEPT", 1)
    ada, bob, eve = clients

    async def report_another() -> dict[str, str]:
        said = await bob.ack("message", room="general", payload={"text": "bad"})
        return {"msgId": said["msgId"], "reason": ""}

    taken = await eve.ack("report", room="general", payload=await report_another())
    refused = await eve.error("report", room="general", payload=await report_another())
    await ada.ack("report.close", payload={"id": taken["id"], "outcome": "done"})
    await eve.ack("report", room="general", payload=await report_another())

    assert (refused["code"], refused["limit"]) == ("rate_limited", "reports")
    lines = (await ada.ack("reports", room="general", payload={"open": False}))["reports"]
    assert [line.get("outcome") for line in lines] == [None]


async def test_a_user_makes_a_few_reports_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sanic_chatrooms.verbs.reports.EACH", 2)
    async with running_core(guests=True, rate_limits=True) as chat:
        bob, eve = await joined(chat, BOB, "general"), await joined(chat, EVE, "general")
        asked = []
        for _ in range(3):
            said = await bob.ack("message", room="general", payload={"text": "bad"})
            asked.append({"msgId": said["msgId"], "reason": ""})
        for question in asked[:2]:
            await eve.ack("report", room="general", payload=question)

        refused = await eve.error("report", room="general", payload=asked[2])
        again = await eve.ack("report", room="general", payload=asked[0])

    assert (refused["code"], refused["limit"], again["duplicate"]) == ("rate_limited", "reports", True)


async def test_the_app_lists_and_closes_the_reports_of_all_rooms() -> None:
    rooms = ChatRooms("test", guests=True)
    async with running_core(rooms) as chat:
        eve = await joined(chat, EVE, "a", "b")
        for room in ("a", "b"):
            said = await eve.ack("message", room=room, payload={"text": "bad"})
            await eve.ack("report", room=room, payload={"msgId": said["msgId"], "reason": room})

        lines = (await rooms.reports()).reports
        await rooms.close_report(lines[0].id, "nothing wrong")

        assert [line.reason for line in lines] == ["a", "b"]
        assert [line.room for line in (await rooms.reports()).reports] == ["b"]
        closed = await rooms.reports("a", open=False)
        assert [line.outcome for line in closed.reports] == ["nothing wrong"]
        with pytest.raises(InvalidField):
            await rooms.close_report("0.b", "")


async def test_what_the_app_gives_that_is_no_text_is_refused_with_its_field() -> None:
    rooms, number = ChatRooms("test", guests=True), cast("Any", 5)
    async with running_core(rooms):
        with pytest.raises(InvalidCursor):
            await rooms.reports(cursor=number)
        with pytest.raises(InvalidField) as no_id:
            await rooms.close_report(number, "x")
        with pytest.raises(InvalidField) as no_outcome:
            await rooms.close_report("0.b", number)

        assert (no_id.value.fields["field"], no_outcome.value.fields["field"]) == ("id", "outcome")
