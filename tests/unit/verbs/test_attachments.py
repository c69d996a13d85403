"""Attachments of messages: what is accepted, and that the app hears, at least once, what no message has any more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms, Happening, Unavailable, User
from sanic_chatrooms.chat import Chat
from sanic_chatrooms.models import EVERYONE
from sanic_chatrooms.testing import MemoryClient
from sanic_chatrooms.testing.connections import running_core
from sanic_chatrooms.verbs import unattached
from sanic_chatrooms.verbs.attachments import FILED, FILES, LONGEST_NAME, MOST
from sanic_chatrooms.verbs.unattached import FEW, UNATTACHED
from tests.support.joined import joined

ADA, BOB = User("u1", "Ada"), User("u2", "Bob")
ID = "6f1c0b1e-1f0e-4c55-9d6b-0e0c2f6f7a11"
SHA = "0123456789abcdef" * 4
Told = list[tuple[str | None, str, list[str]]]


def file(url: str = "https://files.example/a.png", **changes: Any) -> dict[str, Any]:
    return {"url": url, "name": "a.png", "type": "image/png", "size": 1, "sha256": SHA} | changes


def body(*urls: str) -> dict[str, Any]:
    return {"text": "look", "attachments": [file(url) for url in urls]}


@pytest.fixture
def told() -> Told:
    """What the app's listener has heard: room, message, addresses."""
    return []


@pytest.fixture
def rooms(told: Told) -> ChatRooms:
    rooms = ChatRooms("test", guests=True)

    @rooms.on("message.unattached")
    async def forget(event: Happening) -> None:
        files = [one["url"] for one in event.payload["attachments"]]
        told.append((event.room, event.payload["msgId"], sorted(files)))

    return rooms


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/chat.db"


@pytest.fixture
async def chat(store: str, rooms: ChatRooms) -> AsyncIterator[Chat]:
    async with running_core(rooms, store=store, broker="memory:", history_max=4) as chat:
        await rooms.create_room("general", as_user=ADA)
        yield chat


@pytest.fixture
async def ada(chat: Chat) -> MemoryClient:
    return await joined(chat, ADA, "general")


async def say(client: MemoryClient, *urls: str) -> str:
    return str((await client.ack("message", room="general", payload=body(*urls)))["msgId"])


async def until(chat: Chat, told: Told, count: int) -> None:
    """Until the app has heard so much, by the rounds of the chat."""
    async with asyncio.timeout(40):
        while len(told) < count:
            await chat.core.unattached.go_on()
            await asyncio.sleep(0)


# ---- what is accepted ----


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"url": "/files/1?x=2#y"},
        {"url": "https://files.example:8443/a%20b"},
        {"name": "Übersicht 🎉.pdf"},
        {"type": "application/vnd.oasis.opendocument.text"},
        {"size": 0},
        {"width": 1, "height": 1},
        {"width": None},
        {"more": {"of": "the app's"}},
    ],
)
@pytest.mark.parametrize("store", ["memory:"])
async def test_a_file_is_kept_as_it_is_sent(ada: MemoryClient, changes: dict[str, Any]) -> None:
    said = {"text": "", "attachments": [file(**changes)]}

    await ada.ack("message", room="general", payload=said)

    assert (await ada.expect("message"))["payload"] == said


