"""A connection, REST and the app's `as_user=` give the same verdict and store the same events, for commands that chance makes."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from sanic import Sanic

from sanic_chatrooms import ChatError, ChatRooms, User
from sanic_chatrooms.access.standing import INVITE
from sanic_chatrooms.server_api.base import acting_as
from sanic_chatrooms.verbs.table import commands
from sanic_chatrooms.web.rest.routes import ROUTES, RestRoute, types_of
from sanic_chatrooms.wire.encode import encode
from tests.support.client import Client
from tests.support.fixtures import Connect, Live
from tests.support.rest import Rest
from tests.support.server import LiveServer
from tests.support.wire import SECRET, token

App = Sanic[Any, Any]
COMMANDS = 300
USERS = ("ada", "bob", "cy", "dan", "eve")
"""The owner of all rooms, and others, who become what they become."""
ROOMS = ("hall", "club", "attic", "nowhere")
"""A public room, a private one, an archived one, and none."""
VOLATILE = frozenset(
    (
        "timestamp",
        "epoch",
        "online",
        "lastSeen",
        "createdAt",
        "at",
        "edited",
        "sessionId",
        "message",
        "detail",
    )
)
"""What depends on the moment, on who is connected, or is told in the words of the door."""
PROBLEM = frozenset(("type", "title", "status"))
ROUTE_OF: Mapping[str, RestRoute] = {
    type: route for route in ROUTES for type in types_of(route) if not route.shows and route.type != "marker"
}

REPORT = re.compile(r"[0-9a-f]{24}\.[a-z]+")
"""The id of a report."""

Verdict = tuple[str, Any]


class Command(msgspec.Struct):
    """What one user asks. A message is named by its place in the list of all."""

    type: str
    user: str
    room: str | None
    payload: dict[str, Any]
    about: int | None = None
    key: str = ""


# ---- what chance makes ----


class Chance:
    """Makes commands, of every kind that REST has."""

    def __init__(self, seed: int, *, leaves_out: frozenset[str]) -> None:
        self._random = random.Random(seed)
        self._types = sorted(set(ROUTE_OF) - {"room.create", "room.delete", "search"} - leaves_out)
        self._weights = [_weight(type) for type in self._types]
        self._numbers = count(1)
        self._payloads: dict[str, Callable[[], dict[str, Any]]] = {
            "message": self._message,
            "message.edit": lambda: {"body": self._message()},
            "message.delete": self._reason,
            "report": lambda: {"reason": self._one("spam", "", "x" * 501)},
            "reaction.add": lambda: {"emoji": self._one("👍", ":tada:", "plain")},
            "reaction.remove": lambda: {"emoji": self._one("👍", ":tada:")},
            "history": self._page,
            "thread": self._page,
            "members": lambda: {"limit": self._one(1, 50, 0), "query": self._one("", "a")},
            "member.add": self._other,
            "member.kick": lambda: {**self._other(), **self._reason()},
            "member.ban": lambda: {**self._other(), **self._reason(), "until": self._one(None, 1.0, 9e9)},
            "member.mute": lambda: {**self._other(), **self._reason()},
            "member.unban": self._other,
            "member.unmute": self._other,
            "member.invite": lambda: {**self._other(), "role": self._one("member", "moderator", "owner")},
            "member.role": lambda: {
                **self._other(),
                "role": self._one("reader", "moderator", "admin", "owner"),
            },
            "read": lambda: {"seq": self._one(0, 3, 1000, -1)},
            "unread": lambda: {"rooms": list(ROOMS)},
            "room.update": self._properties,
            "rooms": lambda: {"mine": self._one(True, False), "limit": self._one(1, 2, 50)},
            "direct": lambda: {"to": self._one(*USERS), "body": self._message()},
        }

    def command(self) -> Command:
        """One more."""
        type = self._random.choices(self._types, self._weights)[0]
        payload = self._payloads.get(type, dict)()
        user, room = self._who(), self._random.choices(ROOMS, (8, 5, 2, 1))[0]
        if type == "leave" and user == "ada":
            user = "bob"  # Ada is always in the hall …
        if type == "message" and (user, room) != ("ada", "hall"):
            payload["text"] = "hi"  # … for others, REST says before they join what is wrong with a body
        number = next(self._numbers)
        key = f"{self._random.randrange(1, number + 1) if self._random.random() < 0.05 else number:016}"
        needs_room = "{room}" in ROUTE_OF[type].path
        about = self._random.randrange(40) if "{msgId}" in ROUTE_OF[type].path else None
        return Command(type, user, room if needs_room else None, payload, about, key)

    def _who(self) -> str:
        return self._random.choices(USERS, (4, 3, 2, 2, 1))[0]

    def _one(self, *values: Any) -> Any:
        return self._random.choice(values)

    def _message(self) -> dict[str, Any]:
        text = self._one("hi", "hello @bob", "", "x" * 9000, 5)
        more = self._one(
            {}, {}, {"mentions": ["bob"]}, {"mentions": ["@room"]}, {"parent": "none"}, {"n": 1.5}
        )
        return {"text": text if self._random.random() < 0.4 else "hi", **more}

    def _reason(self) -> dict[str, Any]:
        return self._some({}, {"reason": "spam"}, {"reason": "x" * 501})

    def _some(self, *payloads: dict[str, Any]) -> dict[str, Any]:
        return self._random.choice(payloads)

    def _other(self) -> dict[str, Any]:
        return {"user": self._one(*USERS)}

    def _page(self) -> dict[str, Any]:
        return self._some(
            {}, {"limit": 2}, {"before": 5}, {"after": 0}, {"after": 1, "before": 2}, {"limit": 0}
        )

    def _properties(self) -> dict[str, Any]:
        return self._some(
            {"title": "Room"}, {"title": "x" * 300}, {"topic": "All"}, {"slowMode": 0}, {"visibility": "secret"},
            {"permissions": {"message": 50}}, {"permissions": {"message": None}}, {},
        )  # fmt: skip


def _weight(type: str) -> int:
    return 12 if type == "message" else 4 if type.startswith(("member.", "message.")) else 2


# ---- the three doors ----


class Door:
    """A chat of its own, and one way in."""

    def __init__(self, chat: ChatRooms, server: LiveServer, prefix: str) -> None:
        self.chat = chat
        self.server = server
        self.prefix = prefix
        self.messages: list[str] = []
        """The ids of all messages, in order."""

    async def settle(self) -> None:
        """Make the rooms, and everybody known to each other."""
        chat, ada = self.chat, User("ada", "ada")
        for room, visibility in (("hall", "public"), ("club", "private"), ("attic", "public")):
            await chat.create_room(room, visibility=visibility, as_user=ada)
        for name in ("bob", "cy", "dan"):
            await chat.add_member("hall", User(name, name))
        await chat.add_member("club", User("bob", "bob"), "moderator")
        await chat.update_room("attic", archived=True)

    async def ask(self, command: Command) -> Verdict:
        """Carry it out; -> (`ok` or the code, what is told)."""
        payload = dict(command.payload)
        if command.about is not None:
            payload["msgId"] = self.messages[command.about] if command.about < len(self.messages) else "none"
        code, told = await self.pass_in(command, payload)
        if code == "ok" and command.type in ("message", "direct") and told["msgId"] not in self.messages:
            self.messages.append(told["msgId"])
        return code, self.plain(told)

    async def pass_in(self, command: Command, payload: dict[str, Any]) -> Verdict:
        raise NotImplementedError

    def plain(self, value: Any) -> Any:
        """What is told, without what has to differ."""
        if isinstance(value, dict):
            return {name: self.plain(inner) for name, inner in value.items() if name not in VOLATILE}
        if isinstance(value, list):
            return [self.plain(inner) for inner in value]
        if isinstance(value, str) and REPORT.fullmatch(value):
            return "a report"
        return f"message {self.messages.index(value)}" if value in self.messages else value

    async def log(self, room: str) -> list[Any]:
        """Every event of a room."""
        page = await self.chat.running().store.history(room, after=0, limit=10_000)
        events = [self.plain(msgspec.json.decode(encode(event))) for event in page.events]
        for event in events:
            if event["type"] != "message":
                del event["msgId"]  # of an event, which nobody names
            if event["type"] == "member.joined":
                event.pop("clientMsgId", None)  # of the join, which only a connection sends
        return events

    async def is_member(self, command: Command) -> bool:
        """Whether the user whom the command is about is one."""
        about = await self.chat.running().store.facts_about(command.room or "", command.payload["user"])
        return "member" in about


class BySocket(Door):
    def __init__(self, *about: Any, connect: Connect) -> None:
        super().__init__(*about)
        self._connect = connect
        self._clients: dict[str, Client] = {}

    async def pass_in(self, command: Command, payload: dict[str, Any]) -> Verdict:
        if command.user not in self._clients:
            self._clients[command.user] = await self._connect(
                f"{self.prefix}/ws", token=token(command.user, name=command.user)
            )
        client = self._clients[command.user]
        answer = await client.request(command.type, room=command.room, payload=payload, msg_id=command.key)
        if answer["type"] == "error" and answer["payload"]["code"] == "not_a_member":
            joined = await client.request("join", room=command.room, payload={"history": 0})
            if joined["type"] == "ack":
                answer = await client.request(
                    command.type, room=command.room, payload=payload, msg_id=command.key
                )
            else:
                answer = joined
        told = dict(answer["payload"])
        return ("ok", told) if answer["type"] == "ack" else (told.pop("code"), told)


class ByRest(Door):
    async def pass_in(self, command: Command, payload: dict[str, Any]) -> Verdict:
        route = ROUTE_OF[command.type]
        named = {"room": command.room, **payload}
        names = [name for name in ("room", "msgId", "user", "emoji") if f"{{{name}}}" in route.path]
        path = route.path
        for name in names:
            value = command.user if command.type == "leave" and name == "user" else named[name]
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        rest = {name: value for name, value in payload.items() if name not in names}
        body: Any = rest[route.wraps] if route.wraps else rest
        if route.method == "GET":
            path += "?" + "&".join(f"{name}={_in_query(value)}" for name, value in rest.items())
            body = None
        user = Rest(self.server, command.user)
        user.headers = {"Authorization": f"Bearer {token(command.user, name=command.user)}"}
        keyed = {} if body is None else {"Idempotency_Key": command.key}
        answer = await user(route.method, path, body, prefix=f"{self.prefix}/api", **keyed)
        if answer.code is None:
            assert answer.status == (201 if route.made else 200)
            return "ok", answer.body
        return answer.code, {name: its for name, its in answer.body.items() if name not in {*PROBLEM, "code"}}


class ByApp(Door):
    async def pass_in(self, command: Command, payload: dict[str, Any]) -> Verdict:
        chat, user = self.chat.running(), User(command.user, command.user)
        acting = acting_as(chat, user)
        try:
            if command.type == "message":
                await self._join(command)
            asked = acting.command(command.type, encode(payload), room=command.room, key=command.key)
            told = (await chat.commands.act(acting, asked)).result
        except ChatError as problem:
            told = problem.payload()
            return told.pop("code"), told
        return "ok", msgspec.json.decode(encode(told))

    async def _join(self, command: Command) -> None:
        """`as_user=` joins nothing: here the app does before, where a client might."""
        chat, user, room = self.chat.running(), User(command.user, command.user), command.room or ""
        known = await chat.store.facts_about(room, command.user)
        if "member" in known or not (await self.chat.explain(user, "join", room)).allowed:
            return
        if INVITE in known:
            acting = acting_as(chat, user)
            await chat.commands.act(acting, acting.command("member.accept", b"{}", room=room))
        else:
            await self.chat.add_member(room, user)


def _in_query(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(value)
    return quote(str(value).lower() if isinstance(value, bool) else str(value))


# ---- the same ----


@pytest.fixture
async def doors(app: App, live: Live, connect: Connect) -> list[Door]:
    settings: dict[str, Any] = {"guests": False, "jwt_secret": SECRET, "api": True, "client_room_ids": True}
    chats = [ChatRooms(name, direct="everyone", **settings) for name in ("socket", "rest", "app")]
    for chat in chats:
        app.blueprint(chat.bp)
    server = await live()
    doors: list[Door] = [
        BySocket(chats[0], server, "/socket", connect=connect),
        ByRest(chats[1], server, "/rest"),
        ByApp(chats[2], server, "/app"),
    ]
    for door in doors:
        await door.settle()
    return doors


def is_the_same(command: Command, *, member: bool) -> bool:
    """Whether REST has this very command: `PUT members/…` is the one or the other, and `DELETE` of oneself leaves."""
    if command.type == "member.add":
        return not member
    if command.type == "member.role":
        return member
    return command.type != "member.kick" or command.payload["user"] != command.user


async def compare(doors: list[Door], chance: Chance) -> dict[str, int]:
    """Carry out commands of chance at all doors; -> how often each verdict came."""
    first, *others = doors
    seen = dict[str, int]()
    while sum(seen.values()) < COMMANDS:
        command = chance.command()
        member = "user" in command.payload and await first.is_member(command)
        if not is_the_same(command, member=member):
            continue
        verdict = await first.ask(command)
        seen[verdict[0]] = seen.get(verdict[0], 0) + 1
        for door in others:
            assert await door.ask(command) == verdict, (type(door).__name__, command)
    for room in ("hall", "club", "attic"):
        log, *logs = [await door.log(room) for door in doors]
        for other in logs:
            assert other == log
    return seen


NOT_AS_USER = frozenset(type for type in ROUTE_OF if not commands()[type].as_user)


async def test_a_connection_rest_and_the_app_have_the_same_verdicts_and_events(doors: list[Door]) -> None:
    seen = await compare(doors, Chance(15, leaves_out=NOT_AS_USER))

    assert seen["ok"] > COMMANDS / 5
    assert len(seen) > 5


async def test_so_have_a_connection_and_rest_for_commands_that_the_app_does_not_do(doors: list[Door]) -> None:
    seen = await compare(doors[:2], Chance(16, leaves_out=frozenset()))

    assert seen["ok"] > COMMANDS / 5
    assert len(seen) > 5
