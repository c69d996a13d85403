"""Who a connection is: by its handshake, by `auth`, as a guest; refreshed, renamed, and greeted with `welcome`."""

import logging
import time
from typing import Any

import msgspec
from msgspec.structs import replace

from ..auth.asking import Asking, Unseen
from ..auth.guests import Guests
from ..errors import ChatError, Forbidden, RateLimited, TokenExpired, Unauthenticated
from ..hooks.listeners import Listeners
from ..live.presence import ANYWHERE, Occupancy
from ..models import Credentials, Handshake, Sender, User
from ..sessions.heartbeat import Heartbeat
from ..sessions.registry import Sessions, TooManyConnections
from ..sessions.route import Endpoint
from ..sessions.session import Session, State
from ..wire.codes import CloseCode
from ..wire.names import PROTOCOL

__all__ = ["AuthRequest", "Identity"]

logger = logging.getLogger("sanic_chatrooms.verbs.identity")

FEATURES = ["direct", "history", "presence", "recovery", "typing"]
"""What this server can do, as `welcome` says it."""
LONGEST_HEARTBEAT = 4
"""A client may ask for an interval up to this many times the configured one."""


BAD_PROOFS = 5
"""Proofs of identity in a row that may fail on one connection: each costs the authenticator some work. From then on …"""
PROOF_EVERY = 6.0
"""… only one in so many seconds is looked at, and …"""
MAX_BAD_PROOFS = 200
"""… after so many the connection is closed."""


class AuthRequest(msgspec.Struct):
    """The payload of `auth`. `heartbeat`: seconds between signs of life that the client would like."""

    token: str | None = None
    name: str | None = None
    heartbeat: float | None = None


