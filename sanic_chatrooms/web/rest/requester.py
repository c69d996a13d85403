"""Who sends a request, and what they may do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from sanic import Request

from ...access.scopes import scopes_of
from ...chat import Chat
from ...errors import Forbidden, Unauthenticated, Unavailable
from ...models import Handshake, User
from ...sessions.route import Route
from ...verbs.acting import Acting
from ...verbs.arriving import arrive
from ...verbs.identity import of_handshake, of_request
from ..handshake import FROM_BROWSERS, handshake_of, is_deliberate, is_same_origin

__all__ = ["SAFE", "Requester", "acting_for", "identify"]

SAFE = frozenset(("GET", "HEAD"))


class Requester(msgspec.Struct):
    """An identified user, and the request that shows it. `heard`: what `Revocations.heard` was before."""

    user: User
    handshake: Handshake
    heard: int


async def identify(
    request: Request, chat: Chat, route: Route, *, connects: bool = False, comes_in: bool = False
) -> Requester:
    """The user whom a request names. `connects`: it becomes a connection, so it may show a ticket, and `connect` listeners are
    asked. `comes_in`: it stands for a connection, so it may also make a guest. Raises `Unauthenticated`, `Forbidden`, `BannedFromServer`, `RateLimited`, `Unavailable`."""
    if request.method not in SAFE:
        _check_origin(request)
    handshake, heard = handshake_of(request, route), chat.revocations.heard
    async with _in_time(route):
        if comes_in or (connects and handshake.credentials.ticket is not None):
            known = await of_handshake(chat.core, route, handshake)
            if known is None:
                raise Unauthenticated
            user = known
        else:
            user = await of_request(chat.core, route, handshake)
            if connects:
                await chat.core.listeners.ask("connect", user=user)
    return Requester(user, handshake, heard)


def _check_origin(request: Request) -> None:
    """A browser adds cookies of which the page that asks knows nothing. Raises `Forbidden`."""
    by_browser = any(name in request.headers for name in FROM_BROWSERS)
    if by_browser and not is_deliberate(request) and not is_same_origin(request):
        raise Forbidden("ask with Authorization, or from a page of this server")


@asynccontextmanager
async def _in_time(route: Route) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(route.settings.auth_timeout):
            yield
    except TimeoutError:
        raise Unavailable("your identity could not be checked in time") from None


def acting_for(chat: Chat, route: Route, requester: Requester) -> Acting:
    """The user of a request as one who acts: by the route's policy, their token's scopes, and the limits of user and address."""
    user = requester.user
    limits = chat.limits.of_request(user.id, requester.handshake.remote_ip)
    acting = Acting(user, route.policy, route.settings, limits, chat.journal.append)
    acting.scopes = scopes_of(user.scopes)
    acting.arrive = arrive
    return acting
