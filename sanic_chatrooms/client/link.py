"""Keeps one WebSocket open: attempts, back-off, heartbeat, and the rules of close codes."""

import asyncio
import contextlib
import json
import logging
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from ..errors import Banned, ChatError, TokenExpired, Unauthenticated
from ..support.backoff import Backoff
from ..support.tasks import end
from .dial import Refused, dial
from .errors import ClientClosed, error_of, seconds
from .events import Frame
from .identity import Identity

__all__ = ["Link", "Listens", "reconnects"]

logger = logging.getLogger("sanic_chatrooms.client")

WELCOME = 20.0
"""Seconds from an attempt to the welcome; longer than the server waits for a token, so that its reason arrives."""
PONG = 10.0
"""Seconds without any frame after a ping; then the connection counts as dead."""
STABLE = 5.0
"""Seconds; an overloaded server that kept a connection for so long has recovered."""
UNSENT = 4 * 1024 * 1024
"""Bytes that wait for a server that does not read; then the connection counts as dead."""
SHORTEST_BEAT, LONGEST_BEAT = 1.0, 600.0
GONE = 1006
CROWDED = (1013, 4008, 4013)
"""Close codes after which reconnecting at once would make it worse."""
FINAL_ERRORS: dict[int, type[ChatError]] = {
    4001: TokenExpired,
    4500: Unauthenticated,
    4502: Unauthenticated,
    4507: Banned,
}
FINAL = (1000, 1002, 1003, 1007, 1008)
LATER_STATUS = (408, 425, 429)
"""HTTP statuses below 500 that say: come back later."""


def reconnects(code: int) -> bool:
    """Whether the protocol lets a client reconnect after this close code."""
    return code < 4500 if code >= 4000 else code not in FINAL


class Listens(Protocol):
    """What the link tells."""

    def welcomed(self, frame: Frame) -> None:
        """The connection is ours."""

    def heard(self, frame: Frame, size: int) -> None:
        """Any other frame, of so many bytes."""

    def lost(self, code: int) -> None:
        """The connection is gone."""

    def changed(self, state: str) -> None:
        """Another state: connecting, online, reconnecting, closed."""

    def closed(self, error: ChatError | None) -> None:
        """There will be no other connection. None: the app has closed the client."""


