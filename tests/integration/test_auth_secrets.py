"""Forty secrets, one in every place where one can stand, while everything logs at DEBUG: none is in any output."""

from __future__ import annotations

import io
import itertools
import logging
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from sanic import Request, Sanic

from sanic_chatrooms import (
    Authenticator,
    Chain,
    ChatRooms,
    ConfigError,
    Credentials,
    Handshake,
    HostSession,
    JWTAuth,
    Unauthenticated,
    User,
)
from sanic_chatrooms.config.load import load
from sanic_chatrooms.web.mounted import mounted_in
from tests.support.fixtures import Connect, Live
from tests.support.wire import mount

App = Sanic[Any, Any]
LOGGERS = (
    "", "sanic", "sanic.root", "sanic.access", "sanic.error", "sanic.server", "sanic.websockets", "sanic_chatrooms",
    "websockets", "asyncio",
)  # fmt: skip


class Secrets:
    """Makes secrets, and finds them in what was printed."""

    def __init__(self) -> None:
        self.made: dict[str, str] = {}
        self.told = io.StringIO()
        self._numbers = itertools.count(10)

    def __call__(self, where: str) -> str:
        """A secret that is planted here."""
        secret = f"{next(self._numbers)}hush" + "Qz7" * 12
        self.made[where] = secret
        return secret

    def token(self, where: str, key: str, **claims: Any) -> str:
        """A token, of which neither the payload nor the signature may be shown."""
        text = jwt.encode({"sub": "ada", "exp": 4_000_000_000, **claims}, key, "HS256")
        _, payload, mac = text.split(".")
        self.made[f"{where}, payload"], self.made[f"{where}, signature"] = payload[-24:], mac[-24:]
        return text

    def found(self, *more: str) -> list[str]:
        """Where those stood that are in the output."""
        told = self.told.getvalue() + "".join(more)
        return [where for where, secret in self.made.items() if secret in told]


@pytest.fixture
def secrets() -> Iterator[Secrets]:
    secrets = Secrets()
    handler = logging.StreamHandler(secrets.told)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    handler.addFilter(_with_request)
    before = {name: logging.getLogger(name).level for name in LOGGERS}
    for name in LOGGERS:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger("websockets.client").setLevel(logging.WARNING)  # the tests' own end
    yield secrets
    logging.getLogger("websockets.client").setLevel(logging.NOTSET)
    for name, level in before.items():
        logging.getLogger(name).removeHandler(handler)
        logging.getLogger(name).setLevel(level)


def _with_request(record: logging.LogRecord) -> bool:
    """Sanic's access log has method and URL beside the message."""
    record.msg = (
        f"{record.msg} [{getattr(record, 'request', '')}]" if record.name == "sanic.access" else record.msg
    )
    return True


class Broken(Authenticator):
    """Of an app's author: its errors quote all that it was shown."""

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        shown = [credentials.token, *handshake.cookies.values(), *handshake.query.values()]
        if any(shown):
            raise KeyError(f"no user for {shown} {handshake.headers.get('authorization')}")
        raise Unauthenticated


