"""The authenticators that come with the package keep the contract."""

from __future__ import annotations

import time
from types import SimpleNamespace

import jwt
import msgspec

from sanic_chatrooms import (
    Authenticator,
    Chain,
    Credentials,
    Handshake,
    HostSession,
    JWTAuth,
    MemoryStore,
    Tickets,
    Unauthenticated,
    User,
)
from sanic_chatrooms.auth.guests import Guests
from sanic_chatrooms.auth.jwks import Jwks
from sanic_chatrooms.auth.public_keys import jwk_keys
from sanic_chatrooms.models import EVERYONE
from sanic_chatrooms.sessions.inbox import reserved_room
from sanic_chatrooms.stores.base import Bounds
from sanic_chatrooms.testing import AuthenticatorSuite
from tests.support.keys import pem, private_key, signed
from tests.unit.auth.test_jwks import ALL, Provider, key_of

SECRET = "a secret of thirty-two bytes or more"
Shown = tuple[Credentials, Handshake]


class TestJWTAuth(AuthenticatorSuite):
    async def make(self) -> Authenticator:
        return JWTAuth(SECRET)

    async def known(self) -> Shown:
        return self.shown(time.time() + 60)

    async def expired(self) -> Shown:
        return self.shown(time.time() - 3600)

    def shown(self, expires_at: float) -> Shown:
        claims = {"sub": "u1", "name": "Ada", "exp": int(expires_at)}
        return Credentials(jwt.encode(claims, SECRET, "HS256")), self.handshake()


class TestGuests(AuthenticatorSuite):
    async def make(self) -> Authenticator:
        return Guests(SECRET, instance="default")

    async def known(self) -> Shown:
        guests = Guests(SECRET, instance="default")
        token = guests.token(User("guest-1", "Guest 1001", guest=True))
        return Credentials(token), self.handshake()

    async def expired(self) -> Shown:
        claims = {
            "iss": "chatrooms-guest:default",
            "sub": "guest-1",
            "name": "Ada",
            "exp": int(time.time()) - 1,
        }
        token = jwt.encode(claims, SECRET, "HS256", headers={"typ": "guest+jwt"})
        return Credentials(token), self.handshake()


class TestCookies(AuthenticatorSuite):
    """One of an app, which knows no tokens."""

    async def make(self) -> Authenticator:
        return Cookies()

    async def known(self) -> Shown:
        return Credentials(), self.handshake(cookies={"session": "3f1c9a"})


class TestPublicKey(TestJWTAuth):
    async def make(self) -> Authenticator:
        return JWTAuth(public_key=pem(private_key("ES256")))

    def shown(self, expires_at: float) -> Shown:
        return Credentials(signed(private_key("ES256"), "ES256", exp=int(expires_at))), self.handshake()


class TestJwks(TestJWTAuth):
    async def make(self) -> Authenticator:
        auth = JWTAuth(jwks_url="https://login.example/keys")
        auth._keys = Jwks("https://login.example/keys", lambda keys: jwk_keys(keys, ALL), fetcher=Provider())
        return auth

    def shown(self, expires_at: float) -> Shown:
        return Credentials(signed(key_of("a"), "EdDSA", kid="a", exp=int(expires_at))), self.handshake()


class TestHostSession(AuthenticatorSuite):
    async def make(self) -> Authenticator:
        return HostSession(lambda request: request.ctx.user)

    async def known(self) -> Shown:
        request = SimpleNamespace(ctx=SimpleNamespace(user=User("u1", "Ada")))
        return Credentials(), msgspec.structs.replace(self.handshake(), request=request)


class TestTickets(AuthenticatorSuite):
    single_use = True

    async def make(self) -> Authenticator:
        self.store = getattr(self, "store", None) or await facts()
        return Tickets().at(self.store, 60)

    async def known(self) -> Shown:
        self.store = getattr(self, "store", None) or await facts()
        ticket = await Tickets().at(self.store, 60).issue(User("u1", "Ada"))
        return Credentials(ticket=ticket), self.handshake()


async def facts() -> MemoryStore:
    store = MemoryStore()
    await store.start("default", Bounds())
    await store.create_room(reserved_room(EVERYONE))
    return store


class TestChain(TestJWTAuth):
    async def make(self) -> Authenticator:
        return Chain(HostSession(lambda request: None), Cookies(), JWTAuth("k" * 32), JWTAuth(SECRET))


class Cookies(Authenticator):
    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        if handshake.cookies.get("session") != "3f1c9a":
            raise Unauthenticated
        return User("u1", "Ada")
