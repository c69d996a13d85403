"""Admission: the checks that a WebSocket request must pass before it gets its 101. Refusals are real HTTP answers.

405, 426, 400 no upgrade to WebSocket (`upgrade.py`) · 403 foreign origin, or a `connect` listener refused · 503 draining or full · 429 too many
from one address or user · 401 a token that proves nothing.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from sanic import Request
from sanic.response import HTTPResponse

from ..access.limits.addresses import network_of
from ..chat import Chat
from ..errors import Banned, ChatError, Forbidden, RateLimited, Unauthenticated, Unavailable
from ..models import Credentials, Handshake, User
from ..observe.instruments import REFUSED
from ..sessions.registry import TooManyConnections
from ..sessions.route import Route
from ..support.origin import normal_origin
from ..verbs.identity import by_request, of_handshake
from .problems import RETRY_AFTER, problem_headers
from .upgrade import answer, is_gone, make_readable, not_an_upgrade, offered

__all__ = [
    "Admission",
    "admit",
    "check_limits",
    "check_room_for_one_more",
    "handshake_of",
    "is_deliberate",
    "is_same_origin",
    "refusal",
    "refuse",
]

MAX_ARRIVING = 2_000
"""Requests that may be under way to becoming connections at a time, for authenticators can be slow."""
BEARER = "bearer."
FROM_BROWSERS = ("cookie", "origin", "sec-fetch-site")
"""Headers that show that a browser sends a request …"""
_BY_ITSELF = ("basic", "digest", "negotiate", "ntlm")
"""… and schemes of `Authorization` that it adds to requests of any page, once it knows what to say."""
# A handshake is kept for as long as its connection. What most of them have in common is kept once: that saves 0.4 KB each.
_NONE: Mapping[str, str] = MappingProxyType({})
_USUAL = {
    name: name
    for name in (
        "accept", "accept-encoding", "accept-language", "authorization", "cache-control", "connection", "cookie", "forwarded",
        "host", "origin", "pragma", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-websocket-extensions",
        "sec-websocket-key", "sec-websocket-protocol", "sec-websocket-version", "upgrade", "user-agent", "x-forwarded-for",
        "x-forwarded-host", "x-forwarded-proto", "x-real-ip",
    )
}  # fmt: skip


class Admission(msgspec.Struct):
    """A request that may become a connection. `user` None: the client authenticates later, with `auth`."""

    route: Route
    handshake: Handshake
    user: User | None
    heard: int
    """What `Revocations.heard` was before the user's token was checked."""


async def admit(
    request: Request, chat: Chat, route: Route, by_ip: Mapping[str, int], arriving: int, *, seen: bool
) -> Admission | HTTPResponse:
    """Check a request; -> its admission, or the HTTP answer that refuses it. `seen`: the door has seen that it is an upgrade in plain ASCII,
    and that its client is there."""
    if not seen:
        make_readable(request)
    refused = None if seen else not_an_upgrade(request)
    if refused is not None and refused.status == 426:
        return await _unknown(request, chat, route) or refused
    if refused is not None:
        chat.meter.add(REFUSED, 1, "no_upgrade")
        return refused
    try:
        if not seen and is_gone(request.transport):
            raise Unavailable("the client is gone")
        ip = ip_of(request)
        check_room_for_one_more(chat, route, by_ip.get(network_of(ip), 0), arriving)
        _check_origin(request, route)
        handshake = handshake_of(request, route, ip)
        heard = chat.revocations.heard
        user = await route.auth_limit.keep(of_handshake(chat.core, route, handshake))
        _check_user_limit(chat, route, user)
    except ChatError as problem:
        return refuse(chat, problem)
    except TimeoutError:
        return refuse(chat, Unavailable("your identity could not be checked in time"))
    if not route.wants_request:  # it would stay as long as the connection
        handshake = msgspec.structs.replace(handshake, request=None)
    return Admission(route, handshake, user, heard)


def refuse(chat: Chat, problem: ChatError) -> HTTPResponse:
    """The answer to a request that is refused for this reason. It is counted."""
    chat.meter.add(REFUSED, 1, problem.code)
    return refusal(problem)


async def _unknown(request: Request, chat: Chat, route: Route) -> HTTPResponse | None:
    """The answer to a plain request at the address of a WebSocket. A browser does not tell a page why its WebSocket was
    refused, but the page can ask here: 401 if these credentials let nobody in, 403 if their user is banned."""
    handshake = handshake_of(request, route)
    if handshake.credentials.token is not None or handshake.credentials.ticket is not None:
        return None
    try:
        async with asyncio.timeout(route.settings.auth_timeout):
            user = await by_request(chat.core, route, handshake)
            if user is not None:
                await chat.revocations.check(user)
    except (Unauthenticated, Banned) as problem:
        return refusal(problem)
    except (ChatError, TimeoutError):
        return None  # not known now
    return None


