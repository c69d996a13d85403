"""What counts once on all workers together: tickets, and the ids of logout tokens. Facts in the room that every worker holds."""

import time
from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

import msgspec

from ..errors import RoomNotFound, Unavailable
from ..models import EVERYONE, Fact, Known

__all__ = ["FactStore", "Once"]


class FactStore(Protocol):
    """The part of a store that this needs."""

    async def fact(self, room: str, kind: str, key: str) -> Known | None:
        """One fact."""

    async def set_fact(self, room: str, fact: Fact) -> bool:
        """Set or forget a fact; True if that changed anything, which one caller learns of several."""


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

    async def put(self, key: str, value: bytes, until: float) -> bool:
        """Keep a JSON value until this time (Unix seconds); False if the very same is there already."""
        entry = msgspec.json.encode(_Entry(until, msgspec.Raw(value)))
        return await self._set(Fact(self._kind, _hash(key), entry, until=until))

    async def has(self, key: str) -> bool:
        """Whether it is there."""
        return await self._store.fact(EVERYONE, self._kind, _hash(key)) is not None

    async def value(self, key: str) -> bytes | None:
        """The value; None where there is none or its time has passed."""
        known = await self._store.fact(EVERYONE, self._kind, _hash(key))
        return None if known is None else self._present(known)

    async def take(self, key: str) -> bytes | None:
        """The value, for one caller of all; None for the others, and where there is none or its time has passed."""
        known = await self._store.fact(EVERYONE, self._kind, _hash(key))
        if known is None or not await self._set(Fact(self._kind, _hash(key), None)):
            return None
        return self._present(known)

    def _present(self, known: Known) -> bytes | None:
        entry = _entry.decode(known.value)
        return bytes(entry.value) if self._clock() < entry.until else None

    async def _set(self, fact: Fact) -> bool:
        try:
            return await self._store.set_fact(EVERYONE, fact)
        except RoomNotFound:
            raise Unavailable from None  # the store has just lost everything; it is made again in a moment


def _hash(key: str) -> str:
    return sha256(key.encode()).hexdigest()
