"""Threads: which message may be a parent, what it shows of its replies, pages of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, InvalidField, MemoryStore, Policy, Room, User
from sanic_chatrooms.access.standing import Standing
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs.threads import keep_parent

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Store:
    made: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "sqlite": lambda: SQLStore(f"sqlite:///{tmp_path / 'chat.db'}"),
    }
    return made[request.param]()


@pytest.fixture
def rooms(store: Store) -> ChatRooms:
    return ChatRooms("test", guests=True, store=store, rate_limits=False, history_max=60)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        yield chat


class Scene:
    """Ada and Bob are members of the room general."""

    def __init__(self, chat: Chat, ada: MemoryClient, bob: MemoryClient) -> None:
        self.chat, self.ada, self.bob = chat, ada, bob

    async def say(
        self, text: str = "hi", parent: str | None = None, client: MemoryClient | None = None
    ) -> Any:
        """-> The message's id, or the error's payload."""
        payload = {"text": text} | ({} if parent is None else {"parent": parent})
        reply = await (client or self.ada).request("message", room="general", payload=payload)
        return reply["payload"]["msgId"] if reply["type"] == "ack" else reply["payload"]

    async def delete(self, id: str) -> None:
        await self.ada.ack("message.delete", room="general", payload={"msgId": id})

    async def thread(self, id: str, **ask: Any) -> Any:
        return await self.bob.ack("thread", room="general", payload={"msgId": id, **ask})

    async def history(self, **ask: Any) -> Any:
        return await self.bob.ack("history", room="general", payload=ask)


@pytest.fixture
async def scene(chat: Chat) -> Scene:
    clients = [await chat_client(chat, ADA), await chat_client(chat, BOB)]
    for client in clients:
        await client.ack("join", room="general")
    return Scene(chat, *clients)


def texts(page: Any) -> list[str]:
    return [message["payload"].get("text", "(deleted)") for message in page["messages"]]


def seqs(page: Any) -> list[int]:
    return [message["seq"] for message in page["messages"]]


# ---- replies ----


async def test_a_message_shows_how_many_replied_and_the_newest_reply(scene: Scene) -> None:
    parent = await scene.say("parent")
    await scene.say("first", parent)
    await scene.say("other")
    await scene.say("second", parent, scene.bob)
    replies = [await scene.bob.expect("message") for _ in range(4)]
    last = replies[3]
    thread = {
        "count": 2,
        "last": {"seq": 4, "timestamp": last["timestamp"], "sender": {"id": "u2", "name": "Bob"}},
    }

    joined = await (await chat_client(scene.chat, EVE)).ack("join", room="general")
    since = {"epoch": joined["epoch"], "seq": 0}
    back = await (await chat_client(scene.chat, EVE)).ack("join", room="general", payload={"since": since})

    assert last["payload"] == {"text": "second", "parent": parent}
    assert back["recovered"]
    for page in (joined, back, await scene.history()):
        assert [message.get("thread") for message in page["messages"]] == [thread, None, None, None]
        assert "changed" not in page["messages"][0]


async def test_the_deletion_of_a_reply_tells_what_is_left_of_the_thread(scene: Scene) -> None:
    parent = await scene.say("parent")
    replies = [await scene.say("a", parent), await scene.say("b", parent)]
    before = (await scene.history())["messages"][1]
    last = {key: before[key] for key in ("seq", "timestamp", "sender")}

    await scene.delete(replies[1])
    first = (await scene.bob.expect("message.deleted"))["payload"]
    left = (await scene.history())["messages"][0].get("thread")
    await scene.delete(replies[0])
    second = (await scene.bob.expect("message.deleted"))["payload"]

    assert (first["seq"], first["parent"], first["thread"]) == (3, parent, {"count": 1, "last": last})
    assert left == first["thread"]
    assert (second["seq"], second["parent"], second["thread"]) == (2, parent, None)
    assert "thread" not in (await scene.history())["messages"][0]


async def test_the_deletion_of_what_is_no_reply_tells_of_no_thread(scene: Scene) -> None:
    parent = await scene.say("parent")
    await scene.say("reply", parent)

    await scene.delete(parent)

    deleted = (await scene.bob.expect("message.deleted"))["payload"]
    assert "parent" not in deleted
    assert "thread" not in deleted
    assert (await scene.history())["messages"][0]["thread"]["count"] == 1


async def test_a_deleted_message_may_be_replied_to(scene: Scene) -> None:
    parent = await scene.say("parent")
    await scene.delete(parent)

    assert isinstance(await scene.say("late", parent), str)
    shown = await scene.thread(parent)
    assert (shown["message"]["deleted"], shown["message"]["thread"]["count"], texts(shown)) == (
        True,
        1,
        ["late"],
    )


@pytest.mark.parametrize("kind", ["nothing", "empty", "reply", "poll", "elsewhere", "trimmed", "number"])
async def test_what_cannot_be_replied_to_is_an_invalid_field(
    rooms: ChatRooms, scene: Scene, kind: str
) -> None:
    await rooms.create_room("other")
    parent = await scene.say("parent")
    ids: dict[str, Any] = {
        "nothing": "no-such-id",
        "empty": "",
        "number": 7,
        "reply": await scene.say("reply", parent),
        "poll": (await rooms.publish("general", "poll.vote", {}, sender=ADA)).msg_id,
        "elsewhere": (await rooms.publish("other", "message", {"text": "x"}, sender=ADA)).msg_id,
        "trimmed": parent,
    }
    if kind == "trimmed":
        for _ in range(60):
            await rooms.publish("general", "message", {"text": "x"}, sender=ADA)
    head = (await scene.history())["seq"]

    refused = await scene.say("answer", ids[kind])

    assert (refused["code"], refused["field"]) == ("invalid_field", "parent")
    assert (await scene.history())["seq"] == head


async def test_a_reply_is_stored_once_and_counted_once(scene: Scene) -> None:
    parent = await scene.say("parent")
    id = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"
    ask = {"room": "general", "payload": {"text": "a", "parent": parent}, "msg_id": id}

    replies = [await scene.ada.ack("message", **ask) for _ in range(2)]

    assert [reply["duplicate"] for reply in replies] == [False, True]
    assert (await scene.history())["messages"][0]["thread"]["count"] == 1


async def test_an_edit_neither_changes_nor_drops_the_parent(scene: Scene) -> None:
    parent, other = await scene.say("parent"), await scene.say("other")
    reply = await scene.say("reply", parent)
    bodies = [
        {"text": "b"},
        {"text": "c", "parent": other},
        {"text": "d", "parent": None},
        {"text": "e", "parent": "no"},
    ]

    for body in bodies:
        await scene.ada.ack("message.edit", room="general", payload={"msgId": reply, "body": body})
        heard = await scene.bob.expect("message.edited")
        assert heard["payload"]["body"] == {"text": body["text"], "parent": parent}
        assert (await scene.thread(parent))["messages"][0]["payload"] == {
            "text": body["text"],
            "parent": parent,
        }
    await scene.ada.ack("message.edit", room="general", payload={"msgId": other, "body": bodies[1]})
    assert (await scene.bob.expect("message.edited"))["payload"]["body"] == {"text": "c"}
    assert [message.get("thread", {}).get("count") for message in (await scene.history())["messages"]] == [
        1,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("said", "body", "kept"),
    [
        (b'{"text":"a"}', b'{"text":"b" }', b'{"text":"b" }'),
        (b'{"text":"a","parent":"p"}', b'{"parent":"p", "text":"b"}', b'{"parent":"p", "text":"b"}'),
        (b'{"text":"a","parent":"p"}', b'{"text":"b","x":[1.50]}', b'{"text":"b","x":[1.50],"parent":"p"}'),
        (
            b'{"text":"a","p\\u0061rent":"p"}',
            b'{"p\\u0061rent":"q","text":"b"}',
            b'{"parent":"p","text":"b"}',
        ),
        (b'{"text":"a"}', b'{"text":"b","p\\u0061rent":"q"}', b'{"text":"b"}'),
        (b'{"text":"a"}', b'{"text":"b", "parent":null}', b'{"text":"b", "parent":null}'),
        (b'{"text":"a","parent":null}', b'{"parent":"q","text":"b"}', b'{"text":"b"}'),
    ],
)
def test_an_edited_body_has_the_first_parent(said: bytes, body: bytes, kept: bytes) -> None:
    assert keep_parent(said, body) == kept


async def test_replies_in_direct_rooms(scene: Scene) -> None:
    said = await scene.ada.ack("direct", payload={"to": "u2", "body": {"text": "psst"}})
    room = said["room"]

    await scene.ada.ack("direct", payload={"to": "u2", "body": {"text": "reply", "parent": said["msgId"]}})
    shown = await scene.bob.ack("thread", room=room, payload={"msgId": said["msgId"]})
    refused = await scene.ada.request(
        "direct", payload={"to": "u3", "body": {"text": "x", "parent": said["msgId"]}}
    )

    assert texts(shown) == ["reply"]
    assert (refused["payload"]["code"], refused["payload"]["field"]) == ("invalid_field", "parent")


async def test_the_apps_replies_are_replies(rooms: ChatRooms, scene: Scene) -> None:
    parent = await scene.say("parent")

    await rooms.publish("general", "message", {"text": "the app", "parent": parent})
    await rooms.publish("general", "message", {"text": "a bot", "parent": parent}, sender=EVE)
    await rooms.publish("general", "message", {"text": "Bob", "parent": parent}, as_user=BOB)
    await rooms.publish("general", "poll.vote", {"parent": parent}, sender=EVE)
    shown = await scene.thread(parent)

    assert texts(shown) == ["the app", "a bot", "Bob"]
    assert shown["message"]["thread"]["count"] == 3
    names: list[Any] = [{}, {"sender": EVE}, {"as_user": BOB}]
    for more in names:
        for wrong in ("nothing", 7, shown["messages"][0]["msgId"]):
            with pytest.raises(InvalidField):
                await rooms.publish("general", "message", {"text": "x", "parent": wrong}, **more)


async def test_the_newest_reply_may_be_the_apps(rooms: ChatRooms, scene: Scene) -> None:
    parent = await scene.say("parent")
    await rooms.publish("general", "message", {"text": "the app", "parent": parent})

    assert (await scene.history())["messages"][0]["thread"]["last"]["sender"] is None


async def test_replies_pass_a_policy_that_waits(scene: Scene) -> None:
    class Slow(Policy):
        async def require(self, user: User, action: str, room: Room | None, standing: Standing) -> None:
            pass

    parent = await scene.say("parent")
    scene.ada.session.policy = Slow()

    assert isinstance(await scene.say("reply", parent), str)
    assert (await scene.thread(parent))["message"]["thread"]["count"] == 1


async def test_guests_reply_to_what_came_before_and_after_them(scene: Scene) -> None:
    early = await scene.say("early")
    guest = await chat_client(scene.chat, User("guest-1", "Guest", guest=True))
    await guest.ack("join", room="general")
    late = await scene.say("late")

    assert all([isinstance(await scene.say("reply", id, guest), str) for id in (early, late)])


# ---- pages ----


async def test_guests_reply_to_what_came_after_them_in_a_room_that_was_private_once(
    rooms: ChatRooms, scene: Scene
) -> None:
    for visibility in ("private", "public"):
        await rooms.update_room("general", visibility=visibility)
        await scene.ada.ack("join", room="general")
    guest = await chat_client(scene.chat, User("guest-1", "Guest", guest=True))
    await guest.ack("join", room="general")
    later = await scene.say("later")

    assert isinstance(await scene.say("reply", later, guest), str)


async def test_a_thread_is_paged_in_both_directions(scene: Scene) -> None:
    parent = await scene.say("parent")
    ids = []
    for n in range(5):
        ids.append(await scene.say(f"r{n}", parent))
        await scene.say("between")
    await scene.delete(ids[1])

    newest = await scene.thread(parent, limit=2)
    older = await scene.thread(parent, before=seqs(newest)[0], limit=2)
    first = await scene.thread(parent, after=0, limit=3)
    rest = await scene.thread(parent, after=seqs(first)[-1], limit=3)

    assert [(texts(page), page["more"]) for page in (newest, older, first, rest)] == [
        (["r3", "r4"], True),
        (["(deleted)", "r2"], True),
        (["r0", "(deleted)", "r2"], True),
        (["r3", "r4"], False),
    ]
    assert all(page["message"]["thread"]["count"] == 4 for page in (newest, older, first, rest))
    assert set(newest) == {"message", "messages", "more"}


async def test_a_thread_shows_messages_as_they_are_now(scene: Scene) -> None:
    parent = await scene.say("parent")
    reply = await scene.say("reply", parent)
    for id in (parent, reply):
        await scene.bob.ack("reaction.add", room="general", payload={"msgId": id, "emoji": "👍"})

    shown = await scene.thread(parent)

    mine = {"👍": {"count": 1, "me": True}}
    assert [message["reactions"] for message in (shown["message"], shown["messages"][0])] == [mine, mine]
    assert shown["message"]["payload"]["text"] == "parent"


async def test_the_thread_of_what_is_no_message_is_not_found(rooms: ChatRooms, scene: Scene) -> None:
    poll = (await rooms.publish("general", "poll.vote", {}, sender=ADA)).msg_id
    for id in ("nothing", "", poll):
        refused = await scene.bob.request("thread", room="general", payload={"msgId": id})
        assert refused["payload"]["code"] == "message_not_found"


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        ({"limit": 0}, "invalid_field"),
        ({"before": 1, "after": 1}, "invalid_field"),
        ({"before": -1}, "invalid_cursor"),
    ],
)
async def test_a_page_that_cannot_be_asked_for(scene: Scene, ask: Any, code: str) -> None:
    id = await scene.say()
    refused = await scene.bob.request("thread", room="general", payload={"msgId": id, **ask})

    assert refused["payload"]["code"] == code


async def test_history_leaves_replies_out_if_it_is_asked_to(rooms: ChatRooms, scene: Scene) -> None:
    parent = await scene.say("parent")
    for n in range(3):
        await scene.say(f"reply {n}", parent)
        await scene.say(f"m{n}")

    without = await scene.history(replies=False)

    assert texts(without) == ["parent", "m0", "m1", "m2"]
    assert texts(await scene.history(replies=False, limit=2, before=7)) == ["m0", "m1"]
    assert texts(await scene.history(replies=False, limit=2, after=1)) == ["m0", "m1"]
    assert texts(await scene.history(replies=False, around=5, limit=2)) == ["m0", "m1"]
    assert len((await scene.history(replies=True))["messages"]) == 7
    page = await rooms.history("general", replies=False, as_user=BOB)
    assert len(page.messages) == len((await rooms.history("general", replies=False)).messages) == 4


# ---- what one may not see ----


@pytest.fixture
async def club(rooms: ChatRooms, scene: Scene) -> dict[str, str]:
    """A room with a gap for Ada: early is open to all, then two replies among members who joined, then Ada joins. By text: ids."""
    ids: dict[str, str] = {}

    async def say(text: str, **more: Any) -> None:
        ids[text] = (await rooms.publish("club", "message", {"text": text, **more}, sender=EVE)).msg_id

    await rooms.create_room("club", visibility="private", history_visibility="members")
    await say("early")
    await rooms.update_room("club", history_visibility="joined")
    await say("hidden")
    await say("hidden reply", parent=ids["early"])
    await rooms.add_member("club", ADA)
    await say("reply", parent=ids["early"])
    await say("hidden thread", parent=ids["hidden"])
    return ids


async def test_replies_that_one_may_not_see_are_neither_shown_nor_counted(
    club: dict[str, str], rooms: ChatRooms, scene: Scene
) -> None:
    async def counts() -> Any:
        shown = await scene.ada.ack("thread", room="club", payload={"msgId": club["early"]})
        history = (await scene.ada.ack("history", room="club"))["messages"]
        joined = (await scene.ada.ack("join", room="club"))["messages"]
        threads = [shown["message"], history[0], joined[0]]
        return texts(shown), [message.get("thread", {}).get("count") for message in threads]

    assert await counts() == (["reply"], [1, 1, 1])
    assert (await rooms.history("club")).messages[0]["thread"]["count"] == 2
    await rooms.delete("club", club["reply"])
    assert await counts() == (["(deleted)"], [None, None, None])


async def test_what_one_may_not_see_can_neither_be_asked_for_nor_replied_to(
    club: dict[str, str], scene: Scene
) -> None:
    await scene.ada.ack("join", room="club")

    asked = await scene.ada.request("thread", room="club", payload={"msgId": club["hidden"]})
    replied = [
        (await scene.ada.request("message", room="club", payload={"text": "x", "parent": club[text]}))[
            "payload"
        ]
        for text in ("hidden", "early")
    ]

    assert asked["payload"]["code"] == "message_not_found"
    assert (replied[0]["code"], replied[0]["field"]) == ("invalid_field", "parent")
    assert "seq" in replied[1]