class Link:
    """One connection at a time, until `close` or a final close code."""

    def __init__(
        self,
        url: str,
        identity: Identity,
        chat: Listens,
        backoff: tuple[float, float],
        options: Mapping[str, Any],
    ) -> None:
        self.state = "closed"
        self.online = False
        self._url = url
        self._identity = identity
        self._chat = chat
        self._options = options
        self._backoff = Backoff(*backoff, least=0.0)
        self._running: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._welcomed = asyncio.Event()
        self._unsent: deque[str] = deque()
        self._unsent_size = 0
        self._to_send = asyncio.Event()
        self._interval = 30.0
        self._heard_at = 0.0
        self._online_at = 0.0
        self._was_online = False
        self._come_back_in: float | None = None
        self._dropped = ""
        self._told: ChatError | None = None
        """An error that answers no command: why the server is about to close this connection."""

    # ---- for the client ----

    def open(self) -> None:
        """Begin to connect. Raises `ValueError` for an address that is none."""
        self._backoff.succeeded()
        self._was_online = False
        self._become("connecting")
        self._running = asyncio.ensure_future(self._run())

    async def close(self) -> None:
        """Close the connection, and make no other. Calling it again does nothing."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()  # once: a second time would break the closing handshake off
            await asyncio.wait([running])
        await asyncio.gather(*self._closing)

    def send(self, text: str) -> None:
        """Send a frame. If the server does not read, the connection is given up."""
        self._unsent.append(text)
        self._unsent_size += len(text)
        self._to_send.set()
        if self._unsent_size > UNSENT:
            self._drop("the server does not read")

    def comes_back_in(self, wait: object) -> None:
        """The server has said when to reconnect."""
        self._come_back_in = seconds(wait)

    # ---- one connection after the other ----

    async def _run(self) -> None:
        error: ChatError | None = None
        try:
            while True:
                code, wait, error = await self._connection()
                if error is not None:
                    return
                await asyncio.sleep(self._wait(code) if wait is None else wait)
                self._become("reconnecting")
        except asyncio.CancelledError:
            error = None
            raise
        except Exception as problem:
            logger.exception("the client has failed")
            error = ClientClosed(f"the client has failed: {problem}")
        finally:
            self.online = False
            self._become("closed")
            self._chat.closed(error)

    async def _connection(self) -> tuple[int, float | None, ChatError | None]:
        """One attempt, and its connection until the end; -> close code, seconds to wait if they are known, and why there must
        be no other attempt."""
        self._dropped, self._told = "", None
        try:
            async with asyncio.timeout(WELCOME):
                ws = await self._dial()
        except Refused as refused:
            return self._refused(refused)
        except (OSError, TimeoutError, WebSocketException) as problem:
            return self._failed(problem)
        try:
            code, reason = await self._serve(ws)
        except asyncio.CancelledError:
            await _quietly_close(ws)
            raise
        closing = asyncio.ensure_future(_quietly_close(ws))
        self._closing.add(closing)  # on a dead connection it takes some seconds
        closing.add_done_callback(self._closing.discard)
        return self._ended(code, reason)

    def _failed(self, problem: Exception) -> tuple[int, float | None, ChatError | None]:
        logger.log(
            logging.INFO if self._was_online else logging.WARNING,
            "no connection to %s: %s",
            _without_query(self._url),
            str(problem) or type(problem).__name__,
        )
        return GONE, None, None

    async def _dial(self) -> ClientConnection:
        try:
            token = await self._identity.proof()
        except Exception as problem:
            logger.exception("the function for the token failed")
            raise OSError(f"no token: {problem}") from problem
        return await dial(self._url, token, self._options)

    def _refused(self, refused: Refused) -> tuple[int, float | None, ChatError | None]:
        status, error = refused.status, refused.error
        if status == 401:
            code = 4001 if error.code == "token_expired" else 4500
            return code, 0.0 if self._identity.is_guest else None, None if self._may_return(code) else error
        if status == 403 or (status < 500 and status not in LATER_STATUS and not self._was_online):
            return GONE, None, error
        return (1013 if status in (429, 503) else GONE), refused.wait, None

    def _ended(self, code: int, reason: str) -> tuple[int, float | None, ChatError | None]:
        online, self.online = self.online, False
        crowded = code in CROWDED and time.monotonic() - self._online_at < STABLE
        if online and not crowded:
            self._backoff.succeeded()  # a welcome shows that the server is well
        self._chat.lost(code)
        wait, self._come_back_in = self._come_back_in, None
        if not self._may_return(code):
            return code, None, _final(code, reason, self._told)
        logger.info("the connection has ended with %d (%s)", code, reason)
        return code, wait, None

    def _may_return(self, code: int) -> bool:
        if code not in (4001, 4500):
            return reconnects(code)
        identity = self._identity
        guest = identity.is_guest and identity.forget_guest()
        identity.expired()
        return guest or (code == 4001 and identity.renewable)

    def _wait(self, code: int) -> float:
        if code in CROWDED:
            self._backoff.failures = max(self._backoff.failures, 2)
        return self._backoff.failed()

    def _become(self, state: str) -> None:
        if self.state != state:
            self.state = state
            self._chat.changed(state)

    # ---- while a connection is open ----

    async def _serve(self, ws: ClientConnection) -> tuple[int, str]:
        self._unsent.clear()
        self._unsent_size = 0
        self._heard_at = time.monotonic()
        self._welcomed.clear()
        self._reading = asyncio.ensure_future(self._read(ws))
        tasks = [self._reading, *map(asyncio.ensure_future, (self._write(ws), self._beat()))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(*tasks)
        for task in tasks:
            if not task.cancelled() and (problem := task.exception()) is not None:
                raise problem
        if self._dropped:
            return GONE, self._dropped
        return ws.close_code or GONE, ws.close_reason or ""

    async def _read(self, ws: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                self._hear(await ws.recv())

    async def _write(self, ws: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                while self._unsent:
                    text = self._unsent.popleft()
                    self._unsent_size -= len(text)
                    await ws.send(text)
                self._to_send.clear()
                await self._to_send.wait()

    def _hear(self, text: str | bytes) -> None:
        self._heard_at = time.monotonic()
        frame = _decoded(text)
        if frame is None:
            return
        if frame["type"] == "error" and "replyTo" not in frame:
            self._told = error_of(frame["payload"])
        if self.online:
            self._chat.heard(frame, len(text))
        elif frame["type"] == "welcome":
            self._welcome(frame)

    def _welcome(self, frame: Frame) -> None:
        self.online = self._was_online = True
        self._online_at = time.monotonic()
        self._welcomed.set()
        self._come_back_in = None
        beat = frame["payload"].get("heartbeat")
        self._interval = _interval(beat.get("interval") if isinstance(beat, dict) else None)
        self._become("online")
        self._chat.welcomed(frame)

    async def _beat(self) -> None:
        """Ping a silent server, and give a dead connection up."""
        try:
            async with asyncio.timeout(WELCOME):
                await self._welcomed.wait()
        except TimeoutError:
            self._drop("the server did not welcome us")
        while not self._dropped:
            heard_at = self._heard_at
            silent = time.monotonic() - heard_at
            if silent < self._interval:
                await asyncio.sleep(self._interval - silent)
                continue
            self.send('{"type":"ping"}')
            await asyncio.sleep(PONG)
            if self._heard_at == heard_at:
                self._drop("nothing was heard from the server")

    def _drop(self, why: str) -> None:
        """End this connection without the closing handshake, which takes long on a dead one."""
        self._dropped = self._dropped or why
        if self._reading is not None:
            self._reading.cancel()


def _decoded(text: str | bytes) -> Frame | None:
    """A frame of the server with a type and a payload; None for anything else, as clients ignore what they do not know."""
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(frame, dict) or not isinstance(frame.get("type"), str):
        return None
    if not isinstance(frame.get("payload"), dict):
        frame["payload"] = {}
    return frame


def _interval(value: object) -> float:
    known = seconds(value)
    return 30.0 if known is None else min(max(known, SHORTEST_BEAT), LONGEST_BEAT)


def _final(code: int, reason: str, told: ChatError | None) -> ChatError:
    kind = FINAL_ERRORS.get(code, ClientClosed)
    error = kind(f"the server closed the connection for good: {code} {reason}".rstrip(), close_code=code)
    if isinstance(told, kind):  # until when, and why
        error.fields = {**told.fields, **error.fields}
    return error


def _without_query(url: str) -> str:
    return url.partition("?")[0]


async def _quietly_close(ws: ClientConnection) -> None:
    with contextlib.suppress(Exception):
        await ws.close()
