"""`GET /rooms/{room}/events` as server-sent events: a room from a position on, for as long as the reader may read it.

The stream is a connection like others, in limits and for revocations, the end of a token, and restarts. It reads the room as
`chat.follow` does, by a `Tail`: in order, without a gap, and never more than a page ahead of the client. Whatever may change
what the reader may do is an event of the room, so the reader is judged again at just these. Live events come beside it.
"""

import asyncio
import time
from contextlib import suppress
from typing import Any

import msgspec
from sanic import Request

from ...access.access import judge
from ...access.actions import action
from ...access.limits.addresses import network_of
from ...access.visibility import Seen, seen_by
from ...chat import Chat
from ...errors import ChatError, PositionLost, RoomNotFound, Unavailable
from ...follows.tail import Tail
from ...models import Event
from ...sessions.seats import Seat
from ...sessions.session import Session
from ...support.backoff import Backoff
from ...support.positions import Position, read_position
from ...verbs.acting import Acting
from ...verbs.identity import establish
from ...verbs.log import LOG, LogPage
from ...wire.encode import EMPTY, live_event
from ...wire.events import Reset, RoomRemoved
from ..handshake import Admission, check_limits, check_room_for_one_more
from ..mounted import Mounted
from .live import LiveEvents
from .requester import Requester
from .stream import EventStream, TooSlow, durable, live

__all__ = ["serve_events", "wants_stream"]

RETRY_FIRST, RETRY_LONGEST = 0.1, 2.0
"""Seconds between attempts to read a store that does not answer."""
_ENDS = ("member.banned", "member.kicked")
"""Events after which their user gets nothing more."""
_UPDATED, _ABOUT_USERS = "room.updated", "member."


def wants_stream(request: Request) -> bool:
    """Whether a client asks for server-sent events."""
    return "text/event-stream" in request.headers.get("accept", "")


def _since_of(request: Request) -> Position | None:
    """Where the client wants to go on; None: from now on. Raises `InvalidField`."""
    given = request.headers.get("last-event-id") or request.args.get("since")
    return None if given is None else read_position(given)


async def serve_events(
    request: Request, mounted: Mounted, chat: Chat, requester: Requester, acting: Acting, room: str
) -> None:
    """Answer with the events of a room. Raises what refuses it, before anything is sent."""
    route, ip = mounted.routes["/ws"], network_of(requester.handshake.remote_ip)
    check_room_for_one_more(chat, route, mounted.by_ip[ip], 0)
    since = _since_of(request)
    head: LogPage = await chat.commands.request(acting, acting.command(LOG.type, EMPTY, room=room), LOG)
    connection = EventStream(request, route.settings.heartbeat_timeout)
    session = chat.commands.connect(connection, route, requester.handshake, None)
    mounted.opened(ip)
    try:
        admission = Admission(route, requester.handshake, requester.user, requester.heard)
        check_limits(chat, admission, mounted.by_ip[ip])
        await establish(chat.core, session, requester.user, heard=requester.heard)
        session.who.greeted = True  # what is pushed to the user comes here, too
        chat.listeners.fire("connected", user=requester.user, session=session)
        reader = _Reader(chat, acting, session, connection, room)
        await reader.read(since, Position(head.epoch, head.seq), _interval(request, session))
    except TooSlow:
        pass
    finally:
        session.disconnected()
        mounted.closed(ip)


def _interval(request: Request, session: Session) -> float:
    """Seconds between two comments. Sanic ends an answer to which nothing was added for `RESPONSE_TIMEOUT`."""
    return min(session.liveness.interval, request.app.config.RESPONSE_TIMEOUT / 2)


