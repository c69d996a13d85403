"""The bridge to Matrix against a homeserver that keeps to the specification where the bridge touches it, and fails at times."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from sanic import HTTPResponse, Request, Sanic
from sanic.response import json as answer

import sanic_chatrooms
from sanic_chatrooms import ChatRooms, User
from tests.support.fixtures import Live
from tests.support.programs import followed, loaded
from tests.support.server import LiveServer
from tests.support.valkey import running

ROOM = "!abc:example.org"
ADA, BEN = "@chat_ada:example.org", "@ben:example.org"


class Homeserver:
    """What the specification says of application services: ghosts that are registered and have joined may speak, a transaction
    of the same id is the same event, and what the bridge does not answer by 200 is sent again, in order."""

    bridge: LiveServer

    def __init__(self, app: Sanic[Any, Any]) -> None:
        self.users: dict[str, str] = {}
        self.joined: set[str] = set()
        self.said: dict[str, tuple[str, str]] = {}
        """Transaction -> sender and text, in order."""
        self.requests: list[str] = []
        self.failures: list[int] = []
        """Statuses of the next answers."""
        self.lost = 0
        """Of so many messages the answers are lost."""
        self._came = asyncio.Condition()
        self._events = 0
        base = "/_matrix/client/v3"
        app.on_request(self.check)
        app.add_route(self.register, f"{base}/register", methods=["POST"])
        app.add_route(self.name, f"{base}/profile/<user:str>/displayname", methods=["PUT"], unquote=True)
        app.add_route(self.join, f"{base}/join/<room:str>", methods=["POST"], unquote=True)
        app.add_route(
            self.say, f"{base}/rooms/<room:str>/send/m.room.message/<txn:str>", methods=["PUT"], unquote=True
        )

    async def check(self, request: Request) -> HTTPResponse | None:
        self.requests.append(f"{request.method} {unquote(request.path)}")
        if self.failures and (status := self.failures.pop(0)):
            return answer({"errcode": "M_LIMIT_EXCEEDED"}, status=status)
        return None if request.token == "as" else answer({"errcode": "M_UNKNOWN_TOKEN"}, status=401)

    async def register(self, request: Request) -> HTTPResponse:
        user = f"@{request.json['username']}:example.org"
        assert request.json["type"] == "m.login.application_service"
        if user in self.users:
            return answer({"errcode": "M_USER_IN_USE"}, status=400)
        self.users[user] = ""
        return answer({"user_id": user})

    async def name(self, request: Request, user: str) -> HTTPResponse:
        assert self._acting(request) == user
        self.users[user] = request.json["displayname"]
        return answer({})

    async def join(self, request: Request, room: str) -> HTTPResponse:
        assert room == ROOM
        self.joined.add(self._acting(request))
        return answer({"room_id": room})

    async def say(self, request: Request, room: str, txn: str) -> HTTPResponse:
        user = self._acting(request)
        if room != ROOM or user not in self.joined:
            return answer({"errcode": "M_FORBIDDEN"}, status=403)
        new = txn not in self.said
        self.said.setdefault(txn, (user, request.json["body"]))
        if new:
            await self.send(
                self.event(user, request.json["body"])
            )  # the bridge hears what its ghosts say, too
        async with self._came:
            self._came.notify_all()
        if new and self.lost:
            self.lost -= 1
            return answer({}, status=504)
        return answer({"event_id": f"${txn}"})

    def _acting(self, request: Request) -> str:
        user = request.args.get("user_id") or ""
        assert user in self.users, f"{user} is not registered"
        return user

    def event(self, sender: str, text: str, **other: Any) -> dict[str, Any]:
        self._events += 1
        content = {"msgtype": "m.text", "body": text}
        event = {"type": "m.room.message", "event_id": f"${self._events}", "room_id": ROOM}
        return {**event, "sender": sender, "content": content, **other}

    async def send(self, *events: dict[str, Any], token: str = "hs") -> int:
        assert self.joined, "of a room where none of its users is, an application service is told nothing"
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        body = json.dumps({"events": list(events)}).encode()
        sent = await self.bridge.request("PUT", "/_matrix/app/v1/transactions/1", headers, body)
        return sent.status

    async def until(self, count: int) -> None:
        async with asyncio.timeout(80), self._came:
            await self._came.wait_for(lambda: len(self.said) >= count)


@pytest.fixture(scope="module")
def valkey_url() -> Iterator[str]:
    with running() as server:
        yield server.url


@pytest.fixture
async def chat(valkey_url: str) -> AsyncIterator[ChatRooms]:
    async with sanic_chatrooms.connect(store=valkey_url, namespace="Shop", guests=True) as chat:
        await chat.delete_room("general")
        await chat.ensure_room("general")
        yield chat


@pytest.fixture
async def homeserver(
    live: Live, chat: ChatRooms, valkey_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Homeserver]:
    server = Homeserver(live.app)
    where = {"MATRIX_URL": (await live()).url, "MATRIX_AS_TOKEN": "as", "MATRIX_HS_TOKEN": "hs"}
    for name, value in {"REDIS_URL": valkey_url, **where}.items():
        monkeypatch.setenv(name, value)
    example = loaded("matrix_bridge")
    monkeypatch.setattr(example, "FIRST", 0.01)
    example.app.config.update(MOTD=False, AUTO_EXTEND=False, TOUCHUP=False, GRACEFUL_SHUTDOWN_TIMEOUT=1.0)
    server.bridge = await live(example.app)
    await followed(chat, "matrix", "general")
    yield server
    await live.stop()
    Sanic.unregister_app(example.app)


async def test_what_is_said_here_is_said_there_by_ghosts_once_each(
    homeserver: Homeserver, chat: ChatRooms
) -> None:
    homeserver.failures = [502, 0, 0, 429, 0, 0, 503]
    homeserver.lost = 2
    odd = User("Zoë/1", "Zoë")
    for n in range(4):
        await chat.publish("general", "message", {"text": f"{n}"}, sender=User("ada", "Ada"))
    await chat.publish("general", "message", {"text": "last"}, sender=odd)

    await homeserver.until(5)

    assert list(homeserver.said.values())[:4] == [(ADA, f"{n}") for n in range(4)]
    assert list(homeserver.said.values())[4] == ("@chat__5a_o_eb__2f_1:example.org", "last")
    assert homeserver.users[ADA] == "Ada"
    assert sum("/register" in one for one in homeserver.requests) == 4, (
        "one for the bridge and each ghost, and a repetition"
    )
    stored = [one["payload"]["text"] for one in (await chat.history("general")).messages]
    assert stored == ["0", "1", "2", "3", "last"], "what the ghosts said does not come back"


async def test_what_is_said_there_is_stored_once_however_often_it_is_sent(
    homeserver: Homeserver, chat: ChatRooms
) -> None:
    event = homeserver.event(BEN, "hello")
    for _ in range(2):
        assert await homeserver.send(event) == 200
    elsewhere = homeserver.event(BEN, "elsewhere", room_id="!other:example.org")
    others = homeserver.event(BEN, "", type="m.room.member"), homeserver.event("@chat_x:evil.org", "hi")
    assert await homeserver.send(elsewhere, *others, homeserver.event(BEN, "x" * 2_000_000)) == 200

    said = [(one["sender"]["id"], one["payload"]["text"]) for one in (await chat.history("general")).messages]
    assert said == [(f"matrix:{BEN}", "hello"), ("matrix:@chat_x:evil.org", "hi")]
    assert homeserver.said == {}, "what came from there does not go back"


async def test_nobody_but_the_homeserver_is_heard(homeserver: Homeserver, chat: ChatRooms) -> None:
    assert await homeserver.send(homeserver.event(BEN, "hello"), token="other") == 403
    assert (await chat.history("general")).messages == []


def test_without_the_secrets_the_bridge_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATRIX_AS_TOKEN", "as")
    monkeypatch.delenv("MATRIX_HS_TOKEN", raising=False)

    with pytest.raises(KeyError, match="MATRIX_HS_TOKEN"):
        loaded("matrix_bridge")
