"""The table of commands: what is at once, what a route takes, and what the app's code may do on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from sanic_chatrooms import ChatRooms, Context, Forbidden, User
from sanic_chatrooms.access.policy import RoomPolicy
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.declaration import RouteDeclaration
from sanic_chatrooms.hooks.middleware import Handler
from sanic_chatrooms.models import Appended, Room, direct_room
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.by_path import by_path
from sanic_chatrooms.verbs.table import Settled, acked
from sanic_chatrooms.wire.encode import encode
from tests.support.scans import no_scan

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True)


# ---- coming and going ----


async def test_a_disconnect_looks_at_its_own_rooms_only() -> None:
    async with running_core(guests=True) as chat:
        ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
        await ada.ack("join", room="general")
        await bob.ack("join", room="general")
        (leaving,) = chat.sessions.of(ADA.id)

        with no_scan(chat.hub, "_rooms"), no_scan(chat.occupancy, "_here"), no_scan(chat.sessions, "_all"):
            leaving.disconnected()

        held = chat.hub.room("general")
        assert held is not None
        assert list(held.sessions()) == chat.sessions.of(BOB.id)


# ---- answers ----


async def test_a_ping_is_answered_with_its_payload() -> None:
    async with running_core(guests=True) as chat:
        ada = await chat_client(chat, ADA)

        pong = await ada.request("ping", payload={"at": 1})

        assert (pong["type"], pong["payload"]) == ("pong", {"at": 1})


@pytest.mark.parametrize("type", ["shout", "reaction.x", "poll.vote", "", "x" * 1000])
async def test_there_are_no_other_commands(type: str) -> None:
    async with running_core(guests=True) as chat:
        ada = await chat_client(chat, ADA)

        assert (await ada.error(type))["code"] == "unknown_command"


@pytest.mark.parametrize(
    "type", ["join", "exit", "leave", "message", "typing", "history", "members", "presence"]
)
async def test_commands_that_need_a_room_say_so(type: str) -> None:
    async with running_core(guests=True) as chat:
        ada = await chat_client(chat, ADA)

        error = await ada.error(type, payload={"text": "x"})

        assert (error["code"], error["field"]) == ("invalid_field", "room")


@pytest.mark.parametrize("type", ["join", "history", "members", "presence", "rooms", "room.create", "direct"])
async def test_payloads_are_checked_before_anything_is_done(type: str) -> None:
    async with running_core(guests=True) as chat:
        ada = await chat_client(chat, ADA)
        payload: dict[str, Any] = {"history": [], "limit": [], "title": [], "to": []}

        assert (await ada.error(type, room="general", payload=payload))["code"] == "invalid_field"
        assert await chat.backends.store.room("general") is None


async def test_typing_needs_a_seat_and_reaches_the_room() -> None:
    async with running_core(guests=True) as chat:
        ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
        for client in (ada, bob):
            await client.ack("join", room="general")

        assert (await ada.error("typing", room="other"))["code"] == "not_a_member"
        assert await ada.ack("typing", room="general", payload={"active": True}) == {}

        assert (await bob.expect("typing"))["payload"] == {"users": [{"id": "u1", "name": "Ada"}]}


# ---- by path ----


@pytest.mark.parametrize(
    ("query", "payload"),
    [
        ({}, {}),
        ({"history": "10"}, {"history": 10}),
        ({"history": "-1"}, {"history": "-1"}),
        ({"history": "x"}, {"history": "x"}),
        ({"history": ""}, {"history": ""}),
        ({"history": "9" * 30}, {"history": "9" * 30}),
        ({"history": "\u0661"}, {"history": "\u0661"}),
        ({"since": "epoch:7"}, {"since": {"epoch": "epoch", "seq": 7}}),
        ({"since": "a:b:7"}, {"since": {"epoch": "a:b", "seq": 7}}),
        ({"since": "7"}, {"since": {"epoch": "", "seq": 7}}),
        ({"since": "epoch:"}, {"since": {"epoch": "epoch", "seq": ""}}),
        ({"other": "1"}, {}),
    ],
)
def test_the_query_of_a_path_is_the_payload_of_its_join(query: dict[str, str], payload: Any) -> None:
    assert msgspec.json.decode(by_path("general", query).payload) == payload


async def test_the_room_of_the_path_is_joined_with_its_query() -> None:
    async with running_core(guests=True) as chat:
        ada = await chat_client(chat, ADA, room="lobby")
        for number in range(3):
            await ada.ack("message", payload={"text": str(number)})

        bob = await chat_client(chat, BOB, room="lobby", query={"history": "2"})
        wrong = await chat_client(chat, BOB, room="lobby", query={"since": "epoch:x"})

        joined = (await bob.expect("ack", replyTo="join"))["payload"]
        assert [message["seq"] for message in joined["messages"]] == [2, 3]
        assert (await wrong.expect("error", replyTo="join"))["payload"]["field"] == "since.seq"


# ---- routes with limits ----


async def test_a_read_only_connection_says_nothing() -> None:
    async with running_core(guests=True) as chat:
        screen = await chat_client(
            chat, ADA, route=RouteDeclaration("/screen", room="lobby", read_only=True, confined=True)
        )
        await screen.expect("ack", replyTo="join")

        for type in ("message", "direct", "typing", "leave", "room.create", "poll.vote"):
            assert (await screen.error(type, payload={"text": "x"}))["code"] == "forbidden"
        for type in ("history", "members", "presence", "ping", "exit", "join"):
            assert (await screen.request(type))["type"] != "error"


async def test_a_confined_connection_stays_in_its_room() -> None:
    async with running_core(guests=True) as chat:
        desk = await chat_client(chat, ADA, route=RouteDeclaration("/desk", room="lobby", confined=True))
        await desk.expect("ack", replyTo="join")

        for type, room in (("join", "other"), ("history", "other"), ("message", "other"), ("rooms", None)):
            assert (await desk.error(type, room=room, payload={"text": "x"}))["code"] == "forbidden"
        for type in ("direct", "room.create"):
            assert (await desk.error(type))["code"] == "forbidden"
        assert await desk.ack("message", payload={"text": "x"})
        assert await chat.backends.store.room("other") is None


# ---- the app's code on the way ----


async def test_a_middleware_may_send_a_join_elsewhere(rooms: ChatRooms) -> None:
    @rooms.middleware("join")
    async def redirect(ctx: Context, call_next: Handler) -> Any:
        ctx.command.room = "there"
        return await call_next(ctx)

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)

        joined = await ada.ack("join", room="here")

        assert joined["room"] == "there"
        assert ada.session.seats.keys() == {"there"}
        assert await ada.ack("message", room="there", payload={"text": "x"})


async def test_a_command_that_is_replaced_is_carried_out_instead(rooms: ChatRooms) -> None:
    @rooms.middleware("join")
    async def redirect(ctx: Context, call_next: Handler) -> Any:
        ctx.command = msgspec.structs.replace(ctx.command, room="there", msg_id=None)
        return await call_next(ctx)

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)

        assert (await ada.ack("join", room="here"))["room"] == "there"
        assert ada.session.seats.keys() == {"there"}


async def test_a_join_that_is_refused_after_it_was_done_is_undone(rooms: ChatRooms) -> None:
    @rooms.middleware("join")
    async def refuse(ctx: Context, call_next: Handler) -> Any:
        ctx.command = msgspec.structs.replace(ctx.command, room="there")
        await call_next(ctx)
        raise Forbidden("after all")

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)

        assert (await ada.error("join", room="here"))["message"] == "after all"

        held = chat.hub.room("there")
        assert ada.session.seats == {}
        assert held is None or held.unused


async def test_a_middleware_that_answers_a_join_by_itself_is_the_answer(rooms: ChatRooms) -> None:
    @rooms.middleware("join")
    async def answer(ctx: Context, call_next: Handler) -> Any:
        return {"waiting": 7}

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)

        assert await ada.ack("join", room="queue") == {"waiting": 7}
        assert ada.session.seats == {}


async def test_a_middleware_changes_what_is_said(rooms: ChatRooms) -> None:
    @rooms.middleware("message")
    async def shout(ctx: Context, call_next: Handler) -> Any:
        ctx.payload = {"text": ctx.payload["text"].upper()}
        return await call_next(ctx)

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA, room="lobby")
        await ada.ack("message", payload={"text": "hi"})

        assert (await ada.expect("message"))["payload"] == {"text": "HI"}


async def test_a_middleware_may_be_around_pings_too(rooms: ChatRooms) -> None:
    seen = []

    @rooms.middleware
    async def count(ctx: Context, call_next: Handler) -> Any:
        seen.append(ctx.command.type)
        return await call_next(ctx)

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)

        assert (await ada.request("ping", payload={"n": 1}))["payload"] == {"n": 1}
        assert (await ada.error("shout"))["code"] == "unknown_command"
        assert seen == ["ping"]


async def test_a_defect_in_the_apps_code_is_internal_and_closes_nothing(
    rooms: ChatRooms, caplog: pytest.LogCaptureFixture
) -> None:
    @rooms.command("BROKEN")
    async def broken(ctx: Context, payload: dict[str, Any]) -> None:
        raise KeyError("secret")

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)

        error = await ada.error("BROKEN")

        assert (error["code"], "secret" in error["message"]) == ("internal", False)
        assert "command BROKEN of user u1 failed" in caplog.text
        assert ada.connection.closed is None


async def test_a_cancellation_in_the_apps_code_is_internal_and_the_next_command_is_carried_out(
    rooms: ChatRooms,
) -> None:
    @rooms.command("GIVEN_UP")
    async def given_up(ctx: Context, payload: dict[str, Any]) -> None:
        raise asyncio.CancelledError

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)
        asked = [ada.send("GIVEN_UP"), ada.send("rooms")]

        answers = [await ada.reply(msg_id) for msg_id in asked]

        assert [answer["type"] for answer in answers] == ["error", "ack"]
        assert answers[0]["payload"]["code"] == "internal"


async def test_an_answer_that_is_no_json_is_internal(
    rooms: ChatRooms, caplog: pytest.LogCaptureFixture
) -> None:
    @rooms.command("ODD")
    async def odd(ctx: Context, payload: dict[str, Any]) -> Any:
        return object()

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)

        assert (await ada.error("ODD"))["code"] == "internal"
        assert (await ada.request("ping"))["type"] == "pong"


async def test_an_answer_that_is_larger_than_clients_take_is_an_error_and_closes_nothing(
    rooms: ChatRooms, caplog: pytest.LogCaptureFixture
) -> None:
    @rooms.command("EXPORT")
    async def export(ctx: Context, payload: dict[str, Any]) -> dict[str, str]:
        return {"csv": "x" * 2_000_000}

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)

        error = await ada.error("EXPORT")

        assert (error["code"], error["limit"]) == ("too_large", 512 * 1024)
        assert "the answer to EXPORT has 2000" in caplog.text
        assert (await ada.request("ping"))["type"] == "pong"


async def test_a_handler_may_disconnect_its_own_user(rooms: ChatRooms) -> None:
    @rooms.command("BYE")
    async def bye(ctx: Context, payload: dict[str, Any]) -> None:
        await rooms.disconnect(ctx.user, reason="as you wish")

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)
        ada.send("BYE")

        assert await ada.closed() == (4503, "as you wish")


async def test_data_of_a_session_is_the_apps(rooms: ChatRooms) -> None:
    @rooms.command("COUNT")
    async def count(ctx: Context, payload: dict[str, Any]) -> dict[str, int]:
        ctx.session.data["n"] = ctx.session.data.get("n", 0) + 1
        return {"n": ctx.session.data["n"]}

    async with running_core(rooms) as chat:
        ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)

        assert [(await client.ack("COUNT"))["n"] for client in (ada, ada, bob)] == [1, 2, 1]


# ---- whatever says something passes one gate ----


async def say(client: MemoryClient, way: str, text: str) -> str:
    """Say it by this command; -> the code of the refusal, or what is then there."""
    room, body = "general", {"text": text}
    if way == "message":
        said = await client.request("message", room=room, payload=body)
    elif way == "direct":
        said = await client.request("direct", payload={"to": "u2", "body": body})
    else:
        first = await client.ack("message", room=room, payload={"text": "first"})
        said = await client.request(way, room=room, payload={"msgId": first["msgId"], "body": body})
    if said["type"] == "error":
        return str(said["payload"]["code"])
    place = said["payload"].get("room", room)
    return str((await client.ack("history", room=place))["messages"][-1]["payload"]["text"])


SAYING = ["message", "message.edit", "direct"]


@pytest.mark.parametrize("way", SAYING)
async def test_middleware_around_messages_sees_everything_that_is_said(rooms: ChatRooms, way: str) -> None:
    @rooms.middleware("message")
    async def no_links(ctx: Context, call_next: Handler) -> Any:
        if "http" in ctx.payload["text"]:
            raise Forbidden("no links")
        ctx.payload = {"text": ctx.payload["text"].replace("teh", "the")}
        return await call_next(ctx)

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="general")

        assert await say(ada, way, "see http://") == "forbidden"
        assert await say(ada, way, "teh end") == "the end"


@pytest.mark.parametrize("way", SAYING)
async def test_what_middleware_makes_of_words_is_checked_like_every_body(rooms: ChatRooms, way: str) -> None:
    @rooms.middleware("message")
    async def shout(ctx: Context, call_next: Handler) -> Any:
        ctx.payload = {"text": ctx.payload["text"] * 20_000} if ctx.payload["text"] == "!" else ctx.payload
        return await call_next(ctx)

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="general")

        assert await say(ada, way, "!") == "too_large"


@pytest.mark.parametrize("types", [(), ("message", "message.edit", "direct")])
async def test_middleware_around_more_than_messages_sees_each_command_once(
    rooms: ChatRooms, types: tuple[str, ...]
) -> None:
    seen: list[str] = []

    async def note(ctx: Context, call_next: Handler) -> Any:
        seen.append(ctx.command.type)
        return await call_next(ctx)

    (rooms.middleware(*types) if types else rooms.middleware)(note)
    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="general")
        for way in SAYING:
            await say(ada, way, "hi")

    assert [type for type in seen if type in SAYING] == ["message", "message", "message.edit", "direct"]


@pytest.mark.parametrize("way", SAYING)
async def test_who_may_not_say_messages_says_nothing_at_all(way: str) -> None:
    class Quiet(RoomPolicy):
        quiet = False

        def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
            super().require(user, action, room, standing)
            if action == "message" and self.quiet:
                assert room is not None, "it is said somewhere"
                raise Forbidden("quiet hours")

    policy = Quiet()
    async with running_core(ChatRooms("test", guests=True, policy=policy)) as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="general")
        first = await ada.ack("message", room="general", payload={"text": "first"})
        policy.quiet = True
        edit = {"msgId": first["msgId"], "body": {"text": "hi"}}
        said = {
            "message": {"text": "hi"},
            "message.edit": edit,
            "direct": {"to": "u2", "body": {"text": "hi"}},
        }

        assert (await ada.error(way, room="general", payload=said[way]))["code"] == "forbidden"
        assert await chat.store.room(direct_room("u1", "u2")) is None


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (Appended("m", 7, 1.0, "e"), b'{"seq":7,"duplicate":false}'),
        (Appended("m", 7, 1.0, "e", duplicate=True), b'{"seq":7,"duplicate":true}'),
        (Appended("m", 7, 1.0, "e", unchanged=True), b'{"seq":7,"duplicate":true}'),
        (Appended("m", 0, 1.0, "e", unchanged=True), b'{"duplicate":true}'),
    ],
)
def test_what_was_so_already_is_acked_as_a_repetition(stored: Appended, told: bytes) -> None:
    assert encode(acked(Settled, stored)) == told
