"""Identifies the user of a connection: by the handshake, by `auth`, or as a guest. Sends `welcome`."""

import asyncio
import logging
import time
from functools import cache, partial

import msgspec
from msgspec.structs import replace

from ..access.limits.kinds import Kind
from ..access.limits.limits import PATIENCE
from ..auth.asking import NOT_ACCEPTED, TICKET_NOT_ACCEPTED, Unseen
from ..auth.guests import Guests
from ..auth.jwt import JWTAuth
from ..config.settings import Settings
from ..errors import ChatError, Forbidden, RateLimited, TokenExpired, Unauthenticated
from ..live.presence import ANYWHERE
from ..models import Credentials, Handshake, Sender, User
from ..sessions.registry import TooManyConnections
from ..sessions.route import Route
from ..sessions.session import Session
from ..wire.codes import CloseCode
from ..wire.events import Heartbeat, Limits, Myself, StreamLimits, Welcome
from ..wire.names import PROTOCOL
from .context import Ctx
from .core import Core
from .stream_limits import PER_ROOM, PER_USER
from .table import Judged, Needs, command, features
from .words import spoken

__all__ = ["AuthRequest", "by_request", "establish", "greet", "of_handshake", "of_request", "welcome_to"]

logger = logging.getLogger("sanic_chatrooms.verbs.identity")

LONGEST_HEARTBEAT = 4
"""A client may ask for an interval up to this many times the configured one."""


BAD_PROOFS = 5
"""After so many failed proofs in a row on one connection, …"""
PROOF_EVERY = 6.0
"""… only one in so many seconds is checked, and …"""
MAX_BAD_PROOFS = 200
"""… after so many the connection is closed."""


class AuthRequest(msgspec.Struct):
    """The payload of `auth`. `heartbeat`: the interval that the client asks for, in seconds."""

    token: str | None = None
    name: str | None = None
    heartbeat: float | None = None


class Identified(msgspec.Struct, rename="camel", omit_defaults=True):
    """The ack of `auth`."""

    user: Myself
    heartbeat: Heartbeat
    expires_at: float | None = None
    guest_token: str | None = None


# ---- who is it? ----


async def of_handshake(core: Core, route: Route, handshake: Handshake) -> User | None:
    """The user whom the request identifies; None: the client has to send `auth`.

    Raises `Unauthenticated`, also if no `auth` could help, `RateLimited` if too many come back after floods, `BannedFromServer`,
    and the refusal of a `connect` listener.
    """
    credentials, user = handshake.credentials, None
    shown = credentials.token is not None or credentials.ticket is not None
    if not shown:
        user = await by_request(core, route, handshake)
    if user is None and (shown or route.guests is not None):
        user = await _who(core, route, credentials, handshake)
    known = user.id if user is not None and (shown or not user.guest) else None
    # Those who come back after floods come in one after the other.
    if wait := core.limits.arrive(handshake.remote_ip, known, min(PATIENCE, route.settings.auth_timeout / 2)):
        await asyncio.sleep(wait)
    if user is not None:
        await core.revocations.check(user)
        await core.listeners.ask("connect", user=user)
    return user


async def by_request(core: Core, route: Route, handshake: Handshake) -> User | None:
    """The user of a request without a token: an authenticator of the app may read its own cookie or header. None: a guest, or
    the client has to send `auth`. Raises `Unauthenticated` if both are impossible."""
    if route.authenticator is None:
        return None
    nothing = Unseen()
    try:
        return await core.asking.ask(route.authenticator, nothing, replace(handshake, credentials=nothing))
    except Unauthenticated:
        if route.guests is None and not nothing.looked:
            raise  # it did not ask for a token, so a token would change nothing
        return None


async def of_request(core: Core, route: Route, handshake: Handshake) -> User:
    """The user whom a request names that is not about a connection. Nobody becomes a guest by it, and tickets are for
    connections. Raises `Unauthenticated`, `BannedFromServer`."""
    credentials = handshake.credentials
    if credentials.token is not None:
        user = await _who(core, route, replace(credentials, ticket=None), handshake)
    elif route.authenticator is not None:
        user = await core.asking.ask(route.authenticator, Credentials(), handshake)
    else:
        raise Unauthenticated
    await core.revocations.check(user)
    return user


