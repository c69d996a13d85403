"""A WebSocket client for protocol tests: sends what it is told, remembers all that comes, waits but never sleeps."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from tests.support.server import Response

__all__ = ["Client", "Closed", "Frame", "Refused", "open_client"]

Frame = dict[str, Any]
WITHIN = 40.0  # seconds to wait for anything, unless a call says otherwise


class Closed(Exception):
    """The server closed the connection while the test waited for something else."""

    def __init__(self, code: int, reason: str, waited_for: str) -> None:
        super().__init__(f"closed {code} ({reason}) while waiting for {waited_for}")
        self.code = code
        self.reason = reason


class Refused(Exception):
    """The handshake was answered by HTTP, not by a WebSocket."""

    def __init__(self, response: Response) -> None:
        super().__init__(f"handshake refused: {response.status} {response.text[:200]}")
        self.response = response
        self.status = response.status


class Client:
    """One connection.

    `frames` has every frame in order of arrival and is never emptied; `expect` takes each frame once.
    """

    def __init__(self, ws: ClientConnection) -> None:
        self.ws = ws
        self.frames: list[Frame] = []
        self._unread: list[Frame] = []
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read(), name="test client reader")

    # Sending

    async def send(
        self,
        type: str,
        *,
        room: str | None = None,
        payload: Any = None,
        msg_id: str | None = None,
        **keys: Any,
    ) -> str:
        """Send a command and return its `msgId`, a new one unless given. `keys` go into the frame as they are."""
        msg_id = msg_id or str(uuid.uuid4())
        frame = {"type": type, "msgId": msg_id, "room": room, "payload": payload, **keys}
        await self.send_raw(json.dumps({k: v for k, v in frame.items() if v is not None}))
        return msg_id

    async def send_raw(self, data: str | bytes) -> None:
        """Send one WebSocket message, text or binary, whatever it contains."""
        await self.ws.send(data)

    # Asking

    async def request(
        self,
        type: str,
        *,
        room: str | None = None,
        payload: Any = None,
        msg_id: str | None = None,
        within: float = WITHIN,
        **keys: Any,
    ) -> Frame:
        """Send a command and return the frame that answers it: `ack`, `error` or `pong`."""
        msg_id = await self.send(type, room=room, payload=payload, msg_id=msg_id, **keys)
        return await self.reply(msg_id, within=within)

    async def reply(self, msg_id: str, *, within: float = WITHIN) -> Frame:
        """The answer to a command sent before."""
        return await self._take(lambda frame: frame.get("replyTo") == msg_id, f"a reply to {msg_id}", within)

    async def ack(self, type: str, **arguments: Any) -> Any:
        """`request`, which must be acknowledged; returns the payload of the `ack`."""
        frame = await self.request(type, **arguments)
        assert frame["type"] == "ack", f"{type} was answered by {frame}"
        return frame["payload"]

    async def error(self, type: str, **arguments: Any) -> Any:
        """`request`, which must be refused; returns the payload of the `error`."""
        frame = await self.request(type, **arguments)
        assert frame["type"] == "error", f"{type} was answered by {frame}"
        return frame["payload"]

    # Receiving

    async def expect(
        self, type: str, *, room: str | None = None, within: float = WITHIN, **keys: Any
    ) -> Frame:
        """The oldest frame of this type that was not taken yet; waits for one. `keys` must be in it, equal."""
        wanted = {"type": type, **({} if room is None else {"room": room}), **keys}
        return await self._take(
            lambda frame: all(frame.get(key) == value for key, value in wanted.items()), str(wanted), within
        )

    async def expect_many(self, type: str, count: int, **arguments: Any) -> list[Frame]:
        """The next `count` frames of this type, in order of arrival."""
        return [await self.expect(type, **arguments) for _ in range(count)]

    def unread(self, type: str | None = None) -> list[Frame]:
        """What came and was not taken, all or of one type."""
        return [frame for frame in self._unread if type is None or frame["type"] == type]

    async def settle(self, *, within: float = WITHIN) -> None:
        """Return when everything that the server had sent us before now has arrived.

        A command and its answer pass through the same two queues as all else. So after the cause of an event is known
        to be done, `await settle()` and `assert not unread("message")` prove that nothing came, without any sleep.
        """
        await self.request("ping", within=within)

    # Ending

    @property
    def is_open(self) -> bool:
        return not self._reader.done()

    @property
    def close_code(self) -> int | None:
        """The code of the close frame that came, 1006 without one; None while open."""
        return self.ws.close_code

    async def closed(self, *, within: float = WITHIN) -> tuple[int, str]:
        """Wait until the server has closed the connection; its code and reason."""
        async with asyncio.timeout(within):
            await asyncio.shield(self._reader)
        return self._closing()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close from our side, by the closing handshake."""
        await self.ws.close(code, reason)
        await self._reader

    async def abort(self) -> None:
        """Vanish without a close frame, as a phone in a tunnel does."""
        self.ws.transport.abort()
        await self._reader

    def pause_reading(self) -> None:
        """Stop taking bytes from the socket: a slow consumer."""
        self.ws.transport.pause_reading()

    def resume_reading(self) -> None:
        self.ws.transport.resume_reading()

    # Inside

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                self._keep(json.loads(await self.ws.recv()))
        self._news.set()

    def _keep(self, frame: Frame) -> None:
        self.frames.append(frame)
        self._unread.append(frame)
        self._news.set()

    async def _take(self, matches: Callable[[Frame], bool], wanted: str, within: float) -> Frame:
        try:
            async with asyncio.timeout(within):
                return await self._taken(matches, wanted)
        except TimeoutError:
            raise TimeoutError(f"no {wanted} within {within} s; unread: {self._unread[-20:]}") from None

    async def _taken(self, matches: Callable[[Frame], bool], wanted: str) -> Frame:
        while True:
            for index, frame in enumerate(self._unread):
                if matches(frame):
                    return self._unread.pop(index)
            if self._reader.done():
                self._reader.result()  # a frame that is no JSON object ends the reader with its own error
                raise Closed(*self._closing(), wanted)
            self._news.clear()
            await self._news.wait()

    def _closing(self) -> tuple[int, str]:
        return self.ws.close_code or 1006, self.ws.close_reason or ""