def check_room_for_one_more(chat: Chat, route: Route, open_from_ip: int, arriving: int) -> None:
    """Check that another connection may come in. Raises `Unavailable`, `RateLimited`."""
    settings = route.settings
    if chat.refusing:
        raise Unavailable("this server is about to restart; come back in a moment")
    if chat.overload.shedding:
        raise Unavailable("this server has too much to do; come back in a moment")
    if arriving > MAX_ARRIVING:
        raise Unavailable("too many arrive at once; come back in a moment")
    if settings.max_connections is not None and len(chat.sessions) >= settings.max_connections:
        raise Unavailable("this server is full; come back later")
    if settings.max_connections_per_ip is not None and open_from_ip >= settings.max_connections_per_ip:
        raise RateLimited(retry_after=RETRY_AFTER)


def check_limits(chat: Chat, admission: Admission, open_from_ip: int) -> None:
    """Check limits again, now that this connection counts: several may have been admitted at the same time.

    Raises `TooManyConnections`.
    """
    settings = admission.route.settings
    if settings.max_connections is not None and len(chat.sessions) > settings.max_connections:
        raise TooManyConnections(retry_after=RETRY_AFTER)
    if settings.max_connections_per_ip is not None and open_from_ip > settings.max_connections_per_ip:
        raise TooManyConnections(retry_after=RETRY_AFTER)


def _check_user_limit(chat: Chat, route: Route, user: User | None) -> None:
    limit = route.settings.max_connections_per_user
    if user is not None and limit is not None and len(chat.sessions.of(user.id)) >= limit:
        raise RateLimited(retry_after=RETRY_AFTER)


def refusal(problem: ChatError) -> HTTPResponse:
    """An error as an HTTP answer."""
    told = isinstance(problem, Unauthenticated | RateLimited | Unavailable)
    status = problem.http_status if told else 403
    headers, fields = problem_headers(problem), problem.fields if isinstance(problem, Banned) else {}
    return answer(status, problem.code, problem.message, headers, **fields)


# ---- who comes from where ----


def _check_origin(request: Request, route: Route) -> None:
    """Check from which page a browser comes: other pages must not use the user's cookies (RFC 6455 §10.2). Raises `Forbidden`."""
    origins = request.headers.getall("origin", [])
    if not origins or route.settings.allowed_origins == ("*",):
        return
    if len(origins) > 1:
        raise Forbidden("this request has more than one origin")
    origin = _normal(origins[0])
    allowed = route.settings.allowed_origins or (_normal(f"{_scheme(request)}://{request.host}"),)
    if origin is None or origin not in allowed:
        raise Forbidden("pages of this origin may not connect; see CHATROOMS_ALLOWED_ORIGINS")


def is_deliberate(request: Request) -> bool:
    """Whether the sender of a request has set `Authorization`, which no page of another server can."""
    scheme = request.headers.get("authorization", "").partition(" ")[0].lower()
    if scheme in _BY_ITSELF:
        return not any(name in request.headers for name in FROM_BROWSERS)
    return bool(scheme)


def is_same_origin(request: Request) -> bool:
    """Whether a page of this server sent a request, as browsers say of themselves."""
    origins = request.headers.getall("origin", [])
    if not origins:
        return request.headers.get("sec-fetch-site") == "same-origin"
    return (
        len(origins) == 1
        and _normal(origins[0]) == _normal(f"{_scheme(request)}://{request.host}") is not None
    )


def _scheme(request: Request) -> str:
    return "https" if request.scheme in ("https", "wss") else "http"


def _normal(origin: str) -> str | None:
    try:
        return normal_origin(origin)
    except ValueError:
        return None


# ---- what they show ----


def ip_of(request: Request) -> str:
    """The client's address, which is what a proxy says only where Sanic was told to trust it."""
    return request.client_ip or request.ip


def handshake_of(request: Request, route: Route, ip: str | None = None) -> Handshake:
    """The request as a value without a framework. `ip`: its `ip_of`, if that is known."""
    given = request.args
    query = {key: values[-1] for key, values in given.items()} if given else _NONE
    settings = route.settings
    return Handshake(
        path=request.path,
        headers=_headers(request),
        query={key: value for key, value in query.items() if key not in (settings.token_query, "ticket")}
        or _NONE,
        cookies=_cookies(request),
        remote_ip=ip_of(request) if ip is None else ip,
        secure=_scheme(request) == "https",
        credentials=Credentials(_token(request, route, query), ticket=query.get("ticket")),
        request=request,
    )


def _cookies(request: Request) -> Mapping[str, str]:
    if "cookie" not in request.headers:
        return _NONE
    return {key: request.cookies.get(key) or "" for key in request.cookies} or _NONE


def _headers(request: Request) -> dict[str, str]:
    headers: dict[str, str] = {}
    for key, value in request.headers.items():
        name = _USUAL.get(key) or key.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _token(request: Request, route: Route, query: Mapping[str, str]) -> str | None:
    """The first token that is there: Authorization, the subprotocol `bearer.<token>`, the cookie, the query parameter."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    for name in offered(request):
        if name.startswith(BEARER) and len(name) > len(BEARER):
            return name[len(BEARER) :]
    settings = route.settings
    if settings.token_cookie and request.cookies.get(settings.token_cookie):
        return request.cookies.get(settings.token_cookie)
    return query.get(settings.token_query) if settings.token_query else None