WRONG: dict[str, tuple[Any, str]] = {
    "no list": ("x", "attachments"),
    "no object": (["x"], "attachments[0]"),
    "too many": ([file()] * (MOST + 1), "attachments"),
    "no address": ([{"name": "a"}], "attachments[0].url"),
    "http": ([file("http://files.example/a")], "attachments[0].url"),
    "a script": ([file("javascript:alert(1)")], "attachments[0].url"),
    "data": ([file("data:text/html,x")], "attachments[0].url"),
    "another server without a scheme": ([file("//files.example/a")], "attachments[0].url"),
    "a backslash": ([file("/\\files.example/a")], "attachments[0].url"),
    "no host": ([file("https:///a")], "attachments[0].url"),
    "a password": ([file("https://u:p@files.example/a")], "attachments[0].url"),
    "a space": ([file("https://files.example/a b")], "attachments[0].url"),
    "a line break": ([file("/a\n")], "attachments[0].url"),
    "a relative path": ([file("a.png")], "attachments[0].url"),
    "a broken address": ([file("https://[")], "attachments[0].url"),
    "a long address": ([file("/" + "a" * 2_048)], "attachments[0].url"),
    "the second": ([file(), file("")], "attachments[1].url"),
    "no name": ([file(name=" \u200b")], "attachments[0].name"),
    "a name that reads another way": ([file(name="a\u202egpj.exe")], "attachments[0].name"),
    "a name of two lines": ([file(name="a\nb")], "attachments[0].name"),
    "a long name": ([file(name="a" * (LONGEST_NAME + 1))], "attachments[0].name"),
    "no type": ([file(type="png")], "attachments[0].type"),
    "a type with parameters": ([file(type="text/html; charset=x")], "attachments[0].type"),
    "a size below nothing": ([file(size=-1)], "attachments[0].size"),
    "a size that is text": ([file(size="1")], "attachments[0].size"),
    "a huge size": ([file(size=2**50 + 1)], "attachments[0].size"),
    "a hash in capitals": ([file(sha256=SHA.upper())], "attachments[0].sha256"),
    "a short hash": ([file(sha256="ab")], "attachments[0].sha256"),
    "no width": ([file(width=0)], "attachments[0].width"),
    "a fraction": ([file(height=1.5)], "attachments[0].height"),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("store", ["memory:"])
async def test_a_bad_field_is_named(ada: MemoryClient, wrong: str) -> None:
    attachments, field = WRONG[wrong]
    said = {"text": "x", "attachments": attachments}

    refused = await ada.error("message", room="general", payload=said)
    directly = await ada.error("direct", payload={"to": "u2", "body": said})

    assert (refused["code"], refused["field"]) == ("invalid_field", field)
    assert (directly["code"], directly["field"]) == ("invalid_field", f"body.{field}")


async def test_a_message_without_attachments_stores_nothing_beside_it(chat: Chat, ada: MemoryClient) -> None:
    await ada.ack("message", room="general", payload={"text": "hi"})
    await ada.ack("message", room="general", payload={"text": "hi", "attachments": []})

    assert (await chat.store.facts("general", FILES)).facts == []
    assert await chat.store.fact("general", FILED, "") is None


# ---- what becomes unused ----


async def test_the_app_hears_of_the_files_of_a_deleted_message(
    chat: Chat, ada: MemoryClient, told: Told
) -> None:
    kept, gone = await say(ada, "/kept"), await say(ada, "/1", "/2")

    await ada.ack("message.delete", room="general", payload={"msgId": gone})
    await until(chat, told, 1)
    await chat.core.unattached.sweep()

    assert told == [("general", gone, ["/1", "/2"])]
    assert [known.key for known in (await chat.store.facts("general", FILES)).facts] == [kept]


async def test_the_app_hears_of_what_an_edit_drops_and_of_the_rest_later(
    chat: Chat, ada: MemoryClient, told: Told
) -> None:
    msg_id = await say(ada, "/1", "/2")
    for urls in (("/2", "/3"), ("/2", "/3", "/4")):
        edit = {"msgId": msg_id, "body": body(*urls)}
        await ada.ack("message.edit", room="general", payload=edit)
    await until(chat, told, 1)

    await ada.ack("message.delete", room="general", payload={"msgId": msg_id})
    await until(chat, told, 2)

    assert told == [("general", msg_id, ["/1"]), ("general", msg_id, ["/2", "/3", "/4"])]
    assert (await chat.store.facts("general", FILES)).facts == []


async def test_the_app_hears_soon_of_what_a_close_drops(chat: Chat, ada: MemoryClient, told: Told) -> None:
    opened = await ada.ack("message.open", room="general", payload=body("/a", "/b"))
    left = {"msgId": opened["msgId"], "body": body("/b")}
    await ada.ack("message.close", room="general", payload=left)

    await until(chat, told, 1)

    assert told == [("general", opened["msgId"], ["/a"])]


@pytest.mark.parametrize("type", ["message", "message.edit", "direct"])
async def test_the_app_hears_of_files_that_were_attached_with_escapes(
    chat: Chat, ada: MemoryClient, told: Told, type: str
) -> None:
    escaped = json.dumps(body("/a")).replace('"attachments"', '"attach\\u006dents"')
    said = await say(ada)
    payload = {
        "message": escaped,
        "message.edit": f'{{"msgId":"{said}","body":{escaped}}}',
        "direct": f'{{"to":"u2","body":{escaped}}}',
    }
    ada.send_raw(f'{{"type":"{type}","msgId":"{ID}","room":"general","payload":{payload[type]}}}')
    answer = (await ada.reply(ID))["payload"]
    room, msg_id = answer.get("room", "general"), answer.get("msgId", said)
    await chat.core.unattached.sweep()
    assert told == [], "it is still there"

    await ada.ack("message.delete", room=room, payload={"msgId": msg_id})
    await until(chat, told, 1)

    assert told == [(room, msg_id, ["/a"])]


async def test_an_edit_may_be_the_first_to_attach(chat: Chat, ada: MemoryClient, told: Told) -> None:
    msg_id = (await ada.ack("message", room="general", payload={"text": "hi"}))["msgId"]
    await ada.ack("message.edit", room="general", payload={"msgId": msg_id, "body": body("/1")})
    await chat.core.unattached.sweep()
    assert told == []

    await ada.ack("message.edit", room="general", payload={"msgId": msg_id, "body": {"text": "no"}})
    await until(chat, told, 1)

    assert told == [("general", msg_id, ["/1"])]


async def test_two_edits_at_once_lose_no_file(chat: Chat, ada: MemoryClient, told: Told) -> None:
    msg_id, phone = await say(ada, "/1"), await joined(chat, ADA, "general")
    edits = [
        client.ack("message.edit", room="general", payload={"msgId": msg_id, "body": body(url)})
        for client, url in ((ada, "/2"), (phone, "/3"))
    ]
    await asyncio.gather(*edits)

    await ada.ack("message.delete", room="general", payload={"msgId": msg_id})
    await until(chat, told, 1)
    await chat.core.unattached.sweep()

    assert sorted({url for _, _, urls in told for url in urls}) == ["/1", "/2", "/3"]


async def test_the_app_hears_of_what_was_trimmed(chat: Chat, ada: MemoryClient, told: Told) -> None:
    msg_id = await say(ada, "/1")
    for _ in range(4):
        await ada.ack("message", room="general", payload={"text": "more"})
    while await chat.store.message("general", msg_id) is not None:  # some stores trim a little later
        await ada.ack("message", room="general", payload={"text": "more"})

    await chat.core.unattached.sweep()

    assert told == [("general", msg_id, ["/1"])]
    assert (await chat.store.facts("general", FILES)).facts == []


@pytest.mark.parametrize("store", ["memory:"])
async def test_a_room_that_gets_many_files_is_looked_at_between_two_sweeps(
    chat: Chat, ada: MemoryClient, told: Told
) -> None:
    for n in range(FEW):
        await say(ada, f"/{n}")

    await until(chat, told, FEW - 4)  # what the room still has

    assert (await chat.store.facts("general", FILES)).total == 4


async def test_the_app_hears_of_the_files_of_a_deleted_room(
    chat: Chat, rooms: ChatRooms, ada: MemoryClient, told: Told
) -> None:
    ids = [await say(ada, "/1"), await say(ada, "/2", "/3")]

    await ada.ack("room.delete", room="general")
    await until(chat, told, 2)

    assert sorted(told) == sorted([("general", ids[0], ["/1"]), ("general", ids[1], ["/2", "/3"])])
    assert (await chat.store.facts(EVERYONE, FILES)).facts == []


async def test_what_a_room_has_attached_is_noted_with_several_writes_at_a_time(
    chat: Chat, ada: MemoryClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unattached, "TOGETHER", 2)
    monkeypatch.setattr(unattached, "AT_ONCE", 3)
    for n in range(9):
        await say(ada, f"/{n}")
    store, writing, most = chat.core.unattached._store, 0, 0
    set_fact = store.set_fact

    async def counted(*args: Any) -> bool:
        nonlocal writing, most
        writing += 1
        most = max(most, writing)
        await asyncio.sleep(0)
        try:
            return await set_fact(*args)
        finally:
            writing -= 1

    monkeypatch.setattr(store, "set_fact", counted)
    await chat.core.unattached.note("general")

    assert most == 3
    assert (await store.facts(EVERYONE, FILES)).total == 5


async def test_a_room_that_is_there_after_all_loses_nothing(
    chat: Chat, ada: MemoryClient, told: Told
) -> None:
    msg_id = await say(ada, "/1")
    await chat.core.unattached.note("general")  # and the process dies before it deletes the room

    await chat.core.unattached.sweep()
    assert told == []
    await ada.ack("message.delete", room="general", payload={"msgId": msg_id})
    await until(chat, told, 1)

    assert told == [("general", msg_id, ["/1"])]


async def test_what_the_app_and_direct_messages_attach_counts_too(
    chat: Chat, rooms: ChatRooms, ada: MemoryClient, told: Told
) -> None:
    stored = await rooms.publish("general", "message", body("/1"))
    said = await ada.ack("direct", payload={"to": "u2", "body": body("/2")})

    await rooms.delete("general", stored.msg_id)
    await ada.ack("message.delete", room=said["room"], payload={"msgId": said["msgId"]})
    await until(chat, told, 2)

    assert sorted(urls for _, _, urls in told) == [["/1"], ["/2"]]


async def test_a_listener_that_fails_is_called_again() -> None:
    rooms, heard = ChatRooms("test", guests=True), list[str]()

    @rooms.on("message.unattached")
    async def forget(event: Happening) -> None:
        heard.append(event.payload["msgId"])
        if len(heard) == 1:
            raise OSError("the files are away")

    async with running_core(rooms) as chat:
        await rooms.create_room("general", as_user=ADA)
        ada = await joined(chat, ADA, "general")
        msg_id = await say(ada, "/1")
        await rooms.delete("general", msg_id)

        await chat.core.unattached.sweep()
        await chat.core.unattached.sweep()
        await chat.core.unattached.sweep()

    assert heard == [msg_id, msg_id]


async def test_a_listener_that_fails_for_one_message_hears_of_the_others() -> None:
    rooms, heard = ChatRooms("test", guests=True), set[str]()
    first: list[str] = []

    @rooms.on("message.unattached")
    async def forget(event: Happening) -> None:
        heard.add(event.payload["msgId"])
        if event.payload["msgId"] in first:
            raise Unavailable  # as a verb that it calls may

    async with running_core(rooms) as chat:
        await rooms.create_room("general", as_user=ADA)
        ada = await joined(chat, ADA, "general")
        ids = [await say(ada, f"/{number}") for number in range(3)]
        first.append(ids[0])
        for msg_id in ids:
            await rooms.delete("general", msg_id)

        await chat.core.unattached.sweep()

    assert heard == set(ids)


async def test_a_process_without_the_app_leaves_it_to_those_with_it(tmp_path: Path, told: Told) -> None:
    store: dict[str, Any] = {"store": f"sqlite:///{tmp_path}/chat.db", "broker": "memory:"}
    alone = ChatRooms("test", guests=True)
    async with running_core(alone, **store) as chat:
        await alone.create_room("general")
        said = await alone.publish("general", "message", body("/1"))
        await alone.delete("general", said.msg_id)
        await chat.core.unattached.go_on()
        assert len((await chat.store.facts("general", FILES)).facts) == 1


def test_the_happening_is_one_that_listeners_may_name() -> None:
    ChatRooms("test", guests=True).on(UNATTACHED)(lambda event: None)
