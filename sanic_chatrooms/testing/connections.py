"""A chat without sockets: connections in memory, and a client that speaks the protocol through them.

    async with running_chat(support) as chat:                     # `support` is your ChatRooms, hooks and all; so is `chat`
        ada = await chat_client(chat, User("u1", "Ada"))
        await ada.ack("join", room="general")
        await chat.push("general", "notice", {"title": "Hi", "content": ""})
        assert (await ada.expect("notice"))["payload"]["title"] == "Hi"

Everything from the session inwards is what runs in production; only the handshake and the WebSocket are left out.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from msgspec.structs import replace

from ..chat import Chat
from ..config.backends import Backends
from ..config.load import load
from ..declaration import Declaration, RouteDeclaration
from ..models import Credentials, Handshake, User
from ..observe.meter import SILENT, Meter
from ..sessions.route import Route
from ..sessions.session import Session
from ..support.ids import new_id
from ..verbs.identity import of_handshake
from ..web.chatrooms import ChatRooms
from ..websocket.codec import FRAMES
from .checker import Witness
from .frames import Frame, decode_frames

__all__ = [
    "ConnectionClosed",
    "MemoryClient",
    "MemoryConnection",
    "chat_client",
    "running_chat",
    "running_core",
]

WITHIN = 40.0
"""Seconds to wait for a frame, unless a call says otherwise."""


class ConnectionClosed(Exception):
    """The chat closed the connection while something else was waited for."""

    def __init__(self, code: int, reason: str, wanted: str) -> None:
        super().__init__(f"closed with {code} ({reason}) while waiting for {wanted}")
        self.code = code
        self.reason = reason


class MemoryConnection:
    """A connection without a socket. It keeps the frames that a client would receive, as JSON objects.

    `frames` has all of them in order; `writes` has the number of frames of each write. A `witness` records the frames
    and the end of the connection.
    """

    codec = FRAMES
    check_every = 65_536

    def __init__(self, witness: Witness | None = None) -> None:
        self.witness = witness
        self.frames: list[Frame] = []
        self.writes: list[int] = []
        self.pings = 0
        self.closed: tuple[int, str] | None = None
        """The code and reason with which the chat closed it; None while it is open."""
        self.reading = True
        """False while the session has asked not to be read."""
        self._changed = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    # ---- what the session calls ----

    def push(self, data: bytes, replies: bytes = b"") -> None:
        """See `session.Connection`. A connection in memory is never too slow."""
        self.write(replies + data)

    def reply(self, data: bytes) -> None:
        """See `session.Connection`."""
        self.write(data)

    def write(self, data: bytes) -> None:
        """See `session.Connection`."""
        if self.closed is None:
            frames = decode_frames(data)
            self.frames += frames
            self.writes.append(len(frames))
            if self.witness is not None:
                for frame in frames:
                    self.witness.received(frame)
            self._changed.set()

    def ping(self) -> None:
        """Count a ping."""
        self.pings += 1
        self._changed.set()

    def close(self, code: int, reason: str) -> None:
        """Keep the first code and reason. Nothing is written afterwards."""
        if self.closed is None:
            self.closed = (int(code), reason)
            if self.witness is not None:
                self.witness.cut()
        self.decongest()
        self._changed.set()

    def pause(self) -> None:
        """See `session.Connection`."""
        self.reading = False

    def resume(self) -> None:
        """See `session.Connection`."""
        self.reading = True

    def congested(self) -> bool:
        """Whether `congest` was called."""
        return not self._writable.is_set()

    def owing(self) -> bool:
        """The same as `congested`."""
        return self.congested()

    def behind(self) -> int:
        """Nothing waits in memory."""
        return 0

    def cut(self) -> None:
        """See `session.Connection`."""

    async def drained(self) -> None:
        """Return after `decongest`, or when it is closed."""
        await self._writable.wait()

    # ---- what the test calls ----

    def congest(self) -> None:
        """Simulate a client that does not read: the session stops executing its commands."""
        self._writable.clear()

    def decongest(self) -> None:
        """Simulate that the client reads again."""
        self._writable.set()

    async def changed(self) -> None:
        """Wait until something is written, pinged or closed."""
        self._changed.clear()
        await self._changed.wait()


class MemoryClient:
    """A client without a socket. It sends commands, and returns each received frame once.

    Methods that wait raise `TimeoutError` after `WITHIN` seconds, and `ConnectionClosed` if the chat closes the
    connection.
    """

    def __init__(
        self, session: Session, connection: MemoryConnection, idle: Callable[[], Awaitable[None]]
    ) -> None:
        self.session = session
        self.connection = connection
        self._idle = idle
        self._taken: set[int] = set()

    @property
    def frames(self) -> list[Frame]:
        """All frames that were ever received, in order."""
        return self.connection.frames

    # ---- sending ----

    def send(
        self,
        type: str,
        *,
        room: str | None = None,
        payload: Any = None,
        msg_id: str | None = None,
        **keys: Any,
    ) -> str:
        """Send a command and return its `msgId`, a new one by default. `keys` are added to the frame."""
        msg_id = msg_id or new_id()
        frame = {"type": type, "msgId": msg_id, "room": room, "payload": payload, **keys}
        frame = {key: value for key, value in frame.items() if value is not None}
        if self.connection.witness is not None:
            self.connection.witness.sent(frame)
        self.send_raw(json.dumps(frame))
        return msg_id

    def send_raw(self, text: str | bytes) -> None:
        """Send a text frame with any content."""
        self.session.liveness.heard_at = time.monotonic()
        self.session.receive(text.encode() if isinstance(text, str) else text)

    async def request(self, type: str, **arguments: Any) -> Frame:
        """Send a command (with the arguments of `send`) and return its answer: the `ack`, `error` or `pong`."""
        return await self.reply(self.send(type, **arguments))

    async def reply(self, msg_id: str) -> Frame:
        """Return the answer to a command that was sent before."""
        return await self._take(lambda frame: frame.get("replyTo") == msg_id, f"the answer to {msg_id}")

    async def ack(self, type: str, **arguments: Any) -> Any:
        """Send a command and return the payload of its `ack`. Raises `AssertionError` if the answer is an `error`."""
        return await self._answer("ack", type, arguments)

    async def error(self, type: str, **arguments: Any) -> Any:
        """Send a command and return the payload of its `error`. Raises `AssertionError` if the answer is an `ack`."""
        return await self._answer("error", type, arguments)

    async def _answer(self, wanted: str, type: str, arguments: dict[str, Any]) -> Any:
        frame = await self.request(type, **arguments)
        if frame["type"] != wanted:
            raise AssertionError(f"{type} was answered by {frame}")
        return frame["payload"]

    # ---- receiving ----

    async def expect(self, type: str, **keys: Any) -> Frame:
        """Return the oldest frame of this type that was not returned yet, and that has these `keys` (room="general")."""
        wanted = {"type": type, **keys}
        return await self._take(lambda frame: wanted.items() <= _comparable(frame, wanted), str(wanted))

    def unread(self, type: str | None = None) -> list[Frame]:
        """The frames that were received but not returned yet, all or of one type."""
        left = [frame for index, frame in enumerate(self.frames) if index not in self._taken]
        return [frame for frame in left if type is None or frame["type"] == type]

    async def settle(self) -> None:
        """Wait until everything that the chat has for this client has arrived, so that `unread` is complete.

        It also waits for listeners that were already called, and for the events that they cause.
        """
        await self.request("ping")
        async with asyncio.timeout(WITHIN):
            await self._idle()
        await self.request("ping")

    async def closed(self) -> tuple[int, str]:
        """Wait until the chat closes the connection, and return its code and reason."""
        async with asyncio.timeout(WITHIN):
            while self.connection.closed is None:
                await self.connection.changed()
        return self.connection.closed

    def disconnect(self) -> None:
        """Drop the connection without a close frame."""
        self.connection.close(1006, "")
        self.session.disconnected()

    async def _take(self, matches: Callable[[Frame], bool], wanted: str) -> Frame:
        try:
            async with asyncio.timeout(WITHIN):
                while (index := self._find(matches)) is None:
                    if self.connection.closed is not None:
                        raise ConnectionClosed(*self.connection.closed, wanted)
                    await self.connection.changed()
        except TimeoutError:
            raise TimeoutError(f"no {wanted} within {WITHIN} s; unread: {self.unread()[-20:]}") from None
        self._taken.add(index)
        return self.frames[index]

    def _find(self, matches: Callable[[Frame], bool]) -> int | None:
        found = (i for i, frame in enumerate(self.frames) if i not in self._taken and matches(frame))
        return next(found, None)


def _comparable(frame: Frame, wanted: Frame) -> Any:
    # Payloads cannot be hashed, so only what is asked for is compared.
    return {key: frame[key] for key in wanted if key in frame}.items()


@asynccontextmanager
async def running_chat(
    rooms: ChatRooms | None = None,
    *,
    backends: Backends | None = None,
    meter: Meter = SILENT,
    **settings: Any,
) -> AsyncIterator[ChatRooms]:
    """A chat that runs in this event loop, without a server.

    Yields `rooms`, the app's instance, with its middleware, commands, listeners, routes and policy; its verbs work.
    Without `rooms`, it yields a new instance. `settings` override those of the instance (`guests=True`). `app.config`
    and the environment are not read. `backends` replace those of the settings, which are in memory by default. `meter`
    receives what the chat counts and measures (`RecordingMeter`).
    """
    rooms = rooms or ChatRooms("test")
    async with _running(rooms, backends, meter, settings):
        yield rooms


@asynccontextmanager
async def running_core(
    rooms: ChatRooms | None = None,
    *,
    backends: Backends | None = None,
    meter: Meter = SILENT,
    **settings: Any,
) -> AsyncIterator[Chat]:
    """Like `running_chat`, but yields the internal `Chat`, for tests of the package itself. Rates and the check for overload
    are off unless `settings` say otherwise: such tests say more at once than anybody could."""
    async with _running(rooms, backends, meter, {**WITHOUT_LIMITS, **settings}) as chat:
        yield chat


WITHOUT_LIMITS: dict[str, Any] = {"rate_limits": False, "overload_lag": "none"}


@asynccontextmanager
async def _running(
    rooms: ChatRooms | None, backends: Backends | None, meter: Meter, settings: Mapping[str, Any]
) -> AsyncIterator[Chat]:
    declaration = rooms.declared() if rooms is not None else Declaration("test")
    code = {**declaration.code, **settings}
    loaded = load(declaration.name, {}, {}, code, debug=False, instances=(declaration.name,))
    chat = Chat(declaration, loaded, backends=backends, chatrooms=rooms, meter=meter)
    try:
        await chat.start()
        if rooms is not None:
            rooms._alone = chat
        yield chat
    finally:
        if rooms is not None:
            rooms._alone = None
        await chat.stop()


async def chat_client(
    chat: ChatRooms | Chat,
    user: User | None = None,
    *,
    token: str | None = None,
    room: str | None = None,
    route: RouteDeclaration | str = "/ws",
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    cookies: Mapping[str, str] | None = None,
    witness: Witness | None = None,
) -> MemoryClient:
    """Connect to the chat as `user`, or without it as the user that the handshake identifies.

    The handshake has `token`, or `headers`, `cookies` and `query` with a token, as in production. Without any of these,
    the client is a guest, or has to send `auth` if the chat lets no guests in. `room` and `query` are parts of the
    address, `/ws/<room>?history=10`. `route` is the path of a route that was added with `add_route`. A `witness` (of a
    `Checker`) records all frames. Raises the error that refuses the handshake.
    """
    core = chat if isinstance(chat, Chat) else chat.running()
    declared = _declared(core, route) if isinstance(route, str) else route
    opened = core.route(declared)
    shown = {name.lower(): value for name, value in (headers or {}).items()}
    given = Handshake(declared.path, shown, query or {}, cookies or {}, "127.0.0.1", False)
    handshake = _with_token(given, opened, token)
    if user is None:
        user = await of_handshake(core.core, opened, handshake)
    connection = MemoryConnection(witness)
    session = core.commands.connect(connection, opened, handshake, room or declared.room)
    client = MemoryClient(session, connection, core.listeners.idle)
    if user is not None:
        try:
            await core.commands.introduce(session, user)
        except BaseException:
            session.disconnected()
            raise
    return client


def _declared(core: Chat, path: str) -> RouteDeclaration:
    found = next((route for route in core.declaration.routes if route.path == path), None)
    if found is None and path != "/ws":
        raise ValueError(f"there is no route {path!r}; write the path as add_route() got it")
    return found or RouteDeclaration("/ws")


def _with_token(handshake: Handshake, route: Route, token: str | None) -> Handshake:
    """The handshake with the token that it shows, as the door finds it (`web.handshake`)."""
    settings = route.settings
    scheme, _, bearer = handshake.headers.get("authorization", "").partition(" ")
    query = {key: value for key, value in handshake.query.items() if key != settings.token_query}
    found = (
        token
        or (bearer.strip() if scheme.lower() == "bearer" else None)
        or handshake.cookies.get(settings.token_cookie or "")
        or handshake.query.get(settings.token_query or "")
    )
    ticket = query.pop("ticket", None)
    return replace(handshake, query=query, credentials=Credentials(found or None, ticket=ticket))
