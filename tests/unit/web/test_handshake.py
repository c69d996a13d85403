"""The door: whose page it is, and what they show."""

from __future__ import annotations

from typing import Any, cast

import pytest
from msgspec.structs import replace
from multidict import CIMultiDict
from sanic import Request

from sanic_chatrooms.access.policy import RoomPolicy
from sanic_chatrooms.config.load import load
from sanic_chatrooms.errors import (
    Forbidden,
    RateLimited,
    RoomNotFound,
    TokenExpired,
    Unauthenticated,
    Unavailable,
)
from sanic_chatrooms.sessions.route import Route
from sanic_chatrooms.web import handshake
from sanic_chatrooms.web.handshake import handshake_of, refusal

SETTINGS = load("test", {}, {}, {"guests": True}, debug=False, instances=("test",))
ROUTE = Route(settings=SETTINGS, policy=RoomPolicy(), authenticator=None, guests=None)


class Headers(CIMultiDict[str]):
    def getall(self, key: str, default: Any = ()) -> Any:
        return super().getall(key, default)


class Asked:
    """As much of a request as is looked at."""

    def __init__(
        self,
        *headers: tuple[str, str],
        host: str = "chat.example",
        scheme: str = "http",
        args: dict[str, list[str]] | None = None,
        cookies: dict[str, str] | None = None,
    ) -> None:
        self.headers = Headers(headers)
        for name, value in (cookies or {}).items():
            self.headers.add("Cookie", f"{name}={value}")
        self.host, self.scheme, self.path = host, scheme, "/chat/ws"
        self.args, self.cookies = args or {}, cookies or {}
        self.client_ip, self.ip = "203.0.113.9", "127.0.0.1"


def route(**settings: Any) -> Route:
    loaded = load("test", {}, {}, {"guests": True, **settings}, debug=False, instances=("test",))
    return replace(ROUTE, settings=loaded)


def allowed(origin: str | None, asked: Asked | None = None, **settings: Any) -> bool:
    asked = asked or Asked()
    if origin is not None:
        asked.headers.add("Origin", origin)
    try:
        handshake._check_origin(cast(Request, asked), route(**settings))
    except Forbidden:
        return False
    return True


# ---- origins ----


@pytest.mark.parametrize(
    ("origin", "ok"),
    [
        (None, True),
        ("http://chat.example", True),
        ("http://chat.example:80", True),
        ("https://chat.example", False),
        ("http://chat.example:8000", False),
        ("http://evil.example", False),
        ("http://chat.example.evil.example", False),
        ("null", False),
    ],
)
def test_pages_of_the_same_server_may_connect(origin: str | None, ok: bool) -> None:
    assert allowed(origin) is ok


def test_the_scheme_is_that_of_the_proxy_that_sanic_trusts() -> None:
    assert allowed("https://chat.example", Asked(scheme="wss"))
    assert allowed("https://chat.example", Asked(scheme="https"))
    assert not allowed("http://chat.example", Asked(scheme="wss"))


def test_two_origins_are_none() -> None:
    asked = Asked(("Origin", "http://chat.example"), ("Origin", "http://chat.example"))

    assert not allowed(None, asked)


def test_origins_that_the_app_names_are_all_there_are() -> None:
    settings: dict[str, Any] = {"allowed_origins": ["https://Shop.example:443"]}

    assert allowed("https://shop.example", **settings)
    assert not allowed("http://chat.example", **settings)
    assert allowed(None, **settings)


def test_a_browser_extension_that_is_named_may_connect() -> None:
    assert allowed("chrome-extension://abcdef", allowed_origins=["chrome-extension://abcdef"])


def test_every_origin_where_the_app_says_so() -> None:
    assert allowed("https://anywhere.example", allowed_origins=["*"])
    assert allowed("null", allowed_origins=["*"])


# ---- credentials ----


def token(*headers: tuple[str, str], settings: dict[str, Any] | None = None, **asked: Any) -> str | None:
    request = cast(Request, Asked(*headers, **asked))
    return handshake_of(request, route(**(settings or {}))).credentials.token


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], None),
        ([("Authorization", "Bearer abc")], "abc"),
        ([("authorization", "bearer  abc ")], "abc"),
        ([("Authorization", "Bearer ")], None),
        ([("Authorization", "Bearer")], None),
        ([("Authorization", "Basic abc")], None),
        ([("Sec-WebSocket-Protocol", "chatrooms.v1, bearer.abc.d-e_f")], "abc.d-e_f"),
        ([("Sec-WebSocket-Protocol", "chatrooms.v1"), ("Sec-WebSocket-Protocol", "bearer.abc")], "abc"),
        ([("Sec-WebSocket-Protocol", "bearer.")], None),
        ([("Sec-WebSocket-Protocol", "bearer.abc"), ("Authorization", "Bearer first")], "first"),
    ],
)
def test_where_a_token_may_be(headers: list[tuple[str, str]], found: str | None) -> None:
    assert token(*headers) == found


def test_a_cookie_counts_only_where_it_is_configured() -> None:
    cookies = {"sid": "abc"}

    assert token(cookies=cookies) is None
    assert token(cookies=cookies, settings={"token_cookie": "sid"}) == "abc"
    assert token(cookies={"sid": ""}, settings={"token_cookie": "sid"}) is None
    assert token(("Authorization", "Bearer x"), cookies=cookies, settings={"token_cookie": "sid"}) == "x"


def test_a_query_parameter_counts_only_where_it_is_configured_and_is_not_passed_on() -> None:
    asked = Asked(args={"token": ["old", "abc"], "history": ["5"]})

    plain = handshake_of(cast(Request, asked), route())
    configured = handshake_of(cast(Request, asked), route(token_query="token"))

    assert plain.credentials.token is None
    assert configured.credentials.token == "abc"
    assert configured.query == {"history": "5"}


def test_a_handshake_without_its_framework() -> None:
    asked = Asked(("X-One", "a"), ("x-one", "b"), scheme="wss", cookies={"c": "1"}, args={"since": ["e:1"]})

    shown = handshake_of(cast(Request, asked), route())

    assert (shown.path, shown.remote_ip, shown.secure) == ("/chat/ws", "203.0.113.9", True)
    assert shown.headers == {"x-one": "a, b", "cookie": "c=1"}
    assert (shown.query, shown.cookies) == ({"since": "e:1"}, {"c": "1"})


# ---- refusals ----


@pytest.mark.parametrize(
    ("problem", "status", "header"),
    [
        (Unauthenticated(), 401, "www-authenticate"),
        (TokenExpired(), 401, "www-authenticate"),
        (Forbidden(), 403, None),
        (RoomNotFound(), 403, None),
        (RateLimited(retry_after=2.4), 429, "retry-after"),
        (Unavailable(), 503, "retry-after"),
    ],
)
def test_refusals_are_answers_of_http(problem: Any, status: int, header: str | None) -> None:
    response = refusal(problem)

    assert response.status == status
    assert response.headers["connection"] == "close"
    assert header is None or response.headers[header]
