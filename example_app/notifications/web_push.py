"""Web Push: messages that only one browser can read (RFC 8291), in requests that say who sends them (RFC 8292)."""

import base64
import os
import re
import struct
from collections.abc import Collection
from hashlib import sha256
from typing import NamedTuple

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = [
    "HOSTS",
    "LARGEST",
    "Subscription",
    "Vapid",
    "base64url",
    "encrypted",
    "headers",
    "is_push_service",
    "new_key",
    "read_key",
    "read_subscription",
]

HOSTS = ("fcm.googleapis.com", "push.services.mozilla.com", "notify.windows.com", "push.apple.com")
"""The push services of the browsers, each with its subdomains."""
RECORD = 4096
"""Bytes of a body that every push service takes."""
LARGEST = RECORD - 86 - 17
"""Bytes of a message: before it stand salt, sizes and our key, after it a mark and the tag."""
TOKEN_FOR = 12 * 3600  # seconds; push services refuse more than a day
ADDRESS = re.compile(r"https://([a-z0-9.-]{1,253})(?::(\d{1,5}))?/[A-Za-z0-9/._~:;,=+*!$&'()@%?-]{1,900}")
POINT = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


class Subscription(NamedTuple):
    """Where a browser takes messages, and the keys with which it reads them."""

    endpoint: str
    p256dh: bytes
    auth: bytes


# region hosts
def is_push_service(address: str, hosts: Collection[str] = HOSTS) -> bool:
    """Whether an address leads to one of these hosts, by https and on its usual port or one that is named there.

    A browser tells us the address, so anybody does: without this check, we could be made to ask servers inside our network.
    """
    found = ADDRESS.fullmatch(address)
    if found is None:
        return False
    host = found[1] if found[2] in (None, "443") else f"{found[1]}:{found[2]}"
    return any(host == one or host.endswith(f".{one}") for one in hosts)


# endregion


# region encrypt
def encrypted(
    message: bytes, to: Subscription, key: ec.EllipticCurvePrivateKey | None = None, salt: bytes | None = None
) -> bytes:
    """The body of a request with up to `LARGEST` bytes. Tests give `key` and `salt`. Raises `ValueError`: the keys are none."""
    if len(message) > LARGEST:
        raise ValueError(f"a message has {LARGEST} bytes at most")
    key = key or ec.generate_private_key(ec.SECP256R1())
    salt = salt or os.urandom(16)
    sender = key.public_key().public_bytes(*POINT)
    receiver = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), to.p256dh)
    shared = _derived(key.exchange(ec.ECDH(), receiver), to.auth, b"WebPush: info\0" + to.p256dh + sender, 32)
    content_key = _derived(shared, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(shared, salt, b"Content-Encoding: nonce\0", 12)
    sealed = AESGCM(content_key).encrypt(nonce, message + b"\2", None)  # 2: this is the last record
    return salt + struct.pack(">IB", RECORD, len(sender)) + sender + sealed


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


# endregion


# region vapid
class Vapid:
    """Our key, by which push services know us. `contact`: "mailto:…" or "https://…", for their operators."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, contact: str) -> None:
        self._key = key
        self._contact = contact
        self.public = base64url(key.public_key().public_bytes(*POINT))
        """What a browser subscribes with."""

    def authorization(self, endpoint: str, now: float) -> str:
        """The header `Authorization` of a request to this address."""
        origin = "/".join(endpoint.split("/", 3)[:3])
        claims = {"aud": origin, "exp": int(now) + TOKEN_FOR, "sub": self._contact}
        return f"vapid t={jwt.encode(claims, self._key, 'ES256')}, k={self.public}"


# endregion


def headers(vapid: Vapid, endpoint: str, topic: str, seconds: int, now: float) -> dict[str, str]:
    """Of a request. The push service keeps the newest message of a `topic`, for so many seconds, for a browser that is away."""
    return {
        "Authorization": vapid.authorization(endpoint, now),
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "TTL": str(seconds),
        "Topic": base64url(sha256(topic.encode()).digest())[:32],
        "Urgency": "normal",
    }


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def read_base64url(text: str) -> bytes:
    """Raises `ValueError`."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def read_subscription(endpoint: str, p256dh: str, auth: str) -> Subscription:
    """What a browser says, checked. Raises `ValueError`."""
    keys = read_base64url(p256dh), read_base64url(auth)
    if len(keys[0]) != 65 or len(keys[1]) != 16:
        raise ValueError("no keys of a subscription")
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), keys[0])
    return Subscription(endpoint, *keys)


def new_key() -> str:
    """A key of ours, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    how = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, *how).decode()


def read_key(pem: str) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key
