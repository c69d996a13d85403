"""Signatures on packets between processes. Only a process that knows the secret in the store can make them.

A signature covers the instance, the place (a room) and every byte of the body, so a signed packet is not valid elsewhere. It
does not hide the content. Python signs by BLAKE2b with a key. A store that publishes from its own script signs by SHA-1, twice with two
keys, because scripts of Redis and Valkey have nothing better.
"""

from functools import lru_cache
from hashlib import blake2b, sha1
from hmac import compare_digest
from typing import Any

__all__ = ["BODY", "SCRIPT_BODY", "SIGNED", "SIGNED_BY_SCRIPT", "Forged", "Signer", "script_keys"]

SIGNED = b"\x02"
"""The first byte of a packet that Python signed. It also is the version of the format."""
SIGNED_BY_SCRIPT = b"#"
"""The first byte of a packet that a script signed."""
_MAC = 16
BODY = len(SIGNED) + _MAC
"""Where the body begins in a packet that Python signed."""
_HEX = 40
"""Characters of a script's signature."""
SCRIPT_BODY = len(SIGNED_BY_SCRIPT) + _HEX
"""Where the body of a packet begins that a script signed."""
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
        key = blake2b(self._key, person=b"chatrooms.broker").digest()
        self._begun = blake2b(_sized(self._instance), digest_size=_MAC, key=key)
        self._places: dict[str, Any] = {}
        inner, outer = script_keys(self._key)
        self._inner = sha1(inner.encode(), usedforsecurity=False)
        self._outer = sha1(outer.encode(), usedforsecurity=False)
        self._channels: dict[bytes, Any] = {}

    # Each of these runs for every packet, so they share no function: a call costs as much as half of the hash.

    def sign(self, place: str, body: bytes) -> bytes:
        """The signed packet."""
        mac = (self._places.get(place) or self._begin(place)).copy()
        mac.update(body)
        return b"".join((SIGNED, mac.digest(), body))

    def verify(self, place: str, packet: bytes) -> bytes:
        """The body of a packet that `sign` made. Raises `Forged`."""
        body = packet[BODY:]
        mac = (self._places.get(place) or self._begin(place)).copy()
        mac.update(body)
        if not compare_digest(packet[1:BODY], mac.digest()) or not packet.startswith(SIGNED):
            raise Forged
        return body

    def verify_script(self, channel: bytes, packet: bytes) -> bytes:
        """The body of a packet that a script signed for its channel. Raises `Forged`."""
        body = packet[SCRIPT_BODY:]
        once = (self._channels.get(channel) or self._begin_channel(channel)).copy()
        once.update(body)
        twice = self._outer.copy()
        twice.update(once.hexdigest().encode())
        expected = twice.hexdigest().encode()
        if not compare_digest(packet[1:SCRIPT_BODY], expected) or not packet.startswith(SIGNED_BY_SCRIPT):
            raise Forged
        return body

    # What is the same for each packet of a room is hashed once, and copied.

    def _begin(self, place: str) -> Any:
        return _begun(self._places, place, self._begun, _sized(place.encode()))

    def _begin_channel(self, channel: bytes) -> Any:
        return _begun(self._channels, channel, self._inner, channel + b"\n")


def _begun(kept: dict[Any, Any], key: str | bytes, start: Any, more: bytes) -> Any:
    if len(kept) >= _PLACES:
        kept.clear()
    begun = kept[key] = start.copy()
    begun.update(more)
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
