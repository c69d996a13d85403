"""Every method of the Python client against a real server with a store that can do everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms
from sanic_chatrooms.client import ChatClient, Event
from sanic_chatrooms.errors import Banned, ChatError, MessageNotFound
from sanic_chatrooms.testing import FaultProxy
from tests.support.fixtures import Live
from tests.support.wire import SECRET, mount, token

WITHIN = 40.0
App = Sanic[Any, Any]


@asynccontextmanager
async def client(url: str, user: str | None = None, **options: Any) -> AsyncIterator[ChatClient]:
    shown = None if user is None else token(user, name=user.title())
    options = {"backoff": (0.01, 0.1), "proxy": None, **options}
    async with asyncio.timeout(WITHIN), ChatClient(url, token=shown, **options) as client:
        yield client


@pytest.fixture
def chat(app: App, tmp_path: Path) -> ChatRooms:
    return mount(app, jwt_secret=SECRET, store=f"sqlite:///{tmp_path}/chat.db")


@pytest.fixture
async def url(chat: ChatRooms, live: Live) -> str:
    return f"{(await live()).ws_url}/chat/ws"


def texts(page: dict[str, Any]) -> list[str]:
    return [message["payload"]["text"] for message in page["messages"]]


async def test_threads_reactions_pins_and_search(url: str) -> None:
    async with client(url, "ada") as ada, client(url, "bob") as bob:
        for one in (ada, bob):
            await one.join("general")
        said = await ada.send("general", "a lamp")
        for text in ("a lamp, too", "no"):
            await bob.send("general", {"text": text, "parent": said["msgId"]})

        thread = await bob.thread("general", said["msgId"], limit=1)
        assert (thread["message"]["msgId"], texts(thread), thread["more"]) == (said["msgId"], ["no"], True)
        older = await bob.thread("general", said["msgId"], before=thread["messages"][0]["seq"])
        assert texts(older) == ["a lamp, too"]
        assert texts(await bob.history("general", replies=False)) == ["a lamp"]
        around = await bob.history("general", around=thread["messages"][0]["seq"], limit=2)
        assert texts(around) == ["a lamp, too", "no"]

        assert (await bob.react("general", said["msgId"], "👍"))["count"] == 1
        page = await ada.reactions("general", said["msgId"], emoji="👍")
        assert [one["user"]["name"] for one in page["reactions"]] == ["Bob"]
        assert (await bob.react("general", said["msgId"], "👍", on=False))["count"] == 0

        with pytest.raises(ChatError):
            await bob.pin("general", said["msgId"])

        found = await bob.search("lamp", room="general")
        assert (texts(found), found["more"]) == (["a lamp, too", "a lamp"], False)
        assert found["messages"][0]["highlights"] == [[2, 6]]
        first = await bob.search("lamp", limit=1)
        assert texts(first) == ["a lamp, too"]
        assert texts(await bob.search("lamp", cursor=first["cursor"])) == ["a lamp"]
        assert texts(await bob.search("lamp", room="general", before=said["seq"] + 1)) == ["a lamp"]


async def test_rooms_of_ones_own_with_pins_presence_and_reasons(url: str) -> None:
    async with client(url, "ada") as ada, client(url, "bob") as bob:
        made = await ada.create_room(title="Tea", visibility="public", attributes={"tea": "green"})
        room = made["room"]
        for one in (ada, bob):
            await one.join(room)
        assert (ada.is_joined(room), ada.is_joined("elsewhere")) == (True, False)
        said = await bob.send(room, "rude")
        assert (await ada.pin(room, said["msgId"]))["duplicate"] is False
        assert (await ada.pins(room))["total"] == 1
        assert (await ada.pin(room, said["msgId"], on=False))["duplicate"] is False
        assert (await ada.presence(room))["total"] == 2
        async with aclosing(bob.follow(room, types=("message.deleted",))) as events:
            following = asyncio.ensure_future(anext(events))
            await bob.history(room)
            await ada.delete(room, said["msgId"], reason="no swearing")
            assert (await following)["payload"]["reason"] == "no swearing"


async def test_what_one_has_read_and_prefers_and_whom_one_blocks(url: str) -> None:
    async with client(url, "ada") as ada, client(url, "bob") as bob:
        for one in (ada, bob):
            await one.join("general")
        seqs = [(await ada.send("general", text))["seq"] for text in ("one", "two", "three")]

        assert (await bob.unread(["general"]))["rooms"]["general"]["unread"] == 3
        assert (await bob.badge())["rooms"] == 1
        assert (await bob.read("general", seqs[-1]))["unread"] == 0
        assert (await bob.read("general", seqs[1], unread=True))["unread"] == 2
        assert await bob.prefs("general", notify="none") == {"notify": "none", "favourite": False}
        assert await bob.prefs("general", favourite=True) == {"notify": "none", "favourite": True}
        assert await bob.prefs("general") == {"notify": "none", "favourite": True}
        assert (await bob.badge())["rooms"] == 0

        await bob.block("ada")
        assert [user["id"] for user in (await bob.blocked())["users"]] == ["ada"]
        await bob.block("ada", on=False)
        assert (await bob.blocked())["users"] == []


async def test_a_guest_has_another_name_also_after_a_reconnect(app: App, chat: ChatRooms, live: Live) -> None:
    server = await live()
    async with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        client(f"ws://127.0.0.1:{proxy.port}/chat/ws", name="Ada") as guest,
    ):
        assert (await guest.rename("Countess"))["name"] == "Countess"
        proxy.reset()
        await guest.join("general")
        page = await guest.presence("general")
        assert [user["name"] for user in page["users"]] == ["Countess"]


async def test_typing_is_seen_by_others(url: str) -> None:
    async with client(url, "ada") as ada, client(url, "bob") as bob:
        for one in (ada, bob):
            await one.join("general")
        async with aclosing(bob.events()) as events:
            hearing = asyncio.ensure_future(heard(events, "typing"))
            await bob.badge()
            ada.typing("general")
            assert [user["name"] for user in (await hearing)["payload"]["users"]] == ["Ada"]


async def heard(events: AsyncIterator[Event], type: str) -> Event:
    async for event in events:
        if event["type"] == type:
            return event
    raise AssertionError("the loop has ended")


async def test_a_message_is_written_piece_by_piece(url: str) -> None:
    async with client(url, "ada") as ada, client(url, "bob") as bob:
        for one in (ada, bob):
            await one.join("general")
        async with ada.stream("general", {"model": "x"}) as out:
            out.write("Once ")
            await out.flush()
            so_far = await bob.text("general", out.msg_id, start=2)
            out.write("upon a time 🎉")

        assert so_far == {"at": 2, "text": "ce ", "streaming": True}
        (message,) = (await bob.history("general"))["messages"]
        assert message["payload"] == {"text": "Once upon a time 🎉", "model": "x"}
        assert not {"streaming", "ended"} & message.keys()
        with pytest.raises(MessageNotFound):
            await bob.text("general", "0123456789abcdef")


async def test_a_writer_who_is_cancelled_stops(url: str) -> None:
    async with client(url, "ada") as ada, client(url, "bob") as bob:
        for one in (ada, bob):
            await one.join("general")
        asked = await bob.send("general", "tell me a story")
        async with ada.stream("general", {"text": "Once ", "parent": asked["msgId"]}) as out:
            out.write("upon")
            await out.flush()
            await bob.cancel("general", out.msg_id)
            await asyncio.Event().wait()

        assert out.cancelled_by is not None
        assert out.cancelled_by["name"] == "Bob"
        (message,) = (await bob.thread("general", asked["msgId"]))["messages"]
        assert (message["payload"]["text"], message["ended"]) == ("Once upon", "cancelled")


async def test_a_message_is_whole_after_cuts(chat: ChatRooms, live: Live) -> None:
    server = await live()
    async with (
        FaultProxy("127.0.0.1", server.port) as proxy,
        client(f"ws://127.0.0.1:{proxy.port}/chat/ws", "ada") as ada,
    ):
        await ada.join("general")
        async with ada.stream("general") as out:
            for n in range(30):
                out.write(f"{n} ")
                if n % 10 == 5:
                    proxy.reset()
                    await out.flush()
        (message,) = (await ada.history("general"))["messages"]
    assert message["payload"]["text"] == "".join(f"{n} " for n in range(30))


async def test_who_is_banned_from_the_server_is_told_until_when(chat: ChatRooms, url: str) -> None:
    async with client(url, "ada") as ada:
        ending = asyncio.ensure_future(heard(ada.events(), "never"))
        await ada.badge()
        await chat.ban_user("ada", until=4e9, reason="spam")
        with pytest.raises(Banned) as problem:
            await ending
    assert problem.value.fields == {"until": 4e9, "reason": "spam", "closeCode": 4507}
