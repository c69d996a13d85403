"""Every frame of a session with everything in it is as the AsyncAPI document says."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import jsonschema_rs
from sanic import Sanic

from tests.support.client import Client
from tests.support.fixtures import Connect, Live
from tests.support.wire import SECRET, mount, token

App = Sanic[Any, Any]
NEVER_HERE = {"auth.expiring", "closing", "message.cancelled", "prefs", "redirect", "report", "reset"}
"""Events that take time, failures, or another connection of the same user. Other tests have them."""


class Described:
    """The document of a server, and what a frame breaks of it."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.seen: set[str] = set()
        self._validators: dict[str, Any] = {}

    def check(self, name: str, frame: Any) -> None:
        if name not in self._validators:
            schema = {
                "$ref": f"#/components/messages/{name}/payload",
                "components": self.document["components"],
            }
            self._validators[name] = jsonschema_rs.validator_for(schema)
        problems = [problem.message for problem in self._validators[name].iter_errors(frame)]
        assert not problems, (name, frame, problems)
        self.seen.add(name)


class Talker:
    """A user whose frames are compared with the document."""

    def __init__(self, client: Client, described: Described) -> None:
        self.client = client
        self.described = described
        self.sent: dict[str, str] = {}

    async def __call__(self, type: str, room: str | None = None, **payload: Any) -> Any:
        """What the answer to a command has, also that of an error."""
        msg_id = str(uuid.uuid4())
        frame = {"type": type, "msgId": msg_id, "room": room, "payload": payload}
        self.described.check(
            f"command.{type}", {name: value for name, value in frame.items() if value is not None}
        )
        self.sent[msg_id] = type
        return (await self.client.request(type, room=room, payload=payload, msg_id=msg_id))["payload"]

    async def settled(self) -> None:
        await self.client.settle()
        for frame in self.client.frames:
            self._compare(frame)

    def _compare(self, frame: Any) -> None:
        kind, answers = frame["type"], self.sent.get(frame.get("replyTo", ""))
        if kind == "error":
            self.described.check("error", frame)
        elif kind not in ("ack", "pong"):
            self.described.check(f"event.{kind}", frame)
        elif answers is not None:
            self.described.check(f"{kind}.{answers}", frame)


async def test_every_frame_of_a_session_is_as_described(
    app: App, live: Live, connect: Connect, tmp_path: Path
) -> None:
    chat = mount(
        app, guests=True, jwt_secret=SECRET, auto_create=True, store=f"sqlite:///{tmp_path}/chat.db",
        receipts=True, rate_limits=False,
    )  # fmt: skip
    server = await live()
    described = Described(json.loads((await server.get("/chat/asyncapi.json")).body))

    async def talker(user: str) -> Talker:
        return Talker(await connect(token=token(user, name=user.title())), described)

    ada, bob, cy = await talker("ada"), await talker("bob"), await talker("cy")
    guest = Talker(await connect(), described)
    await ada("room.create", "hall", title="Hall", topic="All of it", attributes={"a": [1]}, announce=True)
    for one in (ada, bob, cy, guest):
        await one("join", "hall")
    await guest("auth", name="Gus")
    await _say(ada, bob)
    await _look(ada, bob)
    await _move(ada, bob, cy)
    await chat.notify("ada", "notice", {"title": "Tea", "content": "is ready"})
    await chat.push("hall", "update", {"field": "price", "value": 1})
    for one in (ada, bob, cy, guest):
        await one.settled()

    rows = {name.partition(".")[2] for name in described.seen if name.startswith("command.")}
    assert rows == set(described.document["operations"]) - {"events"}
    told = {name for name in described.document["components"]["messages"] if name.startswith("event.")}
    assert told - described.seen <= {f"event.{type}" for type in NEVER_HERE}
    assert "error" in described.seen


async def _say(ada: Talker, bob: Talker) -> None:
    first = (await ada("message", "hall", text="hello bob", mentions=["bob"], extra={"any": "thing"}))[
        "msgId"
    ]
    await bob("message", "hall", text="hi", parent=first)
    await bob("reaction.add", "hall", msgId=first, emoji="👍")
    await bob("reactions", "hall", msgId=first)
    await ada("message.pin", "hall", msgId=first)
    await ada("pins", "hall")
    await ada("thread", "hall", msgId=first)
    await ada("message.edit", "hall", msgId=first, body={"text": "hello Bob"})
    await bob("history", "hall", around=2)
    await bob("typing", "hall", active=True)
    await bob("search", "hall", query="hello")
    await bob("reaction.remove", "hall", msgId=first, emoji="👍")
    await ada("message.unpin", "hall", msgId=first)
    opened = (await ada("message.open", "hall", text=""))["msgId"]
    await ada("message.append", "hall", msgId=opened, at=0, text="word by word")
    await bob("message.text", "hall", msgId=opened)
    await bob.client.expect("message.delta")
    await ada("message.cancel", "hall", msgId=opened)
    await ada("message.close", "hall", msgId=opened, reason="cancelled")
    await bob("report", "hall", msgId=first, reason="rude")
    await ada("message.delete", "hall", msgId=first, reason="a test")
    await bob("join", "hall", since={"epoch": "another", "seq": 0}, history=50)
    await bob("direct", to="ada", body={"text": "psst"})


async def _look(ada: Talker, bob: Talker) -> None:
    for type in ("members", "presence", "room", "leave"):
        await (bob if type == "leave" else ada)(type, "hall")
    await bob("join", "hall")
    await bob("read", "hall", seq=3)
    await ada.client.expect("read")
    await bob("prefs", "hall", notify="mentions")
    await bob("explain", "hall", action="message.pin")
    await bob("unread", rooms=["hall"])
    for type in ("badge", "rooms", "ping", "user.blocked"):
        await bob(type)
    await bob("user.block", user="cy")
    await bob("user.unblock", user="cy")
    reports = (await ada("reports", "hall"))["reports"]
    await ada("report.close", id=reports[0]["id"], outcome="nothing")
    await bob("history", "nowhere")


async def _move(ada: Talker, bob: Talker, cy: Talker) -> None:
    await ada("room.update", "hall", title="The hall", visibility="private")
    await ada("member.role", "hall", user="bob", role="moderator")
    await ada("member.mute", "hall", user="cy", until=9e9, reason="loud")
    await cy("message", "hall", text="muted")
    await ada("member.unmute", "hall", user="cy")
    await ada("member.ban", "hall", user="cy", reason="louder")
    await ada("restrictions", "hall", kind="ban")
    await ada("member.unban", "hall", user="cy")
    await ada("member.add", "hall", user="cy")
    await cy.client.expect("room.added")
    await ada("member.kick", "hall", user="cy")
    await ada("member.invite", "hall", user="cy", reason="come back")
    await cy("member.decline", "hall")
    await ada("member.invite", "hall", user="cy")
    await cy("member.accept", "hall")
    await cy("exit", "hall")
    await ada("room.create", "brief")
    await ada("room.delete", "brief")
