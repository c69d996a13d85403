"""What other events have made of messages, as two columns of JSON beside each: its toggles, and its replies.

Part of the statement that reads the messages, so that both are of one moment; and only where the row of a message says
that there is, or was, something to find.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import (
    CTE,
    ColumnElement,
    Subquery,
    Text,
    bindparam,
    case,
    cast,
    func,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ...models import Collected, Related, Sender, Toggle
from .schema import Schema

__all__ = ["Record", "related_columns", "related_of"]


class Record(FunctionElement[str]):
    """`["👍",3,…]`"""

    inherit_cache = True
    type = Text()


class _Records(FunctionElement[str]):
    """All such records, as one list."""

    inherit_cache = True
    type = Text()


@compiles(Record)
def _record(element: Record, compiler: SQLCompiler, **kw: Any) -> str:
    name = "json_build_array" if compiler.dialect.name == "postgresql" else "json_array"
    return f"{name}({compiler.process(element.clauses, **kw)})"


@compiles(_Records)
def _records(element: _Records, compiler: SQLCompiler, **kw: Any) -> str:
    name = "json_agg" if compiler.dialect.name == "postgresql" else "json_group_array"
    return f"{name}({compiler.process(element.clauses, **kw)})"


def related_columns(schema: Schema, room: CTE, message: Subquery) -> list[ColumnElement[Any]]:
    """Two columns, `toggles` and `collected`, to stand behind all others; they take the parameter `reader`.

    `message` has the columns `seq` and `related`, `room` has `id` and `floor`.
    """
    toggles, collected = _toggles(schema, room, message), _collected(schema, room, message)
    there = message.c.related
    return [
        case((there, toggles)).label("toggles"),
        case((there, collected)).label("collected"),
    ]


def _toggles(schema: Schema, room: CTE, message: Subquery) -> ColumnElement[Any]:
    relation, newest = schema.relation.c, schema.relation.alias("newest").c
    mine = case((relation.owner == bindparam("reader", type_=Text()), 1), else_=0)
    counted = (
        select(
            relation.key,
            func.count().label("count"),
            func.max(mine).label("mine"),
            func.max(relation.seq).label("seq"),
        )
        .where(relation.room_id == room.c.id, relation.target == message.c.seq)
        .group_by(relation.key)
        .correlate(room, message)
        .subquery("counted")
    )
    of = counted.c
    record = Record(of.key, of.count, of.mine, of.seq, newest.timestamp, *_sender_of(newest))
    those = (newest.room_id == room.c.id) & (newest.key == of.key) & (newest.seq == of.seq)
    return select(cast(_Records(record), Text)).where(those).correlate(room, message).scalar_subquery()


def _collected(schema: Schema, room: CTE, message: Subquery) -> ColumnElement[Any]:
    reply, newest = schema.event.alias("reply").c, schema.event.alias("newest").c
    counted = (
        select(func.count().label("count"), func.max(reply.seq).label("seq"))
        .where(reply.room_id == room.c.id, reply.parent == message.c.seq)
        .where(reply.seq > room.c.floor, ~reply.deleted)
        .correlate(room, message)
        .subquery("counted")
    )
    record = Record(counted.c.count, newest.seq, newest.timestamp, *_sender_of(newest))
    those = (newest.room_id == room.c.id) & (newest.seq == counted.c.seq)
    return select(cast(record, Text)).where(those).correlate(room, message).scalar_subquery()


def _sender_of(event: Any) -> tuple[ColumnElement[str], ColumnElement[str]]:
    return event.sender_id, event.sender_name


class _Toggled(msgspec.Struct, array_like=True):
    key: str
    count: int
    mine: int
    seq: int
    at: float
    sender_id: str | None
    sender_name: str | None


class _Collected(msgspec.Struct, array_like=True):
    count: int
    seq: int
    timestamp: float
    sender_id: str | None
    sender_name: str | None


_toggled = msgspec.json.Decoder(list[_Toggled])
_replies = msgspec.json.Decoder(_Collected)


def related_of(rows: Iterable[tuple[int, str | None, str | None]]) -> dict[int, Related]:
    """By number, what these columns tell of messages; without those of which they tell nothing."""
    found = {
        seq: _related(toggles, collected)
        for seq, toggles, collected in rows
        if toggles is not None or collected is not None
    }
    return {
        seq: related for seq, related in found.items() if related.toggles or related.collected is not None
    }


def _related(toggles: str | None, collected: str | None) -> Related:
    rows = [] if toggles is None else _toggled.decode(toggles)
    by_key = {row.key: Toggle(row.count, row.seq, row.at, _sender(row), bool(row.mine)) for row in rows}
    if collected is None:
        return Related(by_key)
    newest = _replies.decode(collected)
    return Related(by_key, Collected(newest.count, newest.seq, newest.timestamp, _sender(newest)))


def _sender(row: _Toggled | _Collected) -> Sender | None:
    return None if row.sender_id is None else Sender(row.sender_id, row.sender_name or "")
