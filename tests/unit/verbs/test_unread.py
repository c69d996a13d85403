"""What is unread: markers, counts, badges and preferences."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sanic_chatrooms import (
    ChatError,
    ChatRooms,
    Forbidden,
    InvalidField,
    MemoryStore,
    MessageNotFound,
    Policy,
    Room,
    RoomNotFound,
    Standing,
    Unavailable,
    User,
)
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import direct_room
from sanic_chatrooms.server_api import ServerAPI
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Store:
    made: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "sqlite": lambda: SQLStore(f"sqlite:///{tmp_path / 'chat.db'}"),
    }
    return made[request.param]()


@pytest.fixture
async def rooms(store: Store) -> ChatRooms:
    return ChatRooms("test", guests=True, store=store)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        yield chat


class Scene:
    """Ada and Bob are members of the room general."""

    def __init__(self, chat: Chat, api: ServerAPI, ada: MemoryClient, bob: MemoryClient) -> None:
        self.chat, self.api, self.ada, self.bob = chat, api, ada, bob

    async def say(
        self, count: int = 1, client: MemoryClient | None = None, room: str = "general"
    ) -> list[Any]:
        return [
            await (client or self.ada).ack("message", room=room, payload={"text": "hi"}) for _ in range(count)
        ]

    async def read(self, seq: int, client: MemoryClient | None = None, **more: Any) -> Any:
        return await (client or self.bob).ack("read", room="general", payload={"seq": seq, **more})

    async def left(self, client: MemoryClient | None = None, *rooms: str) -> Any:
        asked = rooms or ("general",)
        found = (await (client or self.bob).ack("unread", payload={"rooms": list(asked)}))["rooms"]
        return found if rooms else found["general"]


@pytest.fixture
async def scene(chat: Chat, rooms: ChatRooms) -> Scene:
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    for client in (ada, bob):
        await client.ack("join", room="general")
    return Scene(chat, rooms, ada, bob)


# ---- markers ----


async def test_what_others_said_since_one_joined_is_unread(scene: Scene) -> None:
    await scene.say(3)
    await scene.say(1, scene.bob)

    assert await scene.left() == {"unread": 3, "more": False, "mentions": 0, "read": 0, "first": 1}
    assert (await scene.left(scene.ada))["unread"] == 1


async def test_reading_answers_what_is_left(scene: Scene) -> None:
    await scene.say(3)

    assert await scene.read(2) == {"unread": 1, "more": False, "mentions": 0, "read": 2}
    assert await scene.left() == {"unread": 1, "more": False, "mentions": 0, "read": 2, "first": 3}
    assert await scene.read(3) == {"unread": 0, "more": False, "mentions": 0, "read": 3}
    assert "first" not in await scene.left()


async def test_a_marker_goes_up_only(scene: Scene) -> None:
    await scene.say(3)
    await scene.read(3)

    assert (await scene.read(1))["read"] == 3


async def test_a_message_is_marked_as_unread_with_all_that_follow(scene: Scene) -> None:
    await scene.say(4)
    await scene.read(4)

    assert await scene.read(2, unread=True) == {"unread": 3, "more": False, "mentions": 0, "read": 1}
    assert (await scene.read(0, unread=True))["read"] == 0


async def test_a_marker_above_the_newest_event_stands_at_it(scene: Scene) -> None:
    await scene.say(2)

    assert (await scene.read(2**53 - 1))["read"] == 2
    assert (await scene.read(99, unread=True))["read"] == 2
    await scene.say(1)
    assert (await scene.left())["unread"] == 1


async def test_a_late_member_begins_where_the_membership_began(scene: Scene) -> None:
    await scene.say(5)
    eve = await chat_client(scene.chat, EVE)
    await eve.ack("join", room="general")
    await scene.say(1)

    assert await scene.left(eve) == {"unread": 1, "more": False, "mentions": 0, "read": 5, "first": 6}
    assert (await scene.read(2, eve))["read"] == 5
    assert (await scene.read(4, eve, unread=True))["unread"] == 3
    assert (await scene.read(4, eve))["read"] == 4


async def test_leaving_forgets_the_marker(scene: Scene) -> None:
    await scene.say(5)
    await scene.read(2)
    await scene.bob.ack("leave", room="general")
    await scene.bob.ack("join", room="general")

    assert (await scene.left())["read"] == 5


@pytest.mark.parametrize("seq", [-1, 1.5, "1", None, True])
async def test_what_is_no_number_of_a_message_is_refused(scene: Scene, seq: object) -> None:
    refused = await scene.bob.error("read", room="general", payload={"seq": seq})

    assert (refused["code"], refused["field"]) == ("invalid_field", "seq")


async def test_others_than_members_have_no_markers(scene: Scene) -> None:
    await scene.say(2)
    guest = await chat_client(scene.chat, User("guest-1", "Guest", guest=True))
    await guest.ack("join", room="general")

    nothing = {"unread": 0, "more": False, "mentions": 0, "read": 0}
    assert await scene.read(1, guest) == await scene.left(guest) == nothing
    assert await guest.ack("badge") == {"rooms": 0, "mentions": 0, "more": False}
    assert (await guest.error("prefs", room="general"))["code"] == "forbidden"


async def test_the_first_message_of_a_direct_room_is_unread(scene: Scene) -> None:
    await scene.ada.ack("direct", payload={"to": "u2", "body": {"text": "psst"}})
    room = direct_room("u1", "u2")

    assert (await scene.left(scene.bob, room))[room] == {
        "unread": 1, "more": False, "mentions": 0, "read": 0, "first": 1
    }  # fmt: skip


# ---- what counts ----


async def test_deleted_messages_are_not_unread_and_edited_ones_are(scene: Scene) -> None:
    gone, kept = await scene.say(2)
    await scene.ada.ack("message.delete", room="general", payload={"msgId": gone["msgId"]})
    edit = {"msgId": kept["msgId"], "body": {"text": "second"}}
    await scene.ada.ack("message.edit", room="general", payload=edit)

    assert await scene.left() == {"unread": 1, "more": False, "mentions": 0, "read": 0, "first": 2}


async def test_no_more_than_100_are_counted(scene: Scene) -> None:
    api = scene.api
    for n in range(101):
        await api.publish("general", "message", {"text": f"{n}"})

    assert (await scene.left())["more"] is True
    assert (await scene.left())["unread"] == 100


async def test_messages_from_before_one_joined_do_not_count_where_they_may_not_be_seen(scene: Scene) -> None:
    api = scene.api
    await api.create_room("club", visibility="private", history_visibility="joined")
    await api.publish("club", "message", {"text": "before"})
    await api.add_member("club", BOB)
    await api.publish("club", "message", {"text": "after"})
    await scene.bob.ack("join", room="club")

    marked = await scene.bob.ack("read", room="club", payload={"seq": 1, "unread": True})

    assert (marked["read"], marked["unread"]) == (0, 1)
    assert (await scene.left(scene.bob, "club"))["club"]["first"] == 3


async def test_rooms_that_one_may_not_see_are_left_out(scene: Scene) -> None:
    await scene.api.create_room("secret", visibility="private")

    found = await scene.left(scene.bob, "general", "secret", "nowhere", "~user.x", "not an id")

    assert set(found) == {"general"}


async def test_a_hundred_rooms_may_be_asked_for(scene: Scene) -> None:
    few, many = [f"r{n}" for n in range(100)], [f"r{n}" for n in range(101)]

    assert await scene.bob.ack("unread", payload={"rooms": few}) == {"rooms": {}}
    refused = await scene.bob.error("unread", payload={"rooms": many})
    assert (refused["code"], refused["field"], refused["limit"]) == ("invalid_field", "rooms", 100)


# ---- who is told ----


async def test_ones_other_connections_hear_what_was_read(scene: Scene) -> None:
    other = await chat_client(scene.chat, BOB)
    await scene.say(2)

    await scene.read(2)

    heard = await other.expect("read")
    assert heard["payload"] == {"user": {"id": "u2", "name": "Bob"}, "seq": 2}
    assert heard["room"] == "general"
    await scene.read(1)
    for client in (scene.ada, scene.bob, other):
        await client.settle()
        assert client.unread("read") == []


# ---- lists ----


async def test_rooms_tell_what_is_unread_in_each(scene: Scene) -> None:
    said = await scene.say(2)
    await scene.read(1)

    (line,) = (await scene.bob.ack("rooms", payload={"mine": True}))["rooms"]

    last = {"seq": 2, "timestamp": said[1]["timestamp"]}
    assert {name: line[name] for name in ("unread", "more", "mentions", "last", "notify")} == {
        "unread": 1, "more": False, "mentions": 0, "last": last, "notify": "all"
    }  # fmt: skip
    assert "favourite" not in line


async def test_strangers_see_no_preferences_in_the_list_of_public_rooms(scene: Scene) -> None:
    await scene.say(1)
    eve = await chat_client(scene.chat, EVE)

    (line,) = (await eve.ack("rooms"))["rooms"]

    assert (line["unread"], line["more"], line["last"]["seq"]) == (0, False, 1)
    assert "notify" not in line


async def test_a_badge_counts_rooms_with_something_unread(scene: Scene) -> None:
    for room in ("one", "two", "three"):
        for client in (scene.ada, scene.bob):
            await client.ack("join", room=room)
    for room in ("one", "one", "two"):
        await scene.say(1, room=room)

    assert await scene.bob.ack("badge") == {"rooms": 2, "mentions": 0, "more": False}
    await scene.bob.ack("prefs", room="two", payload={"notify": "none"})
    assert (await scene.bob.ack("badge"))["rooms"] == 1


# ---- what unread leaves out counts nowhere ----


class NoCounts(Policy):
    """Nobody asks what is unread in the room `other`, or nobody can know now."""

    refusal: ChatError = Forbidden("not here")

    def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
        if action == "unread" and room is not None and room.id == "other":
            raise self.refusal


async def _counts(scene: Scene) -> list[Any]:
    """Of Bob's rooms: those in `unread`, the badge's, and what the list tells."""
    lines = (await scene.bob.ack("rooms", payload={"mine": True}))["rooms"]
    told = {line["room"]: (line["unread"], line["more"], line["mentions"]) for line in lines}
    badge = await scene.bob.ack("badge")
    return [set(await scene.left(scene.bob, "general", "other")), (badge["rooms"], badge["mentions"]), told]


async def _say_in_both(scene: Scene) -> None:
    await scene.bob.ack("join", room="other")
    for room in ("general", "other"):
        await scene.api.publish(room, "message", {"text": "hi", "mentions": ["u2"]})


HERE_ONLY = [{"general"}, (1, 1), {"general": (1, False, 1), "other": (0, False, 0)}]


async def test_badge_and_list_count_nothing_where_a_room_does_not_allow_it(scene: Scene) -> None:
    await _say_in_both(scene)
    before = await _counts(scene)
    await scene.api.update_room("other", permissions={"unread": 50})

    assert before == [{"general", "other"}, (2, 2), {"general": (1, False, 1), "other": (1, False, 1)}]
    assert await _counts(scene) == HERE_ONLY
    assert (await scene.api.badge("u2")).rooms == 2


async def test_badge_and_list_count_nothing_where_the_policy_does_not_allow_it(store: Store) -> None:
    policy = NoCounts()
    rooms = ChatRooms("test", guests=True, store=store, policy=policy)
    async with running_core(rooms) as chat:
        ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
        for client in (ada, bob):
            await client.ack("join", room="general")
        scene = Scene(chat, rooms, ada, bob)
        await _say_in_both(scene)

        assert await _counts(scene) == HERE_ONLY
        policy.refusal = Unavailable()
        refused = [await bob.error(type, payload={}) for type in ("badge", "rooms")]
        assert {one["code"] for one in refused} == {"unavailable"}


async def test_badge_and_list_count_nothing_out_of_the_tokens_reach(scene: Scene) -> None:
    await _say_in_both(scene)
    narrow = User("u2", "Bob", scopes=("room:general:read",))
    scene.bob = await chat_client(scene.chat, narrow)

    left, badge, told = await _counts(scene)

    assert (left, badge, told) == ({"general"}, (1, 1), {"general": (1, False, 1)})


# ---- types of the app ----


async def test_types_of_the_app_count_where_the_settings_say_so(store: Store) -> None:
    rooms = ChatRooms("test", guests=True, store=store, unread_types=["poll.opened"])
    async with running_core(rooms) as chat:
        bob = await chat_client(chat, BOB)
        await bob.ack("join", room="general")
        for type in ("poll.opened", "poll.vote", "poll.opened"):
            await rooms.publish("general", type, {})

        (line,) = (await bob.ack("rooms", payload={"mine": True}))["rooms"]

    assert (line["unread"], line["last"]["seq"]) == (2, 3)


async def test_a_badge_looks_at_a_thousand_rooms(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sanic_chatrooms.verbs.unread.BADGE_ROOMS", 1)
    await scene.bob.ack("join", room="other")

    assert (await scene.bob.ack("badge"))["more"] is True


# ---- preferences ----


async def test_preferences_are_kept_and_heard_by_ones_other_connections(scene: Scene) -> None:
    other = await chat_client(scene.chat, BOB)

    before = await scene.bob.ack("prefs", room="general")
    after = await scene.bob.ack("prefs", room="general", payload={"notify": "mentions"})
    more = await scene.bob.ack("prefs", room="general", payload={"favourite": True})

    assert before == {"notify": "all", "favourite": False}
    assert after == {"notify": "mentions", "favourite": False}
    assert more == {"notify": "mentions", "favourite": True}
    assert (await other.expect("prefs"))["payload"] == after
    heard = await other.expect("prefs")
    assert (heard["payload"], heard["room"]) == (more, "general")
    await scene.bob.settle()
    assert scene.bob.unread("prefs") == []
    (line,) = (await scene.bob.ack("rooms", payload={"mine": True}))["rooms"]
    assert (line["notify"], line["favourite"]) == ("mentions", True)


async def test_preferences_that_are_so_already_are_told_to_nobody(scene: Scene) -> None:
    other = await chat_client(scene.chat, BOB)

    await scene.bob.ack("prefs", room="general", payload={"notify": "all"})

    await other.settle()
    assert other.unread("prefs") == []


@pytest.mark.parametrize("asked", [{"notify": "loud"}, {"notify": None}, {"favourite": 1}])
async def test_what_cannot_be_preferred_is_refused(scene: Scene, asked: dict[str, Any]) -> None:
    refused = await scene.bob.error("prefs", room="general", payload=asked)

    assert (refused["code"], refused["field"]) == ("invalid_field", next(iter(asked)))


async def test_leaving_forgets_preferences(scene: Scene) -> None:
    await scene.bob.ack("prefs", room="general", payload={"notify": "none"})
    await scene.bob.ack("leave", room="general")
    await scene.bob.ack("join", room="general")

    assert await scene.bob.ack("prefs", room="general") == {"notify": "all", "favourite": False}


# ---- the app ----


async def test_the_app_reads_and_moves_markers(scene: Scene) -> None:
    api = scene.api
    said = await scene.say(3)

    left = await api.mark_read(BOB, "general", 2)
    found = await api.unread("u2", ["general", "nowhere"])
    receipts = await api.receipts("general", said[1]["msgId"])
    later = await api.receipts("general", said[2]["msgId"])

    assert (left.unread, left.read) == (1, 2)
    assert {room: (one.unread, one.first) for room, one in found.items()} == {"general": (1, 3)}
    assert (await scene.bob.expect("read"))["payload"]["seq"] == 2
    assert (receipts.at, [one.name for one in receipts.read_by]) == (said[1]["timestamp"], ["Bob"])
    assert later.read_by == []
    assert (await api.badge("u2")).rooms == 1
    assert (await api.mark_read("u9", "general", 2)).read == 0


async def test_the_app_is_told_what_it_mistakes(scene: Scene) -> None:
    api = scene.api
    with pytest.raises(RoomNotFound):
        await api.mark_read("u2", "nowhere", 1)
    with pytest.raises(MessageNotFound):
        await api.receipts("general", "nothing")
    with pytest.raises(InvalidField):
        await api.mark_read("u2", "general", "1")  # type: ignore[arg-type]
    with pytest.raises(InvalidField):
        await api.unread("u2", [f"r{n}" for n in range(101)])


async def test_changes_of_preferences_from_several_connections_at_once_are_all_kept(scene: Scene) -> None:
    other = await chat_client(scene.chat, BOB)
    asked = [
        scene.bob.request("prefs", room="general", payload={"notify": "none"}),
        other.request("prefs", room="general", payload={"favourite": True}),
        other.request("prefs", room="general", payload={"notify": "none"}),
    ]

    replies = await asyncio.gather(*asked)

    assert {reply["type"] for reply in replies} == {"ack"}
    assert await scene.bob.ack("prefs", room="general") == {"notify": "none", "favourite": True}
