"""The keys that an identity provider publishes (JSON Web Key Set, RFC 7517), as fresh as they can be without asking often.

A login waits for the provider only if its key is unknown.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from ..errors import Unavailable
from ..support.tasks import end
from .fetch import Fetcher, checked_url
from .keys import Key

__all__ = ["Jwks"]

logger = logging.getLogger("sanic_chatrooms.auth.jwks")

MAX_KEYS: Final = 32
REFRESH: Final = 600.0
"""Seconds after which keys are fetched again, in the background."""
ASK_AGAIN: Final = 30.0
"""Seconds in which a key that the provider does not have is asked for once."""
STALE: Final = 86_400.0
"""Seconds for which keys are good if the provider does not answer."""
FIRST_RETRY: Final = 1.0
"""Seconds after the first failure; they double up to `ASK_AGAIN`."""
WITHOUT_ID: Final = 4
"""Keys that are tried for a token that names none."""
LOG_EVERY: Final = 600.0


class Jwks:
    """The keys at one address. `read` makes keys of the entries of a set, and leaves out those that are of no use here."""

    def __init__(
        self,
        url: str,
        read: Callable[[Iterable[Any]], list[Key]],
        *,
        fetcher: Fetcher | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = checked_url("JWT_JWKS_URL", url)
        self._read = read
        self._fetcher = fetcher or Fetcher(url)
        self._clock = clock
        self._keys: dict[str | None, list[Key]] = {}
        self._etag: str | None = None
        self._flight: asyncio.Task[None] | None = None
        self.version = 0
        self._read_at = self._refresh_at = self._ask_at = self._log_at = -math.inf
        self._retry = FIRST_RETRY

    async def fitting(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """The keys that may have signed a token with this header; none: the provider does not have such a key.

        Raises `Unavailable` if no key at all is known, because the provider has not answered for a day.
        """
        while not (found := self._known(kid, algorithm)):
            if self._clock() < self._ask_at:
                break
            # The answer of a request that is under way may be from before the key was there: then ask once more.
            flight = self._flight
            mine = flight is None
            await asyncio.wait([flight or self._start(kid, algorithm)])
            if mine:
                found = self._known(kid, algorithm)
                break
        if found:
            self._refresh()
        elif not self._current():
            raise Unavailable("the keys of the identity provider are not known now")
        return found

    def at_hand(self, kid: str | None, algorithm: str) -> bool:
        """Whether such a key is known, or was asked for a moment ago."""
        return bool(self._known(kid, algorithm)) or self._clock() < self._ask_at

    def _current(self) -> dict[str | None, list[Key]]:
        return self._keys if self._clock() < self._read_at + STALE else {}

    def _known(self, kid: str | None, algorithm: str) -> list[Key]:
        keys = self._current()
        if kid is not None:
            return [key for key in keys.get(kid, ()) if algorithm in key.algorithms]
        return [key for some in keys.values() for key in some if algorithm in key.algorithms][:WITHOUT_ID]

    def _refresh(self) -> None:
        if self._clock() >= self._refresh_at and self._flight is None:
            self._start(None, None)

    # ---- fetching ----

    def _start(self, kid: str | None, algorithm: str | None) -> asyncio.Task[None]:
        flight = self._flight = asyncio.ensure_future(self._fetch(kid, algorithm))
        flight.add_done_callback(self._landed)
        return flight

    def _landed(self, _: object) -> None:
        self._flight = None

    async def _fetch(self, kid: str | None, algorithm: str | None) -> None:
        """Fetch the keys, for a token with this header or to refresh them (None). It raises nothing."""
        began = self._clock()
        try:
            fetched = await self._fetcher.get(self._etag if self._keys else None)
            if fetched.body is not None:
                self._take(fetched.body)
            self._etag = fetched.etag
        except Exception as exc:  # noqa: BLE001 - whatever it is, the keys that are known go on, and it is logged
            self._failed(exc)
        else:
            self._read_at, self._retry = self._clock(), FIRST_RETRY
            self._refresh_at = self._read_at + REFRESH
            if algorithm is not None and not self._known(kid, algorithm):
                self._ask_at = began + ASK_AGAIN

    def _take(self, body: bytes) -> None:
        document = msgspec.json.decode(body)
        entries = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise ValueError("it is no JSON Web Key Set")
        if len(entries) > MAX_KEYS:
            raise ValueError(f"it has {len(entries)} keys, and more than {MAX_KEYS} are not taken")
        keys: dict[str | None, list[Key]] = {}
        for key in self._read(entries):
            keys.setdefault(key.id, []).append(key)
        if not keys:
            raise ValueError("it has no key that verifies signatures by an algorithm that is accepted here")
        if any(_is_gone(key, keys) for some in self._keys.values() for key in some):
            self.version += 1
        self._keys = keys

    def _failed(self, exc: Exception) -> None:
        now = self._clock()
        self._refresh_at = now + self._retry
        self._ask_at = now + (ASK_AGAIN if self._current() else self._retry)
        self._retry = min(self._retry * 2, ASK_AGAIN)
        if now >= self._log_at:
            self._log_at = now + LOG_EVERY
            known = "those known are used on" if self._current() else "none are known"
            logger.warning("the keys at %s could not be read, and %s: %s", self._url, known, exc)

    async def stop(self) -> None:
        """End a request that is under way."""
        if self._flight is not None:
            await end(self._flight)


def _is_gone(key: Key, keys: dict[str | None, list[Key]]) -> bool:
    return not any(key.material == other.material for other in keys.get(key.id, ()))