async def _who(
    core: Core, route: Route, credentials: Credentials, handshake: Handshake, *, known: bool = False
) -> User:
    """The user whom a token, or a guest, is. Raises `RateLimited` for a wrong token if too many from this address were wrong, and then
    also for one that is not known here, if it takes long to judge it.

    `known`: a user who has signed in refreshes; the connection has a limit of its own, and neighbours with the same address
    do not keep them from it.
    """
    if credentials.token is None:
        return await _ask(core, route, credentials, handshake)
    token, address = credentials.token, handshake.remote_ip
    if not known and core.limits.wait_to_prove(address) > 0 and not _is_quick(core, route, token):
        core.limits.check_proofs(address)
    try:
        user = await _ask(core, route, credentials, handshake)
    except TokenExpired:
        raise  # it was right once, so nobody is guessing
    except Unauthenticated:
        if not known:
            core.limits.check_proofs(address)
        core.limits.proof_failed(address)
        raise
    shown = credentials.ticket is None and not user.guest
    if shown and route.authenticator is not None and not route.knows_keys:
        core.asking.accepted(token)
    return user


def _is_quick(core: Core, route: Route, token: str) -> bool:
    """Whether a token was accepted before, or is judged at once for little more than the request costs. Then wrong ones need not
    keep right ones out."""
    if core.asking.has_accepted(token):
        return True
    if route.guests is not None and Guests.is_guest_token(token):
        return True
    if route.authenticator is None:
        return True
    members = route.authenticator.members
    return route.knows_keys and all(one.is_quick(token) for one in members if isinstance(one, JWTAuth))


async def _ask(core: Core, route: Route, credentials: Credentials, handshake: Handshake) -> User:
    token = credentials.token
    if credentials.ticket is not None:
        if route.tickets is None:
            raise Unauthenticated(TICKET_NOT_ACCEPTED)
        return await core.asking.ask(route.tickets, credentials, handshake)
    if route.guests is not None and (token is None or Guests.is_guest_token(token)):
        return await core.asking.ask(route.guests, credentials, handshake)
    if route.authenticator is None:
        raise Unauthenticated(NOT_ACCEPTED)
    return await core.asking.ask(route.authenticator, credentials, handshake)


# ---- from nobody to somebody ----


async def establish(core: Core, session: Session, user: User, *, heard: int | None = None) -> None:
    """Make this user the user of the session. Raises `Unavailable`, `TooManyConnections`, `Revoked`, `BannedFromServer`; then
    nothing changes. `heard` is that of `Sessions.identified`."""
    await core.sessions.identified(session, user, heard=heard)
    await _become(core, session, user)


async def _become(core: Core, session: Session, user: User) -> None:
    session.become(user)
    core.limits.identified(session.limits, user.id)
    _expect_end(core, session)
    await core.occupancy.entered(ANYWHERE, Sender(user.id, user.name))


def greet(core: Core, session: Session) -> None:
    """Send `welcome`, once per identity. From then on, pushes reach the connection."""
    session.who.greeted = True
    features = _features(core, session.route)
    session.send(welcome_to(core, session.settings, session.user, features, _heartbeat(session), session.id))
    core.listeners.fire("connected", user=session.user, session=session)


def welcome_to(
    core: Core,
    settings: Settings,
    user: User,
    features: tuple[str, ...],
    heartbeat: Heartbeat,
    session_id: str = "",
) -> Welcome:
    """What the server tells a user whom it has identified. `session_id`: "" without a connection."""
    return Welcome(
        session_id=session_id,
        user=_shown(user),
        protocol=PROTOCOL,
        heartbeat=heartbeat,
        limits=Limits(
            settings.max_frame,
            settings.max_text,
            settings.max_rooms_per_connection,
            settings.history_page,
            StreamLimits(PER_ROOM, PER_USER),
        ),
        features=features,
        guest_token=core.guests.token(user) if user.guest else None,
        expires_at=None if user.guest else user.expires_at,
    )


# ---- the command ----


@command("auth", AuthRequest, ack=Identified, room=Needs.NOTHING, judged=Judged.FREE, looks=True, free=True)
async def auth(ctx: Ctx, ask: AuthRequest) -> Identified:
    """Authenticate, refresh a token, name a guest, or ask for another heartbeat interval."""
    session = ctx.session
    # A guest who has done nothing yet signs in, as another client does before `welcome`.
    if session.authenticated and not (session.who.anonymous and ask.token is not None):
        renames = ask.token is None and ask.name is not None and session.user.guest
        await ctx.spend(Kind.CHANGE if renames else Kind.READ)  # every room that the guest is in is told
    return await spoken(ctx, ask, ("name",) if _names_guest(session, ask) else (), partial(_identify, ctx))


def _names_guest(session: Session, ask: AuthRequest) -> bool:
    """Whether the name becomes that of a guest; others have the name of their token."""
    return session.user.guest if ask.token is None else Guests.is_guest_token(ask.token)


