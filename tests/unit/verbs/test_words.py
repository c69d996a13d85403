"""Words in titles, reasons and names pass the check before publishing, and the middleware for `speak`, like messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, Context, Forbidden, Held, User
from sanic_chatrooms.hooks.middleware import Handler
from sanic_chatrooms.observe.instruments import CHECKS
from sanic_chatrooms.testing import MemoryClient as Client
from sanic_chatrooms.testing.connections import chat_client, running_core
from sanic_chatrooms.testing.meter import RecordingMeter
from sanic_chatrooms.verbs.table import commands
from tests.support.joined import joined

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")
Seen = list[tuple[str, str | None, str]]


@pytest.fixture
def seen() -> Seen:
    """What the check was asked: the command, the field, the words."""
    return []


@pytest.fixture
def rooms(seen: Seen) -> ChatRooms:
    rooms = ChatRooms("test", guests=True)

    @rooms.before_publish(budget=5)
    async def check(ctx: Context) -> None:
        text = ctx.payload["text"]
        seen.append((ctx.command.type, ctx.field, text))
        if "heck" in text:
            raise Forbidden("in other words")
        if "bank" in text:
            raise Held("may be fraud")
        if "darn" in text:
            ctx.payload = {**ctx.payload, "text": text.replace("darn", "****")}

    return rooms


@pytest.fixture
async def owner(rooms: ChatRooms) -> AsyncIterator[Client]:
    async with running_core(rooms) as chat:
        await rooms.create_room("general", as_user=ADA)
        await rooms.add_member("general", BOB)
        yield await joined(chat, ADA, "general")


WORDS: dict[str, tuple[str, dict[str, Any]]] = {
    "a title": ("room.update", {"title": "heck"}),
    "a topic": ("room.update", {"title": "fine", "topic": "what the heck"}),
    "attributes": ("room.update", {"attributes": {"tags": [{"heck": 1}]}}),
    "the title of a new room": ("room.create", {"title": "heck"}),
    "why a user is kicked": ("member.kick", {"user": "u2", "reason": "heck"}),
    "why a user is banned": ("member.ban", {"user": "u2", "reason": "heck"}),
    "why a user is muted": ("member.mute", {"user": "u2", "reason": "heck"}),
    "why a user is invited": ("member.invite", {"user": "u3", "reason": "heck"}),
    "why a message is deleted": ("message.delete", {"msgId": "x", "reason": "heck"}),
}


@pytest.mark.parametrize("words", WORDS)
async def test_the_check_refuses(owner: Client, words: str) -> None:
    type, payload = WORDS[words]
    before = await owner.ack("history", room="general")

    room = None if type == "room.create" else "general"
    refused = await owner.error(type, room=room, payload=payload)

    assert (refused["code"], refused["message"]) == ("forbidden", "in other words")
    assert await owner.ack("history", room="general") == before


async def test_every_reason_and_title_that_a_client_sends_is_looked_at() -> None:
    """Moderators alone read why a message is reported; it may quote the very word. How a stream ends is one of three words."""
    spoken = ("title", "topic", "attributes", "reason")
    found = {
        (type, field)
        for type, row in commands().items()
        for field in getattr(row.payload, "__struct_fields__", ())
        if field in spoken and field not in row.words
    }

    assert found == {("report", "reason"), ("message.close", "reason")}


async def test_what_the_check_makes_of_them_is_stored(owner: Client, rooms: ChatRooms, seen: Seen) -> None:
    update = {"title": "darn cold", "topic": "darn", "attributes": {"color": "red", "no": [1, "two"]}}
    await owner.ack("room.update", room="general", payload=update)
    await owner.ack("member.ban", room="general", payload={"user": "u2", "reason": "a darn bot"})

    told = (await owner.expect("room.updated"))["payload"]
    assert (told["title"], told["topic"]) == ("**** cold", "****")
    assert (await owner.expect("member.banned"))["payload"]["reason"] == "a **** bot"
    assert seen == [
        ("room.update", "title", "darn cold"),
        ("room.update", "topic", "darn"),
        ("room.update", "attributes", "color\nred\nno\ntwo"),
        ("member.ban", "reason", "a darn bot"),
    ]


async def test_attributes_are_refused_rather_than_changed(owner: Client) -> None:
    refused = await owner.error("room.update", room="general", payload={"attributes": {"a": "darn"}})

    assert (refused["code"], refused["field"]) == ("invalid_field", "attributes")


async def test_who_repeats_a_command_gets_the_first_result(owner: Client) -> None:
    update: dict[str, Any] = {"room": "general", "msg_id": "m" * 16, "payload": {"title": "darn"}}
    first = await owner.ack("room.update", **update)

    assert await owner.ack("room.update", **update) == {"seq": first["seq"], "duplicate": True}


async def test_without_words_nobody_is_asked(owner: Client, seen: Seen) -> None:
    await owner.ack("room.update", room="general", payload={"title": "", "slowMode": 1})
    await owner.ack("member.kick", room="general", payload={"user": "u2"})

    assert seen == []


async def test_the_app_itself_is_not_asked_but_as_a_user(rooms: ChatRooms, seen: Seen) -> None:
    async with running_core(rooms):
        await rooms.create_room("general", title="heck")
        await rooms.update_room("general", topic="heck")
        assert seen == []
        with pytest.raises(Forbidden, match="other words"):
            await rooms.create_room("other", title="heck", as_user=ADA)


async def test_what_is_no_message_is_not_held_but_refused(rooms: ChatRooms) -> None:
    meter = RecordingMeter()
    async with running_core(rooms, meter=meter) as chat:
        await rooms.create_room("general", as_user=ADA)
        ada = await joined(chat, ADA, "general")

        refused = await ada.error("room.update", room="general", payload={"title": "my bank"})

        assert (refused["code"], refused["message"]) == ("forbidden", "may be fraud")
        assert (await rooms.reports()).reports == []
    assert (meter.value(CHECKS, "held"), meter.value(CHECKS, "refused")) == (0, 1)


async def test_names_that_guests_choose_are_looked_at(rooms: ChatRooms, seen: Seen) -> None:
    async with running_core(rooms) as chat:
        guest = await chat_client(chat)
        token = (await guest.ack("auth", payload={"name": "darn fast"}))["guestToken"]
        assert guest.session.user.name == "**** fast"
        assert (await guest.error("auth", payload={"name": "heck"}))["message"] == "in other words"
        assert (await guest.error("auth", payload={"name": "bank"}))["message"] == "may be fraud"
        other = await chat_client(chat)
        shown = {"token": token, "name": "oh heck"}

        assert (await other.error("auth", payload=shown))["message"] == "in other words"
        assert (other.session.user.id != guest.session.user.id, other.connection.closed) == (True, None)
        await other.ack("auth", payload={"token": token, "name": "Eve"})

        assert (other.session.user.id, other.session.user.name) == (guest.session.user.id, "Eve")
    assert [(type, field) for type, field, _ in seen] == [("auth", "name")] * 5


async def test_middleware_for_speak_wraps_all_words_and_that_for_message_bodies() -> None:
    rooms, spoken, said = ChatRooms("test", guests=True), list[Any](), list[Any]()

    @rooms.middleware("speak")
    async def speak(ctx: Context, call_next: Handler) -> Any:
        answer = await call_next(ctx)
        spoken.append((ctx.command.type, ctx.payload["text"], "seq" in str(answer)))
        return answer

    @rooms.middleware("message")
    async def message(ctx: Context, call_next: Handler) -> Any:
        said.append(ctx.payload["text"])
        return await call_next(ctx)

    async with running_core(rooms) as chat:
        await rooms.create_room("general", as_user=ADA)
        ada = await joined(chat, ADA, "general")
        sent = await ada.ack("message", room="general", payload={"text": "one"})
        edit = {"msgId": sent["msgId"], "body": {"text": "two"}}
        await ada.ack("message.edit", room="general", payload=edit)
        await ada.ack("room.update", room="general", payload={"title": "three", "topic": "four"})

    assert said == ["one", "two"]
    assert spoken == [
        ("message", "one", True),
        ("message", "two", True),
        ("room.update", "four", True),
        ("room.update", "three", True),
    ]


async def test_middleware_that_names_the_command_too_sees_it_once() -> None:
    rooms, seen = ChatRooms("test", guests=True), list[Any]()

    @rooms.middleware("speak", "room.update")
    async def see(ctx: Context, call_next: Handler) -> Any:
        seen.append((ctx.field, ctx.payload))
        return await call_next(ctx)

    async with running_core(rooms) as chat:
        await rooms.create_room("general", as_user=ADA)
        ada = await joined(chat, ADA, "general")
        await ada.ack("room.update", room="general", payload={"title": "one"})

    assert seen == [(None, {"title": "one"})]
