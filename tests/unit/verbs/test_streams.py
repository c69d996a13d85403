"""Messages that are written piece by piece: what writers do, what everybody sees, how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, Forbidden, MemoryStore, User
from sanic_chatrooms.brokers.memory import MemoryBroker, MemoryBus
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.config.backends import Backends
from sanic_chatrooms.live import questions
from sanic_chatrooms.live import streams as live
from sanic_chatrooms.models import Member, Sender
from sanic_chatrooms.presence.memory import MemoryBoard, MemoryPresence
from sanic_chatrooms.stores import members
from sanic_chatrooms.stores import streams as kept
from sanic_chatrooms.stores.base import Store
from sanic_chatrooms.stores.sql.store import SQLStore
from sanic_chatrooms.testing import MemoryClient, chat_client
from sanic_chatrooms.testing.connections import running_core

ADA, BOB, EVE = User("u1", "Ada"), User("u2", "Bob"), User("u3", "Eve")
ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"
OTHER_ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a12"
BY_ADA = {"id": "u1", "name": "Ada"}


on_every_store = pytest.mark.parametrize("store", ["memory", "sqlite"], indirect=True)


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Any) -> Store:
    made: dict[str, Callable[[], Store]] = {
        "memory": MemoryStore,
        "sqlite": lambda: SQLStore(f"sqlite:///{tmp_path / 'chat.db'}"),
    }
    return made[getattr(request, "param", "memory")]()


@pytest.fixture
def rooms(store: Store) -> ChatRooms:
    return ChatRooms("test", guests=True, store=store)


@pytest.fixture
async def chat(rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms) as chat:
        yield chat


class Scene:
    """Ada writes in the room general, and Bob reads."""

    def __init__(self, chat: Chat, ada: MemoryClient, bob: MemoryClient) -> None:
        self.chat, self.ada, self.bob = chat, ada, bob

    async def open(self, text: str = "", **more: Any) -> str:
        body = {"text": text, **more}
        id: str = (await self.ada.ack("message.open", room="general", payload=body))["msgId"]
        return id

    async def ask(self, type: str, id: str, client: MemoryClient | None = None, **payload: Any) -> Any:
        """The answer of Ada's, or another client's, command about this message."""
        given = {name.rstrip("_"): value for name, value in payload.items()}
        msg_id = given.pop("msg_id", None)
        whole = {"msgId": id, **given}
        return await (client or self.ada).request(
            f"message.{type}", room="general", payload=whole, msg_id=msg_id
        )

    async def append(self, id: str, at: int, text: str) -> Any:
        return (await self.ask("append", id, at=at, text=text))["payload"]

    async def history(self, client: MemoryClient | None = None) -> Any:
        return (await (client or self.bob).ack("history", room="general"))["messages"]

    async def come(self, user: User) -> MemoryClient:
        client = await chat_client(self.chat, user)
        await client.ack("join", room="general")
        return client

    def heard(self, id: str, client: MemoryClient | None = None) -> str:
        """The text as a client has it that heard every piece."""
        text = ""
        for frame in (client or self.bob).frames:
            if frame["type"] == "message.delta" and frame["payload"]["msgId"] == id:
                assert frame["payload"]["at"] <= len(text), "there is a gap"
                text += frame["payload"]["text"][len(text) - frame["payload"]["at"] :]
        return text

    async def has_heard(self, id: str, text: str, client: MemoryClient | None = None) -> None:
        async with asyncio.timeout(40):
            while self.heard(id, client) != text:
                await (client or self.bob).connection.changed()


async def be(chat: Chat, user: User, role: str, room: str = "general") -> None:
    await members.put(chat.backends.store, room, Member(user.id, user.name, role))


@pytest.fixture
async def scene(chat: Chat) -> Scene:
    ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
    for client in (ada, bob):
        await client.ack("join", room="general")
    return Scene(chat, ada, bob)


# ---- writing ----


@on_every_store
async def test_an_open_message_is_acknowledged_and_heard_as_one_that_is_being_written(scene: Scene) -> None:
    ack = await scene.ada.ack("message.open", room="general", payload={"text": "é😀"}, msg_id=ID)
    heard = await scene.bob.expect("message")

    assert ack == {
        "msgId": heard["msgId"], "seq": 1, "timestamp": heard["timestamp"], "duplicate": False, "lease": 30.0,
    }  # fmt: skip
    assert (heard["payload"], heard["streaming"], heard["sender"]) == ({"text": "é😀"}, {"at": 2}, BY_ADA)
    assert heard["clientMsgId"] == ID


async def test_the_first_piece_is_heard_at_once_and_all_of_them_make_the_text(scene: Scene) -> None:
    id = await scene.open("é")

    assert await scene.append(id, 1, "a") == {"at": 2}
    first = await scene.bob.expect("message.delta")
    for at, piece in enumerate("bcdefg", 2):
        await scene.append(id, at, piece)
    async with asyncio.timeout(40):
        while sum(len(frame["payload"]["text"]) for frame in _deltas(scene.bob)) < 7:
            await scene.bob.connection.changed()

    assert first["payload"] == {"msgId": id, "at": 1, "text": "a"}
    assert first["room"] == "general"
    assert "".join(frame["payload"]["text"] for frame in _deltas(scene.bob)) == "abcdefg"


def _deltas(client: MemoryClient) -> list[Any]:
    return [frame for frame in client.frames if frame["type"] == "message.delta"]


async def test_a_piece_that_comes_again_is_skipped_and_one_beyond_the_text_is_a_conflict(
    scene: Scene,
) -> None:
    id = await scene.open()
    await scene.append(id, 0, "abc")

    again, longer = await scene.append(id, 0, "abc"), await scene.append(id, 1, "bcd")
    beyond = await scene.append(id, 6, "x")
    kept = await scene.append(id, 4, "")

    assert (again, longer, kept) == ({"at": 3}, {"at": 4}, {"at": 4})
    assert (beyond["code"], beyond["at"]) == ("conflict", 4)
    await scene.has_heard(id, "abcd")


async def test_only_who_opened_a_message_writes_and_closes_it(scene: Scene) -> None:
    id = await scene.open()

    piece = await scene.ask("append", id, scene.bob, at=0, text="x")
    close = await scene.ask("close", id, scene.bob)

    assert (piece["payload"]["code"], close["payload"]["code"]) == ("forbidden", "forbidden")


@pytest.mark.parametrize("scope", ["chat:read", "room:other:write"])
async def test_a_token_that_may_not_write_here_neither_writes_pieces_nor_ends_the_message(
    scene: Scene, scope: str
) -> None:
    id = await scene.open("a")
    reading = await chat_client(scene.chat, User(ADA.id, ADA.name, scopes=(scope,)))

    refused = await scene.ask("append", id, reading, at=1, text="b")
    ends = [await scene.ask(type, id, reading) for type in ("close", "cancel")]

    assert [answer["payload"]["code"] for answer in (refused, *ends)] == ["forbidden"] * 3
    assert await scene.append(id, 1, "c") == {"at": 2}


async def test_a_text_has_at_most_so_many_bytes(rooms: ChatRooms) -> None:
    async with running_core(rooms, max_stream=8) as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="general")
        scene = Scene(chat, ada, ada)
        id = await scene.open()

        fits = await scene.append(id, 0, "é😀aa")
        over = await scene.append(id, 4, "b")
        body = await scene.ask("close", id, body={"text": "123456789"})

        assert fits == {"at": 4}
        assert (over["code"], over["limit"]) == ("too_large", 8)
        assert body["payload"]["code"] == "too_large"


@pytest.mark.parametrize(
    ("type", "payload"),
    [
        ("append", {"at": -1, "text": ""}),
        ("append", {"at": "1", "text": ""}),
        ("append", {"at": 0}),
        ("close", {"reason": "bored"}),
        ("close", {"body": []}),
        ("close", {"body": {"text": 1}}),
        ("text", {"from": -1}),
    ],
)
async def test_a_payload_of_another_form_is_an_invalid_field(
    scene: Scene, type: str, payload: dict[str, Any]
) -> None:
    id = await scene.open()

    answer = await scene.ada.request(f"message.{type}", room="general", payload={"msgId": id, **payload})

    assert answer["payload"]["code"] == "invalid_field"


@pytest.mark.parametrize("type", ["append", "close", "cancel", "text"])
async def test_a_message_that_is_not_there_is_not_found(scene: Scene, type: str) -> None:
    payload: dict[str, Any] = {"at": 0, "text": "x"} if type == "append" else {}

    answer = await scene.ask(type, "6f1c0b1e-1f0e-8c55-9d6b-0e0c2f6f7a12", **payload)

    assert answer["payload"]["code"] == "message_not_found"


@pytest.mark.parametrize("type", ["append", "close", "cancel"])
async def test_a_message_that_was_sent_whole_is_a_conflict(scene: Scene, type: str) -> None:
    said = await scene.ada.ack("message", room="general", payload={"text": "hi"})
    payload: dict[str, Any] = {"at": 0, "text": "x"} if type == "append" else {}

    answer = await scene.ask(type, said["msgId"], **payload)

    assert answer["payload"]["code"] == "conflict"


async def test_who_may_not_know_of_a_room_learns_nothing_of_its_messages(chat: Chat) -> None:
    ada, eve = await chat_client(chat, ADA), await chat_client(chat, EVE)
    await ada.ack("room.create", room="private", payload={"visibility": "private"})
    await ada.ack("join", room="private")
    id = (await ada.ack("message.open", room="private", payload={"text": ""}))["msgId"]

    for type, more in (("append", {"at": 0, "text": ""}), ("close", {}), ("cancel", {}), ("text", {})):
        answer = await eve.request(f"message.{type}", room="private", payload={"msgId": id, **more})
        assert answer["payload"]["code"] == "room_not_found", type
    answer = await eve.request("message.open", room="private", payload={"text": ""})
    assert answer["payload"]["code"] == "not_a_member"


@on_every_store
async def test_opening_the_same_again_opens_nothing(scene: Scene) -> None:
    first = await scene.ada.ack("message.open", room="general", payload={"text": ""}, msg_id=ID)
    again = await scene.ada.ack("message.open", room="general", payload={"text": ""}, msg_id=ID)
    other = await scene.ada.error("message.open", room="general", payload={"text": "x"}, msg_id=ID)

    assert again == {**first, "duplicate": True}
    assert other["code"] == "conflict"
    assert len(await scene.history()) == 1


@on_every_store
async def test_a_room_and_a_user_have_so_many_at_a_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sanic_chatrooms.verbs.stream_limits.PER_ROOM", 5)
    await scene.ada.ack("join", room="other")
    ids = [await scene.open() for _ in range(3)]
    await scene.ada.ack("message.open", room="other", payload={"text": ""}, msg_id=ID)

    fifth = await scene.ada.error("message.open", room="general", payload={"text": ""})
    repeated = await scene.ada.ack("message.open", room="other", payload={"text": ""}, msg_id=ID)
    for _ in range(2):
        await scene.bob.ack("message.open", room="general", payload={"text": ""})
    sixth = await scene.bob.error("message.open", room="general", payload={"text": ""})
    await scene.ask("close", ids[0])
    await scene.open()

    assert (fifth["code"], fifth["limit"], repeated["duplicate"]) == ("rate_limited", "streams", True)
    assert (sixth["code"], sixth["limit"]) == ("rate_limited", "streams")


async def test_welcome_names_the_feature_and_the_limits(scene: Scene) -> None:
    welcome = (await scene.bob.expect("welcome"))["payload"]

    assert "streams" in welcome["features"]
    assert welcome["limits"]["streams"] == {"room": 16, "user": 4}


# ---- what late comers see ----


@on_every_store
async def test_history_and_join_show_what_there_is(scene: Scene) -> None:
    id = await scene.open(model="x")
    await scene.append(id, 0, "so far")

    late = await chat_client(scene.chat, EVE)
    joined = await late.ack("join", room="general")
    since = {"epoch": joined["epoch"], "seq": 0}
    back = await (await chat_client(scene.chat, EVE)).ack("join", room="general", payload={"since": since})
    (shown,) = await scene.history()
    await scene.append(id, 6, " and more")
    more = await late.expect("message.delta")

    assert (shown["payload"], shown["streaming"]) == ({"text": "so far", "model": "x"}, {"at": 6})
    assert back["recovered"]
    assert [shown] == joined["messages"] == back["messages"]
    assert more["payload"]["at"] == 6


async def test_the_text_can_be_asked_for_while_it_grows_and_afterwards(scene: Scene) -> None:
    id = await scene.open("é😀")
    await scene.append(id, 2, "abc")

    whole, rest = await scene.ask("text", id, scene.bob), await scene.ask("text", id, scene.bob, from_=3)
    beyond = await scene.ask("text", id, scene.bob, from_=99)
    await scene.ask("close", id)
    closed = await scene.ask("text", id, scene.bob, from_=4)

    assert whole["payload"] == {"at": 0, "text": "é😀abc", "streaming": True}
    assert rest["payload"] == {"at": 3, "text": "bc", "streaming": True}
    assert beyond["payload"] == {"at": 5, "text": "", "streaming": True}
    assert closed["payload"] == {"at": 4, "text": "c", "streaming": False}


@pytest.mark.parametrize("text", [5, None, ["a"]])
async def test_what_the_app_has_published_without_a_text_has_none(
    scene: Scene, rooms: ChatRooms, text: Any
) -> None:
    said = await rooms.publish("general", "message", {"text": text})

    answer = await scene.ask("text", said.msg_id)

    assert answer["payload"] == {"at": 0, "text": "", "streaming": False}


async def test_pins_and_threads_show_what_there_is(scene: Scene) -> None:
    await be(scene.chat, BOB, "moderator")
    asked = await scene.bob.ack("message", room="general", payload={"text": "?"})
    id, other = await scene.open(parent=asked["msgId"]), await scene.open()
    await scene.append(id, 0, "so far")
    await scene.append(other, 0, "a start")
    await scene.ask("pin", id, scene.bob)

    (pinned,) = (await scene.bob.ack("pins", room="general"))["messages"]
    (reply,) = (await scene.bob.ack("thread", room="general", payload={"msgId": asked["msgId"]}))["messages"]
    parent = (await scene.bob.ack("thread", room="general", payload={"msgId": other}))["message"]
    await scene.ask("close", id, body={"usage": 1})

    assert [shown["payload"]["text"] for shown in (pinned, reply, parent)] == ["so far", "so far", "a start"]
    assert [shown["streaming"]["at"] for shown in (pinned, reply, parent)] == [6, 6, 7]
    closed = (await scene.history())[1]
    assert closed["payload"] == {"usage": 1, "text": "so far", "parent": asked["msgId"]}


# ---- closing ----


@on_every_store
async def test_a_close_is_one_durable_event_with_the_whole_text(scene: Scene) -> None:
    id = await scene.open(model="x")
    await scene.append(id, 0, "all of it")

    ack = await scene.ask("close", id, msg_id=ID)
    heard = await scene.bob.expect("message.edited")
    (shown,) = await scene.history()

    assert ack["payload"] == {"seq": 2, "duplicate": False}
    body = {"text": "all of it", "model": "x"}
    assert heard["payload"] == {"seq": 1, "msgId": id, "body": body, "closed": True}
    assert (heard["seq"], heard["sender"], heard["clientMsgId"]) == (2, BY_ADA, ID)
    assert (shown["payload"], shown["changed"]) == (body, 2)
    assert {"edited", "streaming", "ended"}.isdisjoint(shown)
    assert await kept.stream(scene.chat.backends.store, "general", id) is None


async def test_a_close_may_give_another_body(scene: Scene) -> None:
    id, other = await scene.open(model="x"), await scene.open()
    await scene.append(id, 0, "written")

    await scene.ask("close", id, body={"usage": 7})
    await scene.ask("close", other, body={"text": "whole", "n": 1})
    shown = await scene.history()

    assert [message["payload"] for message in shown] == [
        {"usage": 7, "text": "written"}, {"text": "whole", "n": 1},
    ]  # fmt: skip


@on_every_store
@pytest.mark.parametrize("reason", ["cancelled", "error"])
async def test_how_it_ended_stays_beside_the_message_until_it_is_edited(scene: Scene, reason: str) -> None:
    id = await scene.open("x")

    await scene.ask("close", id, reason=reason)
    heard = await scene.bob.expect("message.edited")
    (before,) = await scene.history()
    await scene.ask("edit", id, body={"text": "y"})
    (after,) = await scene.history()

    assert (heard["payload"]["ended"], before["ended"]) == (reason, reason)
    assert "ended" not in after
    assert after["edited"] > 0


@on_every_store
async def test_the_repetition_of_a_close_has_its_first_result_and_another_close_is_a_conflict(
    scene: Scene,
) -> None:
    id = await scene.open("x")

    first = await scene.ask("close", id, msg_id=ID)
    again, other = await scene.ask("close", id, msg_id=ID), await scene.ask("close", id, msg_id=OTHER_ID)
    piece, cancel = await scene.append(id, 1, "y"), await scene.ask("cancel", id)

    assert again["payload"] == {**first["payload"], "duplicate": True}
    assert [other["payload"]["code"], piece["code"], cancel["payload"]["code"]] == ["conflict"] * 3
    assert len(await scene.history()) == 1


async def test_a_message_is_edited_after_it_is_closed_and_not_before(scene: Scene) -> None:
    id = await scene.open("x")

    before = await scene.ask("edit", id, body={"text": "y"})
    await scene.ask("close", id)
    after = await scene.ask("edit", id, body={"text": "y"})

    assert (before["payload"]["code"], after["type"]) == ("conflict", "ack")


async def test_the_check_before_publishing_sees_the_beginning_and_the_whole_text(rooms: ChatRooms) -> None:
    seen: list[str] = []

    @rooms.before_publish(budget=5)
    async def check(ctx: Any) -> None:
        seen.append(ctx.payload["text"])
        if "bad" in ctx.payload["text"]:
            raise Forbidden("say it otherwise")
        ctx.payload = {**ctx.payload, "text": ctx.payload["text"].upper()}

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="general")
        scene = Scene(chat, ada, ada)
        id, bad = await scene.open("a"), await scene.open("b")
        await scene.append(id, 1, "bc")
        await scene.append(bad, 1, " bad")

        await scene.ask("close", id)
        refused = await scene.ask("close", bad)
        shown = await scene.history(ada)

    assert seen == ["a", "b", "Abc", "B bad"]
    assert refused["payload"]["code"] == "forbidden"
    assert [message["payload"]["text"] for message in shown] == ["ABC", "B"]
    assert shown[1]["ended"] == "error"


async def test_what_a_writer_leaves_behind_passes_the_check_too(rooms: ChatRooms) -> None:
    @rooms.before_publish(budget=5)
    async def check(ctx: Any) -> None:
        if "bad" in ctx.payload["text"]:
            raise Forbidden("say it otherwise")

    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="general")
        scene = Scene(chat, ada, ada)
        bad = await scene.open("beginning")
        await scene.append(bad, 9, " bad")

        await chat.closing.interrupt(chat.streams.own[bad])
        (shown,) = await scene.history(ada)

    assert (shown["payload"]["text"], shown["ended"]) == ("beginning", "interrupted")


@on_every_store
async def test_who_is_mentioned_is_told_when_it_is_closed(scene: Scene) -> None:
    ids = [await scene.open(mentions=["u2"]) for _ in range(2)]
    await scene.bob.settle()
    before = scene.bob.unread("mention")

    await scene.ask("close", ids[0], body={"text": "see here", "mentions": ["u2"]})
    await scene.chat.closing.interrupt(scene.chat.streams.own[ids[1]])
    told = [(await scene.bob.expect("mention"))["payload"] for _ in range(2)]
    unread = (await scene.bob.ack("unread", payload={"rooms": ["general"]}))["rooms"]["general"]

    assert before == []
    assert [(mention["msgId"], mention["seq"], mention["text"]) for mention in told] == [
        (ids[0], 1, "see here"), (ids[1], 2, ""),
    ]  # fmt: skip
    assert (unread["unread"], unread["mentions"]) == (2, 2)


@pytest.mark.parametrize("store", ["sqlite"], indirect=True)
async def test_a_message_is_found_by_what_was_written(scene: Scene) -> None:
    id = await scene.open("at first")
    await scene.append(id, 8, " there were words")
    await scene.ask("close", id)

    found = (await scene.bob.ack("search", room="general", payload={"query": "words"}))["messages"]

    assert [message["msgId"] for message in found] == [id]


# ---- the server closes ----


async def test_a_writer_who_says_nothing_any_more_is_interrupted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await scene.open()
    await scene.append(id, 0, "half")
    monkeypatch.setattr(live, "LEASE", 0.0)

    await scene.chat.closing.sweep()
    heard = await scene.bob.expect("message.edited")
    late = await scene.append(id, 4, " a word")

    assert heard["payload"] == {
        "seq": 1, "msgId": id, "body": {"text": "half"}, "closed": True, "ended": "interrupted",
    }  # fmt: skip
    assert heard["sender"] == BY_ADA
    assert late["code"] == "conflict"


@on_every_store
async def test_what_a_worker_that_is_gone_has_written_is_closed_as_it_was_kept_last(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await scene.open()
    await scene.append(id, 0, "kept")
    (writing,) = scene.chat.streams.own.values()
    await scene.chat.backends.store.checkpoint("general", id, "kept", writing.fence)
    scene.chat.streams.own.clear()  # as if it had been on another worker
    scene.chat.streams.pieces.forget(id)
    monkeypatch.setattr("sanic_chatrooms.verbs.closing.LEASE", -1.0)

    await scene.chat.closing.look_for_silent()
    heard = await scene.bob.expect("message.edited")

    assert (heard["payload"]["body"], heard["payload"]["ended"]) == ({"text": "kept"}, "interrupted")


@pytest.mark.parametrize("type", ["member.ban", "member.mute", "member.kick"])
async def test_who_loses_the_right_to_speak_is_interrupted_as_of_that_event(scene: Scene, type: str) -> None:
    eve = await scene.come(EVE)
    await be(scene.chat, BOB, "moderator")
    id = (await eve.ack("message.open", room="general", payload={"text": ""}))["msgId"]
    await scene.ask("append", id, eve, at=0, text="bye")

    await scene.bob.ack(type, room="general", payload={"user": "u3"})
    heard = await scene.bob.expect("message.edited")
    late = await scene.ask("append", id, eve, at=3, text=" now")

    assert (heard["payload"]["ended"], heard["payload"]["body"]) == ("interrupted", {"text": "bye"})
    assert late["payload"]["code"] == "conflict" if type == "member.mute" else late["type"] == "error"


@pytest.mark.parametrize("by_the_app", [False, True])
async def test_who_leaves_a_room_that_tells_nobody_of_it_is_interrupted(
    scene: Scene, rooms: ChatRooms, *, by_the_app: bool
) -> None:
    id = await scene.open("a")
    await scene.append(id, 1, "b")

    if by_the_app:
        await rooms.remove_member("general", ADA)
    else:
        await scene.ada.ack("leave", room="general")

    closed = await scene.bob.expect("message.edited")
    assert (closed["payload"]["body"], closed["payload"]["ended"]) == ({"text": "ab"}, "interrupted")
    assert (await scene.append(id, 2, "c"))["code"] == "conflict"


async def test_an_archived_room_is_written_in_no_more(scene: Scene) -> None:
    await be(scene.chat, BOB, "owner")
    id = await scene.open("x")

    await scene.bob.ack("room.update", room="general", payload={"archived": True})
    heard = await scene.bob.expect("message.edited")

    assert (heard["payload"]["msgId"], heard["payload"]["ended"]) == (id, "interrupted")


@on_every_store
async def test_the_writer_of_a_message_that_is_deleted_is_told_so(scene: Scene) -> None:
    await be(scene.chat, BOB, "moderator")
    id = await scene.open("x")

    await scene.ask("delete", id, scene.bob)
    told = await scene.ada.expect("message.cancelled")
    late = await scene.append(id, 1, "y")

    assert told["payload"]["msgId"] == id
    assert late["code"] == "message_not_found"
    assert await kept.stream(scene.chat.backends.store, "general", id) is None
    assert not scene.chat.streams.own


async def test_the_writer_in_a_room_that_is_deleted_is_told_so(scene: Scene) -> None:
    await be(scene.chat, BOB, "owner")
    id = await scene.open("x")

    await scene.bob.ack("room.delete", room="general")
    told = await scene.ada.expect("message.cancelled")
    late = await scene.append(id, 1, "y")

    assert told["payload"]["msgId"] == id
    assert late["code"] == "room_not_found"


# ---- cancelling ----


async def test_a_moderator_cancels_and_the_writer_is_told(scene: Scene) -> None:
    id = await scene.open()

    refused = await scene.ask("cancel", id, scene.bob)
    await be(scene.chat, BOB, "moderator")
    done = await scene.ask("cancel", id, scene.bob)
    told = await scene.ada.expect("message.cancelled")
    await scene.ask("close", id, reason="cancelled")

    assert refused["payload"]["code"] == "forbidden"
    assert done["payload"] == {}
    assert told["payload"] == {"msgId": id, "by": {"id": "u2", "name": "Bob"}}
    assert told["room"] == "general"


async def test_who_is_answered_may_cancel_the_answer(scene: Scene) -> None:
    asked = await scene.bob.ack("message", room="general", payload={"text": "?"})
    id = await scene.open(parent=asked["msgId"])

    done = await scene.ask("cancel", id, scene.bob)
    own = await scene.ask("cancel", id)

    assert (done["type"], own["type"]) == ("ack", "ack")


# ---- slow readers ----


async def test_a_slow_connection_gets_one_range_when_it_has_caught_up(scene: Scene) -> None:
    id = await scene.open()
    scene.bob.connection.congest()
    eve = await scene.come(EVE)
    for at, piece in enumerate("abcdef"):
        await scene.append(id, at, piece)
    await scene.has_heard(id, "abcdef", eve)

    missed = _deltas(scene.bob)
    scene.bob.connection.decongest()
    caught_up = await scene.bob.expect("message.delta")
    await scene.append(id, 6, "g")
    await scene.has_heard(id, "abcdefg")

    assert missed == []
    assert caught_up["payload"] == {"msgId": id, "at": 0, "text": "abcdef"}
    assert caught_up["room"] == "general"


# ---- two workers ----


@pytest.fixture
async def workers(idle_time: None, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Scene, Scene]]:
    """Two workers in one process, over the same store. Ada is on one and Bob on the other, and each may be on both."""
    store, bus, board = MemoryStore(), MemoryBus(), MemoryBoard()
    settings: dict[str, Any] = getattr(request, "param", {})
    async with AsyncExitStack() as stack:
        chats = [
            await stack.enter_async_context(
                running_core(
                    ChatRooms("test", guests=True, store=store),
                    backends=Backends(store, MemoryBroker(bus), MemoryPresence(board)),
                    **settings,
                )
            )
            for _ in range(2)
        ]
        scenes = []
        for chat in chats:
            ada, bob = await chat_client(chat, ADA), await chat_client(chat, BOB)
            for client in (ada, bob):
                await client.ack("join", room="general")
            scenes.append(Scene(chat, ada, bob))
        yield scenes[0], scenes[1]


async def test_what_one_worker_writes_is_heard_and_shown_on_the_other(workers: tuple[Scene, Scene]) -> None:
    here, there = workers
    id = await here.open()
    for at, piece in enumerate("abcdef"):
        await here.append(id, at, piece)

    await there.has_heard(id, "abcdef")
    (shown,) = await there.history()
    text = await there.ask("text", id, there.bob, from_=4)
    await here.ask("close", id)
    heard = await there.bob.expect("message.edited")

    assert (shown["payload"], shown["streaming"]) == ({"text": "abcdef"}, {"at": 6})
    assert text["payload"] == {"at": 4, "text": "ef", "streaming": True}
    assert heard["payload"]["body"] == {"text": "abcdef"}


async def test_a_worker_that_missed_the_beginning_asks_the_one_that_writes(
    workers: tuple[Scene, Scene],
) -> None:
    here, there = workers
    id = await here.open()
    await here.append(id, 0, "abc")
    await there.has_heard(id, "abc")
    there.chat.streams.pieces.forget(id)

    (shown,) = await there.history()

    assert (shown["payload"], shown["streaming"]) == ({"text": "abc"}, {"at": 3})


async def test_a_worker_that_missed_the_opening_reads_it_as_one_that_is_being_written(
    workers: tuple[Scene, Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = workers
    with monkeypatch.context() as patch:
        patch.setattr(here.chat.journal, "publish", lambda envelope: None)
        id = await here.open("é😀")
    await here.ada.ack("message", room="general", payload={"text": "hi"})

    heard = await there.bob.expect("message", seq=1)

    assert (heard["msgId"], heard["streaming"]) == (id, {"at": 2})


async def test_where_nobody_answers_the_last_checkpoint_is_shown(
    workers: tuple[Scene, Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = workers
    monkeypatch.setattr(questions, "ANSWERED", 0.01)
    id = await here.open("kept")
    await here.append(id, 4, " and not kept")
    here.chat.streams.own.clear()
    there.chat.streams.pieces.forget(id)

    shown = [await there.history() for _ in range(2)]

    assert [(page[0]["payload"], page[0]["streaming"]) for page in shown] == [
        ({"text": "kept"}, {"at": 4})
    ] * 2


async def test_a_piece_on_another_worker_takes_over_at_the_last_checkpoint(
    workers: tuple[Scene, Scene],
) -> None:
    here, there = workers
    id = await here.open("kept")
    await here.append(id, 4, " and lost")

    refused = await there.append(id, 13, "!")
    again = await there.append(id, 4, " and lost!")
    late = await here.append(id, 13, "?")
    back = await here.append(id, 4, "")
    closed = await here.ask("close", id, body={"text": "kept and lost!"})

    assert (refused["code"], refused["at"]) == ("conflict", 4)
    assert again == {"at": 14}
    assert (late["code"], late["at"]) == ("conflict", 4)
    assert back == {"at": 4}
    assert closed["type"] == "ack"
    assert await there.history() == await here.history()


few_changes = pytest.mark.parametrize(
    "workers", [{"rate_limits": True, "rate_change": "3/h", "rate_message": None}], indirect=True
)


@few_changes
async def test_a_message_is_not_taken_over_again_and_again(workers: tuple[Scene, Scene]) -> None:
    here, there = workers
    id = await here.open("a")
    taken = [await (there, here)[n % 2].append(id, 0, "") for n in range(6)]

    refused = [(await (there, here)[n % 2].append(id, 0, "")) for n in range(8)]
    pieces = [await here.append(id, at, "b") for at in range(1, 21)]

    assert taken == [{"at": 1}] * 6
    assert [answer.get("limit") for answer in refused] == ["change", None] * 4
    assert pieces[-1] == {"at": 21}


@few_changes
async def test_questions_about_messages_that_are_written_nowhere_are_limited(
    workers: tuple[Scene, Scene],
) -> None:
    here, _ = workers
    gone = "6f1c0b1e-1f0e-8c55-9d6b-0e0c2f6f7a12"
    codes = [(await here.append(gone, 0, "a"))["code"] for _ in range(4)]
    codes.append((await here.ask("close", gone))["payload"]["code"])

    assert codes == ["message_not_found"] * 3 + ["rate_limited"] * 2


async def test_who_leaves_on_another_worker_is_interrupted(workers: tuple[Scene, Scene]) -> None:
    here, there = workers
    id = await here.open("ab")

    await there.ada.ack("leave", room="general")

    closed = await there.bob.expect("message.edited")
    assert (closed["payload"]["msgId"], closed["payload"]["ended"]) == (id, "interrupted")


async def test_a_close_on_another_worker_asks_for_the_text(workers: tuple[Scene, Scene]) -> None:
    here, there = workers
    id = await here.open()
    await here.append(id, 0, "all of it")

    closed = await there.ask("close", id)
    heard = await here.bob.expect("message.edited")
    late = await here.append(id, 9, "!")

    assert closed["payload"]["duplicate"] is False
    assert heard["payload"]["body"] == {"text": "all of it"}
    assert late["code"] == "conflict"
    assert not here.chat.streams.own
    assert not here.ada.unread("message.cancelled")


async def test_a_close_on_another_worker_is_a_conflict_where_nobody_answers_unless_it_has_the_text(
    workers: tuple[Scene, Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = workers
    monkeypatch.setattr(questions, "ANSWERED", 0.01)
    id = await here.open("kept")
    await here.append(id, 4, " and lost")
    here.chat.streams.own.clear()

    refused = await there.ask("close", id)
    closed = await there.ask("close", id, body={"text": "kept and lost"})

    assert (refused["payload"]["code"], refused["payload"]["at"]) == ("conflict", 4)
    assert closed["type"] == "ack"
    assert (await there.history())[0]["payload"] == {"text": "kept and lost"}


async def test_a_cancel_reaches_the_writer_on_another_worker(workers: tuple[Scene, Scene]) -> None:
    here, there = workers
    await be(here.chat, BOB, "moderator")
    id = await here.open()

    await there.ask("cancel", id, there.bob)
    told = [await client.expect("message.cancelled") for client in (here.ada, there.ada)]

    assert [frame["payload"]["by"]["id"] for frame in told] == ["u2", "u2"]


async def test_a_deletion_on_another_worker_ends_the_writing(workers: tuple[Scene, Scene]) -> None:
    here, there = workers
    await be(here.chat, BOB, "moderator")
    id = await here.open()

    await there.ask("delete", id, there.bob)
    await here.ada.expect("message.cancelled")

    assert (await here.append(id, 0, "x"))["code"] == "message_not_found"


async def test_of_two_workers_that_find_a_silent_message_one_closes_it(
    workers: tuple[Scene, Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = workers
    await here.open("x")
    here.chat.streams.own.clear()
    monkeypatch.setattr("sanic_chatrooms.verbs.closing.LEASE", -1.0)

    await asyncio.gather(here.chat.closing.look_for_silent(), there.chat.closing.look_for_silent())
    await here.bob.settle()
    await there.bob.settle()

    assert [len(scene.bob.unread("message.edited")) for scene in workers] == [1, 1]


@on_every_store
async def test_a_worker_that_stops_leaves_the_whole_text(rooms: ChatRooms, store: Store) -> None:
    async with running_core(rooms) as chat:
        ada = await chat_client(chat, ADA)
        await ada.ack("join", room="general")
        scene = Scene(chat, ada, ada)
        id = await scene.open()
        await scene.append(id, 0, "all of it")
        await chat.streams.stop()

        known = await kept.stream(chat.backends.store, "general", id)

    assert known is not None
    assert (known.text, known.writer) == ("all of it", Sender("u1", "Ada"))


# ---- what the store is asked ----


async def test_a_text_is_kept_when_it_has_grown_by_so_much_or_after_some_time(scene: Scene) -> None:
    id = await scene.open()
    (writing,) = scene.chat.streams.own.values()

    async def kept_text() -> str:
        known = await kept.stream(scene.chat.backends.store, "general", id)
        assert known is not None
        await scene.chat.streams.keep()
        known = await kept.stream(scene.chat.backends.store, "general", id)
        assert known is not None
        return known.text

    await scene.append(id, 0, "a")
    at_first = await kept_text()
    writing.kept_at -= 6
    later = await kept_text()
    await scene.append(id, 1, "b" * 5000)
    much = await kept_text()

    assert (at_first, later, len(much)) == ("", "a", 5001)
