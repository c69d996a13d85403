"""REST, as one user calls it; the fixture `visit`."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from sanic_chatrooms import ChatRooms
from tests.support.fixtures import Live
from tests.support.server import LiveServer
from tests.support.wire import token

__all__ = ["Answer", "Rest", "Sent", "Stream", "Visit"]

WITHIN = 40.0
"""Seconds that a test waits at most."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, with its JSON."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def code(self) -> str | None:
        """The code of a problem document."""
        is_problem = self.headers.get("content-type") == "application/problem+json"
        return self.body["code"] if is_problem else None


class Rest:
    """`ada = Rest(server, "ada")`; `await ada("POST", "/rooms/general/messages", {"text": "hi"})`."""

    def __init__(self, server: LiveServer, user: str | None = None, **claims: Any) -> None:
        self.server = server
        self.headers = {"Authorization": f"Bearer {token(user, name=user.title(), **claims)}"} if user else {}

    async def __call__(
        self, method: str, path: str, body: Any = None, *, prefix: str = "/chat/api", **headers: str
    ) -> Answer:
        """Ask; the body is bytes, or is made JSON. A header's underscores become hyphens."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.server.request(method, prefix + path, {**self.headers, **named}, data)
        return Answer(response.status, response.headers, json.loads(response.body) if response.body else None)

    async def get(self, path: str, **headers: str) -> Any:
        """What is read with 200."""
        answer = await self("GET", path, **headers)
        assert answer.status == 200, answer
        return answer.body


Visit = Callable[..., Awaitable[Rest]]


@pytest.fixture
def visit(chat: ChatRooms, live: Live) -> Visit:
    """`ada = await visit()`: a user at the server of this test, whose module has the fixture `chat`."""

    async def come(user: str | None = "ada", **claims: Any) -> Rest:
        return Rest(await live() if not live.servers else live.servers[0], user, **claims)

    return come


@dataclass(frozen=True)
class Sent:
    """One event of a stream."""

    type: str
    data: Any
    id: str | None = None

    @property
    def text(self) -> Any:
        """What a message says."""
        return self.data["payload"].get("text")


class Stream:
    """Server-sent events, read as they come: `stream = await Stream.open(ada, "general")`; `await stream.next()`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.comments = 0
        self.last_id: str | None = None
        self._text = ""

    @classmethod
    async def open(
        cls, user: Rest, room: str = "general", *, since: str = "", query: str = "", **headers: str
    ) -> Stream:
        """Open it, and read the head."""
        server = user.server
        reader, writer = await asyncio.open_connection(server.host, server.port, limit=2**24)
        named = {"Accept": "text/event-stream", **user.headers}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        query = query or (f"?since={since}" if since else "")
        lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
        writer.write(
            f"GET /chat/api/rooms/{room}/events{query} HTTP/1.1\r\nHost: {server.host}\r\n{lines}\r\n".encode()
        )
        async with asyncio.timeout(WITHIN):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert " 200 " in head.partition("\r\n")[0], head
        assert "text/event-stream" in head.lower()
        stream = cls(reader, writer)
        await stream.comment()
        return stream

    async def next(self) -> Sent:
        """The next event. Raises `EOFError` where the stream ends."""
        while True:
            block = await self._block()
            fields: dict[str, str] = {}
            for line in block.split("\n"):
                name, _, value = line.partition(": ")
                if not line.startswith(":"):
                    fields[name] = f"{fields[name]}\n{value}" if name in fields else value
                else:
                    self.comments += 1
            self.last_id = fields.get("id", self.last_id)
            if "data" in fields:
                return Sent(fields["event"], json.loads(fields["data"]), fields.get("id"))

    async def durable(self) -> Sent:
        """The next event with an id."""
        while True:
            if (event := await self.next()).id:
                return event

    async def comment(self) -> None:
        """Wait until there was one more comment; no event may come before."""
        seen = self.comments
        while self.comments == seen:
            block = await self._block()
            assert "data:" not in block, block
            self.comments += block.startswith(":") or "\n:" in block

    async def rest(self) -> list[Sent]:
        """All events up to the end."""
        found = []
        try:
            while True:
                found.append(await self.next())
        except EOFError:
            return found

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    async def _block(self) -> str:
        async with asyncio.timeout(WITHIN):
            while "\n\n" not in self._text:
                self._text += await self._chunk()
        block, _, self._text = self._text.partition("\n\n")
        return block

    async def _chunk(self) -> str:
        try:
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            data = await self.reader.readexactly(size + 2)
        except (asyncio.IncompleteReadError, ConnectionError):
            raise EOFError("cut") from None
        if not size:
            raise EOFError("ended")
        return data[:-2].decode()