async def _identify(ctx: Ctx, ask: AuthRequest) -> Identified:
    core, session = ctx.core, ctx.session
    if not session.authenticated or ask.token is not None:
        await _prove(ctx, ask)
    elif ask.name is not None and session.user.guest:
        await _call(core, session, await core.guests.rename(session.user, ask.name))
    if ask.heartbeat is not None:
        _set_heartbeat(session, ask.heartbeat)
        core.heartbeat.reconsider(session)
    answer = Identified(_shown(session.user), _heartbeat(session))
    if session.user.guest:
        # The token also holds the name.
        answer.guest_token = core.guests.token(session.user)
    elif session.user.expires_at is not None:
        answer.expires_at = session.user.expires_at
    return answer


async def _prove(ctx: Ctx, request: AuthRequest) -> None:
    session = ctx.session
    wait = session.who.proof_at - time.monotonic()
    if wait > 0:
        _penalise(session)
        raise RateLimited("too many proofs of identity have failed", retry_after=wait)
    try:
        await (_again if session.authenticated else _first)(ctx, request)
    except (Unauthenticated, Forbidden):
        _penalise(session)
        raise
    session.who.bad_proofs = 0


async def _first(ctx: Ctx, request: AuthRequest) -> None:
    core, session = ctx.core, ctx.session
    credentials = Credentials(request.token, request.name)
    try:
        user = await _who(core, session.route, credentials, session.handshake)
        await core.listeners.ask("connect", user=user)
        await establish(core, session, user)
    except ChatError as problem:
        session.who.refused = _close_code(problem, request.token)
        raise


async def _again(ctx: Ctx, request: AuthRequest) -> None:
    core, session = ctx.core, ctx.session
    credentials, known = Credentials(request.token, request.name), not session.user.guest
    user = await _who(core, session.route, credentials, session.handshake, known=known)
    if user.id == session.user.id:
        await core.revocations.check(user)
        session.who.acted()
        if user.name != session.user.name:
            await ctx.spend(Kind.CHANGE)  # every room that the user is in is told
        await _call(core, session, user)
        core.evictions.narrowed(session)
        _expect_end(core, session)
        return
    if not session.who.anonymous:
        raise Forbidden("this token is another user's; open another connection for them")
    # A guest who showed nothing and has done nothing yet may still sign in.
    old = session.user
    await core.listeners.ask("connect", user=user)
    await core.sessions.identified(session, user)
    core.sessions.renamed(session, old.id)
    core.occupancy.exited(ANYWHERE, old.id, at_once=True)
    await _become(core, session, user)
    session.who.anonymous = False
    session.who.greeted = False


async def _call(core: Core, session: Session, user: User) -> None:
    """Update the user after another proof; the name may have changed."""
    old = session.user
    session.become(user)
    if user.name != old.name:
        await core.occupancy.renamed((ANYWHERE, *session.seats), Sender(user.id, user.name))


def _expect_end(core: Core, session: Session) -> None:
    at = session.user.expires_at
    session.liveness.shown(None if at is None else at - time.time())
    core.heartbeat.reconsider(session)


def _penalise(session: Session) -> None:
    session.who.bad_proofs += 1
    if session.who.bad_proofs >= BAD_PROOFS and session.who.proof_at <= time.monotonic():
        session.who.proof_at = time.monotonic() + PROOF_EVERY
    if session.who.bad_proofs >= MAX_BAD_PROOFS:
        session.who.refused = CloseCode.RATE_LIMIT


def _close_code(problem: ChatError, token: str | None) -> int | None:
    """The close code after a failed proof; None: the client may try again, because it showed nothing or is not at fault."""
    if isinstance(problem, Unauthenticated) and not isinstance(problem, TokenExpired) and token is None:
        return None
    ends = isinstance(problem, Unauthenticated | TooManyConnections | Forbidden)
    return problem.close_code if ends else None


def _features(core: Core, route: Route) -> tuple[str, ...]:
    return _features_but(core.missing, tickets=route.tickets is not None)


@cache
def _features_but(missing: frozenset[str], *, tickets: bool) -> tuple[str, ...]:
    return tuple(sorted({*features(), *(("tickets",) if tickets else ())} - missing))


def _shown(user: User) -> Myself:
    return Myself(user.id, user.name, user.scopes, user.amr or msgspec.UNSET)


def _heartbeat(session: Session) -> Heartbeat:
    return Heartbeat(session.liveness.interval, session.liveness.timeout)


def _set_heartbeat(session: Session, wanted: float) -> None:
    settings = session.settings
    factor = min(max(wanted / settings.heartbeat_interval, 1.0), LONGEST_HEARTBEAT)
    session.liveness.stretch(settings.heartbeat_interval * factor, settings.heartbeat_timeout * factor)