async def open_client(
    url: str,
    *,
    token: str | None = None,
    subprotocols: Sequence[str] | None = None,
    origin: str | None = None,
    headers: Mapping[str, str] | None = None,
    **options: Any,
) -> Client:
    """Connect to `ws://…`. Raises `Refused` when the handshake is answered by anything but 101.

    `token` travels as `Authorization: Bearer`; `options` go to `websockets.asyncio.client.connect`.
    """
    lines = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
    if origin is not None:
        lines["Origin"] = origin
    quiet = {
        "compression": None,
        "ping_interval": None,  # the server's heartbeat is what is under test
        "proxy": None,  # whatever the environment says: the server is on this machine
        "max_size": None,
        "open_timeout": WITHIN,
        "close_timeout": WITHIN,
        "user_agent_header": None,
    }
    try:
        ws = await connect(
            url,
            additional_headers=lines,
            subprotocols=[Subprotocol(name) for name in subprotocols] if subprotocols else None,
            **{**quiet, **options},
        )
    except InvalidStatus as refusal:
        answer = refusal.response
        got = {key.lower(): value for key, value in answer.headers.raw_items()}
        raise Refused(Response(answer.status_code, got, bytes(answer.body or b""))) from None
    except InvalidMessage as broken:
        if isinstance(broken.__cause__, EOFError):  # as where the server is killed a little sooner or later
            raise ConnectionResetError("the connection ended during the handshake") from broken
        raise
    return Client(ws)
