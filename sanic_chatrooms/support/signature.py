"""Signatures on packets between processes. Only a process that knows the secret in the store can make them.

A signature covers the instance, the place (a room) and every byte of the body, so a signed packet is not valid elsewhere. It
does not hide the content. Python signs by BLAKE2b with a key. A store that publishes from its own script signs by SHA-1, twice with two
keys, because scripts of Redis and Valkey have nothing better.
"""

from functools import lru_cache
from hashlib import blake2b, sha1
from hmac import compare_digest
from typing import Any

__all__ = ["SIGNED", "SIGNED_BY_SCRIPT", "Forged", "Signer", "script_keys"]

SIGNED = b"\x02"
"""The first byte of a packet that Python signed. It also is the version of the format."""
SIGNED_BY_SCRIPT = b"#"
"""The first byte of a packet that a script signed."""
_MAC = 16
_BODY = len(SIGNED) + _MAC
"""Where the body begins in a packet that Python signed."""
_HEX = 40
"""Characters of a script's signature."""
_PLACES = 1000
"""Rooms for which the beginning of the hash is kept."""


class Forged(Exception):
    """The packet was not signed with the key, or not for this place."""


class Signer:
    """Signs packets, and verifies those that were signed with the same key for the same instance and place."""

    def __init__(self) -> None:
        self._key = b""
        self._instance = b""
        self._renew()

    def use(self, key: bytes) -> None:
        """Sign and verify with this key from now on, and with no earlier one."""
        self._key = key
        self._renew()

    def bind(self, instance: str) -> None:
        """Sign and verify packets of this instance."""
        self._instance = instance.encode()
        self._renew()

    def _renew(self) -> None:
        key = blake2b(self._key, person=b"chatrooms.bells").digest()
        self._begun = blake2b(_sized(self._instance), digest_size=_MAC, key=key)
        self._places: dict[str, Any] = {}
        self._script_keys = tuple(key.encode() for key in script_keys(self._key))

    def sign(self, place: str, body: bytes) -> bytes:
        """The signed packet."""
        return SIGNED + self._mac(place, body) + body

    def verify(self, place: str, packet: bytes) -> bytes:
        """The body of a packet that `sign` made. Raises `Forged`."""
        body = packet[_BODY:]
        if not compare_digest(packet[:_BODY], SIGNED + self._mac(place, body)):
            raise Forged
        return body

    def verify_script(self, channel: bytes, packet: bytes) -> bytes:
        """The body of a packet that a script signed for its channel. Raises `Forged`."""
        start = 1 + _HEX
        inner, outer = self._script_keys
        body = packet[start:]
        once = sha1(b"".join((inner, channel, b"\n", body)), usedforsecurity=False).hexdigest()
        expected = sha1(outer + once.encode(), usedforsecurity=False).hexdigest()
        if not packet.startswith(SIGNED_BY_SCRIPT) or not compare_digest(packet[1:start], expected.encode()):
            raise Forged
        return body

    def _mac(self, place: str, body: bytes) -> bytes:
        # What is the same for each packet of a room is hashed once, and copied.
        begun = self._places.get(place)
        if begun is None:
            begun = self._begin(place)
        mac = begun.copy()
        mac.update(body)
        digest: bytes = mac.digest()
        return digest

    def _begin(self, place: str) -> Any:
        if len(self._places) >= _PLACES:
            self._places.clear()
        begun = self._places[place] = self._begun.copy()
        begun.update(_sized(place.encode()))
        return begun


@lru_cache(maxsize=8)
def script_keys(key: bytes) -> tuple[str, str]:
    """What a script hashes before the channel and the body, and before that hash: each as long as a block of SHA-1."""
    return _script_key(key, b"inner"), _script_key(key, b"outer")


def _script_key(key: bytes, which: bytes) -> str:
    return blake2b(key, digest_size=32, person=b"chatrooms." + which).hexdigest()


def _sized(text: bytes) -> bytes:
    # With its length before it, so that two texts never run into each other.
    return b"%d:%b" % (len(text), text)
