"""`ChatClient`: a client of a chat for asyncio, by the same rules as the one in browsers."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from ..errors import InvalidField
from ..support.positions import Since, read_since, write
from ..support.tasks import end
from .calls import seen
from .engine import Engine
from .errors import ClientClosed
from .events import Event, Waiting
from .identity import TokenSource
from .reading import Reading
from .room import Follower
from .saying import Saying
from .verbs import given

__all__ = ["ChatClient"]


class ChatClient(Saying, Reading):
    """A client of a chat, for asyncio. It reconnects, recovers what it missed, and sends everything once.

        async with ChatClient("wss://example.com/chat/ws", token=token) as client:
            await client.join("general")
            await client.send("general", "hello")
            async for event in client.follow("general"):
                print(event["payload"])

    `token` is text, or a function (plain or async) that fetches a fresh one whenever it is needed. Without a token the client is
    a guest, called `name` if that is given. `timeout`: seconds until a command without an answer raises `NoAnswer`. `backoff`: the
    wait before the n-th attempt to connect is random between 0 and min(longest, first · 2ⁿ) seconds. Other keywords are those of
    `websockets.connect`, such as `ssl`, `proxy` or `additional_headers`. Raises `ValueError` if `url` is no address.
    """

    def __init__(
        self,
        url: str,
        *,
        token: TokenSource = None,
        name: str | None = None,
        timeout: float = 10.0,
        backoff: tuple[float, float] = (1.0, 30.0),
        **options: Any,
    ) -> None:
        self._engine = Engine(_address(url), token, name, timeout, backoff, options)

    def __repr__(self) -> str:
        return f"<ChatClient {self.state}>"

    # ---- the connection ----

    @property
    def state(self) -> str:
        """`connecting`, `online`, `reconnecting` or `closed`."""
        return self._engine.link.state

    @property
    def user(self) -> dict[str, Any] | None:
        """The user of this connection: {"id", "name", …}. None before the first welcome."""
        return self._engine.user

    @property
    def welcome(self) -> dict[str, Any] | None:
        """The payload of the last welcome. None before the first."""
        return self._engine.welcome

    @property
    def joined_rooms(self) -> list[str]:
        """The rooms that the client is in, or joins as soon as it is online."""
        return self._engine.rooms.ids()

    async def __aenter__(self) -> "ChatClient":
        await self.connect()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def is_joined(self, room: str) -> bool:
        """Whether this connection is in the room now."""
        known = self._engine.rooms.get(room)
        return known is not None and known.status == "in"

    async def connect(self) -> dict[str, Any]:
        """Connect; -> the payload of the welcome. It tries for ever, unless the server says that there is no use.

        Then it raises what the server has said, such as `Unauthenticated`, `Banned`, or `ClientClosed` with `closeCode` in its `fields`.
        """
        engine = self._engine
        opening = engine.opening
        if opening is None:
            opening = engine.opening = asyncio.get_running_loop().create_future()
            engine.openers = 0
            engine.link.open()
        engine.openers += 1
        try:
            await asyncio.wait([opening])  # unlike `await`, this leaves it alone if the caller is cancelled
            return opening.result()
        finally:
            if engine.opening is opening:
                engine.openers -= 1
                if not opening.done() and not engine.openers:
                    await self.close()

    async def close(self) -> None:
        """Close the connection. Loops over events end, and commands that wait raise `ClientClosed`. Calling it again does nothing."""
        if self._engine.refreshing is not None:
            await end(self._engine.refreshing)
        await self._engine.link.close()

    async def set_token(self, token: TokenSource) -> None:
        """Use another token of the same user, at once. Raises the server's error if it is refused."""
        self._engine.identity.use(token)
        if self._engine.online:
            await self._engine.refresh()

    async def rename(self, name: str) -> dict[str, Any]:
        """Change a guest's name, and keep it after a reconnect; -> the user. Raises the server's error if it is refused."""
        await self._engine.rename(name)
        return self._engine.user or {}

    # ---- events ----

    async def events(self) -> AsyncGenerator[Event, None]:
        """Loop over everything that the server sends from now on, and what the client has to say itself, until it is closed.

        Events are dicts as on the wire. Durable ones come once and in the order of each room. Those of the client have `type`,
        `room` and `payload`: `joined` (after each join: if `recovered` is false, `messages` replace what you have), `gap` (events
        may be missing), `removed` (the client is not in the room any more), `state`. If the code is so slow that 1,000 events
        wait, further ones are dropped, and a `gap` without a room says so. Raises what ended the connection for good.
        """
        waiting = self._engine.stream()
        try:
            while True:
                await waiting.news()
                while (event := waiting.take()) is not None:
                    yield event
                if waiting.dropped:
                    yield waiting.said()
                elif waiting.ended:
                    return
        finally:
            self._engine.streams.discard(waiting)

    async def follow(
        self, room: str, *, since: Since | None = None, types: Collection[str] | None = None
    ) -> AsyncGenerator[Event, None]:
        """Loop over the durable events of a room: in order, without a gap, until the client is closed. Joins the room if need be.

        `since` is what `position` gave, or (epoch, seq). Without it, the loop begins with what comes. `types` leaves out events
        of other types. Slow code misses nothing as long as the server can tell what it missed. Raises `PositionLost` if not (of
        the head, which it has, one can go on), and what the server answers if the room may not be joined any more.
        """
        places = {} if since is None else read_since(since, [room])
        wanted = None if types is None else frozenset(types)
        self._engine.require_open()
        follower = Follower(room, places.get(room), Waiting())
        self._engine.rooms.follow(follower)
        waiting = follower.waiting
        try:
            while True:
                await waiting.news()
                while (event := waiting.take()) is not None:
                    if wanted is None or event["type"] in wanted:
                        yield event
                if waiting.ended:
                    return
                if follower.full:
                    self._engine.rooms.catch_up(follower)
        finally:
            if self._engine.rooms.unfollow(follower):
                self._engine.leave_quietly(room)

    def position(self, event: Event) -> str:
        """What `since` of `follow` takes to go on after this event. Raises `InvalidField` for a live event."""
        place = getattr(event, "position", None)
        if place is None:
            raise InvalidField("must be a durable event of this client", field="event")
        return write({event["room"]: place})

    # ---- rooms ----

    async def join(self, room: str, *, history: int | None = None) -> dict[str, Any]:
        """Join a room, and again after every reconnect; -> the ack, with the newest page of messages.

        After `NoAnswer` or another temporary error, the client goes on trying. Raises the server's error.
        """
        self._engine.require_open()
        ack = self._engine.rooms.join(room, history)
        try:
            return await ack
        finally:
            seen(ack)

    async def exit(self, room: str) -> None:
        """Stop receiving the room on this connection."""
        self._engine.rooms.forget(room, ClientClosed("the room was left"))
        if self._engine.online:
            await self.request("exit", room=room)

    async def leave(self, room: str) -> None:
        """End the membership, on all connections of the user."""
        await self.request("leave", room=room)
        self._engine.rooms.forget(room, ClientClosed("the room was left"))

    async def create_room(
        self,
        room: str | None = None,
        *,
        title: str | None = None,
        visibility: str | None = None,
        attributes: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        """Create a room; -> {"room", "duplicate"}. Without an id the server chooses one. It is repeated for up to 30 seconds while its
        outcome is not known, and one room is created."""
        payload = given(title=title, visibility=visibility, attributes=attributes, **more)
        return await self._put("room.create", room=room, payload=payload)


def _address(url: str) -> str:
    """The address of a socket; http and https stand for ws and wss. Raises `ValueError`."""
    parts = urlsplit(url)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    if scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError(f"{url!r} is no address of a socket, such as wss://example.com/chat/ws")
    return parts._replace(scheme=scheme, fragment="").geturl()
