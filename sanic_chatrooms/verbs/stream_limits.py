"""How many messages may be in the writing at a time, on all workers together. Those of the app do not count.

A room has numbered places. A message that is opened takes one in the same step as its event is stored: a fact names the message that
took it last, and that place is free again once this message is closed.

What a user writes in all rooms is one fact in the room of everybody. It is changed before the event is stored, so it may name messages
that are closed, or that were never opened. These are looked for when the list is full.
"""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import msgspec

from ..errors import Conflict, RateLimited, RoomNotFound, Unavailable
from ..models import EVERYONE, Fact
from ..stores.base import Store
from ..stores.streams import PLACE, STREAM
from ..support.clock import now
from ..support.paging import PAGE_LIMIT
from ..wire.encode import encode

__all__ = ["PER_ROOM", "PER_USER", "WRITES", "give_back", "in_a_place", "register"]

T = TypeVar("T")

PER_ROOM, PER_USER = 16, 4
AGAIN = 1.0
"""Seconds after which somebody above that may try again."""
WRITES = "writes"
"""The kind of the fact about a user, what they write. It is forgotten a day after they have opened the last message."""
DAY = 86_400.0
STORED = 4
"""Time limits of the store within which a message is stored, or is not."""
TRIES = 32
"""How often an open is tried while others open messages. One of them succeeds each time."""


class _Written(msgspec.Struct, array_like=True, frozen=True):
    """A message that a user has opened, or is about to."""

    room: str
    msg_id: str
    at: float


_written = msgspec.json.Decoder(list[_Written]).decode
_msg_id = msgspec.json.Decoder(str).decode


# ---- a room ----


async def in_a_place(store: Store, room: str, msg_id: str, append: Callable[[Fact], Awaitable[T]]) -> T:
    """Store a message in a place of its room: `append` does, with the fact that takes it. Raises `RateLimited`, and its errors."""
    for tried in range(TRIES):
        place = await _free_place(store, room, msg_id, at_random=tried > 0)
        try:
            return await append(place)
        except Conflict:
            known = await store.fact(room, PLACE, place.key)
            if (b"" if known is None else known.value) == place.was:
                raise  # for another reason
    raise _full()


async def _free_place(store: Store, room: str, msg_id: str, *, at_random: bool) -> Fact:
    """The fact with which the message takes a place: the first that is free, or any of them."""
    numbers = [str(number) for number in range(PER_ROOM)]
    page = await store.facts(room, PLACE, limit=PAGE_LIMIT)
    taken = {known.key: known.value for known in page.facts}
    free = [number for number in numbers if number not in taken]
    if not free:
        last = {number: _msg_id(taken[number]) for number in numbers}
        about = await store.about_each(room, list(last.values()))
        free = [number for number in numbers if STREAM not in about.get(last[number], {})]
    if not free:
        raise _full()
    number = random.choice(free) if at_random else free[0]  # noqa: S311 - others should choose another one
    return Fact(PLACE, number, encode(msg_id), was=taken.get(number, b""))


def _full() -> RateLimited:
    return RateLimited("too many messages are being written in this room", retry_after=AGAIN, limit="streams")


# ---- a user ----


async def register(store: Store, user: str, room: str, msg_id: str, time_limit: float) -> None:
    """Count a message that the user is about to open. `time_limit`: the store's, in seconds. Raises `RateLimited`, `Unavailable`."""
    for _ in range(TRIES):
        value, writes = await _written_by(store, user)
        if len(writes) >= PER_USER:
            writes = [one for one in writes if await _counts(store, one, STORED * time_limit)]
        if len(writes) >= PER_USER:
            raise RateLimited(
                "you are writing too many messages at a time", retry_after=AGAIN, limit="streams"
            )
        if await _exchange(store, user, value, [*writes, _Written(room, msg_id, now())]):
            return
    raise Unavailable


async def give_back(store: Store, user: str, msg_id: str) -> None:
    """A message that was counted was not opened. Where the store is away, it is found out later."""
    with suppress(Unavailable):
        for _ in range(TRIES):
            value, writes = await _written_by(store, user)
            left = [one for one in writes if one.msg_id != msg_id]
            if len(left) == len(writes) or await _exchange(store, user, value, left):
                return


async def _written_by(store: Store, user: str) -> tuple[bytes, list[_Written]]:
    known = await store.fact(EVERYONE, WRITES, user)
    return (b"", []) if known is None else (known.value, _written(known.value))


async def _exchange(store: Store, user: str, was: bytes, writes: list[_Written]) -> bool:
    value = encode(writes) if writes else None
    try:
        return await store.set_fact(EVERYONE, Fact(WRITES, user, value, until=now() + DAY, was=was))
    except RoomNotFound:
        raise Unavailable from None  # the store has just lost everything; it is made again in a moment


async def _counts(store: Store, one: _Written, stored_within: float) -> bool:
    """Whether the message is being written, or may still be about to be stored."""
    try:
        message = await store.message(one.room, one.msg_id)
        if await store.fact(one.room, STREAM, one.msg_id) is not None:
            return True
    except RoomNotFound:
        return False
    return message is None and now() - one.at < stored_within
