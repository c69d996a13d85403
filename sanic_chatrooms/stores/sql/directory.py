"""Rooms and secrets in SQL: plain functions over a connection, the same for every database."""

from collections import Counter
from collections.abc import Collection, Sequence
from secrets import token_urlsafe
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import (
    CompoundSelect,
    Connection,
    Insert,
    Row,
    Select,
    Table,
    bindparam,
    case,
    func,
    select,
    union_all,
)

from ...drivers.sql.tables import in_steps, insert
from ...errors import Conflict, RoomLimit, RoomNotFound
from ...models import DIRECT, PRIVATE, PUBLIC, RESERVED, Fact, Head, Room
from ...support.ids import new_epoch
from ...support.paging import decode_cursor
from ..base import LISTED, Bounds, RoomAbout, RoomPage
from ..properties import ROOM, first_facts, numbered, room_fact, with_properties
from .facts import ROOMS_AT_ONCE, cursor_after, known_of, put_fact
from .schema import DELETED, Schema

__all__ = ["Directory", "renew_epochs"]

_Key = tuple[str, str]


class Directory:
    """The rooms of one instance, and its secrets. Every method is one step of a transaction that somebody else began."""

    def __init__(self, schema: Schema, bounds: Bounds) -> None:
        self._schema = schema
        self._bounds = bounds
        self._places: Counter[tuple[str, ...]] = Counter()
        """For kinds of rooms with a bound: how many may be made before they are counted again."""

    # ---- rooms ----

    def heads(self, connection: Connection, rooms: Collection[str]) -> dict[str, Head]:
        """See `Store.heads`."""
        room, heads = self._schema.room.c, {}
        for some in in_steps(rooms, ROOMS_AT_ONCE):
            asked = room.name.in_(some)
            for name, epoch, head in connection.execute(
                select(room.name, room.epoch, room.head).where(asked)
            ):
                heads[name] = Head(epoch, head)
        return heads

    def room(self, connection: Connection, room: str) -> Room | None:
        """See `Store.room`."""
        found = connection.execute(self._rooms().where(self._schema.room.c.name == room)).first()
        return None if found is None else _room(found)

    def create_room(
        self,
        connection: Connection,
        room: Room,
        *,
        facts: Sequence[Fact] = (),
        key: _Key | None = None,
        hash: bytes = b"",
    ) -> tuple[Room, bool]:
        """See `Store.create_room`."""
        table = self._schema.room
        there = self._rooms().where(table.c.name == room.id)
        found = connection.execute(there).first()
        if found is None:
            self._require_place(connection, room)
            made = connection.execute(_new(connection, table, _row(room, new_epoch(), key, hash)))
            found = connection.execute(there).one()
            if made.rowcount:
                for fact in first_facts(room, facts):
                    put_fact(connection, self._schema, found.id, fact)
                return replace(room, id=found.name, epoch=found.epoch, seq=0, restricted=0, history=()), True
        if key is not None and ((found.key_user, found.key_id), found.hash) != (key, hash):
            raise Conflict("there is a room with this name already; take another")
        return _room(found), False

    def update_room(self, connection: Connection, room: Room) -> Room:
        """See `Store.update_room`."""
        table = self._schema.room
        wanted = select(table.c.id, table.c.head).where(table.c.name == room.id, table.c.epoch == room.epoch)
        held = connection.execute(wanted.with_for_update(key_share=True)).first()
        if held is None:
            raise RoomNotFound
        described = self._rooms().where(table.c.id == held.id)
        fact = room_fact(room, _room(connection.execute(described).one()))
        put_fact(connection, self._schema, held.id, numbered(fact, held.head + 1))
        epoch = case((table.c.visibility == room.visibility, table.c.epoch), else_=new_epoch())
        changed = table.update().where(table.c.id == held.id)
        connection.execute(changed.values(visibility=room.visibility, epoch=epoch))
        return _room(connection.execute(described).one())

    def _rooms(self) -> Select[Any]:
        """Rooms, each with the fact about it."""
        room, fact = self._schema.room, self._schema.fact.alias()
        about = (fact.c.room_id == room.c.id) & (fact.c.kind == ROOM) & (fact.c.key == "")
        described = fact.c.value.label("properties"), fact.c.seq.label("described")
        return select(room, *described).outerjoin_from(room, fact, about)

    def _require_place(self, connection: Connection, room: Room) -> None:
        most = self._bounds.most_rooms(room.visibility)
        if most is None:
            return
        kinds = (DIRECT,) if room.visibility == DIRECT else (PUBLIC, PRIVATE)
        if self._places[kinds] <= 0:
            table = self._schema.room
            counted = select(func.count()).select_from(table).where(table.c.visibility.in_(kinds))
            left = most - (connection.scalar(counted) or 0)
            if left <= 0:
                raise RoomLimit.of(most, "the server")
            # Counting takes longer the more there are. So many may be made by each process before it counts again.
            self._places[kinds] = max(1, left // 100)
        self._places[kinds] -= 1

    def rooms_about(self, connection: Connection, rooms: Collection[str], key: str) -> dict[str, RoomAbout]:
        """See `Store.rooms_about`."""
        room, fact = self._schema.room.c, self._schema.fact
        found: dict[str, RoomAbout] = {}
        for some in in_steps(rooms, ROOMS_AT_ONCE):
            rows = connection.execute(self._rooms().where(room.name.in_(some)))
            found |= {row.name: (_room(row), {}) for row in rows}
            about = (fact.c.room_id == room.id) & (fact.c.key == key) & room.name.in_(some)
            for row in connection.execute(select(room.name.label("room"), fact).where(about)):
                if row.room in found:  # else it was made after the first question
                    found[row.room][1][row.kind] = known_of(row)
        return found

    def rooms(
        self,
        connection: Connection,
        *,
        visibility: str | None = PUBLIC,
        fact: tuple[str, str] | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> RoomPage:
        """See `Store.rooms`."""
        room, kind = self._schema.room, "rooms" if fact is None else "mine"
        last = None if cursor is None else decode_cursor(kind, cursor)
        rooms = self._rooms().order_by(room.c.name).limit(limit + 1)
        if fact is not None:
            theirs = self._schema.fact
            rooms = rooms.join(theirs, theirs.c.room_id == room.c.id)
            rooms = rooms.where(
                theirs.c.kind == fact[0], theirs.c.key == fact[1], room.c.visibility != RESERVED
            )
        elif visibility is not None:
            rooms = rooms.where(room.c.visibility == visibility)
        else:
            rooms = rooms.where(room.c.id.in_(self._listed(last, limit + 1)))
        if last is not None:
            rooms = rooms.where(room.c.name > last)
        found = [_room(row) for row in connection.execute(rooms)]
        return RoomPage(found[:limit], cursor_after(kind, [room.id for room in found], limit))

    def _listed(self, last: str | None, limit: int) -> CompoundSelect[Any]:
        """The first rooms of each list behind this name. One list at a time is a search of the index; all at once would be a
        walk through the reserved rooms too."""
        room = self._schema.room.alias()
        some = select(room.c.id).order_by(room.c.name).limit(limit)
        if last is not None:
            some = some.where(room.c.name > last)
        lists = [some.where(room.c.visibility == visibility).subquery() for visibility in LISTED]
        return union_all(*[select(each.c.id) for each in lists])

    def delete_room(self, connection: Connection, room: str, *, unused: bool = False) -> bool:
        """See `Store.delete_room`. Its events go later, in pieces: nobody can reach them any more."""
        table, fact = self._schema.room, self._schema.fact
        wanted = select(table.c.id).where(table.c.name == room).with_for_update()
        if unused:
            wanted = wanted.where(table.c.auto, table.c.head == 0)
        id = connection.scalar(wanted)
        if id is None:
            return False
        gone = table.update().where(table.c.id == id).values(name=None, visibility=DELETED)
        connection.execute(gone)
        connection.execute(fact.delete().where(fact.c.room_id == id))
        return True

    def trim(self, connection: Connection, room: str, seq: int) -> None:
        """See `Store.trim`. The rows go later, in pieces."""
        table = self._schema.room
        here, last = table.c.name == room, case((table.c.head < seq, table.c.head), else_=seq)
        if connection.scalar(select(table.c.id).where(here)) is None:
            raise RoomNotFound
        connection.execute(table.update().where(here, table.c.floor < last).values(floor=last))

    def renew_epoch(self, connection: Connection, room: str, old: str) -> Head:
        """See `Store.renew_epoch`."""
        table = self._schema.room
        same = (table.c.name == room) & (table.c.epoch == old)
        connection.execute(table.update().where(same).values(epoch=new_epoch()))
        found = self.heads(connection, [room])
        if not found:
            raise RoomNotFound
        return found[room]

    # ---- secrets ----

    def secret(self, connection: Connection, name: str) -> str:
        """See `Store.secret`."""
        secret, fresh = self._schema.secret, token_urlsafe(32)
        connection.execute(_new(connection, secret, {"name": name, "value": fresh}))
        value: str = connection.execute(select(secret.c.value).where(secret.c.name == name)).scalar_one()
        return value


def renew_epochs(
    connection: Connection, schema: Schema, rooms: Sequence[str] | None, after: str
) -> list[str]:
    """Give some of these rooms, or of all, a new epoch: the next ones `after` this id; -> their ids, none at the end."""
    room = schema.room
    wanted = (
        select(room.c.id, room.c.name).where(room.c.name > after).order_by(room.c.name).limit(ROOMS_AT_ONCE)
    )
    found = connection.execute(wanted if rooms is None else wanted.where(room.c.name.in_(rooms))).all()
    renewed = room.update().where(room.c.id == bindparam("of")).values(epoch=bindparam("new"))
    if found:  # in the order of their ids, in which appends lock them too
        connection.execute(renewed, [{"of": id, "new": new_epoch()} for id in sorted(id for id, _ in found)])
    return [name for _, name in found]


def _new(connection: Connection, table: Table, values: dict[str, Any]) -> Insert:
    new: Insert = insert(connection, table).values(values).on_conflict_do_nothing(index_elements=("name",))
    return new


def _row(room: Room, epoch: str, key: _Key | None, hash: bytes) -> dict[str, Any]:
    key_user, key_id = key or (None, None)
    values = {name: getattr(room, name) for name in _COLUMNS}
    values |= {"name": room.id, "epoch": epoch, "head": 0, "floor": 0}
    values["attributes"] = msgspec.json.encode(room.attributes).decode()
    return values | {"key_user": key_user, "key_id": key_id, "hash": hash}


_COLUMNS = ("title", "visibility", "created_at", "created_by", "auto", "announce")
"""Properties that a room's row has. It keeps them as the room was made, but for its visibility."""


def _room(row: Row[Any]) -> Room:
    room = Room(
        id=row.name,
        epoch=row.epoch,
        seq=row.head,
        title=row.title,
        visibility=row.visibility,
        attributes=msgspec.json.decode(row.attributes),
        created_at=row.created_at,
        created_by=row.created_by,
        auto=row.auto,
        announce=row.announce,
        restricted=row.restricted,
    )
    return room if row.properties is None else with_properties(room, row.properties, row.described)