@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
async def test_no_secret_is_in_any_output(
    fast: bool, app: App, live: Live, connect: Connect, secrets: Secrets, capfd: pytest.CaptureFixture[str]
) -> None:
    key, previous, guests = (secrets(f"the {name}") for name in ("key", "previous key", "secret of guests"))
    app.config.ACCESS_LOG = True
    chain = Chain(HostSession(lambda r: None), JWTAuth(key, previous_key=previous))
    chat = mount(
        app, guests=True, auth=chain, guest_secret=guests, token_query="k", token_cookie="c", tickets=True
    )
    chat.add_route("/broken", auth=Broken(), token_query="k", token_cookie="c")

    @app.get("/fails")
    async def fails(request: Request) -> None:
        raise ValueError(f"of the app, at {request.path}?{request.query_string}")

    for mounted in mounted_in(app).values():
        mounted.fast = fast
    server = await live()
    other = "x" * 40
    for path in ("/chat/ws", "/chat/broken"):
        for where, sign in (("good", key), ("old", previous), ("foreign", other)):
            if path == "/chat/broken" and where == "old":
                continue
            for at, how in _places(path, f"{where} at {path}", secrets, sign):
                await _try(connect, at, how)
    for name in ("token", "access_token", "ticket", "k"):
        await server.get(f"/fails?a=b&{name}={secrets(f'?{name}= of a request that fails')}")
        await server.get(f"/nowhere?{name}={secrets(f'?{name}= of no page')}")
    ticket = await chat.ticket(User("ada", "Ada"))
    secrets.made["a ticket"] = ticket
    await (await connect(f"/chat/ws?ticket={ticket}")).expect("welcome")
    await connect.refused(f"/chat/ws?ticket={ticket}")
    guest = await connect()
    secrets.made["a guest token"] = (await guest.expect("welcome"))["payload"]["guestToken"][-24:]
    await (await connect(token=secrets.token("bearer of a ticket", key))).settle()
    for text in (secrets("auth"), secrets.token("auth", other), secrets.token("auth of another", key)):
        await guest.request("auth", payload={"token": text})
    bad = await connect()
    await bad.request("auth", payload={"token": "a.b.c", "password": secrets("auth, beside"), "name": 7})
    await server.request(
        "POST", "/chat/api/tickets", {"Authorization": f"Bearer {secrets.token('tickets', other)}"}
    )
    body = f"logout_token={secrets.token('logout', other)}&otp={secrets('a one-time password')}".encode()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    await server.request("POST", "/chat/oidc/logout", form, body)

    out, err = capfd.readouterr()
    told = secrets.told.getvalue()
    assert len(secrets.made) >= 40
    assert secrets.found(out, err) == []
    assert "/fails" in told  # it does listen
    assert "a token was refused" in told
    assert "Traceback" in told


def _places(path: str, what: str, secrets: Secrets, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every way to show a token in a handshake."""

    def shown(where: str) -> str:
        return secrets.token(f"{what}, {where}", key)

    yield path, {"token": shown("header")}
    yield path, {"subprotocols": ["chatrooms.v1", f"bearer.{shown('subprotocol')}"]}
    yield path, {"headers": {"Cookie": f"c={shown('cookie')}; session={secrets(f'{what}, session')}"}}
    yield f"{path}?k={shown('query')}", {}
    yield f"{path}?token={shown('another query')}", {}
    yield path, {"headers": {"Authorization": f"Basic {secrets(f'{what}, basic')}"}}


async def _try(connect: Connect, path: str, how: dict[str, Any]) -> None:
    try:
        client = await connect(path, **how)
    except Exception:  # noqa: BLE001 - refused or not: it is about what is printed
        return
    await client.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"jwt_secret": "{}", "jwt_algorithms": ["HS512"], "max_frame": 1},
        {"jwt_secret": "-----BEGIN {}"},
        {"jwt_previous_secret": "{}"},
        {"guest_secret": "{}", "guests": 7},
        {"store": "redis://ada:{}@h", "broker": "sqlite:///chat.db"},
        {"store": "postgresql://ada:{}@h/db?sslpassword={}", "max_frame": 1},
        {"presence": "nats://ada:{}@h"},
        {"broker": "nats://{}@h", "max_frame": 1},
        {"jwt_public_key": "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----"},
        {"jwt_jwks_url": "https://ada:{}@login.example/keys"},
    ],
)  # fmt: skip
def test_no_secret_is_in_an_error_of_the_settings(secrets: Secrets, wrong: dict[str, Any]) -> None:
    def plant(name: str, value: Any) -> Any:
        return (
            value.format(*(secrets(f"{name} {n}") for n in range(value.count("{}"))))
            if isinstance(value, str)
            else value
        )

    code = {name: plant(name, value) for name, value in wrong.items()}
    try:
        told = repr(load("default", {}, {}, code, debug=True, instances=("default",)))
    except ConfigError as problem:
        told = str(problem)

    assert told
    assert secrets.found(told) == []


def test_no_secret_is_in_the_repr_of_what_holds_one(secrets: Secrets) -> None:
    key = secrets("key")
    shown = [
        JWTAuth(key), Chain(JWTAuth(key)), ChatRooms(jwt_secret=key), Credentials(key, ticket=key),
        Handshake("/", {"authorization": key}, {"ticket": key}, {"c": key}, "::1", secure=True, credentials=Credentials(key)),
    ]  # fmt: skip

    assert secrets.found(repr(shown)) == []
