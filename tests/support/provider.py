"""An identity provider on this machine: the keys that it publishes, the tokens that it signs, and how it fails."""

from __future__ import annotations

import time
from typing import Any

from sanic import HTTPResponse, Request, Sanic, json

from tests.support.keys import jwk, private_key, signed
from tests.support.server import LiveServer

__all__ = ["EVENT", "IdentityProvider"]

EVENT = "http://schemas.openid.net/event/backchannel-logout"


class IdentityProvider:
    """`provider = IdentityProvider(app)`; `provider.at = await live(app)`; then `provider.token("ada")`."""

    def __init__(self, app: Sanic[Any, Any]) -> None:
        self.kids = ["k1"]
        self.asked = 0
        self.status = 200
        self.at: LiveServer | None = None
        app.add_route(self._keys, "/keys")

    async def _keys(self, _: Request) -> HTTPResponse:
        self.asked += 1
        keys = [jwk(self.key(kid), kid=kid, use="sig", alg="RS256") for kid in self.kids]
        return json({"keys": keys}, status=self.status)

    @staticmethod
    def key(kid: str) -> Any:
        return private_key("RSA", hash(kid))

    @property
    def url(self) -> str:
        """Where the keys are."""
        assert self.at is not None
        return f"{self.at.url}/keys"

    def token(self, user: str, *, kid: str | None = None, key: Any = None, **changes: Any) -> str:
        """An access token, signed with the newest key."""
        kid = kid or self.kids[-1]
        about = {"iss": "https://login.example", "aud": "shop", "iat": int(time.time()), **changes}
        return signed(key or self.key(kid), "RS256", kid=kid, sub=user, **about)

    def logout(self, user: Any = ..., **changes: Any) -> str:
        """A logout token."""
        now = int(time.time())
        about = {
            "iat": now,
            "exp": now + 120,
            "jti": f"l{time.monotonic_ns()}",
            "name": ...,
            "events": {EVENT: {}},
        }
        header = {"typ": "logout+jwt"}
        whole = {"iss": "https://login.example", "aud": "shop", **about, **changes}
        return signed(self.key(self.kids[-1]), "RS256", kid=self.kids[-1], header=header, sub=user, **whole)
