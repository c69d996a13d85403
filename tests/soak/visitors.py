"""The clients of the long runs: a real WebSocket each, watched by a witness, and the server that they visit."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import statistics
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from sanic_chatrooms.support.ids import new_id
from sanic_chatrooms.testing import Witness
from tests.support.process import ServerProcess, start_app
from tests.support.wire import token

__all__ = ["Frame", "Visitor", "latencies", "served"]

Frame = dict[str, Any]
WITHIN = 30.0
APP = Path(__file__).with_name("_app.py")


@contextlib.asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[ServerProcess]:
    """A server in a process of its own, so that its work and the clients' do not share a core."""
    # A name that nobody used before: a database may hold the rooms of another run.
    prefix = {"SOAK_SETTINGS": json.dumps({"name": f"soak_{secrets.token_hex(6)}", **settings})}
    server = await asyncio.to_thread(start_app, APP, env=prefix)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.stop)


class Visitor:
    """One connection. `witness` may watch several, one after the other."""

    def __init__(self, witness: Witness, ws: ClientConnection) -> None:
        self.witness = witness
        self._ws = ws
        self._answers: dict[str, asyncio.Future[Frame]] = {}
        self._reader = asyncio.ensure_future(self._read())

    @classmethod
    async def come(cls, url: str, witness: Witness) -> Visitor:
        """Connect to the chat of the server at ws://…, as the witness's user."""
        assert witness.user is not None
        headers = {"Authorization": f"Bearer {token(witness.user, expires_in=36_000)}"}
        ws = await connect(
            f"{url}/chat/ws",
            additional_headers=headers,
            compression=None,
            ping_interval=None,
            proxy=None,
            open_timeout=WITHIN,
        )
        return cls(witness, ws)

    async def send(
        self, type: str, *, room: str | None = None, payload: Any = None, msg_id: str | None = None
    ) -> str:
        """Send a command, of which the connection may hear no more."""
        frame = {"type": type, "msgId": msg_id or new_id(), "payload": payload or {}}
        if room is not None:
            frame["room"] = room
        self.witness.sent(frame)
        with contextlib.suppress(ConnectionClosed):
            await self._ws.send(json.dumps(frame))
        return str(frame["msgId"])

    async def ask(self, type: str, **arguments: Any) -> Frame:
        """Send a command and wait for its answer. Raises `ConnectionError` when the connection ends before it."""
        msg_id = arguments.setdefault("msg_id", new_id())
        answer: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        self._answers[msg_id] = answer
        await self.send(type, **arguments)
        if self._reader.done():
            self._forget()
        async with asyncio.timeout(WITHIN):
            return await answer

    async def join(self, room: str, *, history: int = 0) -> Frame:
        """Join from where the witness got to."""
        since = self.witness.since(room)
        answer = await self.ask(
            "join", room=room, payload={"since": since} if since else {"history": history}
        )
        if answer["type"] != "ack":
            raise AssertionError(f"join was answered by {answer}")
        return answer

    async def cut(self) -> None:
        """Be gone without a word."""
        self._ws.transport.abort()
        await self._reader

    async def leave(self) -> None:
        """Be gone with the closing handshake."""
        await self._ws.close()
        await self._reader

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in self._ws:
                frame = json.loads(text)
                self.witness.received(frame)
                answer = self._answers.pop(frame.get("replyTo", ""), None)
                if answer is not None and not answer.done():
                    answer.set_result(frame)
        self.witness.cut()
        self._forget()

    def _forget(self) -> None:
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("the connection is gone"))
                answer.exception()  # whoever waits hears of it; nobody has to
        self._answers.clear()


def latencies(seconds: Sequence[float], of: str) -> dict[str, str]:
    """Median and the slow end, in milliseconds, for a verdict's figures."""
    if len(seconds) < 2:
        return {}
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    named = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(seconds)}
    return {of + name: f"{value * 1000:.1f} ms" for name, value in named.items()}
