"""Facts in SQL: plain functions over a connection, the same for every database."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, func, literal, select, tuple_

from ...drivers.sql.tables import in_steps, insert
from ...errors import RoomNotFound
from ...models import RESERVED, Fact, Known
from ...support.clock import Clock
from ...support.paging import decode_cursor, encode_cursor
from ..base import FactPage
from ..buckets import taken
from ..changes import SWEPT
from ..members import MEMBER
from ..unread import OWN, is_own
from .schema import Schema

__all__ = ["Facts", "cursor_after", "kept_room_id", "known_of", "put_fact", "room_id", "sweep"]

ROOMS_AT_ONCE = 1_000
"""Rooms a statement: databases bound how many parameters one may have."""


class Facts:
    """What holds in the rooms of one instance. Every method is one step of a transaction that somebody else began."""

    def __init__(self, schema: Schema, clock: Clock) -> None:
        self._schema = schema
        self._clock = clock

    def fact(self, connection: Connection, room: str, kind: str, key: str) -> Known | None:
        """See `Store.fact`."""
        fact = self._schema.fact.c
        found = connection.execute(self._with_rooms().where(fact.kind == kind, *self._about(room, key)))
        row = found.first()
        return None if row is None else known_of(row)

    def facts_about(self, connection: Connection, room: str, key: str) -> dict[str, Known]:
        """See `Store.facts_about`."""
        found = connection.execute(self._with_rooms().where(*self._about(room, key)))
        return {row.kind: known_of(row) for row in found}

    def facts(
        self, connection: Connection, room: str, kind: str, *, cursor: str | None = None, limit: int = 50
    ) -> FactPage:
        """See `Store.facts`."""
        fact = self._schema.fact.c
        these = (fact.room_id == room_id(connection, self._schema, room)) & (fact.kind == kind)
        wanted = self._with_rooms().where(these).order_by(fact.key)
        if cursor is not None:
            wanted = wanted.where(fact.key > decode_cursor("facts", cursor))
        found = [known_of(row) for row in connection.execute(wanted.limit(limit + 1))]
        following = cursor_after("facts", [known.key for known in found], limit)
        total = connection.scalar(select(func.count()).select_from(self._schema.fact).where(these))
        return FactPage(found[:limit], total or 0, following)

    def facts_of(
        self, connection: Connection, kind: str, key: str, *, cursor: str | None = None, limit: int = 50
    ) -> FactPage:
        """See `Store.facts_of`."""
        fact, room = self._schema.fact.c, self._schema.room.c
        these = (fact.kind == kind) & (fact.key == key) & (room.visibility != RESERVED)
        wanted = self._with_rooms().where(these).order_by(room.name)
        if cursor is not None:
            wanted = wanted.where(room.name > decode_cursor("facts of", cursor))
        found = [known_of(row) for row in connection.execute(wanted.limit(limit + 1))]
        following = cursor_after("facts of", [known.room for known in found], limit)
        total = connection.scalar(self._with_rooms().where(these).with_only_columns(func.count()))
        return FactPage(found[:limit], total or 0, following)

    def first_facts(
        self, connection: Connection, rooms: Collection[str], kind: str, limit: int
    ) -> dict[str, list[Known]]:
        """See `Store.first_facts`. One statement for up to 1,000 rooms."""
        room, fact = self._schema.room, self._schema.fact
        other = fact.alias()
        first = (
            select(other.c.key)
            .where(other.c.room_id == room.c.id, other.c.kind == kind)
            .order_by(other.c.key)
            .limit(limit)
        )
        those = (fact.c.room_id == room.c.id) & (fact.c.kind == kind) & fact.c.key.in_(first.correlate(room))
        wanted = select(room.c.name.label("room"), fact).outerjoin_from(room, fact, those)
        found: dict[str, list[Known]] = {}
        for some in in_steps(rooms, ROOMS_AT_ONCE):
            asked = wanted.where(room.c.name.in_(some)).order_by(room.c.name, fact.c.key)
            for row in connection.execute(asked):
                known = found.setdefault(row.room, [])
                if row.key is not None:
                    known.append(known_of(row))
        return found

    def about_each(
        self, connection: Connection, room: str, keys: Collection[str]
    ) -> dict[str, dict[str, Known]]:
        """See `Store.about_each`."""
        found: dict[str, dict[str, Known]] = {key: {} for key in keys}
        fact = self._schema.fact.c
        wanted = self._with_rooms().where(self._schema.room.c.name == room, fact.key.in_(found))
        for row in connection.execute(wanted):
            found[row.key][row.kind] = known_of(row)
        return found

    def set_fact(self, connection: Connection, room: str, fact: Fact) -> bool:
        """See `Store.set_fact`."""
        changed = put_fact(connection, self._schema, kept_room_id(connection, self._schema, room), fact)
        if changed and fact.until is not None:
            sweep(connection, self._schema, self._clock(), SWEPT)
        return changed

    def take(self, connection: Connection, key: str, rate: float, burst: int) -> float:
        """See `Store.take`."""
        bucket, now = self._schema.bucket, self._clock()
        new = insert(connection, bucket).values(key=key, full_at=0.0)
        # An update that changes nothing: it holds the row until the transaction ends.
        held = new.on_conflict_do_update(index_elements=["key"], set_={"full_at": bucket.c.full_at})
        full_at, wait = taken(connection.scalar(held.returning(bucket.c.full_at)), now, rate, burst)
        connection.execute(bucket.update().where(bucket.c.key == key).values(full_at=full_at))
        return wait

    def _with_rooms(self) -> Select[Any]:
        fact, room = self._schema.fact, self._schema.room
        return select(room.c.name.label("room"), fact).join(room, room.c.id == fact.c.room_id)

    def _about(self, room: str, key: str) -> tuple[ColumnElement[bool], ...]:
        return self._schema.room.c.name == room, self._schema.fact.c.key == key


def put_fact(connection: Connection, schema: Schema, room: int, fact: Fact) -> bool:
    """Set or forget a fact without an event; True if that changed anything."""
    table = schema.fact
    about = (table.c.room_id == room) & (table.c.key == fact.key)
    same = about & (table.c.kind == fact.kind)
    if fact.was is not None:
        same &= table.c.value == fact.was
    if fact.value is None:
        gone = connection.execute(table.delete().where(same)).rowcount > 0
        if gone and fact.kind == MEMBER:
            connection.execute(table.delete().where(about, table.c.kind.startswith(OWN)))
        return gone
    if is_own(fact):  # the membership is kept until the transaction ends
        member = select(table.c.since).where(about, table.c.kind == MEMBER)
        if connection.scalar(member.with_for_update(read=True, key_share=True)) is None:
            return False
    if fact.was:
        same &= _changes(fact, table.c.value, literal(fact.value, table.c.value.type))
        exchange = table.update().where(same).values(value=fact.value, seq=0, until=fact.until)
        return connection.execute(exchange).rowcount > 0
    head = select(schema.room.c.head).where(schema.room.c.id == room).scalar_subquery()
    values = {
        "room_id": room,
        "kind": fact.kind,
        "key": fact.key,
        "value": fact.value,
        "seq": 0,
        "until": fact.until,
    }
    new = insert(connection, table).values(**values, since=head)
    if fact.was is not None:
        return connection.execute(new.on_conflict_do_nothing()).rowcount > 0
    put = new.on_conflict_do_update(
        index_elements=["room_id", "kind", "key"],
        set_={name: new.excluded[name] for name in ("value", "seq", "until")},
        where=_changes(fact, table.c.value, new.excluded.value),
    )
    return connection.execute(put).rowcount > 0


def sweep(connection: Connection, schema: Schema, now: float, most: int) -> int:
    """Forget some facts whose time has passed; -> how many."""
    fact = schema.fact.c
    row = tuple_(fact.room_id, fact.kind, fact.key)
    passed = select(fact.room_id, fact.kind, fact.key).where(fact.until < now).order_by(fact.until)
    gone = connection.execute(passed.limit(most).with_for_update(skip_locked=True)).all()
    if gone:
        connection.execute(schema.fact.delete().where(row.in_([tuple(one) for one in gone])))
    return len(gone)


def _changes(fact: Fact, present: ColumnElement[bytes], value: ColumnElement[bytes]) -> ColumnElement[bool]:
    if fact.rule == "max":  # of integers without leading zeros the longer one is the higher
        return _by_length(value) > _by_length(present)
    return present != value


def _by_length(value: ColumnElement[bytes]) -> ColumnElement[Any]:
    return tuple_(func.length(value), value)


def room_id(connection: Connection, schema: Schema, room: str) -> int:
    """The number that a room has in the database. Raises `RoomNotFound`."""
    return _found(connection, select(schema.room.c.id).where(schema.room.c.name == room))


def kept_room_id(connection: Connection, schema: Schema, room: str) -> int:
    """The same; and until the transaction ends nobody deletes the room. Appends may go on. Raises `RoomNotFound`."""
    wanted = select(schema.room.c.id).where(schema.room.c.name == room)
    return _found(connection, wanted.with_for_update(read=True, key_share=True))


def _found(connection: Connection, wanted: Select[Any]) -> int:
    id: int | None = connection.scalar(wanted)
    if id is None:
        raise RoomNotFound
    return id


def cursor_after(kind: str, ids: list[str], limit: int) -> str | None:
    """The cursor behind the first `limit` of these; None if there are no more."""
    return encode_cursor(kind, ids[limit - 1]) if len(ids) > limit else None


def known_of(row: Row[Any]) -> Known:
    """The fact of a row, with its room's name."""
    return Known(row.kind, row.key, row.value, row.seq, row.since, row.room)
