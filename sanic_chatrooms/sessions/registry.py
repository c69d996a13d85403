"""Keeps this worker's connections, by session and by user, and handles the users' inboxes.

For each user with a connection here, this worker holds the user's inbox, a reserved room, unless it is alone.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator

from ..access.actions import Right
from ..errors import ChatError, RateLimited, RoomNotFound, Unavailable
from ..hub.hub import Hub
from ..hub.room import Codec
from ..models import EVERYONE, Envelope, Head, User, user_room
from ..observe.ids import ids
from ..stores.base import Store
from ..support.backoff import jittered
from ..support.tasks import end
from ..wire.codes import CloseCode
from ..wire.events import RoomRemoved
from .inbox import (
    ADMINS,
    Close,
    Enter,
    Forgotten,
    Reconfigured,
    Refuse,
    Remove,
    StandingChanged,
    decode_inbox,
    decode_push,
    decode_push_to_admins,
    reserved_room,
)
from .revocations import Revocations, concerns, refusal
from .session import Session

__all__ = ["Sessions", "TooManyConnections"]

logger = logging.getLogger("sanic_chatrooms.sessions.registry")

WATCH_TRIES = 3
"""Attempts to create a missing inbox, which another worker may delete at the same time."""
MAX_UNKNOWN = 2_000
"""Connections that have not signed in yet. Above it, the oldest one is closed: real clients sign in at once."""
ATONCE = 100
"""Connections whose tokens are checked at a time after revocations were missed."""
AGAIN = 1.0
"""Most seconds between attempts to hold the common inbox again; full jitter."""

EnterRoom = Callable[[Session, Enter], Awaitable[None]]


class TooManyConnections(RateLimited):
    """The user has reached the limit of connections."""

    close_code = CloseCode.CONNECTION_LIMIT


class Sessions:
    """The connections of this worker. `alone`: there is no other worker, so that nobody needs an inbox."""

    def __init__(self, hub: Hub, store: Store, revocations: Revocations, *, alone: bool = False) -> None:
        self._alone = alone
        self._hub = hub
        self._store = store
        self._revocations = revocations
        self._all: dict[str, Session] = {}
        self._unknown: dict[str, Session] = {}
        self._by_room: dict[str, dict[str, Session]] = {}
        self._enter: EnterRoom | None = None
        self.reconfigured: Callable[[], None] = lambda: None
        """Called when settings have changed, or may have."""
        self.standing_changed: Callable[[str], None] = lambda room: None
        """Called with a room in which the standing of a user who is connected here may have changed without an event."""
        hub.handle(ADMINS, self.tell_admins)
        if alone:
            hub.unheld = self._on_unheld
        self._entering: dict[str, set[tuple[str, str]]] = {}
        """By session: rooms, with their epochs, that it waits to be put into."""
        self._watching: set[asyncio.Task[None]] = set()
        self._missed = self._catching_up = False
        """Revocations and bans were missed; a task checks every connection for that."""

    async def start(self, enter: EnterRoom) -> None:
        """Hold the inbox of everybody. `enter` puts a session into a room for a message `Enter`."""
        self._enter = enter
        await self._watch(EVERYONE)

    async def stop(self) -> None:
        """End the tasks that watch inboxes."""
        await end(*self._watching)

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._all.values()))

    def of(self, user_id: str) -> list[Session]:
        """The user's connections here."""
        return list(self._by_room.get(user_room(user_id), {}).values())

    # ---- coming and going ----

    def connected(self, session: Session) -> None:
        """Add a connection. Its user may be unknown yet."""
        self._all[session.id] = session

    def unknown(self, session: Session) -> None:
        """The connection has to sign in within `auth_timeout`."""
        self._unknown[session.id] = session
        if len(self._unknown) > MAX_UNKNOWN:
            next(iter(self._unknown.values())).close(CloseCode.OVERLOADED)

    async def identified(self, session: Session, user: User, *, heard: int | None = None) -> None:
        """Connect the session to the inbox of this user. The caller then makes the user that of the session, without waiting.

        `heard`: what `Revocations.heard` was before the user's token was checked; None: it is checked here. Raises `Revoked`,
        `BannedFromServer`, `Unavailable`, `TooManyConnections`.
        """
        room = user_room(user.id)
        mine = self._by_room.setdefault(room, {})
        limit = session.settings.max_connections_per_user
        if limit is not None and len(mine) >= limit:
            raise TooManyConnections(retry_after=60.0)
        mine[session.id] = session
        try:
            if not self._alone:
                await self._watch(room, new=user.guest and session.handshake.credentials.token is None)
            if heard != self._revocations.heard:
                await self._revocations.check(user)
            if session.closed:
                raise Unavailable
        except BaseException:
            self._drop(room, session)
            raise
        self._unknown.pop(session.id, None)

    def renamed(self, session: Session, old_id: str) -> None:
        """The connection has another user now."""
        self._drop(user_room(old_id), session)

    def gone(self, session: Session) -> None:
        """The connection is closed."""
        self._all.pop(session.id, None)
        self._unknown.pop(session.id, None)
        self._entering.pop(session.id, None)
        if session.user.id:
            self._drop(user_room(session.user.id), session)

    def _drop(self, room: str, session: Session) -> None:
        mine = self._by_room.get(room, {})
        mine.pop(session.id, None)
        if not mine:
            self._by_room.pop(room, None)
            self._hub.unwatch(room)

    async def forget(self, room: str) -> None:
        """Delete the inbox of a user who is connected to no worker.

        If the user reconnects at this moment, a worker holds an inbox that is gone. The next message creates it again
        (`Inbox.send`), which that worker notices.
        """
        if (
            not self._alone
            and room not in self._by_room
            and await self._hub.release_room(room)
            and room not in self._by_room
        ):
            await self._store.delete_room(room)

    async def _watch(self, room: str, *, new: bool = False) -> Head:
        """`new`: the room is probably not there yet."""
        for _ in range(WATCH_TRIES):
            if new:
                await self._store.create_room(reserved_room(room))
            try:
                return await self._hub.watch(room, self)
            except RoomNotFound:
                new = True
        raise Unavailable

    def on_deleted(self, room: str) -> None:
        """For the hub: the inbox was deleted, and no message in it was lost so far. Either a worker believed that the user was
        gone, or the store has lost everything."""
        self._in_background(self._watch_everyone() if room == EVERYONE else self._watch_again(room))

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _watch_again(self, room: str) -> None:
        try:
            missed = room in self._by_room and (await self._watch(room)).seq > 0
        except Unavailable:
            missed = True
        except Exception:
            logger.exception("room %s could not be watched again", room, extra=ids(room=room))
            missed = True
        if missed:
            self.on_gap(room)
        if room not in self._by_room:
            self._hub.unwatch(room)

    async def _watch_everyone(self) -> None:
        # No new connection would hold this one again, so try until it succeeds.
        while True:
            try:
                await self._watch(EVERYONE)
                return
            except Unavailable:
                pass
            except Exception:
                logger.exception("the room of all connections could not be watched again; it is tried again")
            await asyncio.sleep(jittered(AGAIN, 0.0, 1.0))

    async def _catch_up(self) -> None:
        """Revocations and bans were missed: check every connection."""
        waiting: dict[Session, None] = {}
        try:
            await self._watch_everyone()
            while waiting or self._missed:
                if self._missed:  # perhaps once more since: first those whose turn it is
                    self._missed = False
                    waiting |= {session: None for session in self if session.authenticated}
                await self._check_some(waiting)
        finally:
            self._catching_up = False

    async def _check_some(self, waiting: dict[Session, None]) -> None:
        checked = list(waiting)[:ATONCE]
        for session in checked:
            del waiting[session]
        sure = await asyncio.gather(*(self._check(session) for session in checked))
        waiting |= {session: None for session, done in zip(checked, sure, strict=True) if not done}
        if not all(sure):
            await asyncio.sleep(jittered(AGAIN, 0.0, 1.0))

    async def _check(self, session: Session) -> bool:
        """Whether the store has answered."""
        user = session.user
        try:
            await self._revocations.check(user)
        except Unavailable:
            return session.closed
        except ChatError as problem:
            if session.user is user:  # else it has shown another token, which was checked
                session.refuse(problem)
        except Exception:
            logger.exception(
                "the token of user %s could not be checked again", user.id, extra=ids(user=user.id)
            )
            session.close(CloseCode.SERVER_ERROR)
        return True

    # ---- inbox messages and pushes ----

    def on_event(self, envelope: Envelope) -> None:
        """For the hub: the next message or push."""
        here = self._all if envelope.room == EVERYONE else self._by_room.get(envelope.room, {})
        try:
            if envelope.seq == 0:
                self._push(here, envelope.data)
            else:
                self._handle(list(here.values()), envelope)
        except Exception:
            logger.exception("a message of an inbox could not be handled")

    def _on_unheld(self, envelope: Envelope) -> None:
        if envelope.room in self._by_room:
            self.on_event(envelope)

    def _push(self, here: dict[str, Session], data: bytes) -> None:
        push = decode_push(data)
        event, encoded = bytes(push.event), dict[Codec, bytes]()
        for session in list(here.values()):
            # A confined connection may be a public screen, so it does not get pushes to its user.
            private = here is not self._all and session.route.confined
            meant = push.session == session.id or (push.session is None and push.unless != session.id)
            if (
                session.who.greeted
                and meant
                and _reaches(session, push.room, push.right)
                and (push.session is not None or not private)
            ):
                if session.codec not in encoded:
                    encoded[session.codec] = session.codec.reply(event)
                session.answer_raw(encoded[session.codec])

    def tell_admins(self, envelope: Envelope) -> None:
        """For the hub: a live event for those whose token has the scope `chat:admin`. Raises `msgspec.DecodeError`."""
        push = decode_push_to_admins(envelope.data)
        event = bytes(push.event)
        for session in self:
            scopes = session.scopes
            told = session.who.greeted and not session.route.confined and session.user.id != push.unless
            if told and scopes is not None and scopes.admin:
                session.answer_raw(session.codec.reply(event))

    def _handle(self, here: list[Session], envelope: Envelope) -> None:
        message = decode_inbox(envelope.data)
        if isinstance(message, Close):
            self._close(here, message)
        elif isinstance(message, Remove):
            self._remove(here, message)
        elif isinstance(message, StandingChanged):
            _judge_again(here, message.room)
            self.standing_changed(message.room)
        elif isinstance(message, Enter):
            self._put(here, message)
        elif isinstance(message, Refuse):
            self._refuse(message)
        elif isinstance(message, Reconfigured):
            self.reconfigured()
        elif not isinstance(message, Forgotten):
            logger.warning(
                "a message of a newer worker in room %s is ignored",
                envelope.room,
                extra=ids(room=envelope.room),
            )

    def _refuse(self, message: Refuse) -> None:
        self._revocations.hear(message)
        problem, user = refusal(message), message.user
        alone = message.jti is None and message.sid is None
        for session in self.of(user) if alone and user is not None else self:
            if concerns(message, session.user):
                session.refuse(problem)

    def _close(self, here: list[Session], message: Close) -> None:
        for session in here:
            if message.session in (None, session.id):
                session.close(message.code, message.reason)

    def _remove(self, here: list[Session], message: Remove) -> None:
        held = self._hub.room(message.room)
        for session in here:
            if held is not None and session.id != message.silent and session in held:
                self._hub.evict(session, held, RoomRemoved(message.room, message.reason))

    def _put(self, here: list[Session], message: Enter) -> None:
        # A connection that does not read gets no turn, while others may send it a thousand messages.
        place = (message.room, message.epoch)
        for session in here:
            if message.room in session.seats or (session.bound and message.room != session.room):
                continue
            entering = self._entering.setdefault(session.id, set())
            if place not in entering:
                entering.add(place)
                session.queue.do(lambda session=session: self._enter_in_turn(session, message))  # type: ignore[misc]

    async def _enter_in_turn(self, session: Session, message: Enter) -> None:
        entering = self._entering.get(session.id)
        if entering is not None:
            entering.discard((message.room, message.epoch))
            if not entering:
                del self._entering[session.id]
        if self._enter is not None:
            await self._enter(session, message)

    def on_gap(self, room: str) -> None:
        """For the hub: messages are lost for good. Close the connections, whose state is unknown now."""
        if room == EVERYONE:
            self._revocations.missed()
            self.reconfigured()
            self._missed = True
            if not self._catching_up:
                self._catching_up = True
                self._in_background(self._catch_up())
            return
        for session in list(self._by_room.get(room, {}).values()):
            session.close(CloseCode.POSITION_LOST)


def _reaches(session: Session, room: str | None, right: Right) -> bool:
    """Whether the connection's token allows this in the room; None: it is about no room."""
    return room is None or session.scopes is None or session.scopes.allow(right, room)


def _judge_again(sessions: list[Session], room: str) -> None:
    for session in sessions:
        session.seats.changed(room)
