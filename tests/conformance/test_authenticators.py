"""The authenticators that come with the package keep the contract."""

from __future__ import annotations

import time

import jwt

from sanic_chatrooms import Authenticator, Credentials, Handshake, JWTAuth, Unauthenticated, User
from sanic_chatrooms.auth.guests import Guests
from sanic_chatrooms.testing import AuthenticatorSuite

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


class Cookies(Authenticator):
    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        if handshake.cookies.get("session") != "3f1c9a":
            raise Unauthenticated
        return User("u1", "Ada")
