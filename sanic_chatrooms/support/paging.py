"""Reading long lists a page at a time, in the order of their ids.

A cursor holds the last id that was shown, not a position: rooms and members that come and go between two pages
neither repeat a line nor swallow one.
"""

from base64 import b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import Generic, TypeVar

from ..errors import InvalidCursor

__all__ = ["PAGE_LIMIT", "Paged", "decode_cursor", "decode_number", "encode_cursor"]

V = TypeVar("V")
PAGE_LIMIT = 200
"""Entries that a page has at most, whatever its reader asks for."""
LONGEST_NUMBER = 18  # digits: integers of every database have room for these


def encode_cursor(kind: str, last: str) -> str:
    """A cursor for the page that begins behind the id `last`; `kind` says which list it belongs to."""
    return urlsafe_b64encode(f"{kind}\n{last}".encode()).rstrip(b"=").decode()


def decode_cursor(kind: str, cursor: str) -> str:
    """The id that `encode_cursor` was given. Raises `InvalidCursor` for everything it cannot have returned."""
    try:
        text = b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (TypeError, ValueError):  # the app may give what is no text
        raise InvalidCursor from None
    _, _, last = text.partition("\n")
    # Compared with what would have been made: another kind differs, and so do other spellings in base64.
    # No id contains a NUL, which PostgreSQL's text cannot.
    if encode_cursor(kind, last) != cursor or "\0" in last:
        raise InvalidCursor
    return last


def decode_number(kind: str, cursor: str) -> int:
    """The number whose decimal digits `encode_cursor` was given. Raises `InvalidCursor` for anything else."""
    last = decode_cursor(kind, cursor)
    if not (last.isascii() and last.isdigit()) or len(last) > LONGEST_NUMBER:
        raise InvalidCursor
    return int(last)


class Paged(Generic[V]):
    """Values by id, which can be read a page at a time in the order of the ids.

    Adding and removing move a part of a list of references. That takes microseconds even with 100,000 ids; sorting for each
    page would take tens of milliseconds.
    """

    __slots__ = ("_ids", "_values")

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._values: dict[str, V] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def get(self, id: str) -> V | None:
        """The value of this id, or None."""
        return self._values.get(id)

    def put(self, id: str, value: V) -> None:
        """Set the value of this id."""
        if id not in self._values:
            insort(self._ids, id)
        self._values[id] = value

    def take(self, id: str) -> V | None:
        """Remove this id; its value, or None if there was none."""
        value = self._values.pop(id, None)
        if value is not None:
            del self._ids[bisect_left(self._ids, id)]
        return value

    def page(self, kind: str, cursor: str | None, limit: int) -> tuple[list[V], str | None]:
        """Up to `limit` (≥ 1) values from the cursor on, and the cursor of the next page. Raises `InvalidCursor`."""
        start = 0 if cursor is None else bisect_right(self._ids, decode_cursor(kind, cursor))
        ids = self._ids[start : start + limit]
        more = start + limit < len(self._ids)
        return list(map(self._values.__getitem__, ids)), encode_cursor(kind, ids[-1]) if more else None
