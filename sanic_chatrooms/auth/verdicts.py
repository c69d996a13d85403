"""Remembers which tokens were verified, because a public key takes 60 to 260 µs for each."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from ..models import User

__all__ = ["Verdicts"]

MAX_VERDICTS = 4096
"""Tokens that are remembered at most, and …"""
MAX_BYTES = 8 * 1024 * 1024
"""… bytes of them all together; the least recently shown goes first. What is kept of a token is about twice its size."""


class _Verdict(NamedTuple):
    user: User
    version: int
    until: float
    size: int


class Verdicts:
    """The users of tokens whose signatures were right, by a hash of the whole token, until the token expires.

    Refusals are not remembered: whoever sends many wrong tokens would drive out the right ones.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._known: OrderedDict[bytes, _Verdict] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._known)

    def __bool__(self) -> bool:
        return bool(self._known)

    def get(self, token: str, version: int) -> User | None:
        """The user of a token that was verified with the keys of this version."""
        key = _hash(token)
        verdict = self._known.get(key)
        if verdict is None:
            return None
        if verdict.version != version or verdict.until <= self._clock():
            self._drop(key)
            return None
        self._known.move_to_end(key)
        return verdict.user

    def put(self, token: str, version: int, user: User, until: float) -> None:
        """Remember a verdict until this time (Unix seconds)."""
        key, size = _hash(token), len(token)
        if key in self._known:
            self._drop(key)
        self._known[key] = _Verdict(user, version, until, size)
        self._bytes += size
        while len(self._known) > MAX_VERDICTS or self._bytes > MAX_BYTES:
            self._drop(next(iter(self._known)))

    def _drop(self, key: bytes) -> None:
        self._bytes -= self._known.pop(key).size


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