class Identity:
    """The verbs for who somebody is."""

    def __init__(
        self,
        *,
        guests: Guests,
        sessions: Sessions,
        heartbeat: Heartbeat,
        occupancy: Occupancy,
        listeners: Listeners,
    ) -> None:
        self._asking = Asking()
        self._guests = guests
        self._sessions = sessions
        self._heartbeat = heartbeat
        self._occupancy = occupancy
        self._listeners = listeners

    # ---- who is it? ----

    async def of_handshake(self, endpoint: Endpoint, handshake: Handshake) -> User | None:
        """Who the request proves to be; None: they have to say it with `auth`.

        Raises `Unauthenticated`, also where no `auth` could change it, and what a `connect` listener refuses with.
        """
        credentials, user = handshake.credentials, None
        if credentials.token is None:
            user = await self.by_request(endpoint, handshake)
        if user is None and (credentials.token is not None or endpoint.guests is not None):
            user = await self._who(endpoint, credentials, handshake)
        if user is not None:
            await self._listeners.ask("connect", user=user)
        return user

    async def by_request(self, endpoint: Endpoint, handshake: Handshake) -> User | None:
        """Who a request is that shows no token: an authenticator of the host's may know them by a cookie or a header of its
        own. None: a guest, or they have to say it. Raises `Unauthenticated` where neither can be."""
        if endpoint.authenticator is None:
            return None
        nothing = Unseen()
        try:
            return await self._asking.ask(
                endpoint.authenticator, nothing, replace(handshake, credentials=nothing)
            )
        except Unauthenticated:
            if endpoint.guests is None and not nothing.looked:
                raise  # it asked for no token, so it would say the same to one
            return None

    async def _who(self, endpoint: Endpoint, credentials: Credentials, handshake: Handshake) -> User:
        token = credentials.token
        if endpoint.guests is not None and (token is None or Guests.is_guest_token(token)):
            return await self._asking.ask(endpoint.guests, credentials, handshake)
        if endpoint.authenticator is None:
            raise Unauthenticated("tokens are not accepted here")
        return await self._asking.ask(endpoint.authenticator, credentials, handshake)

    # ---- from nobody to somebody ----

    async def establish(self, session: Session, user: User) -> None:
        """The session is this user from now on. Raises `Unavailable`, `TooManyConnections`: it is who it was, then."""
        await self._sessions.identified(session, user)
        await self._become(session, user)

    async def _become(self, session: Session, user: User) -> None:
        session.user = user
        session.authenticated = True
        session.state = State.ACTIVE
        self._expect_end(session)
        await self._occupancy.entered(ANYWHERE, Sender(user.id, user.name))

    def greet(self, session: Session) -> None:
        """Send `welcome`, once per identity; from here on pushes reach the connection."""
        session.greeted = True
        user, settings = session.user, session.settings
        welcome: dict[str, Any] = {
            "sessionId": session.id,
            "user": _shown(user),
            "protocol": PROTOCOL,
            "heartbeat": _heartbeat(session),
            "limits": {
                "maxFrame": settings.max_frame,
                "maxText": settings.max_text,
                "maxRooms": settings.max_rooms_per_connection,
                "historyPage": settings.history_page,
            },
            "features": FEATURES,
        }
        if user.guest:
            welcome["guestToken"] = self._guests.token(user)
        elif user.expires_at is not None:
            welcome["expiresAt"] = user.expires_at
        session.send("welcome", welcome)
        self._listeners.fire("connected", user=user, session=session)

    # ---- the command ----

    async def auth(self, session: Session, endpoint: Endpoint, request: AuthRequest) -> dict[str, Any]:
        """Authenticate, refresh, name a guest, ask for another interval; -> the ack's payload."""
        if not session.authenticated or request.token is not None:
            await self._prove(session, endpoint, request)
        elif request.name is not None and session.user.guest:
            await self._call(session, self._guests.rename(session.user, request.name))
        if request.heartbeat is not None:
            _set_heartbeat(session, request.heartbeat)
            self._heartbeat.reconsider(session)
        answer: dict[str, Any] = {"user": _shown(session.user), "heartbeat": _heartbeat(session)}
        if session.user.guest:
            # It holds the name as well: who comes back with it is called the same.
            answer["guestToken"] = self._guests.token(session.user)
        elif session.user.expires_at is not None:
            answer["expiresAt"] = session.user.expires_at
        return answer

    async def _prove(self, session: Session, endpoint: Endpoint, request: AuthRequest) -> None:
        wait = session.proof_at - time.monotonic()
        if wait > 0:
            _penalise(session)
            raise RateLimited("too many proofs of identity have failed", retry_after=wait)
        try:
            await (self._again if session.authenticated else self._first)(session, endpoint, request)
        except (Unauthenticated, Forbidden):
            _penalise(session)
            raise
        session.bad_proofs = 0

    async def _first(self, session: Session, endpoint: Endpoint, request: AuthRequest) -> None:
        credentials = Credentials(request.token, request.name)
        try:
            user = await self._who(endpoint, credentials, session.handshake)
            await self._listeners.ask("connect", user=user)
            await self.establish(session, user)
        except ChatError as problem:
            session.refused = _close_code(problem, request.token)
            raise

    async def _again(self, session: Session, endpoint: Endpoint, request: AuthRequest) -> None:
        user = await self._who(endpoint, Credentials(request.token, request.name), session.handshake)
        if user.id == session.user.id:
            await self._call(session, user)
            self._expect_end(session)
            return
        if not session.anonymous:
            raise Forbidden("this token is another user's; open another connection for them")
        # A guest who showed nothing and did nothing yet says who they are after all.
        old = session.user
        await self._listeners.ask("connect", user=user)
        await self._sessions.identified(session, user)
        self._sessions.renamed(session, old.id)
        self._occupancy.exited(ANYWHERE, old.id, at_once=True)
        await self._become(session, user)
        session.anonymous = False
        session.greeted = False

    async def _call(self, session: Session, user: User) -> None:
        """The same user with a new proof of who they are, perhaps under another name."""
        old, session.user = session.user, user
        if user.name != old.name:
            await self._occupancy.renamed((ANYWHERE, *session.seats), Sender(user.id, user.name))

    def _expect_end(self, session: Session) -> None:
        session.warned = False
        if session.user.expires_at is not None:
            session.lifetime = session.user.expires_at - time.time()
        self._heartbeat.reconsider(session)


def _penalise(session: Session) -> None:
    session.bad_proofs += 1
    if session.bad_proofs >= BAD_PROOFS and session.proof_at <= time.monotonic():
        session.proof_at = time.monotonic() + PROOF_EVERY
    if session.bad_proofs >= MAX_BAD_PROOFS:
        session.refused = CloseCode.RATE_LIMIT


def _close_code(problem: ChatError, token: str | None) -> CloseCode | None:
    if isinstance(problem, TokenExpired):
        return CloseCode.TOKEN_EXPIRED
    if isinstance(problem, TooManyConnections):
        return CloseCode.CONNECTION_LIMIT
    if isinstance(problem, Unauthenticated):
        return CloseCode.INVALID_TOKEN if token is not None else None
    return CloseCode.DISCONNECTED if isinstance(problem, Forbidden) else None


def _shown(user: User) -> dict[str, Any]:
    return {"id": user.id, "name": user.name, "scopes": list(user.scopes)}


def _heartbeat(session: Session) -> dict[str, float]:
    return {"interval": session.interval, "timeout": session.timeout}


def _set_heartbeat(session: Session, wanted: float) -> None:
    settings = session.settings
    factor = min(max(wanted / settings.heartbeat_interval, 1.0), LONGEST_HEARTBEAT)
    session.interval = settings.heartbeat_interval * factor
    session.timeout = settings.heartbeat_timeout * factor
