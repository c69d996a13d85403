"""Lists that go through several rooms, a page at a time."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from ..errors import InvalidCursor, RoomNotFound
from ..models import Room
from ..stores.base import Store
from ..support.paging import PAGE_LIMIT, decode_cursor, encode_cursor

__all__ = ["List", "across", "all_rooms", "marked", "only"]

L = TypeVar("L")
List = Callable[[str | None], Awaitable[tuple[str | None, str | None]]]
"""(cursor) -> the id of the next room, if there is one, and the cursor behind it, if there are more."""
LOOKS = 50
"""Times that one page asks for a part of a room's list. A page may be short, or empty, and have a cursor all the same."""
KIND = "across"


class _Place(msgspec.Struct, array_like=True):
    before: str | None = None
    """The cursor of the list of rooms before the room."""
    room: str = ""
    inner: str | None = None
    """The cursor of the room's own list."""


_place = msgspec.json.Decoder(_Place)


async def all_rooms(store: Store, **which: Any) -> AsyncIterator[Room]:
    """All rooms that `Store.rooms` lists so. Raises `Unavailable`."""
    cursor = None
    while True:
        page = await store.rooms(**which, cursor=cursor, limit=PAGE_LIMIT)
        for room in page.rooms:
            yield room
        if (cursor := page.cursor) is None:
            return


async def across(
    rooms: List,
    read: Callable[[str, str | None, int], Awaitable[tuple[list[L], str | None]]],
    cursor: str | None,
    limit: int,
) -> tuple[list[L], str | None]:
    """Up to `limit` lines of what `read` returns for each of these rooms: `(room, cursor, limit) -> (lines, cursor)`.

    -> the lines, and the cursor of the next page. Raises `InvalidCursor`.
    """
    found, at = list[L](), _decoded(cursor)
    for _ in range(LOOKS):
        room, following = await rooms(at.before)
        if room is None:
            return found, None
        try:
            lines, inner = await read(room, at.inner if room == at.room else None, limit - len(found))
        except RoomNotFound:
            lines, inner = [], None  # deleted in this moment
        found += lines
        if inner is None and following is None:
            return found, None
        at = _Place(following) if inner is None else _Place(at.before, room, inner)
        if len(found) >= limit:
            break
    return found, encode_cursor(KIND, msgspec.json.encode(at).decode())


def _decoded(cursor: str | None) -> _Place:
    if cursor is None:
        return _Place()
    try:
        return _place.decode(decode_cursor(KIND, cursor))
    except msgspec.DecodeError:
        raise InvalidCursor from None


def only(room: str) -> List:
    """The list of this one room."""

    async def rooms(_: str | None) -> tuple[str, None]:
        return room, None

    return rooms


def marked(store: Store, kind: str) -> List:
    """The rooms in which the fact `kind` about the room itself holds, in the order of their ids.

    Not by `Store.facts_of`: that counts all these rooms, each time.
    """

    async def rooms(cursor: str | None) -> tuple[str | None, str | None]:
        page = await store.rooms(fact=(kind, ""), cursor=cursor, limit=1)
        return (page.rooms[0].id if page.rooms else None), page.cursor

    return rooms
