"""Erasing a user in SQL: plain functions over a connection, the same for every database."""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, Connection, bindparam, func, literal, select, tuple_

from ...errors import RoomNotFound
from ..erasing import Erased, facts_behind, facts_page
from ..pages import FactPage
from ..unread import name_of
from .append_postgres import words_key
from .facts import known_of, room_id
from .history import Past
from .schema import Schema

__all__ = ["Erasure"]

_EMPTY = {"payload": b"{}", "hash": b"", "deleted": True}
_NOBODY = {"sender_id": None, "sender_name": None}
_NO_KEY = {"key_user": None, "key_id": None}


class Erasure:
    """Takes a user out of the rooms of one instance. Every method is one step of a transaction that somebody else began."""

    def __init__(self, schema: Schema, past: Past) -> None:
        self._schema = schema
        self._past = past

    def erase(self, connection: Connection, room: str, user: str, events: Sequence[Erased]) -> None:
        """See `Store.erase`."""
        table = self._schema.room
        here = select(table.c.id).where(table.c.name == room)
        id = connection.scalar(here.with_for_update(key_share=True))  # no append comes between
        if id is None:
            raise RoomNotFound
        maker = table.update().where(table.c.id == id)
        connection.execute(maker.where(table.c.created_by == user).values(created_by=None))
        connection.execute(maker.where(table.c.key_user == user).values(**_NO_KEY, hash=b""))
        if not events:
            self._empty_trimmed(connection, id, user)
            return
        if connection.dialect.name == "postgresql":  # whoever indexes this room now must be done
            held = func.pg_advisory_xact_lock_shared(words_key(self._schema.prefix), id % 2147483647)
            connection.execute(select(held))
        self._empty(connection, id, [one.seq for one in events if one.payload is None])
        self._say_otherwise(connection, id, [one for one in events if one.payload is not None])
        self._forget_at(connection, id, user, [one.seq for one in events])

    def _empty(self, connection: Connection, id: int, seqs: list[int]) -> None:
        event, schema = self._schema.event, self._schema
        these = (event.c.room_id == id) & event.c.seq.in_(seqs)
        names = list(connection.scalars(select(event.c.msg_id).where(these)))
        if not names:
            return
        edits = (event.c.room_id == id) & event.c.target.in_(names)
        connection.execute(event.update().where(edits).values(**_EMPTY))
        connection.execute(event.update().where(these).values(**_EMPTY, **_NOBODY, **_NO_KEY, edited=None))
        for table, number in (
            (schema.relation, schema.relation.c.target),
            (schema.word, schema.word.c.seq),
            (schema.mention, schema.mention.c.seq),
        ):
            connection.execute(table.delete().where(table.c.room_id == id, number.in_(seqs)))

    def _empty_trimmed(self, connection: Connection, id: int, user: str) -> None:
        """Rows of trimmed events stay for some minutes, for the sake of their keys."""
        floor, _ = self._past.floors(connection, [id])[id]
        event = self._schema.event
        trimmed = (event.c.room_id == id) & (event.c.seq <= floor)
        theirs = trimmed & (event.c.sender_id == user)
        connection.execute(event.update().where(theirs).values(**_EMPTY, **_NOBODY, **_NO_KEY))
        # What others did may tell of the user, and nobody reads it any more.
        connection.execute(event.update().where(trimmed, event.c.folded).values(payload=_EMPTY["payload"]))

    def _say_otherwise(self, connection: Connection, id: int, events: Collection[Erased]) -> None:
        c = self._schema.event.c
        changed = [
            {"number": one.seq, "was": one.was, "now": one.payload}
            for one in events
            if one.payload != one.was
        ]
        if changed:
            same = (c.room_id == id, c.seq == bindparam("number"), c.payload == bindparam("was"))
            connection.execute(
                self._schema.event.update().where(*same).values(payload=bindparam("now")), changed
            )

    def _forget_at(self, connection: Connection, id: int, user: str, seqs: list[int]) -> None:
        relation, mention = self._schema.relation, self._schema.mention
        at = (relation.c.room_id == id) & relation.c.target.in_(seqs)
        connection.execute(relation.delete().where(at, relation.c.owner == user))
        connection.execute(relation.update().where(at, relation.c.sender_id == user).values(**_NOBODY))
        named = (mention.c.room_id == id) & mention.c.seq.in_(seqs) & (mention.c.name == name_of(user))
        connection.execute(mention.delete().where(named))

    def all_facts(
        self, connection: Connection, room: str, *, cursor: str | None = None, limit: int = 50
    ) -> FactPage:
        """See `Store.all_facts`."""
        fact, behind = self._schema.fact, facts_behind(cursor)
        these: ColumnElement[bool] = fact.c.room_id == room_id(connection, self._schema, room)
        if behind is not None:
            these &= tuple_(fact.c.kind, fact.c.key) > tuple_(*behind)
        wanted = select(fact, literal(room).label("room")).where(these)
        found = connection.execute(wanted.order_by(fact.c.kind, fact.c.key).limit(limit + 1))
        return facts_page([known_of(row) for row in found], limit)

    def forget_user(self, connection: Connection, user: str) -> None:
        """Forget what waits in the outbox."""
        table = self._schema.outbox
        connection.execute(table.delete().where((table.c.sender_id == user) | (table.c.key_user == user)))
