"""How a database comes to have the tables of this version: from none, or from those of an older one.

A migration is one transaction: one that is killed has changed nothing.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Text,
    cast,
    column,
    func,
    inspect,
    literal,
    select,
    table,
    tuple_,
)
from sqlalchemy.schema import CreateColumn

from ...drivers.sql.tables import lock_tables
from ...errors import ConfigError
from ...models import Member
from ..members import MEMBER, member_fact
from ..unread import READ
from .schema import Schema, schema_of

__all__ = ["is_due", "migrate", "require_tables", "upgrade"]

ROWS = 1_000
"""Members that are moved by one statement."""


def upgrade(
    connection: Connection, instance: str = "default", prefix: str = "chatrooms_", namespace: str = ""
) -> None:
    """Bring the tables of an instance to this version, in a migration of an app's Alembic: `upgrade(op.get_bind())`.

    The arguments are those of `schema.metadata`. Raises `ConfigError` where the tables are of a later version.
    """
    schema = schema_of(instance, prefix, namespace)
    lock_tables(connection, schema.prefix)
    migrate(connection, schema)


def is_due(connection: Connection, schema: Schema) -> bool:
    """Are the tables of an older version? To move what they hold can take a while."""
    return 0 < _version(connection, schema) < _latest()


def migrate(connection: Connection, schema: Schema) -> None:
    """Bring the tables to this version, from whichever they are: none, or an older one.

    Within the caller's transaction, which must keep others from doing the same. Raises `ConfigError` where they are of
    a later version.
    """
    version = _version(connection, schema)
    _refuse_later(version, schema)
    if version:
        for step in STEPS[version - 1 :]:
            step(connection, schema)
    else:
        schema.metadata.create_all(connection)
    if version != _latest():
        _note_version(connection, schema)


def require_tables(connection: Connection, schema: Schema) -> None:
    """Are the tables there, and of this version? For an app that makes them itself. Raises `ConfigError` that says what to do."""
    version = _version(connection, schema)
    _refuse_later(version, schema)
    if 0 < version < _latest():
        raise ConfigError(
            f"SQLStore(create=False): the tables {schema.prefix}… are of version {version}, and this sanic-chatrooms needs "
            f"{_latest()}: call sanic_chatrooms.stores.sql.migrations.upgrade(op.get_bind(), …) in a migration of your Alembic"
        )
    missing = set(schema.metadata.tables) - set(inspect(connection).get_table_names())
    if missing:
        raise ConfigError(
            f"SQLStore(create=False): the database has no {', '.join(sorted(missing))}; "
            "bring it to the state of sanic_chatrooms.stores.sql.schema.metadata(…) first"
        )
    if _noted_version(connection, schema) is None:  # Alembic notes none, and a later version will ask
        _note_version(connection, schema)


def _refuse_later(version: int, schema: Schema) -> None:
    if version > _latest():
        raise ConfigError(
            f"the tables {schema.prefix}… are of version {version}, and this sanic-chatrooms knows {_latest()}: "
            "run the version that made them, or a later one"
        )


def _latest() -> int:
    return 1 + len(STEPS)


def _version(connection: Connection, schema: Schema) -> int:
    tables = inspect(connection)
    if not tables.has_table(schema.meta.name):
        return 0
    noted = _noted_version(connection, schema)
    if noted is not None:
        return noted
    # An app's Alembic made them, and noted nothing. It has made all tables of one version.
    return 1 if tables.has_table(schema.name("member")) else _latest()


def _noted_version(connection: Connection, schema: Schema) -> int | None:
    noted = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.name == "version"))
    return None if noted is None else int(noted)


def _note_version(connection: Connection, schema: Schema) -> None:
    meta = schema.meta
    connection.execute(meta.delete().where(meta.c.name == "version"))
    connection.execute(meta.insert().values(name="version", value=str(_latest())))


# The n-th step leads from version n to version n+1. A step that was released is never changed again: a later step that
# changes a table made here gives this one a copy of how that table was.


def _members_to_facts(connection: Connection, schema: Schema) -> None:
    """Make facts and relations. A member becomes a fact that has held since the room was made."""
    for added in (schema.room.c.restricted, schema.event.c.parent, schema.event.c.related):
        _add_column(connection, added)
    schema.replies.create(connection, checkfirst=True)
    schema.fact.create(connection, checkfirst=True)
    schema.relation.create(connection, checkfirst=True)
    _move_members(connection, schema)
    # Versions before this one left hashes of deleted texts, by which a short text can be guessed.
    event = schema.event
    hashed = event.c.deleted & (event.c.hash != b"")
    connection.execute(event.update().where(hashed).values(hash=b""))
    if connection.dialect.name == "postgresql":
        # Workers of version 1 that still run must not append to these tables: they know no relations.
        for old in (1, 2):
            connection.exec_driver_sql(f'DROP FUNCTION IF EXISTS "{schema.name(f"append_{old}")}"')


def _ends_and_buckets(connection: Connection, schema: Schema) -> None:
    """Facts may end, the outbox keeps all of a draft, and there are token buckets."""
    for added in (schema.fact.c.until, schema.outbox.c.besides):
        _add_column(connection, added)
    schema.ends.create(connection, checkfirst=True)
    schema.bucket.create(connection, checkfirst=True)
    if connection.dialect.name == "postgresql":
        for old in (3, 4, 5):  # of workers that know no ends
            connection.exec_driver_sql(f'DROP FUNCTION IF EXISTS "{schema.name(f"append_{old}")}"')


def _unread(connection: Connection, schema: Schema) -> None:
    """Events count as unread, and messages mention users. Members have read what is there. Replies are counted by their index."""
    schema.mention.create(connection, checkfirst=True)
    for index in (schema.line, schema.replies):
        index.drop(connection, checkfirst=True)
        index.create(connection)
    fact, room = schema.fact, schema.room
    head = select(room.c.head).where(room.c.id == fact.c.room_id).scalar_subquery()
    columns = ("room_id", "kind", "key", "value", "seq", "since")
    read = select(fact.c.room_id, literal(READ), fact.c.key, _as_value(connection, head), literal(0), head)
    of_members = read.where(fact.c.kind == MEMBER, fact.c.room_id.in_(select(room.c.id)))
    connection.execute(fact.insert().from_select(columns, of_members))
    if connection.dialect.name == "postgresql":  # of workers that know no mentions
        for old in (6, 7):
            connection.exec_driver_sql(f'DROP FUNCTION IF EXISTS "{schema.name(f"append_{old}")}"')


def _as_value(connection: Connection, number: ColumnElement[int]) -> ColumnElement[Any]:
    text = cast(number, Text)
    return (
        func.convert_to(text, "UTF8") if connection.dialect.name == "postgresql" else cast(text, LargeBinary)
    )


def _words(connection: Connection, schema: Schema) -> None:
    """Messages are found by their words. The index is filled while the chat runs."""
    schema.word.create(connection, checkfirst=True)
    schema.indexed.create(connection, checkfirst=True)
    if connection.dialect.name == "postgresql":  # of workers that would leave deleted words in the index
        for old in (8, 9):
            connection.exec_driver_sql(f'DROP FUNCTION IF EXISTS "{schema.name(f"append_{old}")}"')


def _move_members(connection: Connection, schema: Schema) -> None:
    columns: list[Any] = [column(name) for name in ("room_id", "user_id", "name", "role", "joined_at")]
    member = table(schema.name("member"), *columns)
    place = tuple_(member.c.room_id, member.c.user_id)
    some = select(member).order_by(*place).limit(ROWS)
    rows = connection.execute(some).all()
    while rows:
        facts = [_fact(room, Member(*values)) for room, *values in rows]
        connection.execute(schema.fact.insert(), facts)
        rows = connection.execute(some.where(place > tuple_(rows[-1].room_id, rows[-1].user_id))).all()
    connection.exec_driver_sql(f'DROP TABLE "{member.name}"')


def _fact(room: int, member: Member) -> dict[str, Any]:
    fact = member_fact(member)
    return {
        "room_id": room,
        "kind": fact.kind,
        "key": fact.key,
        "value": fact.value,
        "seq": 0,
        "since": 0,
    }


def _add_column(connection: Connection, added: Column[Any]) -> None:
    there = {found["name"] for found in inspect(connection).get_columns(added.table.name)}
    if added.name not in there:
        definition = CreateColumn(added).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f'ALTER TABLE "{added.table.name}" ADD COLUMN {definition}')


STEPS: tuple[Callable[[Connection, Schema], None], ...] = (
    _members_to_facts,
    _ends_and_buckets,
    _unread,
    _words,
)
