"""`room` and `room.update`: what a room is, who may change it, and who has to go then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import Member
from sanic_chatrooms.stores import members
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from tests.support.joined import joined

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")


@pytest.fixture
def rooms() -> ChatRooms:
    return ChatRooms("test", guests=True)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        yield chat


@pytest.fixture
async def ada(chat: Chat) -> MemoryClient:
    """The creator of the public room `team`."""
    ada = await chat_client(chat, ADA)
    await ada.ack("room.create", room="team", payload={"title": "Team", "topic": "Work", "slowMode": 5})
    await ada.ack("join", room="team")
    return ada


async def update(client: MemoryClient, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await client.ack("room.update", room="team", payload=changes)
    return answer


async def refused(client: MemoryClient, **changes: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await client.error("room.update", room="team", payload=changes)
    return answer


async def test_a_room_shows_what_it_is_and_what_one_may_do(chat: Chat, ada: MemoryClient) -> None:
    bob = await joined(chat, BOB, "team")

    mine, his = await ada.ack("room", room="team"), await bob.ack("room", room="team")

    assert (mine["title"], mine["topic"], mine["slowMode"], mine["archived"]) == ("Team", "Work", 5, False)
    assert (mine["role"], mine["level"], mine["creator"], mine["createdBy"]) == ("owner", 100, True, "u1")
    assert (mine["members"], mine["online"], mine["historyVisibility"]) == (2, 2, "world")
    assert "creator" not in his
    assert {"room.govern", "member.ban"} <= set(mine["may"])
    assert {"message", "history"} <= set(his["may"])
    assert not {"room.update", "member.ban", "message.delete.any"} & set(his["may"])


async def test_an_update_is_an_event_with_everything_as_it_is_then(chat: Chat, ada: MemoryClient) -> None:
    settled = await update(ada, topic="Play", permissions={"message": 50}, attributes={"a": 1})

    event = await ada.expect("room.updated")
    assert settled == {"seq": event["seq"], "duplicate": False}
    assert event["payload"] == {
        "title": "Team", "topic": "Play", "visibility": "public", "attributes": {"a": 1}, "permissions": {"message": 50},
        "historyVisibility": "world", "slowMode": 5.0, "announce": False, "archived": False,
        "changed": ["topic", "attributes", "permissions"], "by": {"id": "u1", "name": "Ada"},
    }  # fmt: skip
    assert await update(ada, topic="Play") == {"seq": event["seq"], "duplicate": True}


async def test_naming_the_default_history_visibility_changes_nothing(rooms: ChatRooms, chat: Chat) -> None:
    await rooms.create_room("club", visibility="private")

    assert not await rooms.update_room("club", history_visibility="members")
    assert await rooms.update_room("club", history_visibility="joined")
    assert await rooms.update_room("club", history_visibility="members")


async def test_a_need_that_is_so_already_changes_nothing(rooms: ChatRooms, chat: Chat) -> None:
    await rooms.create_room("club", visibility="private")
    need = {"level": 50, "roles": ["reader"], "users": ["u1"]}

    assert await rooms.update_room("club", permissions={"join": need})
    assert not await rooms.update_room("club", permissions={"join": need})


async def test_permissions_are_merged_and_null_is_the_default_again(chat: Chat, ada: MemoryClient) -> None:
    bob = await joined(chat, BOB, "team")
    await update(ada, slowMode=0, permissions={"message": 50, "message.pin": 10})

    refusal = await bob.error("message", room="team", payload={"text": "hi"})
    why = await bob.ack("explain", room="team", payload={"action": "message"})
    await update(ada, permissions={"message": None})

    assert (refusal["code"], refusal["needs"]) == ("forbidden", 50)
    assert (why["rule"], why["seq"]) == ("need", 1)
    await bob.ack("message", room="team", payload={"text": "hi"})
    assert (await ada.ack("room", room="team"))["permissions"] == {"message.pin": 10}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"permissions": {"message.fly": 5}}, "permissions.message.fly"),
        ({"permissions": {"message": 500}}, "permissions.message"),
        ({"historyVisibility": "nobody"}, "historyVisibility"),
        ({"slowMode": -1}, "slowMode"),
        ({"visibility": "direct"}, "visibility"),
        ({"archived": "yes"}, "archived"),
    ],
)
async def test_what_no_room_can_be_names_its_field(
    chat: Chat, ada: MemoryClient, changes: dict[str, Any], field: str
) -> None:
    refusal = await refused(ada, **changes)

    assert (refusal["code"], refusal["field"]) == ("invalid_field", field)


async def test_admins_update_and_owners_govern(chat: Chat, ada: MemoryClient) -> None:
    await members.put(chat.store, "team", Member(BOB.id, BOB.name, "admin"))
    bob = await joined(chat, BOB, "team")

    await update(bob, title="Ours")

    changes: tuple[dict[str, Any], ...] = (
        {"archived": True},
        {"visibility": "private"},
        {"permissions": {}},
        {"historyVisibility": "joined"},
    )
    for change in changes:
        assert (await refused(bob, **change))["needs"] == 100
    await update(ada, permissions={"room.govern": 75})
    assert (await refused(bob, permissions={"message": 80}))["code"] == "forbidden", "above his own level"
    await update(bob, permissions={"message": 75})


async def test_an_archived_room_is_only_opened_again(chat: Chat, ada: MemoryClient) -> None:
    await update(ada, archived=True)

    assert (await ada.error("message", room="team", payload={"text": "hi"}))["needs"] == "unarchived"
    assert (await refused(ada, archived=False, title="New"))["needs"] == "unarchived"
    assert "message" not in (await ada.ack("room", room="team"))["may"]
    why = await ada.ack("explain", room="team", payload={"action": "message"})
    assert (why["rule"], why["seq"]) == ("archived", 1)
    await update(ada, archived=False)
    await update(ada, slowMode=0)
    await ada.ack("message", room="team", payload={"text": "hi"})


async def test_who_may_no_longer_join_is_taken_out_at_that_event(chat: Chat, ada: MemoryClient) -> None:
    guest = await joined(chat, User("guest-1", "G", guest=True), "team")
    bob = await joined(chat, BOB, "team")

    await update(ada, visibility="private")
    await update(ada, title="After")

    assert (await guest.expect("room.removed"))["payload"] == {"room": "team", "reason": "forbidden"}
    assert (await bob.expect("room.updated", seq=2))["payload"]["title"] == "After"
    await guest.settle()
    assert [event["seq"] for event in guest.unread("room.updated")] == [1]
    assert (await guest.error("join", room="team"))["code"] == "room_not_found"


async def test_a_raised_need_takes_out_too(chat: Chat, ada: MemoryClient) -> None:
    bob = await joined(chat, BOB, "team")

    await update(ada, permissions={"join": 50})

    assert (await bob.expect("room.removed"))["payload"]["reason"] == "forbidden"
    assert (await bob.error("join", room="team"))["needs"] == 50


async def test_the_muted_govern_without_words(chat: Chat, ada: MemoryClient, rooms: ChatRooms) -> None:
    await rooms.mute("team", ADA)

    assert (await refused(ada, title="Ha"))["code"] == "muted"
    await update(ada, archived=True)


async def test_the_app_updates_any_room(chat: Chat, ada: MemoryClient, rooms: ChatRooms) -> None:
    assert await rooms.update_room("team", title="Theirs", permissions={"join": 5})
    assert not await rooms.update_room("team", title="Theirs")

    event = await ada.expect("room.updated")
    assert (event["payload"]["title"], event["payload"]["by"]) == ("Theirs", None)


async def test_owners_delete_their_room(chat: Chat, ada: MemoryClient) -> None:
    bob = await joined(chat, BOB, "team")

    assert (await bob.error("room.delete", room="team"))["needs"] == 100
    assert await ada.ack("room.delete", room="team") == {"duplicate": False}

    assert (await bob.expect("room.removed"))["payload"]["reason"] == "deleted"


async def test_rooms_are_found_by_their_titles(chat: Chat, ada: MemoryClient) -> None:
    for title in ("Tea", "Coffee", "Teapots"):
        await ada.ack("room.create", payload={"title": title})

    found = await ada.ack("rooms", payload={"query": "TEA"})

    assert sorted(line["title"] for line in found["rooms"]) == ["Tea", "Team", "Teapots"]


@pytest.mark.parametrize("empty", [{}, {"level": None}, {"roles": [], "users": []}])
async def test_an_empty_need_leaves_an_action_to_the_creator(
    chat: Chat, ada: MemoryClient, empty: dict[str, Any]
) -> None:
    bob = await joined(chat, BOB, "team")

    await update(ada, permissions={"message": empty}, slowMode=0)

    assert (await ada.expect("room.updated"))["payload"]["permissions"] == {"message": {}}
    await ada.ack("message", room="team", payload={"text": "hi"})
    assert (await bob.error("message", room="team", payload={"text": "hi"}))["code"] == "forbidden"
    assert (await bob.ack("explain", room="team", payload={"action": "message"}))["rule"] == "need"
    await update(ada, permissions={"join": empty})
    assert (await bob.expect("room.removed"))["payload"]["reason"] == "forbidden"


async def test_only_the_creator_leaves_an_action_to_the_creator(chat: Chat, ada: MemoryClient) -> None:
    await members.put(chat.store, "team", Member(BOB.id, BOB.name, "owner"))
    bob = await joined(chat, BOB, "team")

    assert (await refused(bob, permissions={"room.govern": {}}))["code"] == "forbidden"
    await update(bob, permissions={"room.govern": {"level": 75}})


async def test_all_needs_of_a_room_have_a_limit_together(chat: Chat, ada: MemoryClient) -> None:
    many = {"users": [f"{n:0128}" for n in range(60)]}
    await update(ada, permissions={"message": many})
    await update(ada, permissions={"history": many})

    problem = await refused(ada, permissions={"pins": many})

    assert (problem["code"], problem["limit"]) == ("too_large", 16_384)
    await update(ada, permissions={"message": None, "pins": many})
