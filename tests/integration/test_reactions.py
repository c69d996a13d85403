"""Reactions and threads over sockets: what everybody hears, sees and counts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sanic import Sanic

from sanic_chatrooms import ChatRooms, Happening, User
from tests.support.client import Client
from tests.support.fixtures import Connect
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]


@pytest.fixture
def chat(app: App) -> ChatRooms:
    return mount(app, guests=False, jwt_secret=SECRET, auto_create=True)


async def enter(connect: Connect, name: str) -> Client:
    client = await connect(token=token(name, name=name.title()))
    await client.ack("join", room="general")
    return client


async def test_reactions_and_replies_are_heard_counted_and_shown(chat: ChatRooms, connect: Connect) -> None:
    told: asyncio.Queue[Happening] = asyncio.Queue()

    @chat.on("reaction.added")
    async def reacted(event: Happening) -> None:
        told.put_nowait(event)

    ada, bob = await enter(connect, "ada"), await enter(connect, "bob")
    assert {"reactions", "threads"} <= set((await ada.expect("welcome"))["payload"]["features"])
    parent = (await ada.ack("message", room="general", payload={"text": "lunch?"}))["msgId"]

    acks = [
        await client.ack("reaction.add", room="general", payload={"msgId": parent, "emoji": "👍"})
        for client in (ada, bob)
    ]
    reply = await bob.ack("message", room="general", payload={"text": "yes", "parent": parent})
    heard = [await ada.expect("reaction.added") for _ in range(2)]
    answer = await ada.expect("message", seq=reply["seq"])

    assert [ack["count"] for ack in acks] == [event["payload"]["count"] for event in heard] == [1, 2]
    assert (await told.get()).payload["emoji"] == "👍"
    last = {"seq": reply["seq"], "timestamp": answer["timestamp"], "sender": {"id": "bob", "name": "Bob"}}
    for client, mine in ((ada, {"me": True}), (await enter(connect, "eve"), {})):
        shown = (await client.ack("history", room="general"))["messages"][0]
        assert shown["reactions"] == {"👍": {"count": 2, **mine}}
        assert shown["thread"] == {"count": 1, "last": last}
    thread = await ada.ack("thread", room="general", payload={"msgId": parent})
    assert [message["msgId"] for message in thread["messages"]] == [reply["msgId"]]
    who = await ada.ack("reactions", room="general", payload={"msgId": parent})
    assert [one["user"]["id"] for one in who["reactions"]] == ["bob", "ada"]

    await bob.ack("message.delete", room="general", payload={"msgId": reply["msgId"]})
    gone = (await ada.expect("message.deleted"))["payload"]
    assert (gone["parent"], gone["thread"]) == (parent, None)
    await chat.react("general", parent, "👍", sender=User("ada", "Ada"), on=False)
    removed = (await bob.expect("reaction.removed"))["payload"]
    assert (removed["user"]["id"], removed["count"]) == ("ada", 1)
