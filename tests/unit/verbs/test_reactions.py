"""Reactions: what an emoji may be, who may react, what everybody sees of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sanic_chatrooms import (
    ChatRooms,
    Context,
    Forbidden,
    InvalidField,
    InvalidText,
    MemoryStore,
    MessageNotFound,
    Muted,
    RoomNotFound,
    User,
)
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import Fact, Sender
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")
ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"
MANY = [chr(0x1F600 + n) for n in range(20)]


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Store:
    made: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "sqlite": lambda: SQLStore(f"sqlite:///{tmp_path / 'chat.db'}"),
    }
    return made[request.param]()


@pytest.fixture
def rooms(store: Store) -> ChatRooms:
    return ChatRooms("test", guests=True, store=store, rate_limits=False)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        yield chat


class Scene:
    """Ada and Bob are members of the room general."""

    def __init__(self, chat: Chat, ada: MemoryClient, bob: MemoryClient) -> None:
        self.chat, self.ada, self.bob = chat, ada, bob

    async def say(self, text: str = "hi") -> str:
        id: str = (await self.ada.ack("message", room="general", payload={"text": text}))["msgId"]
        return id

    async def react(self, id: str, emoji: str = "👍", *, on: bool = True, **more: Any) -> Any:
        client = more.pop("client", self.ada)
        type = "reaction.add" if on else "reaction.remove"
        return await client.request(type, room="general", payload={"msgId": id, "emoji": emoji}, **more)

    async def seen(self, client: MemoryClient) -> Any:
        """The newest message, as this client reads it."""
        return (await client.ack("history", room="general"))["messages"][-1]

    async def who(self, id: str, **ask: Any) -> Any:
        return await self.bob.ack("reactions", room="general", payload={"msgId": id, **ask})


@pytest.fixture
async def scene(chat: Chat) -> Scene:
    clients = [await chat_client(chat, ADA), await chat_client(chat, BOB)]
    for client in clients:
        await client.ack("join", room="general")
    return Scene(chat, *clients)


# ---- what happens ----


async def test_a_reaction_is_acknowledged_and_heard_with_the_count(scene: Scene) -> None:
    id = await scene.say()

    reply = await scene.react(id, msg_id=ID)
    heard = await scene.bob.expect("reaction.added")
    second = await scene.react(id, client=scene.bob)

    assert (reply["type"], reply["payload"]) == ("ack", {"seq": 2, "duplicate": False, "count": 1})
    assert second["payload"] == {"seq": 3, "duplicate": False, "count": 2}
    assert heard["payload"] == {
        "seq": 1, "count": 1, "msgId": id, "emoji": "👍", "user": {"id": "u1", "name": "Ada"}
    }  # fmt: skip
    assert (heard["seq"], heard["sender"], heard["clientMsgId"]) == (2, heard["payload"]["user"], ID)


async def test_a_message_shows_its_reactions_and_who_reacted_sees_that(scene: Scene) -> None:
    id = await scene.say()
    for client, emoji in ((scene.ada, "👍"), (scene.bob, "👍"), (scene.bob, ":tada:")):
        await scene.react(id, emoji, client=client)
    eve = await chat_client(scene.chat, EVE)
    joined = await eve.ack("join", room="general")
    again = await chat_client(scene.chat, ADA)
    since = {"epoch": joined["epoch"], "seq": 0}
    back = await again.ack("join", room="general", payload={"since": since})

    assert back["recovered"]
    assert [
        (await scene.seen(scene.ada))["reactions"],
        (await scene.seen(scene.bob))["reactions"],
        joined["messages"][-1]["reactions"],
        back["messages"][0]["reactions"],
    ] == [
        {"👍": {"count": 2, "me": True}, ":tada:": {"count": 1}},
        {"👍": {"count": 2, "me": True}, ":tada:": {"count": 1, "me": True}},
        {"👍": {"count": 2}, ":tada:": {"count": 1}},
        {"👍": {"count": 2, "me": True}, ":tada:": {"count": 1}},
    ]


async def test_a_reaction_is_taken_back_by_its_user_only(scene: Scene) -> None:
    id = await scene.say()
    before = await scene.seen(scene.bob)
    await scene.react(id)

    others = await scene.react(id, on=False, client=scene.bob)
    own = await scene.react(id, on=False)
    heard = await scene.bob.expect("reaction.removed")

    assert others["payload"] == {"duplicate": True, "count": 1}
    assert own["payload"] == {"seq": 3, "duplicate": False, "count": 0}
    assert (heard["seq"], heard["payload"]["count"], heard["payload"]["user"]["id"]) == (3, 0, "u1")
    assert await scene.seen(scene.bob) == before


async def test_a_reaction_that_is_there_makes_no_second_event(scene: Scene) -> None:
    id = await scene.say()
    await scene.react(id)
    await scene.react(id, client=scene.bob)

    again = await scene.react(id)

    assert again["payload"] == {"seq": 2, "duplicate": True, "count": 2}
    assert (await scene.ada.ack("history", room="general"))["seq"] == 3


async def test_a_repetition_has_the_first_ack_whatever_happened_since(scene: Scene) -> None:
    id = await scene.say()
    first = await scene.react(id, msg_id=ID)
    await scene.react(id, on=False)
    await scene.react(id, client=scene.bob)
    await scene.react(id, ":two:", client=scene.bob)
    await scene.chat.store.set_fact("general", Fact("mute", ADA.id, b"{}"))

    assert (await scene.react(id, msg_id=ID))["payload"] == {**first["payload"], "duplicate": True}
    assert (await scene.react(id, "👎", msg_id=ID))["payload"]["code"] == "conflict"


async def test_what_changed_nothing_is_judged_anew_when_it_comes_again(scene: Scene) -> None:
    id = await scene.say()
    await scene.react(id)
    await scene.react(id, msg_id=ID)
    await scene.react(id, on=False)

    assert (await scene.react(id, msg_id=ID))["payload"] == {"seq": 4, "duplicate": False, "count": 1}


async def test_of_two_reactions_of_one_user_at_once_one_is_stored(scene: Scene) -> None:
    id = await scene.say()
    elsewhere = await chat_client(scene.chat, ADA)

    replies = await asyncio.gather(scene.react(id), scene.react(id, client=elsewhere))

    assert sorted(reply["payload"]["duplicate"] for reply in replies) == [False, True]
    assert {(reply["payload"]["seq"], reply["payload"]["count"]) for reply in replies} == {(2, 1)}


async def test_an_edit_keeps_reactions_and_a_deletion_removes_them(scene: Scene) -> None:
    id = await scene.say()
    await scene.react(id)
    await scene.ada.ack("message.edit", room="general", payload={"msgId": id, "body": {"text": "b"}})
    assert (await scene.seen(scene.bob))["reactions"] == {"👍": {"count": 1}}

    await scene.ada.ack("message.delete", room="general", payload={"msgId": id})

    assert "reactions" not in await scene.seen(scene.bob)
    for on in (True, False):
        assert (await scene.react(id, on=on))["payload"]["code"] == "message_not_found"
    listed = await scene.bob.request("reactions", room="general", payload={"msgId": id})
    assert listed["payload"]["code"] == "message_not_found"


async def test_what_is_no_message_of_the_room_has_no_reactions(rooms: ChatRooms, scene: Scene) -> None:
    poll = await rooms.publish("general", "poll.vote", {}, sender=ADA)

    for id in ("nothing-of-this-id", "", poll.msg_id):
        for on in (True, False):
            assert (await scene.react(id, on=on))["payload"]["code"] == "message_not_found"
        listed = await scene.bob.request("reactions", room="general", payload={"msgId": id})
        assert listed["payload"]["code"] == "message_not_found"


# ---- what an emoji may be ----


@pytest.mark.parametrize(
    "emoji", ["👍🏽", "é", "x" * 30 + "é", "👨‍👩‍👧‍👦", ":+1:", ":a_b-c9:", ":" + "x" * 32 + ":", "a\nü"]
)
async def test_an_emoji_is_kept_as_it_was_sent(scene: Scene, emoji: str) -> None:
    id = await scene.say()

    assert (await scene.react(id, emoji))["payload"]["count"] == 1
    assert (await scene.seen(scene.bob))["reactions"] == {emoji: {"count": 1}}


@pytest.mark.parametrize(
    "emoji",
    ["", "ok", "pin", "x" * 31 + "é", "👍" * 9, ":UP:", "::", ":a b:", ":" + "x" * 33 + ":", "+1", 5, None],
)
async def test_what_is_no_emoji_is_an_invalid_field(scene: Scene, emoji: Any) -> None:
    id = await scene.say()

    for on in (True, False):
        refused = (await scene.react(id, emoji, on=on))["payload"]
        assert (refused["code"], refused["field"]) == ("invalid_field", "emoji")


async def test_a_nul_in_an_emoji_is_invalid_text(scene: Scene) -> None:
    assert (await scene.react(await scene.say(), "é\0"))["payload"]["code"] == "invalid_text"


async def test_a_message_has_at_most_twenty_different_emoji(scene: Scene) -> None:
    id = await scene.say()
    await scene.ada.ack("message", room="general", payload={"text": "another"})
    for emoji in MANY:
        await scene.react(id, emoji)

    refused = (await scene.react(id, "👍", client=scene.bob))["payload"]
    assert (refused["code"], refused["field"], refused["limit"]) == ("invalid_field", "emoji", 20)
    assert (await scene.react(id, MANY[0], client=scene.bob))["payload"]["count"] == 2
    await scene.react(id, MANY[1], on=False)
    assert (await scene.react(id, "👍", client=scene.bob))["payload"]["count"] == 1


# ---- the list ----


async def test_the_list_tells_who_reacted_the_newest_first_page_by_page(scene: Scene) -> None:
    id = await scene.say()
    others = [User(f"o{n}", f"Other {n}") for n in range(4)]
    for user in others:
        client = await chat_client(scene.chat, user)
        await client.ack("join", room="general")
        await scene.react(id, client=client)
    await scene.react(id, ":tada:")
    await scene.react(await scene.say("another"))
    rows: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = await scene.who(id, limit=2, **cursor)
        rows += page["reactions"]
        if "cursor" not in page:
            break
        cursor = {"cursor": page["cursor"]}

    assert [(row["emoji"], row["user"]["id"]) for row in rows] == [
        (":tada:", "u1"), ("👍", "o3"), ("👍", "o2"), ("👍", "o1"), ("👍", "o0")
    ]  # fmt: skip
    assert rows[1]["user"] == {"id": "o3", "name": "Other 3"}
    assert all(set(row) == {"emoji", "user", "at"} for row in rows)
    one = await scene.who(id, emoji=":tada:")
    assert ([row["user"]["id"] for row in one["reactions"]], "cursor" in one) == (["u1"], False)
    assert (await scene.who(id, emoji="👎"))["reactions"] == []


async def test_a_pin_is_no_reaction(rooms: ChatRooms, scene: Scene) -> None:
    id = await scene.say()
    assert await rooms.pin("general", id)

    assert (await scene.who(id))["reactions"] == []
    assert "reactions" not in await scene.seen(scene.bob)


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        ({"limit": 0}, "invalid_field"),
        ({"cursor": "what"}, "invalid_cursor"),
        ({"emoji": "pin"}, "invalid_field"),
        ({"emoji": 5}, "invalid_field"),
    ],
)
async def test_a_page_that_cannot_be_asked_for(scene: Scene, ask: Any, code: str) -> None:
    id = await scene.say()

    refused = await scene.bob.request("reactions", room="general", payload={"msgId": id, **ask})

    assert refused["payload"]["code"] == code


# ---- who may ----


async def test_who_is_muted_takes_reactions_back_but_adds_none(scene: Scene) -> None:
    id = await scene.say()
    await scene.react(id)
    await scene.chat.store.set_fact("general", Fact("mute", ADA.id, b"{}"))

    assert (await scene.react(id, "👎"))["payload"]["code"] == "muted"
    assert (await scene.react(id, on=False))["payload"] == {"seq": 3, "duplicate": False, "count": 0}


async def test_who_may_say_nothing_does_not_react_either(rooms: ChatRooms, scene: Scene) -> None:
    id = await scene.say()
    await rooms.update_room("general", permissions={"message": 50})
    refused = (await scene.react(id))["payload"]
    await rooms.update_room("general", permissions={"message": None, "reaction.add": 75})
    also = (await scene.react(id))["payload"]

    assert [(one["code"], one["needs"]) for one in (refused, also)] == [("forbidden", 50), ("forbidden", 75)]


async def test_guests_react_in_public_rooms_and_nobody_where_it_is_archived(
    rooms: ChatRooms, scene: Scene
) -> None:
    id = await scene.say()
    guest = await chat_client(scene.chat, User("guest-1", "Guest", guest=True))
    await guest.ack("join", room="general")
    later = await scene.say("after the guest came")

    assert (await scene.react(later, client=guest))["payload"]["count"] == 1
    await rooms.update_room("general", archived=True)
    for on in (True, False):
        refused = (await scene.react(id, on=on))["payload"]
        assert (refused["code"], refused["needs"]) == ("forbidden", "unarchived")


async def test_what_one_may_not_see_cannot_be_reacted_to(rooms: ChatRooms, scene: Scene) -> None:
    await rooms.create_room("club", visibility="private", history_visibility="joined")
    early = (await rooms.publish("club", "message", {"text": "early"}, sender=EVE)).msg_id
    await rooms.add_member("club", ADA)
    late = (await rooms.publish("club", "message", {"text": "late"}, sender=EVE)).msg_id

    async def ask(type: str, id: str) -> str:
        payload = {"msgId": id} | ({"emoji": "👍"} if type != "reactions" else {})
        return str((await scene.ada.request(type, room="club", payload=payload))["payload"].get("code"))

    types = ("reaction.add", "reaction.remove", "reactions")
    assert [await ask(type, early) for type in types] == ["message_not_found"] * 3
    assert [await ask(type, late) for type in types] == ["None"] * 3
    assert (await scene.bob.request("reaction.add", room="club", payload={"msgId": late, "emoji": "👍"}))[
        "payload"
    ]["code"] == "room_not_found"


async def test_the_check_before_publishing_sees_the_emoji(rooms: ChatRooms) -> None:
    async def no_names(ctx: Context) -> None:
        if ctx.field == "emoji" and ctx.payload["text"].startswith(":"):
            raise Forbidden("no names here")

    rooms.before_publish(no_names)
    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="general")
        scene = Scene(chat, ada, ada)
        id = await scene.say()

        assert (await scene.react(id, ":tada:"))["payload"]["message"] == "no names here"
        assert (await scene.react(id, "👍"))["payload"]["count"] == 1


# ---- the app ----


async def test_the_app_reacts_in_a_users_name(rooms: ChatRooms, scene: Scene) -> None:
    id = await scene.say()
    await rooms.update_room("general", permissions={"message": 100})

    first = await rooms.react("general", id, "👍", sender=EVE)
    heard = await scene.bob.expect("reaction.added")
    again = await rooms.react("general", id, "👍", sender=Sender("u3", "Eve"))
    gone = await rooms.react("general", id, "👍", sender=EVE, on=False)

    assert (first.seq, first.duplicate, first.count) == (3, False, 1)
    assert (again.seq, again.duplicate, again.count) == (3, True, 1)
    assert (gone.duplicate, gone.count) == (False, 0)
    assert heard["payload"]["user"] == heard["sender"] == {"id": "u3", "name": "Eve"}


async def test_the_app_reacts_as_a_user_would(rooms: ChatRooms, scene: Scene) -> None:
    id = await scene.say()

    done = await rooms.react("general", id, "👍", as_user=BOB)
    again = await rooms.react("general", id, "👍", as_user=BOB)
    pinned = [
        await rooms.pin("general", id),
        await rooms.pin("general", id),
        await rooms.unpin("general", id),
    ]

    assert (done.count, done.duplicate, again.count, again.duplicate) == (1, False, 1, True)
    assert pinned == [True, False, True]
    await scene.chat.store.set_fact("general", Fact("mute", BOB.id, b"{}"))
    with pytest.raises(Muted):
        await rooms.react("general", id, "👎", as_user=BOB)


@pytest.mark.parametrize("emoji", ["pin", "é\0", "\ud800", "", 5])
async def test_the_app_cannot_react_with_what_is_no_emoji(rooms: ChatRooms, scene: Scene, emoji: Any) -> None:
    id = await scene.say()

    with pytest.raises((InvalidField, InvalidText)):
        await rooms.react("general", id, emoji, sender=BOB)


async def test_the_app_says_who_reacts_and_to_which_message(rooms: ChatRooms, scene: Scene) -> None:
    id = await scene.say()

    with pytest.raises(InvalidField):
        await rooms.react("general", id, "👍")
    with pytest.raises(InvalidField):
        await rooms.react("general", id, "👍", sender=ADA, as_user=ADA)
    with pytest.raises(MessageNotFound):
        await rooms.react("general", "nothing", "👍", sender=ADA)
    for room in ("nowhere", "~all"):
        with pytest.raises(RoomNotFound):
            await rooms.react(room, id, "👍", sender=ADA)
