"""What an app's own code can do: middleware, listeners, commands, connect and disconnect, and the verbs."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
import pytest
from sanic import Request, Sanic
from sanic.response import HTTPResponse, json

from sanic_chatrooms import (
    ChatError,
    ChatRooms,
    ConfigError,
    Conflict,
    Context,
    Forbidden,
    Happening,
    InvalidField,
    RoomNotFound,
    User,
)
from sanic_chatrooms.hooks.middleware import Handler
from tests.support.client import Client, Closed
from tests.support.fixtures import Connect, Live
from tests.support.server import new_app

App = Sanic[Any, Any]


@pytest.fixture
def chat(app: App) -> ChatRooms:
    chat = ChatRooms(guests=True)
    app.blueprint(chat.bp)
    return chat


async def guest(connect: Connect, *rooms: str, **options: Any) -> tuple[Client, str]:
    """A connected guest in these rooms, and their user id."""
    client = await connect(**options)
    user = (await client.expect("welcome"))["payload"]["user"]["id"]
    for room in rooms:
        await client.ack("join", room=room)
    return client, user


# ---- middleware ----


async def test_middleware_runs_in_the_order_of_its_registration(chat: ChatRooms, connect: Connect) -> None:
    order: list[str] = []

    @chat.middleware
    async def outer(ctx: Context, call_next: Handler) -> Any:
        order.append(f"outer {ctx.command.type}")
        answer = await call_next(ctx)
        order.append("outer again")
        return answer

    @chat.middleware("message")
    async def inner(ctx: Context, call_next: Handler) -> Any:
        order.append("inner")
        return await call_next(ctx)

    ada, _ = await guest(connect, "general")
    order.clear()
    await ada.ack("message", room="general", payload={"text": "hi"})

    assert order == ["outer message", "inner", "outer again"]


async def test_middleware_changes_what_is_stored(chat: ChatRooms, connect: Connect) -> None:
    @chat.middleware("message")
    async def shout(ctx: Context, call_next: Handler) -> Any:
        ctx.payload = {**ctx.payload, "text": ctx.payload["text"].upper()}
        return await call_next(ctx)

    ada, _ = await guest(connect, "general")
    await ada.ack("message", room="general", payload={"text": "hi"})

    assert (await ada.expect("message"))["payload"] == {"text": "HI"}


async def test_middleware_refuses_with_a_sentence(chat: ChatRooms, connect: Connect) -> None:
    @chat.middleware("message")
    async def no_links(ctx: Context, call_next: Handler) -> Any:
        if "http" in ctx.payload["text"]:
            raise Forbidden("no links here")
        return await call_next(ctx)

    ada, _ = await guest(connect, "general")

    refused = await ada.error("message", room="general", payload={"text": "http://x"})
    assert (refused["code"], refused["message"]) == ("forbidden", "no links here")
    assert (await ada.ack("message", room="general", payload={"text": "x"}))["seq"] == 1


async def test_middleware_changes_the_answer(chat: ChatRooms, connect: Connect) -> None:
    @chat.middleware("history")
    async def count(ctx: Context, call_next: Handler) -> Any:
        page = await call_next(ctx)
        return {"count": len(page.messages)}

    ada, _ = await guest(connect, "general")
    await ada.ack("message", room="general", payload={"text": "x"})

    assert await ada.ack("history", room="general") == {"count": 1}


async def test_messages_keep_their_order_when_middleware_waits(chat: ChatRooms, connect: Connect) -> None:
    @chat.middleware("message")
    async def slow_first(ctx: Context, call_next: Handler) -> Any:
        for _ in range(20 if ctx.payload["text"] == "0" else 0):
            await asyncio.sleep(0)
        return await call_next(ctx)

    ada, _ = await guest(connect, "general")
    for n in range(10):
        await ada.send("message", room="general", payload={"text": str(n)})

    events = await ada.expect_many("message", 10)
    assert [event["payload"]["text"] for event in events] == [str(n) for n in range(10)]


async def test_middleware_that_refuses_a_join_leaves_nobody_in_the_room(
    chat: ChatRooms, connect: Connect
) -> None:
    @chat.middleware("join")
    async def full(ctx: Context, call_next: Handler) -> Any:
        answer = await call_next(ctx)
        if ctx.room == "full":
            raise Forbidden("the room is full")
        return answer

    ada, _ = await guest(connect)

    assert (await ada.error("join", room="full"))["message"] == "the room is full"
    await chat.publish("full", "message", {"text": "secret"})
    await ada.settle()
    assert ada.unread("message") == []


async def test_a_middleware_that_fails_is_logged_and_closes_nothing(
    chat: ChatRooms, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    @chat.middleware("message")
    async def broken(ctx: Context, call_next: Handler) -> Any:
        raise ZeroDivisionError("app's defect")

    ada, _ = await guest(connect, "general")
    with caplog.at_level(logging.ERROR, "sanic_chatrooms"):
        assert (await ada.error("message", room="general", payload={"text": "secret text"}))[
            "code"
        ] == "internal"

    assert len([r for r in caplog.records if r.name.startswith("sanic_chatrooms")]) == 1
    assert "secret text" not in caplog.text
    await ada.settle()


def test_middleware_must_be_a_coroutine_function(chat: ChatRooms) -> None:
    with pytest.raises(ConfigError, match="async def"):

        @chat.middleware
        def wrong(ctx: Context, call_next: Handler) -> Any:
            return call_next(ctx)


# ---- listeners ----


async def test_a_listener_hears_what_was_stored(chat: ChatRooms, connect: Connect) -> None:
    heard: asyncio.Queue[Happening] = asyncio.Queue()

    @chat.on("message")
    async def hear(happening: Happening) -> None:
        heard.put_nowait(happening)

    ada, user = await guest(connect, "general")
    await ada.ack("message", room="general", payload={"text": "hi"})
    happening = await asyncio.wait_for(heard.get(), 30)

    assert happening.room == "general"
    assert happening.user is not None
    assert happening.user.id == user
    assert happening.payload == {"text": "hi"}
    assert happening.event is not None
    assert happening.event.seq == 1


async def test_a_listener_hears_a_repeated_message_once(chat: ChatRooms, connect: Connect) -> None:
    heard: list[Happening] = []
    done = asyncio.Event()

    @chat.on("message")
    async def hear(happening: Happening) -> None:
        heard.append(happening)
        if happening.payload["text"] == "last":
            done.set()

    ada, _ = await guest(connect, "general")
    msg_id = await ada.send("message", room="general", payload={"text": "hi"})
    await ada.ack("message", room="general", payload={"text": "hi"}, msg_id=msg_id)
    await ada.ack("message", room="general", payload={"text": "last"})
    await asyncio.wait_for(done.wait(), 30)

    assert [h.payload["text"] for h in heard] == ["hi", "last"]


async def test_listeners_hear_who_enters_and_exits(chat: ChatRooms, connect: Connect) -> None:
    heard: asyncio.Queue[tuple[str, str | None]] = asyncio.Queue()

    @chat.on("room.entered", "room.exited", "disconnect")
    async def hear(happening: Happening) -> None:
        heard.put_nowait((happening.type, happening.room))

    ada, _ = await guest(connect, "general")
    await ada.close()

    got = [await asyncio.wait_for(heard.get(), 30) for _ in range(3)]
    assert sorted(got, key=str) == [
        ("disconnect", None),
        ("room.entered", "general"),
        ("room.exited", "general"),
    ]


async def test_a_listener_greets_whoever_enters(chat: ChatRooms, connect: Connect) -> None:
    @chat.on("room.entered")
    async def greet(event: Happening) -> None:
        assert event.user is not None
        await chat.notify(event.user, "notice", {"title": "Hi", "content": "…"})

    ada, _ = await guest(connect, "general")

    assert (await ada.expect("notice"))["payload"]["title"] == "Hi"


async def test_a_listener_that_fails_is_logged_and_the_others_hear(
    chat: ChatRooms, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    heard = asyncio.Event()

    @chat.on("message")
    async def broken(happening: Happening) -> None:
        raise ZeroDivisionError

    @chat.on("message")
    def plain(happening: Happening) -> None:
        heard.set()

    ada, _ = await guest(connect, "general")
    await ada.ack("message", room="general", payload={"text": "hi"})
    await asyncio.wait_for(heard.wait(), 30)
    await ada.settle()

    assert "a listener for message failed" in caplog.text


def test_a_listener_for_an_unknown_event_is_an_error(chat: ChatRooms) -> None:
    with pytest.raises(ConfigError, match="no such event"):

        @chat.on("mesage")
        async def hear(happening: Happening) -> None: ...


async def test_low_rate_events_are_signals_of_sanic(app: App, chat: ChatRooms, live: Live) -> None:
    heard: asyncio.Queue[Happening] = asyncio.Queue()

    @app.signal("chatrooms.member.joined")
    async def hear(happening: Happening) -> None:
        heard.put_nowait(happening)

    await live()
    await chat.create_room("secret", visibility="private")
    await chat.add_member("secret", User("u1", "Ada"))

    happening = await asyncio.wait_for(heard.get(), 30)
    assert (happening.room, happening.user) is not None
    assert happening.room == "secret"


# ---- connecting ----


async def test_connect_may_refuse(chat: ChatRooms, connect: Connect) -> None:
    @chat.on("connect")
    async def closed_today(event: Happening) -> None:
        raise Forbidden("closed today")

    refused = await connect.refused()

    assert refused.status == 403
    assert "closed today" in refused.text


async def test_connect_that_fails_refuses(chat: ChatRooms, connect: Connect) -> None:
    @chat.on("connect")
    async def broken(event: Happening) -> None:
        raise ZeroDivisionError

    assert (await connect.refused()).status in (403, 500, 503)


# ---- commands of the app's ----


class Vote(msgspec.Struct):
    choice: int


async def test_a_command_of_the_apps_is_validated_and_answered(chat: ChatRooms, connect: Connect) -> None:
    @chat.command("poll.vote", payload=Vote)
    async def vote(ctx: Context, vote: Vote) -> Any:
        ctx.session.data["votes"] = ctx.session.data.get("votes", 0) + 1
        return {
            "choice": vote.choice,
            "votes": ctx.session.data["votes"],
            "user": ctx.user.id,
            "room": ctx.room,
        }

    ada, user = await guest(connect)

    assert await ada.ack("poll.vote", room="r", payload={"choice": 2}) == {
        "choice": 2,
        "votes": 1,
        "user": user,
        "room": "r",
    }
    assert (await ada.ack("poll.vote", payload={"choice": 3}))["votes"] == 2
    wrong = await ada.error("poll.vote", payload={"choice": "two"})
    assert (wrong["code"], wrong["field"]) == ("invalid_field", "choice")
    missing = await ada.error("poll.vote")
    assert (missing["code"], missing["field"]) == ("invalid_field", "choice")


async def test_a_command_of_the_apps_may_call_verbs(chat: ChatRooms, connect: Connect) -> None:
    @chat.command("BID")
    async def bid(ctx: Context, payload: dict[str, Any]) -> None:
        await chat.publish("general", "AUCTION_BID", payload, sender=ctx.user)

    ada, user = await guest(connect, "general")

    assert await ada.ack("BID", payload={"amount": 5}) == {}
    event = await ada.expect("AUCTION_BID")
    assert (event["payload"], event["sender"]["id"], event["seq"]) == ({"amount": 5}, user, 1)


async def test_an_error_of_the_apps_own_travels(chat: ChatRooms, connect: Connect) -> None:
    class OutOfStock(ChatError):
        code = "out_of_stock"

    @chat.command("BUY")
    async def buy(ctx: Context, payload: dict[str, Any]) -> None:
        raise OutOfStock("nothing left", item=7)

    ada, _ = await guest(connect)

    assert await ada.error("BUY") == {
        "code": "out_of_stock",
        "message": "nothing left",
        "temporary": False,
        "item": 7,
    }


async def test_a_handler_that_waits_holds_up_nobody_else(chat: ChatRooms, connect: Connect) -> None:
    release = asyncio.Event()

    @chat.command("WAIT")
    async def wait(ctx: Context, payload: dict[str, Any]) -> None:
        await release.wait()

    ada, _ = await guest(connect, "general")
    bob, _ = await guest(connect, "general")
    waiting = await ada.send("WAIT")
    second = await ada.send("message", room="general", payload={"text": "after"})

    await bob.ack("message", room="general", payload={"text": "before"})
    release.set()

    assert (await ada.reply(waiting))["type"] == "ack"
    assert (await ada.reply(second))["type"] == "ack"
    assert [m["payload"]["text"] for m in await bob.expect_many("message", 2)] == ["before", "after"]


async def test_a_handler_ends_with_its_connection(chat: ChatRooms, connect: Connect) -> None:
    ended = asyncio.Event()

    @chat.command("WAIT")
    async def wait(ctx: Context, payload: dict[str, Any]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    ada, _ = await guest(connect)
    await ada.send("WAIT")
    await ada.abort()

    await asyncio.wait_for(ended.wait(), 30)


@pytest.mark.parametrize("type", ["message", "join", "vote", "room.close", "a b.c", ""])
def test_a_command_cannot_take_a_type_of_ours(chat: ChatRooms, type: str) -> None:
    with pytest.raises(ConfigError):
        chat.command(type)


# ---- verbs ----


async def test_publish_from_an_http_handler(app: App, chat: ChatRooms, live: Live, connect: Connect) -> None:
    @app.post("/orders")
    async def order(request: Request) -> HTTPResponse:
        await chat.publish("orders", "ORDER_CREATED", {"orderId": 7})
        return json({"ok": True})

    ada, _ = await guest(connect, "orders")

    assert (await live.servers[0].request("POST", "/orders")).status == 200
    assert (await ada.expect("ORDER_CREATED"))["payload"] == {"orderId": 7}


async def test_publish_never_makes_a_room(chat: ChatRooms, live: Live) -> None:
    await live()

    with pytest.raises(RoomNotFound):
        await chat.publish("orders", "ORDER_CREATED", {})
    await chat.ensure_room("orders")
    await chat.ensure_room("orders")
    with pytest.raises(Conflict):
        await chat.create_room("orders")
    first = await chat.publish("orders", "ORDER_CREATED", {"n": 1}, key="order-0000000000001")
    again = await chat.publish("orders", "ORDER_CREATED", {"n": 1}, key="order-0000000000001")

    assert (again.seq, again.duplicate) == (first.seq, True)
    with pytest.raises(Conflict):
        await chat.publish("orders", "ORDER_CREATED", {"n": 2}, key="order-0000000000001")


@pytest.mark.parametrize(
    ("type", "payload"),
    [
        ("typing", {}),
        ("member.joined", {}),
        ("notify", {}),
        ("redirect", {"url": "javascript:alert(1)"}),
        ("X", {"o": object()}),
    ],
)
async def test_publish_refuses_what_is_not_an_apps_to_say(
    chat: ChatRooms, live: Live, type: str, payload: Any
) -> None:
    await live()
    await chat.create_room("orders")

    with pytest.raises(InvalidField):
        await chat.publish("orders", type, payload)


async def test_publish_as_a_user_passes_the_policy(chat: ChatRooms, live: Live) -> None:
    await live()
    await chat.create_room("secret", visibility="private")
    await chat.add_member("secret", User("u1", "Ada"))

    with pytest.raises(RoomNotFound):
        await chat.publish("secret", "message", {"text": "x"}, as_user=User("u2", "Eve"))
    said = await chat.publish("secret", "message", {"text": "x"}, as_user=User("u1", "Ada"))
    assert (await chat.history("secret")).messages[-1]["seq"] == said.seq


async def test_pushes_reach_a_room_a_user_a_session_and_everybody(chat: ChatRooms, connect: Connect) -> None:
    ada, user = await guest(connect, "general")
    token = ada.frames[0]["payload"]["guestToken"]
    phone = await connect(token=token)
    session = (await phone.expect("welcome"))["payload"]["sessionId"]
    bob, _ = await guest(connect)

    await chat.push("general", "update", {"field": "topic", "value": "x"})
    await chat.notify(user, "notice", {"title": "to Ada", "content": ""})
    await chat.notify(user, "redirect", {"url": "https://example.org/"}, session=session)
    await chat.broadcast("notice", {"title": "to all", "content": ""})
    for client in (ada, phone, bob):
        await client.settle()

    def told(client: Client) -> list[str]:
        return [frame["type"] for frame in client.frames if frame["type"] in ("notice", "update", "redirect")]

    assert sorted(told(ada)) == ["notice", "notice", "update"]
    assert sorted(told(phone)) == ["notice", "notice", "redirect"]
    assert told(bob) == ["notice"]


async def test_the_app_reads_rooms_members_and_presence(chat: ChatRooms, connect: Connect) -> None:
    _, user = await guest(connect, "general")
    await chat.create_room("orders", title="Orders")
    await chat.add_member("orders", User("u1", "Ada"), role="moderator")

    rooms = await chat.rooms()
    members = await chat.members("orders")
    present = await chat.presence("general")

    assert [room.id for room in rooms.rooms] == ["general", "orders"]
    assert [(m.user, m.role, m.online) for m in members.members] == [("u1", "moderator", False)]
    assert [u.id for u in present.users] == [user]
    assert await chat.online(user, "u1") == {user}
    assert [c.rooms for c in chat.connections(user)] == [("general",)]


async def test_a_deleted_room_says_so_and_comes_back_with_another_past(
    chat: ChatRooms, connect: Connect
) -> None:
    ada, _ = await guest(connect)
    epoch = (await ada.ack("join", room="general"))["epoch"]
    await ada.ack("message", room="general", payload={"text": "x"})

    assert await chat.delete_room("general")

    assert (await ada.expect("room.removed"))["payload"] == {"room": "general", "reason": "deleted"}
    assert (await ada.error("message", room="general", payload={"text": "x"}))["code"] == "not_a_member"
    again = await ada.ack("join", room="general", payload={"since": {"epoch": epoch, "seq": 0}})
    assert again["epoch"] != epoch
    assert again["recovered"] is False
    assert again["seq"] == 0


async def test_a_kicked_member_hears_why_and_nothing_more(chat: ChatRooms, connect: Connect) -> None:
    ada, user = await guest(connect)
    bob, other = await guest(connect)
    await chat.create_room("secret", visibility="private")
    for id, client in ((user, ada), (other, bob)):
        await chat.add_member("secret", User(id, id))
        await client.ack("join", room="secret")

    assert await chat.kick("secret", user)
    await chat.publish("secret", "message", {"text": "without Ada"})
    await bob.expect("message")
    await ada.settle()

    assert (await bob.expect("member.kicked"))["payload"]["user"]["id"] == user
    assert (await ada.expect("room.removed"))["payload"] == {"room": "secret", "reason": "kicked"}
    assert ada.unread("message") == []
    assert (await ada.error("join", room="secret"))["code"] == "room_not_found"


async def test_disconnect_closes_every_connection_of_a_user(chat: ChatRooms, connect: Connect) -> None:
    ada, user = await guest(connect, "general")
    phone = await connect(token=ada.frames[0]["payload"]["guestToken"])
    await phone.expect("welcome")

    await chat.disconnect(user, reason="enough")

    assert await ada.closed() == (4503, "enough")
    assert await phone.closed() == (4503, "enough")
    with pytest.raises(Closed):
        await ada.expect("message")


@pytest.mark.parametrize("code", [1005, 1006, 999, 2000, 5000])
async def test_disconnect_with_a_code_that_cannot_be_sent_is_refused(
    chat: ChatRooms, live: Live, code: int
) -> None:
    await live()

    with pytest.raises(InvalidField):
        await chat.disconnect("u1", code=code)


async def test_an_error_in_a_request_handler_is_answered_with_its_status(
    chat: ChatRooms, app: App, live: Live, caplog: pytest.LogCaptureFixture
) -> None:
    @app.post("/orders")
    async def order(_: Request) -> HTTPResponse:
        await chat.publish("nowhere", "ORDER_CREATED", {})
        return json({})

    server = await live()
    answer = await server.request("POST", "/orders")

    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert msgspec.json.decode(answer.body)["code"] == "room_not_found"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_an_apps_own_handler_of_errors_goes_before_ours(chat: ChatRooms, app: App, live: Live) -> None:
    @app.exception(ChatError)
    async def own(_: Request, problem: ChatError) -> HTTPResponse:
        return json({"mine": problem.code}, status=418)

    @app.get("/orders")
    async def orders(_: Request) -> HTTPResponse:
        raise Conflict

    answer = await (await live()).get("/orders")

    assert (answer.status, answer.body) == (418, b'{"mine":"conflict"}')


def test_verbs_before_start_say_what_to_do(chat: ChatRooms) -> None:
    with pytest.raises(ConfigError, match="does not run"):
        chat.connections()


# ---- neighbours ----


async def test_sanic_ext_injects_the_instance(connect: Connect, live: Live) -> None:
    app = new_app("extended", AUTO_EXTEND=True)
    app.extend()
    app.blueprint(ChatRooms(guests=True).bp)

    @app.get("/rooms")
    async def rooms(_: Request, chat: ChatRooms) -> HTTPResponse:
        await chat.ensure_room("orders")
        return json([room.id for room in (await chat.rooms()).rooms])

    server = await live(app)
    try:
        answer = await server.get("/rooms")
    finally:
        Sanic.unregister_app(app)

    assert answer.body == b'["orders"]'
