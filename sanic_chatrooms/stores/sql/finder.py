"""Looking up keys in the index of words: what both databases have in common."""

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, select, true

from ...errors import RoomNotFound
from ...models import RESERVED
from ..members import MEMBER
from ..search import Hit, Hits
from .schema import DELETED, Schema

__all__ = ["Asked", "Finder", "Found"]

NAMED = 200
"""Rooms of a user that the look-up itself is limited to. Where there are more, hits in other rooms are left out afterwards."""
EDITED = 200
"""Messages that were edited and are not indexed again, which are hits of every search meanwhile."""


class Asked(NamedTuple):
    """What is looked up: keys, between two places in the order."""

    keys: Collection[str]
    before: int
    after: int
    limit: int


class Found(NamedTuple):
    """Rows of `word`, as (id, room_id, seq), newest first, and where to look on."""

    rows: list[tuple[int, int, int]]
    resume: int | None


class Finder(ABC):
    """Looks up keys. Every method is a step of a transaction that somebody else began."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    @abstractmethod
    def prepare(self, connection: Connection) -> bool:
        """Make what the index needs beside its tables; False if this database cannot have one."""

    @abstractmethod
    def of_room(self, connection: Connection, room: int, asked: Asked) -> Found:
        """In one room; places are numbers of messages."""

    @abstractmethod
    def of_rooms(self, connection: Connection, rooms: Collection[int], asked: Asked) -> Found:
        """In a few rooms; places are ids."""

    @abstractmethod
    def of_user(self, connection: Connection, user: str | None, asked: Asked) -> Found:
        """In the rooms of a user who has many, or in all (None); places are ids."""

    def in_room(self, connection: Connection, room: str, asked: Asked) -> Hits:
        """See `SearchIndex.find_in`."""
        table, indexed = self._schema.room, self._schema.indexed
        stands = select(table.c.id, indexed.c.seq)
        stands = stands.outerjoin_from(table, indexed, indexed.c.room_id == table.c.id)
        stand = connection.execute(stands.where(table.c.name == room)).first()
        if stand is None:
            raise RoomNotFound
        if not asked.keys or stand.seq is None:
            return Hits([], None, stand.seq or 0)
        found = self.of_room(connection, stand.id, asked)
        low = max(asked.after, 0 if found.resume is None else found.resume - 1)
        edited = self._edited_in(connection, stand.id, low, asked.before)
        resume = _reached(found, edited)
        seqs = {seq: id for id, _, seq in found.rows if resume is None or seq >= resume} | edited
        return _cut(
            [Hit(room, seq, seqs[seq]) for seq in sorted(seqs, reverse=True)],
            resume,
            asked,
            "seq",
            stand.seq,
        )

    def in_rooms(self, connection: Connection, user: str | None, asked: Asked) -> Hits:
        """See `SearchIndex.find_of`."""
        if not asked.keys:
            return Hits([], None)
        rooms = None if user is None else self._rooms_of(connection, user)
        if rooms is not None and len(rooms) <= NAMED:
            found = self.of_rooms(connection, rooms, asked) if rooms else Found([], None)
        else:
            found = self.of_user(connection, user, asked)
        low = max(asked.after, 0 if found.resume is None else found.resume - 1)
        edited = self._edited_of(connection, rooms, low, asked.before)
        resume = _reached(found, edited)
        places = {id: (room, seq) for id, room, seq in found.rows if resume is None or id >= resume} | edited
        names = self._names(connection, {room for room, _ in places.values()})
        hits = [
            Hit(names[room], seq, id)
            for id, (room, seq) in sorted(places.items(), reverse=True)
            if room in names
        ]
        return _cut(hits, resume, asked, "place", 0)

    def _rooms_of(self, connection: Connection, user: str) -> list[int]:
        fact = self._schema.fact.c
        theirs = select(fact.room_id).where(fact.kind == MEMBER, fact.key == user)
        return list(connection.scalars(theirs.limit(NAMED + 1)))

    def _names(self, connection: Connection, rooms: Collection[int]) -> dict[int, str]:
        room = self._schema.room.c
        alive = room.visibility.not_in((RESERVED, DELETED))
        named = select(room.id, room.name).where(room.id.in_(rooms), alive)
        return {row.id: row.name for row in connection.execute(named)}

    def _edited_in(self, connection: Connection, room: int, after: int, before: int) -> dict[int, int]:
        word = self._schema.word.c
        seq = word.seq + 0  # sums: the index of edited messages must be walked, and no other
        edited = select(word.seq, word.id).where(
            word.due == true(), word.room_id + 0 == room, seq > after, seq < before
        )
        found = connection.execute(edited.order_by(seq.desc()).limit(EDITED))
        return {row.seq: row.id for row in found}

    def _edited_of(
        self, connection: Connection, rooms: Collection[int] | None, after: int, before: int
    ) -> dict[int, tuple[int, int]]:
        word = self._schema.word.c
        id = word.id + 0
        edited = select(word.id, word.room_id, word.seq).where(word.due == true(), id > after, id < before)
        if rooms is not None and len(rooms) <= NAMED:
            edited = edited.where((word.room_id + 0).in_(rooms))
        found = connection.execute(edited.order_by(id.desc()).limit(EDITED))
        return {row.id: (row.room_id, row.seq) for row in found}


def _reached(found: Found, edited: Collection[int]) -> int | None:
    """Where to look on, if there are edited messages at these places: below the last of them, where there may be more."""
    if len(edited) < EDITED:
        return found.resume
    return max(min(edited), 0 if found.resume is None else found.resume)


def _cut(hits: list[Hit], resume: int | None, asked: Asked, by: str, indexed: int) -> Hits:
    """At most as many as were asked for. The next call then goes on below the last of them."""
    if len(hits) <= asked.limit:
        return Hits(hits, resume, indexed)
    hits = hits[: asked.limit]
    return Hits(hits, getattr(hits[-1], by), indexed)