class _Reader:
    """Reads the room for one stream."""

    def __init__(
        self, chat: Chat, acting: Acting, session: Session, connection: EventStream, room: str
    ) -> None:
        self._chat = chat
        self._acting = acting
        self._session = session
        self._stream = connection
        self._room = room
        self._tail = Tail(chat.hub, chat.store, room, lambda _: connection.woken.set())
        self._live = LiveEvents(chat.hub, room, connection.woken.set)
        self._backoff = Backoff(RETRY_FIRST, RETRY_LONGEST)
        self._seat: Seat
        self._seen: Seen
        self._ended = False

    async def read(self, since: Position | None, head: Position, interval: float) -> None:
        """Write events until the end. `head`: where the room stood when the reader was judged. Raises `TooSlow`."""
        try:
            # Judged after the position is known: what takes the right away is an event after it, or was seen here.
            await self._tail.begin(since or head)
            await self._judge()
            await self._stream.begin()
            await self._follow(interval)
            await self._stream.end()
        finally:
            self._tail.leave()
            self._live.leave()

    async def _follow(self, interval: float) -> None:
        answer, due = self._stream, time.monotonic() + interval
        while not self._is_over():
            answer.woken.clear()
            await self._live.enter()
            # Taken first: whatever came before a live event is read now. So none is told after the end of the stream.
            live_events = self._live.take()
            events = await self._next()
            for event in events:
                if not self._is_over():
                    await self._tell(event)
                    self._session.liveness.heard_at = time.monotonic()
            if live_events and not self._is_over() and not self._tail.behind:
                await answer.write_now(live_events)
            await answer.write_replies()
            self._session.liveness.heard_at = time.monotonic()
            if events:  # neither a store in memory nor a socket that takes everything lets others go on between two pages
                await asyncio.sleep(0)
            if time.monotonic() >= due:
                await answer.comment()
                due += interval
            elif not events and not self._is_over():
                await self._wait(due - time.monotonic())

    def _is_over(self) -> bool:
        return self._ended or self._stream.closed

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stream.woken.wait()

    async def _next(self) -> list[Event]:
        try:
            events = list(await self._tail.read())
            events = await self._chat.core.past.present(self._room, events)
        except Unavailable:
            await self._try_later()
            return []
        except PositionLost:
            await self._reset()
            return []
        except RoomNotFound:
            await self._deleted()
            return []
        self._backoff.succeeded()
        return events

    async def _try_later(self) -> None:
        self._stream.woken.clear()
        await self._wait(self._backoff.failed())
        self._stream.woken.set()

    async def _tell(self, event: Event) -> None:
        tail, seq = self._tail, event.seq or 0
        tail.position = Position(tail.position.epoch, seq)
        if seq > self._seat.room.seq or seq in self._seen:
            await self._stream.write_now(durable(event, tail.position.epoch))
        if event.type != _UPDATED and not event.type.startswith(_ABOUT_USERS):
            return
        mine = event.type != _UPDATED and _whom(event) == self._acting.user.id
        if mine or event.type == _UPDATED:
            await self._judge_again()
        if mine and event.type in _ENDS and not self._is_member_since(seq):
            self._ended = True

    def _is_member_since(self, seq: int) -> bool:
        joined = self._seat.standing.joined_seq
        return joined is not None and joined > seq

    # ---- what the reader may ----

    async def _judge(self) -> None:
        room, standing = await self._chat.access.find(self._acting.user, self._room)
        await judge(self._acting, action(LOG.type), room, standing)
        self._seat, self._seen = Seat(room, standing), seen_by(room, standing)

    async def _judge_again(self) -> None:
        """At an event. The stream ends if the reader may not read any more, and if that is not known now."""
        try:
            await self._judge()
        except ChatError:
            self._ended = True

    # ---- what ends a stream, or begins it anew ----

    async def _reset(self) -> None:
        """Begin at the room's head. The client has missed events, and reads the room's history."""
        try:
            await self._tail.begin(None)
        except RoomNotFound:
            await self._deleted()
            return
        except Unavailable:
            await self._try_later()
            return
        await self._judge_again()
        if not self._ended:
            epoch, seq = self._tail.position
            told = Reset(self._room, epoch, seq, "position lost", 0.0)
            await self._stream.write_now(live(live_event(told, room=self._room)))

    async def _deleted(self) -> None:
        self._ended = True
        told = RoomRemoved(self._room, "deleted")
        await self._stream.write_now(live(live_event(told, room=self._room)))


class _Of(msgspec.Struct):
    id: str


class _About(msgspec.Struct):
    user: _Of | None = None


_about = msgspec.json.Decoder(_About)


def _whom(event: Event) -> str | None:
    try:
        about: Any = _about.decode(event.payload).user
    except msgspec.DecodeError:
        return None
    return None if about is None else about.id
