"""Signatures on what travels between processes: only who knows the secret that the store keeps can speak for the chat.

A signature binds the instance, the place (a room) and every byte of a piece, so that no piece counts elsewhere. It hides
nothing. Python signs by BLAKE2b with a key; a store that rings from its own script signs by SHA-1, twice with two keys,
which is all that scripts of Redis and Valkey can do.
"""

from functools import lru_cache
from hashlib import blake2b, sha1
from hmac import compare_digest
from typing import Any

__all__ = ["SEALED", "STAMPED", "Forged", "Seal", "stamp_keys"]

SEALED = b"\x02"
"""How a piece begins that Python signed: the version of its form, too."""
STAMPED = b"#"
"""How one begins that a script signed."""
_MAC = 16
_BODY = len(SEALED) + _MAC
"""Where the body of a sealed piece begins."""
_STAMP = 40
_PLACES = 1000
"""Rooms whose beginning is kept."""


class Forged(Exception):
    """Nobody who knows the key signed this piece for this place."""


class Seal:
    """Signs pieces, and opens those that were signed under the same key for the same instance and place."""

    def __init__(self) -> None:
        self._key = b""
        self._instance = b""
        self._renew()

    def use(self, key: bytes) -> None:
        """Sign and open by this key from now on, and by no earlier one."""
        self._key = key
        self._renew()

    def bind(self, instance: str) -> None:
        """To pieces of this instance."""
        self._instance = instance.encode()
        self._renew()

    def _renew(self) -> None:
        key = blake2b(self._key, person=b"chatrooms.bells").digest()
        self._begun = blake2b(_sized(self._instance), digest_size=_MAC, key=key)
        self._places: dict[str, Any] = {}
        self._stamp_keys = tuple(key.encode() for key in stamp_keys(self._key))

    def close(self, place: str, body: bytes) -> bytes:
        """The signed piece."""
        return SEALED + self._mac(place, body) + body

    def open(self, place: str, piece: bytes) -> bytes:
        """The body of a signed piece. Raises `Forged`."""
        body = piece[_BODY:]
        if not compare_digest(piece[:_BODY], SEALED + self._mac(place, body)):
            raise Forged
        return body

    def open_stamped(self, channel: bytes, piece: bytes) -> bytes:
        """The same for a piece that a script signed for its channel."""
        start = 1 + _STAMP
        inner, outer = self._stamp_keys
        body = piece[start:]
        once = sha1(b"".join((inner, channel, b"\n", body)), usedforsecurity=False).hexdigest()
        stamp = sha1(outer + once.encode(), usedforsecurity=False).hexdigest()
        if not piece.startswith(STAMPED) or not compare_digest(piece[1:start], stamp.encode()):
            raise Forged
        return body

    def _mac(self, place: str, body: bytes) -> bytes:
        # What is the same for each piece of a room is hashed once, and copied.
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
def stamp_keys(key: bytes) -> tuple[str, str]:
    """What a script hashes before the channel and the body, and before that hash: each as long as a block of SHA-1."""
    return _stamp_key(key, b"inner"), _stamp_key(key, b"outer")


def _stamp_key(key: bytes, which: bytes) -> str:
    return blake2b(key, digest_size=32, person=b"chatrooms." + which).hexdigest()


def _sized(text: bytes) -> bytes:
    # With its length before it, so that two texts never run into each other.
    return b"%d:%b" % (len(text), text)
