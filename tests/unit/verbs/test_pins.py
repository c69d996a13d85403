"""Pins: who may set them, what everybody sees of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, Event, Forbidden, MemoryStore, MessageNotFound, Policy, Room, User
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import Fact, Member
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.pages import PAGE_BYTES
from sanic_chatrooms.verbs.pins import Pin

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")
ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Store:
    made: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "sqlite": lambda: SQLStore(f"sqlite:///{tmp_path / 'chat.db'}"),
    }
    return made[request.param]()


@pytest.fixture
def rooms(store: Store) -> ChatRooms:
    return ChatRooms("test", guests=True, store=store, max_frame=200_000, max_text=150_000)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        yield chat


class Scene:
    """Ada moderates the room general, Bob is a member."""

    def __init__(self, chat: Chat, ada: MemoryClient, bob: MemoryClient) -> None:
        self.chat, self.ada, self.bob = chat, ada, bob

    async def say(self, text: str = "hi") -> str:
        id: str = (await self.ada.ack("message", room="general", payload={"text": text}))["msgId"]
        return id

    async def pin(self, id: str, client: MemoryClient | None = None, *, on: bool = True, **more: Any) -> Any:
        type = "message.pin" if on else "message.unpin"
        return await (client or self.ada).request(type, room="general", payload={"msgId": id}, **more)

    async def pinned(self, **ask: Any) -> Any:
        return await self.bob.ack("pins", room="general", payload=ask)

    async def messages(self) -> Any:
        return (await self.bob.ack("history", room="general"))["messages"]


async def be(chat: Chat, user: User, role: str, room: str = "general") -> None:
    await members.put(chat.backends.store, room, Member(user.id, user.name, role))


@pytest.fixture
async def scene(chat: Chat) -> Scene:
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    await ada.ack("join", room="general")
    await be(chat, ADA, "moderator")
    for client in (ada, bob):
        await client.ack("join", room="general")
    return Scene(chat, ada, bob)


# ---- what happens ----


async def test_a_pin_is_acknowledged_and_heard(scene: Scene) -> None:
    id = await scene.say()

    reply = await scene.pin(id, msg_id=ID)
    heard = await scene.bob.expect("message.pinned")

    assert (reply["type"], reply["payload"]) == ("ack", {"seq": 2, "duplicate": False})
    assert heard["payload"] == {"seq": 1, "msgId": id, "by": {"id": "u1", "name": "Ada"}}
    assert (heard["seq"], heard["sender"], heard["clientMsgId"]) == (2, heard["payload"]["by"], ID)


async def test_a_pinned_message_shows_it_wherever_it_is_read(scene: Scene) -> None:
    id = await scene.say()
    (before,) = await scene.messages()
    await scene.pin(id)
    heard = await scene.bob.expect("message.pinned")
    now = {**before, "pinned": {"by": {"id": "u1", "name": "Ada"}, "at": heard["timestamp"]}}

    joined = await (await chat_client(scene.chat, EVE)).ack("join", room="general")
    since = {"epoch": joined["epoch"], "seq": 0}
    back = await (await chat_client(scene.chat, EVE)).ack("join", room="general", payload={"since": since})

    assert await scene.messages() == joined["messages"] == (await scene.pinned())["messages"] == [now]
    assert back["recovered"]
    assert back["messages"][0] == now


async def test_a_message_that_is_unpinned_shows_nothing_of_it(scene: Scene) -> None:
    id = await scene.say()
    (before,) = await scene.messages()
    await scene.pin(id)

    reply = await scene.pin(id, on=False)
    heard = await scene.bob.expect("message.unpinned")

    assert reply["payload"] == {"seq": 3, "duplicate": False}
    assert heard["payload"] == {"seq": 1, "msgId": id, "by": {"id": "u1", "name": "Ada"}}
    assert await scene.messages() == [before]
    assert await scene.pinned() == {"messages": [], "total": 0}


async def test_a_pin_that_is_there_makes_no_second_event(scene: Scene) -> None:
    id = await scene.say()
    await scene.pin(id)
    await be(scene.chat, BOB, "moderator")

    again = await scene.pin(id, scene.bob)

    assert again["payload"] == {"seq": 2, "duplicate": True}
    assert (await scene.messages())[0]["pinned"]["by"]["id"] == "u1", "the first one set it"
    assert (await scene.bob.ack("history", room="general"))["seq"] == 2


async def test_a_pin_that_is_not_there_is_taken_off_without_an_event(scene: Scene) -> None:
    id = await scene.say()

    assert (await scene.pin(id, on=False))["payload"] == {"duplicate": True}
    assert (await scene.bob.ack("history", room="general"))["seq"] == 1


async def test_a_repetition_has_the_first_ack_whatever_happened_since(scene: Scene) -> None:
    id = await scene.say()
    first = await scene.pin(id, msg_id=ID)
    await scene.pin(id, on=False)

    assert (await scene.pin(id, msg_id=ID))["payload"] == {**first["payload"], "duplicate": True}
    assert (await scene.pinned())["total"] == 0


async def test_of_two_who_pin_at_once_one_does(scene: Scene) -> None:
    id = await scene.say()
    await be(scene.chat, BOB, "moderator")

    replies = await asyncio.gather(scene.pin(id), scene.pin(id, scene.bob))

    assert sorted(reply["payload"]["duplicate"] for reply in replies) == [False, True]
    assert {reply["payload"]["seq"] for reply in replies} == {2}


async def test_an_edit_keeps_the_pin_and_a_deletion_takes_it_off(scene: Scene) -> None:
    id = await scene.say()
    await scene.pin(id)
    edit = {"msgId": id, "body": {"text": "better"}}
    await scene.ada.ack("message.edit", room="general", payload=edit)
    (shown,) = (await scene.pinned())["messages"]
    assert (shown["payload"], "pinned" in shown) == ({"text": "better"}, True)

    await scene.ada.ack("message.delete", room="general", payload={"msgId": id})

    assert await scene.pinned() == {"messages": [], "total": 0}
    assert "pinned" not in (await scene.messages())[0]
    assert (await scene.pin(id))["payload"]["code"] == "message_not_found"


# ---- the list ----


async def test_the_newest_pin_comes_first_and_the_list_is_paged(scene: Scene) -> None:
    ids = [await scene.say(str(n)) for n in range(5)]
    order = [ids[n] for n in (3, 0, 4, 1)]
    for id in order:
        await scene.pin(id)
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await scene.pinned(limit=3, **cursor)
        assert page["total"] == 4
        seen += [message["msgId"] for message in page["messages"]]
        if "cursor" not in page:
            break
        cursor = {"cursor": page["cursor"]}

    assert seen == order[::-1]


async def test_a_page_ends_where_it_is_large_and_the_next_goes_on_there(scene: Scene) -> None:
    ids = [await scene.say("x" * (PAGE_BYTES * 2 // 5)) for _ in range(3)]
    for id in ids:
        await scene.pin(id)

    first = await scene.pinned()
    second = await scene.pinned(cursor=first["cursor"])

    assert [message["msgId"] for message in first["messages"]] == [ids[2], ids[1]]
    assert [message["msgId"] for message in second["messages"]] == [ids[0]]
    assert "cursor" not in second


@pytest.mark.parametrize(
    ("ask", "code"), [({"limit": 0}, "invalid_field"), ({"cursor": "what"}, "invalid_cursor")]
)
async def test_a_page_that_cannot_be_asked_for(scene: Scene, ask: Any, code: str) -> None:
    reply = await scene.bob.request("pins", room="general", payload=ask)

    assert reply["payload"]["code"] == code


async def test_a_message_that_is_trimmed_while_the_list_is_read_is_left_out(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        await scene.pin(await scene.say(str(n)))
    read = type(scene.chat.store).events

    async def without_the_first(self: Store, room: str, seqs: list[int]) -> dict[int, Event]:
        return {seq: event for seq, event in (await read(self, room, seqs)).items() if seq != 1}

    monkeypatch.setattr(type(scene.chat.store), "events", without_the_first)

    page = await scene.pinned()

    assert ([message["payload"]["text"] for message in page["messages"]], "cursor" in page) == (
        ["2", "1"],
        False,
    )


# ---- who may ----


async def test_members_of_a_room_may_not_pin_but_see_what_is_pinned(scene: Scene) -> None:
    id = await scene.say()

    assert (await scene.pin(id, scene.bob))["payload"]["code"] == "forbidden"
    await scene.pin(id)
    assert (await scene.pin(id, scene.bob, on=False))["payload"]["code"] == "forbidden"
    assert (await scene.pinned())["total"] == 1


async def test_both_pin_in_a_direct_room(scene: Scene) -> None:
    said = await scene.ada.ack("direct", payload={"to": "u2", "body": {"text": "psst"}})
    room, payload = said["room"], {"msgId": said["msgId"]}
    await scene.bob.expect("room.added")

    await scene.bob.ack("message.pin", room=room, payload=payload)
    await scene.ada.ack("message.unpin", room=room, payload=payload)

    eve = await chat_client(scene.chat, EVE)
    for type in ("pins", "message.pin", "message.unpin"):
        assert (await eve.request(type, room=room, payload=payload))["payload"]["code"] == "room_not_found"


async def test_who_is_muted_may_not_pin_but_look(scene: Scene) -> None:
    id = await scene.say()
    await scene.chat.store.set_fact("general", Fact("mute", ADA.id, b"{}"))

    for on in (True, False):
        assert (await scene.pin(id, on=on))["payload"]["code"] == "muted"
    assert (await scene.ada.ack("pins", room="general"))["total"] == 0


async def test_a_policy_is_asked_for_each_by_its_name(scene: Scene) -> None:
    asked: list[str] = []

    class Nothing(Policy):
        def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
            asked.append(action)
            raise Forbidden

    ada = await chat_client(scene.chat, ADA)
    ada.session.policy = Nothing()

    for type in ("message.pin", "message.unpin", "pins"):
        reply = await ada.request(type, room="general", payload={"msgId": "x"})
        assert reply["payload"]["code"] == "forbidden"
    assert asked == ["message.pin", "message.unpin", "pins"]


async def test_what_is_no_message_of_the_room_cannot_be_pinned(rooms: ChatRooms, scene: Scene) -> None:
    poll = await rooms.publish("general", "poll.vote", {}, sender=ADA)
    assert poll is not None

    for id in ("nothing-of-this-id", "", poll.msg_id):
        for on in (True, False):
            assert (await scene.pin(id, on=on))["payload"]["code"] == "message_not_found"


async def test_the_app_pins_in_nobodys_name(scene: Scene) -> None:
    id = await scene.say()

    await scene.chat.commands.give("message.pin", Pin(id), room="general")
    heard = await scene.bob.expect("message.pinned")

    assert (heard["payload"], "sender" in heard) == ({"seq": 1, "msgId": id, "by": None}, False)
    assert (await scene.messages())[0]["pinned"] == {"by": None, "at": heard["timestamp"]}
    with pytest.raises(MessageNotFound):
        await scene.chat.commands.give("message.pin", Pin("nothing"), room="general")
