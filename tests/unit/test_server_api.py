"""The app's verbs, in a process without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from sanic_chatrooms import (
    ChatRooms,
    ConfigError,
    Conflict,
    Context,
    Forbidden,
    InvalidField,
    InvalidText,
    RoomNotFound,
    TooLarge,
    User,
    connect,
)
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.hooks.middleware import Handler
from sanic_chatrooms.models import EVERYONE, Sender, user_room
from sanic_chatrooms.testing import chat_client
from sanic_chatrooms.testing.connections import running_core

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")
ID = "order-0000000000001"


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        yield chat


async def test_a_process_without_sockets_has_the_verbs() -> None:
    async with connect("test", guests=True) as rooms:
        await rooms.create_room("orders", title="Orders")
        await rooms.publish("orders", "ORDER", {"id": 7})

        page = await rooms.history("orders")

        assert [(m["type"], m["payload"], m["seq"]) for m in page.messages] == [("ORDER", {"id": 7}, 1)]
        assert (page.more, page.seq) == (False, 1)
    with pytest.raises(ConfigError, match=r"does not run.*if you register it after app\.blueprint"):
        await rooms.history("orders")


async def test_what_is_published_is_numbered_and_a_repetition_is_the_first(
    rooms: ChatRooms, chat: Chat
) -> None:
    await rooms.create_room("orders")

    first = await rooms.publish("orders", "ORDER", {"id": 7}, key=ID)
    again = await rooms.publish("orders", "ORDER", {"id": 7}, key=ID)

    assert (first.seq, first.duplicate, again.seq, again.duplicate) == (1, False, 1, True)
    with pytest.raises(Conflict):
        await rooms.publish("orders", "SHIPPED", {"id": 7}, key=ID)


async def test_a_live_event_has_no_number_and_is_not_stored(rooms: ChatRooms, chat: Chat) -> None:
    await rooms.create_room("orders")
    ada = await chat_client(chat, ADA)
    await ada.ack("join", room="orders")

    await rooms.push("orders", "TICK", {"n": 1}, sender=BOB)

    heard = await ada.expect("TICK")
    assert (heard["payload"], heard["sender"]) == ({"n": 1}, {"id": "u2", "name": "Bob"})
    assert "seq" not in heard
    assert (await rooms.history("orders")).messages == []


async def test_the_app_speaks_as_whom_it_likes(rooms: ChatRooms, chat: Chat) -> None:
    await rooms.create_room("secret", visibility="private")

    await rooms.publish("secret", "message", {"text": "1"})
    await rooms.publish("secret", "message", {"text": "2"}, sender=Sender("bot", "Bot"))
    with pytest.raises(RoomNotFound):
        await rooms.publish("secret", "message", {"text": "3"}, as_user=ADA)

    senders = [message.get("sender") for message in (await rooms.history("secret")).messages]
    assert senders == [None, {"id": "bot", "name": "Bot"}]


@pytest.mark.parametrize(
    ("type", "payload", "field"),
    [
        ("typing", {}, "type"),
        ("member.joined", {}, "type"),
        ("room.updated", {}, "type"),
        ("Vote", {}, "type"),
        ("X", {"o": object()}, "payload"),
        ("X", {"n": 2**70}, "payload"),
        ("X", {"text": "\ud800"}, "payload"),
        ("redirect", {"url": "javascript:alert(1)"}, "url"),
        ("redirect", {"url": " \tjava\nscript:alert(1)"}, "url"),
        ("redirect", {"url": "data:text/html,x"}, "url"),
        ("redirect", {"url": "http://["}, "url"),
    ],
)
async def test_what_an_app_cannot_publish(
    rooms: ChatRooms, chat: Chat, type: str, payload: dict[str, Any], field: str
) -> None:
    await rooms.create_room("orders")

    for say in (rooms.publish, rooms.push):
        with pytest.raises(InvalidField) as error:
            await say("orders", type, payload)
        assert error.value.fields["field"] == field


async def test_an_app_says_nothing_that_a_store_could_not_keep(rooms: ChatRooms, chat: Chat) -> None:
    await rooms.create_room("orders")

    with pytest.raises(InvalidText):
        await rooms.publish("orders", "X", {"text": "\0"})


async def test_an_app_says_nothing_that_is_larger_than_its_clients_take(rooms: ChatRooms, chat: Chat) -> None:
    await rooms.create_room("orders")
    stored = await rooms.publish("orders", "message", {"text": "hi"})
    large = {"text": "x" * 2_000_000}
    verbs: dict[str, Callable[[], Awaitable[object]]] = {
        "publish": lambda: rooms.publish("orders", "ORDER", large),
        "push": lambda: rooms.push("orders", "ORDER", large),
        "edit": lambda: rooms.edit("orders", stored.msg_id, large),
        "notify": lambda: rooms.notify("u1", "ORDER", large),
        "broadcast": lambda: rooms.broadcast("ORDER", large),
    }

    for verb, call in verbs.items():
        with pytest.raises(TooLarge, match=r"payload of .*: 2000011, at most 524288") as caught:
            await call()
        assert caught.value.fields == {"limit": 524_288, "size": 2_000_011}, verb


async def test_how_large_an_app_may_speak_is_a_setting() -> None:
    async with connect("test", guests=True, max_publish=2_000) as rooms:
        await rooms.create_room("orders")

        await rooms.publish("orders", "ORDER", {"text": "x" * 1_989})
        with pytest.raises(TooLarge):
            await rooms.publish("orders", "ORDER", {"text": "x" * 1_990})


VERBS: dict[str, Callable[[ChatRooms, Any], Awaitable[Any]]] = {
    "publish as": lambda rooms, user: rooms.publish("orders", "ORDER", {}, as_user=user),
    "publish from": lambda rooms, user: rooms.publish("orders", "ORDER", {}, sender=user),
    "push": lambda rooms, user: rooms.push("orders", "ORDER", {}, sender=user),
    "edit": lambda rooms, user: rooms.edit("orders", ID, {"text": "x"}, as_user=user),
    "delete": lambda rooms, user: rooms.delete("orders", ID, as_user=user),
    "notify": lambda rooms, user: rooms.notify(user, "notice", {"title": "t", "content": "c"}),
    "history": lambda rooms, user: rooms.history("orders", as_user=user),
    "rooms": lambda rooms, user: rooms.rooms(user=user),
    "online": lambda rooms, user: rooms.online(user),
    "create_room": lambda rooms, user: rooms.create_room("mine", as_user=user),
    "add_member": lambda rooms, user: rooms.add_member("orders", user),
    "remove_member": lambda rooms, user: rooms.remove_member("orders", user),
    "kick": lambda rooms, user: rooms.kick("orders", user),
    "disconnect": lambda rooms, user: rooms.disconnect(user),
    "revoke": lambda rooms, user: rooms.revoke(user=user, jti="t1"),
    "ban_user": lambda rooms, user: rooms.ban_user(user),
    "unban_user": lambda rooms, user: rooms.unban_user(user),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("user_id", [7, "", "u\0", "\ud800", "u" * 129])
async def test_a_user_whose_id_is_none_is_one_error_in_every_verb(
    rooms: ChatRooms, chat: Chat, verb: str, user_id: Any
) -> None:
    await rooms.create_room("orders")

    with pytest.raises(InvalidField, match="id of a user"):
        await VERBS[verb](rooms, User(user_id, "Ada"))


@pytest.mark.parametrize(
    ("name", "shown"),
    [("\u202eAda\u200b", "Ada"), ("", "u1"), (7, "u1"), ("\ud800", "u1"), ("x" * 99, "x" * 64)],
)
async def test_names_that_the_app_brings_are_cleaned_as_others_are(
    rooms: ChatRooms, chat: Chat, name: Any, shown: str
) -> None:
    await rooms.create_room("orders")
    await rooms.add_member("orders", User("u1", name))
    await rooms.publish("orders", "ORDER", {}, sender=Sender("u1", name))
    await rooms.publish("orders", "message", {"text": "hi"}, as_user=User("u1", name))

    assert [line.name for line in (await rooms.members("orders")).members] == [shown]
    assert [event["sender"]["name"] for event in (await rooms.history("orders")).messages] == [shown, shown]


@pytest.mark.parametrize("user", [7, None, b"u1", ""])
async def test_what_is_no_user_is_that_error_too(rooms: ChatRooms, chat: Chat, user: Any) -> None:
    for verb in ("notify", "online", "remove_member", "kick", "disconnect", "ban_user", "unban_user"):
        with pytest.raises(InvalidField, match="id of a user"):
            await VERBS[verb](rooms, user)


async def test_a_live_message_is_none(rooms: ChatRooms, chat: Chat) -> None:
    await rooms.create_room("orders")

    with pytest.raises(InvalidField):
        await rooms.push("orders", "message", {"text": "x"})


@pytest.mark.parametrize("msg_id", ["short", "x" * 65, "with blanks in the middle", "\u00fc" * 20])
async def test_a_msg_id_that_could_not_travel(rooms: ChatRooms, chat: Chat, msg_id: str) -> None:
    await rooms.create_room("orders")

    with pytest.raises(InvalidField):
        await rooms.publish("orders", "ORDER", {}, key=msg_id)


@pytest.mark.parametrize("room", ["nowhere", EVERYONE, user_room("u1")])
async def test_rooms_that_an_app_cannot_speak_in(rooms: ChatRooms, chat: Chat, room: str) -> None:
    await chat_client(chat, ADA)

    for say in (rooms.publish, rooms.push):
        with pytest.raises(RoomNotFound):
            await say(room, "ORDER", {})
    assert await rooms.room(room) is None


@pytest.mark.parametrize("room", [EVERYONE, user_room("u1")])
async def test_rooms_of_the_servers_own_cannot_be_deleted(rooms: ChatRooms, chat: Chat, room: str) -> None:
    ada = await chat_client(chat, ADA)

    with pytest.raises(RoomNotFound):
        await rooms.delete_room(room)
    assert ada.connection.closed is None


async def test_pushes_to_a_user_a_session_and_everybody(rooms: ChatRooms, chat: Chat) -> None:
    ada, phone, bob = [await chat_client(chat, user) for user in (ADA, ADA, BOB)]

    await rooms.notify(ADA, "notice", {"title": "to Ada", "content": ""})
    await rooms.notify("u1", "redirect", {"url": "https://example.org"}, session=phone.session.id)
    await rooms.broadcast("update", {"field": "x", "value": 1})
    await rooms.notify("nobody", "notice", {})
    for client in (ada, phone, bob):
        await client.settle()

    pushed = [[f["type"] for f in c.unread() if f["type"] != "welcome"] for c in (ada, phone, bob)]
    assert pushed == [["notice", "update"], ["notice", "redirect", "update"], ["update"]]


async def test_a_connection_without_identity_hears_no_pushes(rooms: ChatRooms) -> None:
    async with running_core(rooms, guests=False, jwt_secret="s" * 32) as chat:
        nobody = await chat_client(chat)

        await rooms.broadcast("notice", {"title": "secret", "content": ""})
        assert (await nobody.error("ping"))["code"] == "unauthenticated"

        assert nobody.unread("notice") == []
        assert rooms.connections() == []


async def test_the_app_sees_connections(rooms: ChatRooms, chat: Chat) -> None:
    ada = await chat_client(chat, ADA)
    await ada.ack("join", room="general")
    bob = await chat_client(chat, BOB)

    (info,) = rooms.connections("u1")

    assert (info.session, info.user, info.state) == (ada.session.id, ADA, "active")
    assert (info.rooms, info.remote_ip) == (("general",), "127.0.0.1")
    assert len(rooms.connections()) == 2
    assert await rooms.online("u1", BOB, "u3") == {"u1", "u2"}
    bob.disconnect()
    await chat.occupancy.settle()
    assert await rooms.online("u1", BOB, "u3") == {"u1", "u2"}, "within the grace"
    assert await rooms.online("u1", BOB, "u3", grace=False) == {"u1"}
    assert [u.id for u in (await rooms.presence("general")).users] == ["u1"]


async def test_members_by_the_app(rooms: ChatRooms, chat: Chat) -> None:
    await rooms.create_room("secret", visibility="private", as_user=BOB)
    await rooms.add_member("secret", ADA, role="moderator")
    ada = await chat_client(chat, ADA)
    await ada.ack("join", room="secret")

    assert [(m.user, m.role) for m in (await rooms.members("secret")).members] == [
        ("u1", "moderator"),
        ("u2", "owner"),
    ]
    assert await rooms.kick("secret", "u1")
    assert not await rooms.remove_member("secret", "u1")

    assert (await ada.expect("room.removed"))["payload"]["reason"] == "kicked"
    kicked = await chat.backends.store.history("secret", after=0, limit=10)
    assert b'"name":"Ada"' in bytes(kicked.events[-1].payload)


async def test_a_policy_is_asked_only_for_users(chat: Chat, rooms: ChatRooms) -> None:
    class Closed(type(chat.declaration.policy)):  # type: ignore[misc]
        def require(self, user: User, action: str, *rest: Any) -> None:
            raise Forbidden

    chat.declaration.policy = Closed()

    await rooms.create_room("orders")
    assert [line.id for line in (await rooms.rooms()).rooms] == ["orders"]
    with pytest.raises(Forbidden):
        await rooms.create_room("another", as_user=ADA)
    with pytest.raises(Forbidden):
        await rooms.history("orders", as_user=ADA)


async def test_disconnecting_one_session(rooms: ChatRooms, chat: Chat) -> None:
    ada, phone = await chat_client(chat, ADA), await chat_client(chat, ADA)

    await rooms.disconnect(ADA, session=phone.session.id, code=4000)

    assert phone.connection.closed == (4000, "closed by the application")
    assert ada.connection.closed is None
    with pytest.raises(InvalidField):
        await rooms.disconnect(ADA, reason="\u20ac" * 42)


# ---- rooms of the app's ----


async def test_the_app_ensures_its_room_as_often_as_it_likes(rooms: ChatRooms, chat: Chat) -> None:
    made = await rooms.ensure_room("orders", title="Orders", attributes={"of": 1})
    again = await rooms.ensure_room("orders", title="Orders", attributes={"of": 1})
    renamed = await rooms.ensure_room("orders", title="All orders", announce=True)

    assert again == made
    assert (renamed.title, renamed.announce, renamed.attributes) == ("All orders", True, {"of": 1})
    assert await rooms.room("orders") == renamed
    with pytest.raises(InvalidField):
        await rooms.ensure_room("orders", visibility="direct")
    with pytest.raises(InvalidField):
        await rooms.ensure_room("~all")


async def test_workers_that_change_a_room_at_once_agree(rooms: ChatRooms, chat: Chat) -> None:
    await rooms.ensure_room("orders")

    found = await asyncio.gather(
        *(rooms.ensure_room("orders", title="Orders", visibility="private") for _ in range(5))
    )

    kept = await rooms.room("orders")
    assert kept is not None
    assert {(room.title, room.visibility, room.epoch) for room in found} == {
        ("Orders", "private", kept.epoch)
    }


@pytest.mark.parametrize("how", ["room.create", "join"])
async def test_the_app_takes_over_no_room_that_a_user_made(rooms: ChatRooms, chat: Chat, how: str) -> None:
    guest = await chat_client(chat)
    await guest.ack(how, room="order-1001", payload={"visibility": "private"} if how == "room.create" else {})

    with pytest.raises(Conflict, match=r"order-1001.*RESERVED_IDS"):
        await rooms.ensure_room("order-1001", visibility="private")


async def test_a_room_that_becomes_private_is_left_by_all_and_joined_by_its_members(
    rooms: ChatRooms, chat: Chat
) -> None:
    await rooms.ensure_room("orders")
    guest, ada = await chat_client(chat), await chat_client(chat, ADA)
    for client in (guest, ada):
        await client.ack("join", room="orders")

    await rooms.ensure_room("orders", visibility="private")
    await rooms.publish("orders", "message", {"text": "only for members"})

    assert (await guest.expect("reset"))["payload"]["reason"] == "the room has changed"
    assert (await guest.error("join", room="orders"))["code"] == "room_not_found"
    assert guest.unread("message") == []
    again = await ada.ack("join", room="orders")
    assert [message["payload"]["text"] for message in again["messages"]] == ["only for members"]


@pytest.mark.parametrize("who", [None, ADA])
async def test_no_user_makes_a_room_whose_id_is_reserved(who: User | None) -> None:
    rooms = ChatRooms("test", guests=True, reserved_ids=("order-",))
    async with running_core(rooms) as chat:
        client = await chat_client(chat, who)

        assert (await client.error("join", room="order-1"))["code"] == "room_not_found"
        assert (await client.error("room.create", room="order-1"))["field"] == "room"
        await client.ack("join", room="orders")
        with pytest.raises(InvalidField):
            await rooms.create_room("order-1", as_user=ADA)

        await rooms.ensure_room("order-1")
        await client.ack("join", room="order-1")


async def test_guests_make_no_rooms_where_the_app_says_so() -> None:
    async with running_core(guests=True, auto_create=True, guests_create_rooms=False) as chat:
        guest, ada = await chat_client(chat), await chat_client(chat, ADA)

        assert (await guest.error("join", room="free"))["code"] == "room_not_found"
        assert (await guest.error("room.create", room="free"))["code"] == "forbidden"
        await ada.ack("join", room="free")
        await guest.ack("join", room="free")


# ---- as a user ----


async def test_as_a_user_has_the_limits_of_a_client() -> None:
    rooms = ChatRooms("test", guests=True, max_text=10, max_frame=1024, max_json_depth=8)
    async with running_core(rooms):
        await rooms.create_room("orders")
        said = await rooms.publish("orders", "message", {"text": "hi"}, as_user=ADA)
        deep: Any = {}
        for _ in range(8):
            deep = {"a": deep}

        for body in ({"text": "x" * 11}, {"text": "x", "more": "x" * 1024}):
            with pytest.raises(TooLarge):
                await rooms.publish("orders", "message", body, as_user=ADA)
            with pytest.raises(TooLarge):
                await rooms.edit("orders", said.msg_id, body, as_user=ADA)
        for wrong in ({}, {"text": 7}, {"text": "x", "mentions": "u1"}, {"text": "x", "deep": deep}):
            with pytest.raises(InvalidField):
                await rooms.publish("orders", "message", wrong, as_user=ADA)
        with pytest.raises(TooLarge):
            await rooms.create_room("another", title="x" * 201, as_user=ADA)

        assert (await rooms.history("orders")).seq == 1


async def test_as_a_user_passes_the_middleware(rooms: ChatRooms) -> None:
    seen: list[tuple[str, str, str | None]] = []

    @rooms.middleware
    async def count(ctx: Context, call_next: Handler) -> Any:
        assert ctx.session.id == ""
        seen.append((ctx.command.type, ctx.user.id, ctx.room))
        return await call_next(ctx)

    @rooms.middleware("message")
    async def careful(ctx: Context, call_next: Handler) -> Any:
        if ctx.payload["text"] == "swallow":
            return {}
        if ctx.payload["text"] == "bad":
            raise Forbidden("not so")
        ctx.payload = {**ctx.payload, "text": ctx.payload["text"].upper()}
        return await call_next(ctx)

    async with running_core(rooms):
        await rooms.create_room("orders", as_user=ADA)
        said = await rooms.publish("orders", "message", {"text": "hi"}, as_user=ADA)
        await rooms.edit("orders", said.msg_id, {"text": "better"}, as_user=ADA)
        await rooms.publish("orders", "ORDER", {"id": 7}, as_user=ADA)
        page = await rooms.history("orders", as_user=ADA)
        await rooms.delete("orders", said.msg_id, as_user=ADA)
        for text in ("bad", "swallow"):
            with pytest.raises(Forbidden):
                await rooms.publish("orders", "message", {"text": text}, as_user=ADA)
        await rooms.publish("orders", "message", {"text": "bad"}, sender=ADA)

    assert [message["payload"] for message in page.messages] == [{"text": "BETTER"}, {"id": 7}]
    types = [
        "room.create",
        "message",
        "message.edit",
        "ORDER",
        "history",
        "message.delete",
        "message",
        "message",
    ]
    assert [type for type, _, _ in seen] == types
    assert {(user, room) for _, user, room in seen} == {("u1", "orders")}


async def test_as_a_user_says_the_first_time_what_it_said(rooms: ChatRooms, chat: Chat) -> None:
    await rooms.create_room("orders")
    ada = await chat_client(chat, ADA)
    await ada.ack("join", room="orders")

    said = await ada.ack("message", room="orders", payload={"text": "hi"}, msg_id=ID)
    again = await rooms.publish("orders", "message", {"text": "hi"}, key=ID, as_user=ADA)

    assert (again.seq, again.duplicate, again.msg_id) == (said["seq"], True, said["msgId"])
    with pytest.raises(Conflict):
        await rooms.publish("orders", "message", {"text": "ho"}, key=ID, as_user=ADA)


async def test_as_a_user_one_need_not_have_joined_and_must_be_allowed(rooms: ChatRooms, chat: Chat) -> None:
    await rooms.create_room("open")
    await rooms.create_room("secret", visibility="private", as_user=BOB)

    await rooms.publish("open", "message", {"text": "hi"}, as_user=ADA)
    await rooms.publish("secret", "message", {"text": "hi"}, as_user=BOB)
    for room in ("secret", "nowhere", EVERYONE):
        with pytest.raises(RoomNotFound):
            await rooms.publish(room, "message", {"text": "hi"}, as_user=ADA)
        with pytest.raises(RoomNotFound):
            await rooms.history(room, as_user=ADA)


@pytest.mark.parametrize("who", ["u1", 7, {"id": "u1"}])
async def test_who_acts_or_is_added_is_a_user_and_not_an_id_alone(
    rooms: ChatRooms, chat: Chat, who: Any
) -> None:
    await rooms.create_room("orders")

    for verb in (
        rooms.publish("orders", "ORDER", {}, as_user=who),
        rooms.publish("orders", "ORDER", {}, sender=who),
        rooms.push("orders", "ORDER", {}, sender=who),
        rooms.edit("orders", ID, {"text": "x"}, as_user=who),
        rooms.delete("orders", ID, as_user=who),
        rooms.history("orders", as_user=who),
        rooms.create_room("another", as_user=who),
        rooms.rooms(user=who),
        rooms.add_member("orders", who),
    ):
        with pytest.raises(InvalidField, match="must be a User, and not"):
            await verb


async def test_what_the_app_mistakes_is_said_in_words(rooms: ChatRooms, chat: Chat) -> None:
    await rooms.create_room("general")

    with pytest.raises(InvalidField, match="payload: must be an object, and not str"):
        await rooms.publish("general", "message", "hi")  # type: ignore[call-overload]
    with pytest.raises(InvalidField, match="limit: must be a whole number of at least 1"):
        await rooms.history("general", limit="x")  # type: ignore[arg-type]
    with pytest.raises(InvalidField, match="until: has passed already"):
        await rooms.ban_user("ada", until=600)
