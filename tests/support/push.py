"""A push service on this machine, and browsers that read what it gets (RFC 8291 from the other end)."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sanic import HTTPResponse, Request, Sanic, empty

from example_app.notifications.web_push import POINT, base64url
from tests.support.server import LiveServer, new_app
from tests.support.tls import CERTIFICATE, KEY

__all__ = ["Browser", "PushService", "for_server"]


def for_server() -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(CERTIFICATE, KEY)
    return tls


class Browser:
    """Keys that never leave it, and an address at the push service."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._public = self._key.public_key().public_bytes(*POINT)
        self._auth = os.urandom(16)

    @property
    def subscription(self) -> dict[str, str]:
        """As `PushSubscription.toJSON()` has it."""
        keys = {"p256dh": base64url(self._public), "auth": base64url(self._auth)}
        return {"endpoint": self.endpoint, **keys}

    def read(self, body: bytes) -> Any:
        """RFC 8291 from the other end."""
        salt, sender, sealed = body[:16], body[21:86], body[86:]
        assert body[16:21] == b"\0\0\x10\0\x41"
        shared = self._key.exchange(
            ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        )
        secret = self._derived(shared, self._auth, b"WebPush: info\0" + self._public + sender, 32)
        key = self._derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
        nonce = self._derived(secret, salt, b"Content-Encoding: nonce\0", 12)
        padded = AESGCM(key).decrypt(nonce, sealed, None)
        return json.loads(padded.rstrip(b"\0").removesuffix(b"\2"))

    @staticmethod
    def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
        return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


class PushService:
    """Notes what it gets. `answers`: statuses of the next answers, then 201."""

    server: LiveServer

    def __init__(self) -> None:
        self.app: Sanic[Any, Any] = new_app("push")
        self.requests: list[Request] = []
        self.answers: list[int] = []
        self._came = asyncio.Condition()
        self.app.add_route(self.take, "/to/<name:str>", methods=["POST"])

    def endpoint(self, name: str) -> str:
        return f"https://localhost:{self.server.port}/to/{name}"

    async def take(self, request: Request, name: str) -> HTTPResponse:
        self.requests.append(request)
        async with self._came:
            self._came.notify_all()
        return empty(self.answers.pop(0) if self.answers else 201, headers={"Location": "/elsewhere"})

    async def until(self, count: int) -> None:
        async with asyncio.timeout(40), self._came:
            await self._came.wait_for(lambda: len(self.requests) >= count)

    def told(self, browser: Browser) -> list[Any]:
        """What this browser was sent, as it reads it."""
        return [browser.read(request.body) for request in self.requests if request.path in browser.endpoint]
