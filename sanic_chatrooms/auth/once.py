"""What counts once on all workers together: tickets, and the ids of logout tokens. Facts in the room that every worker holds."""

import random
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

import msgspec

from ..errors import RoomNotFound, Unavailable
from ..models import EVERYONE, Fact, Known

__all__ = ["FactStore", "Once"]

SWEEP_EVERY = 60.0
"""Most seconds between two removals of what nobody used in time, by each worker."""
MAX_SWEPT = 1000
"""Facts that are looked at in one removal."""


class FactPageLike(Protocol):
    """A page of facts."""

    @property
    def facts(self) -> list[Known]:
        """The facts."""

    @property
    def cursor(self) -> str | None:
        """Where the next page begins."""


class FactStore(Protocol):
    """The part of a store that this needs."""

    async def fact(self, room: str, kind: str, key: str) -> Known | None:
        """One fact."""

    async def set_fact(self, room: str, fact: Fact) -> bool:
        """Set or forget a fact; True if that changed anything, which one caller learns of several."""

    async def facts(
        self, room: str, kind: str, *, cursor: str | None = None, limit: int = 50
    ) -> FactPageLike:
        """A page of the facts of one kind."""


class _Entry(msgspec.Struct, array_like=True):
    until: float
    value: msgspec.Raw


_entry = msgspec.json.Decoder(_Entry)


class Once:
    """Entries of one kind. Keys are secrets: the store has only their hashes. Every method raises `Unavailable`."""

    def __init__(self, store: FactStore, kind: str, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._kind = kind
        self._clock = clock
        self._due = 0.0

    async def put(self, key: str, value: bytes, until: float) -> bool:
        """Keep a JSON value until this time (Unix seconds); False if it is there already."""
        return await self._set(_hash(key), msgspec.json.encode(_Entry(until, msgspec.Raw(value))))

    async def has(self, key: str) -> bool:
        """Whether it is there."""
        return await self._store.fact(EVERYONE, self._kind, _hash(key)) is not None

    async def take(self, key: str) -> bytes | None:
        """The value, for one caller of all; None for the others, and where there is none or its time has passed."""
        known = await self._store.fact(EVERYONE, self._kind, _hash(key))
        if known is None or not await self._set(_hash(key), None):
            return None
        entry = _entry.decode(known.value)
        return bytes(entry.value) if self._clock() < entry.until else None

    async def _set(self, key: str, value: bytes | None) -> bool:
        try:
            return await self._store.set_fact(EVERYONE, Fact(self._kind, key, value))
        except RoomNotFound:
            raise Unavailable from None  # the store has just lost everything; it is made again in a moment

    async def sweep(self) -> None:
        """Call this every second: about once a minute it forgets what has passed."""
        now = self._clock()
        if now < self._due:
            return
        self._due = now + random.uniform(SWEEP_EVERY / 2, SWEEP_EVERY)  # noqa: S311 - workers take turns
        cursor = None
        for _ in range(MAX_SWEPT // 100):
            try:
                page = await self._store.facts(EVERYONE, self._kind, cursor=cursor, limit=100)
            except RoomNotFound:
                return
            for known in page.facts:
                if _entry.decode(known.value).until <= now:
                    await self._set(known.key, None)
            if (cursor := page.cursor) is None:
                return


def _hash(key: str) -> str:
    return sha256(key.encode()).hexdigest()
