"""What a client consists of, and how its parts hear of each other."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ChatError, InvalidField
from ..support.ids import new_id
from .calls import Call, Calls, seen
from .checks import is_durable, number_in, token_in
from .errors import ClientClosed, ConnectionLost
from .events import Event, Frame, Waiting
from .identity import Identity, TokenSource
from .link import Link
from .outbox import Outbox
from .rooms import Rooms

__all__ = ["Engine", "Stream"]

logger = logging.getLogger("sanic_chatrooms.client")

MAX_LOOPS = 1_000
"""Loops over all events that a client has at a time."""
TYPING = 3.0
"""Seconds between two times that a client says that somebody types; the server forgets it after 6."""


class Stream(Waiting):
    """The queue of a loop over everything. What does not fit is dropped, and that is said."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0

    def offer(self, event: Event, size: int) -> None:
        """Take the event, or count it."""
        if self.dropped or not self.put(event, size):
            self.dropped += 1

    def said(self) -> Event:
        """What says that events were dropped here."""
        dropped, self.dropped = self.dropped, 0
        return Event({"type": "gap", "payload": {"dropped": dropped}})


class Engine:
    """The parts of one client: link, calls, rooms, outbox."""

    def __init__(
        self,
        url: str,
        token: TokenSource,
        name: str | None,
        timeout: float,
        backoff: tuple[float, float],
        options: Mapping[str, Any],
    ) -> None:
        self.timeout = timeout
        self.backoff = backoff
        self.user: dict[str, Any] | None = None
        self.welcome: dict[str, Any] | None = None
        self.identity = Identity(token)
        self.link = Link(url, self.identity, self, backoff, options)
        self.calls = Calls(self.link)
        self.rooms = Rooms(self)
        self.outbox = Outbox(self)
        self.streams: set[Stream] = set()
        self.writers: dict[str, Callable[[object], None]] = {}
        """By message that this client writes: what tells its writer to stop, and who wants that."""
        self.typing_at: dict[str, float] = {}
        """By room: when it was last said that the user types there."""
        self.opening: asyncio.Future[dict[str, Any]] | None = None
        self.openers = 0
        """Calls of `connect` that wait for it."""
        self.refreshing: asyncio.Task[None] | None = None
        self._name = name
        self._server_clock = time.time() - time.monotonic()
        """The server's clock, less our monotonic one: the wall clock here may be wrong."""

    @property
    def online(self) -> bool:
        """Whether the server has welcomed this connection."""
        return self.link.online

    # ---- for the client ----

    def require_open(self) -> None:
        """Raises `ClientClosed`."""
        if self.link.state == "closed":
            raise ClientClosed

    def stream(self) -> "Stream":
        """A queue for everything that comes from now on."""
        self.require_open()
        if len(self.streams) >= MAX_LOOPS:
            raise InvalidField(f"there are {MAX_LOOPS} loops already", field="events")
        stream = Stream()
        self.streams.add(stream)
        return stream

    async def request(
        self,
        type: str,
        room: str | None,
        payload: Mapping[str, Any] | None,
        msg_id: str | None = None,
    ) -> dict[str, Any]:
        """Send a command once; -> the payload of its ack."""
        self.require_open()
        msg_id = msg_id or new_id()
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        call = self.calls.start(type, msg_id, room, payload, self.timeout, _settles(answer))
        try:
            return await answer
        finally:
            seen(answer)
            self.calls.forget(call)

    async def put(
        self,
        type: str,
        room: str | None,
        payload: dict[str, Any],
        *,
        msg_id: str,
        to: str | None = None,
        keep: bool = False,
    ) -> dict[str, Any]:
        """Send a command in its turn, and again until its outcome is known; -> the payload of its ack. See `Outbox.put`."""
        self.require_open()
        return await self.outbox.put(type, msg_id, room=room, to=to, payload=payload, keep=keep)

    async def rename(self, name: str) -> None:
        """Change the name of a guest, also after a reconnect."""
        self.identified(await self.request("auth", None, {"name": name}))
        self._name = name

    def may_tell_typing(self, room: str, active: bool) -> bool:
        """Whether it is to be said now that the user types, or has stopped."""
        known, now = self.rooms.get(room), time.monotonic()
        told = self.typing_at.pop(room, None)
        if not self.online or known is None or known.status != "in" or not active:
            return self.online and told is not None and not active
        recent = told is not None and now - told < TYPING
        self.typing_at[room] = told if recent and told is not None else now
        return not recent

    async def refresh(self) -> None:
        """Show a fresh token."""
        token = await self.identity.renew()
        if token is not None:
            self.identified(await self.request("auth", None, {"token": token}))

    # ---- for the link ----

    def welcomed(self, frame: Frame) -> None:
        """See `Listens`."""
        self.welcome = frame["payload"]
        limits = self.welcome.get("limits")
        limit = limits.get("maxFrame") if isinstance(limits, dict) else None
        self.calls.max_frame = limit if isinstance(limit, int) and limit > 0 else None
        self._name_a_guest(self.welcome)
        self.identified(self.welcome, frame)
        self.emit(Event(frame), 1000)
        self.rooms.rejoin()
        self.calls.flush()
        self.outbox.pump()
        if self.opening is not None and not self.opening.done():
            self.opening.set_result(self.welcome)

    def heard(self, frame: Frame, size: int) -> None:
        """See `Listens`."""
        type, reply_to = frame["type"], frame.get("replyTo")
        if type == "ack" and reply_to == "join":
            self.rooms.joined_by_path(frame["payload"])
        elif type in ("ack", "error", "pong"):
            if isinstance(reply_to, str):
                self.calls.answer(type, reply_to, frame["payload"])
        elif is_durable(frame):
            self.rooms.take(frame, size)
        else:
            self._obey(type, frame["payload"])
            self.emit(Event(frame), size)

    def _obey(self, type: str, payload: dict[str, Any]) -> None:
        if type == "reset":
            self.rooms.reset(payload)
        elif type == "room.added":
            self.rooms.added(payload)
        elif type == "room.removed":
            self.rooms.removed(payload)
        elif type == "message.cancelled":
            self._cancelled(payload)
        elif type == "closing":
            self.link.comes_back_in(payload.get("reconnectIn"))
        elif type == "auth.expiring" and self.identity.renewable and self.refreshing is None:
            self.refreshing = asyncio.ensure_future(self._refresh_or_say())

    def _cancelled(self, payload: dict[str, Any]) -> None:
        stop = self.writers.get(str(payload.get("msgId")))
        if stop is not None:
            stop(payload.get("by"))

    async def _refresh_or_say(self) -> None:
        try:
            await self.refresh()
        except ChatError as error:
            logger.warning(
                "the token could not be refreshed: %s", error
            )  # the connection ends when it expires
        except Exception:
            logger.exception("the function for the token failed")
        finally:
            self.refreshing = None

    def lost(self, code: int) -> None:
        """See `Listens`."""
        self.rooms.lost()
        self.outbox.lost(code)
        self.calls.abort(ConnectionLost)

    def changed(self, state: str) -> None:
        """See `Listens`."""
        self.emit(Event({"type": "state", "payload": {"state": state}}), 100)

    def closed(self, error: ChatError | None) -> None:
        """See `Listens`."""
        opening, self.opening = self.opening, None
        for id in self.rooms.ids():
            self.rooms.forget(id, error)
        self.calls.abort(ClientClosed, all=True)
        self.outbox.close(error)
        for waiting in self.streams:
            waiting.end(error)
        if opening is not None and not opening.done():
            opening.set_exception(error or ClientClosed())
            opening.exception()  # nobody may be waiting for it

    def identified(self, known: dict[str, Any], frame: Frame | None = None) -> None:
        """The server has told who we are, and for how long."""
        user, guest = known.get("user"), token_in(known.get("guestToken"))
        if isinstance(user, dict):
            self.user = user
        if guest is not None:
            self.identity.guest(guest)
        now, expires_at = number_in((frame or {}).get("timestamp")), number_in(known.get("expiresAt"))
        if now is not None:
            self._server_clock = now - time.monotonic()
        left = None
        if expires_at is not None:
            left = max(0.0, expires_at - self._server_clock - time.monotonic())
        self.identity.expires_in(left)

    def _name_a_guest(self, welcome: dict[str, Any]) -> None:
        """Before anything else, so that others never see a different name."""
        user = welcome.get("user")
        shown = user.get("name") if isinstance(user, dict) else None
        if self._name is None or "guestToken" not in welcome or shown == self._name:
            return

        def named(error: ChatError | None, ack: dict[str, Any]) -> None:
            if error is None:
                self.identified(ack)
            elif not error.temporary:
                logger.warning("the name %r was refused: %s", self._name, error)

        self.calls.start("auth", new_id(), None, {"name": self._name}, self.timeout, named)

    # ---- for rooms and outbox ----

    def ask(self, type: str, room: str, payload: object, done: Callable[..., None]) -> None:
        """Send a command of a room."""
        self.calls.start(type, new_id(), room, payload, self.timeout, done)

    def submit(
        self, type: str, msg_id: str, room: str | None, payload: object, done: Callable[..., None]
    ) -> Call:
        """Send a command of the outbox."""
        return self.calls.start(type, msg_id, room, payload, self.timeout, done)

    def withdraw(self, call: Call) -> None:
        """Nobody waits for this answer any more."""
        self.calls.forget(call)

    def is_out(self, room: str | None) -> bool:
        """A room that we want to be in, and are not in now."""
        known = self.rooms.get(room)
        return known is not None and known.status != "in"

    def emit(self, event: Event, size: int) -> None:
        """Pass an event to all loops over everything."""
        for waiting in self.streams:
            waiting.offer(event, size)

    def confirm(self, frame: Frame) -> None:
        """A durable event that may be our own."""
        sender = frame.get("sender")
        if isinstance(sender, dict) and self.user is not None and sender.get("id") == self.user.get("id"):
            self.outbox.confirm(frame)

    def pump(self) -> None:
        """A room was entered: send what waited for it."""
        self.outbox.pump()

    def leave_quietly(self, room: str) -> None:
        """Nothing needs this room any more: it was only joined for a loop."""
        self.rooms.forget(room, ClientClosed("the room was left"))
        if self.online:
            self.calls.start("exit", new_id(), room, None, self.timeout, lambda error, ack: None)


def _settles(answer: "asyncio.Future[dict[str, Any]]") -> Callable[[ChatError | None, dict[str, Any]], None]:
    def settle(error: ChatError | None, payload: dict[str, Any]) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(payload)

    return settle
