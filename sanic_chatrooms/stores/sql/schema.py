"""The tables of `SQLStore`, and how a database comes to have them.

An app's Alembic includes them by `metadata(…)`; otherwise `migrate` makes them at start. Every table of an instance
begins with `<prefix><instance>_`, on PostgreSQL with the app's namespace too. No table's name holds an underscore, so
no two instances meet in one.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    event,
    false,
    inspect,
    select,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from ...drivers.sql.tables import Name, table_space
from ...errors import ConfigError
from ...models import SPACE

__all__ = [
    "DELETED",
    "Schema",
    "include_object",
    "metadata",
    "migrate",
    "require_tables",
]

DELETED = "deleted"
"""The visibility of a room that was deleted and whose events are not all gone yet. It has no name any more."""

_Id: TypeEngine[int] = BigInteger().with_variant(Integer, "sqlite")


class Schema:
    """The tables of one instance."""

    def __init__(self, instance: str = "default", prefix: str = "chatrooms_") -> None:
        self.prefix = f"{prefix}{table_space(instance)}_"
        self.metadata = MetaData()
        self.room = self._room()
        self.event = self._event()
        self.member = self._member()
        self.secret = self._names("secret")
        self.meta = self._names("meta")
        self.outbox = self._outbox()

    def name(self, noun: str) -> str:
        """What something of this instance is called in the database: a table, an index, a function."""
        return self.prefix + noun

    def _table(self, noun: str, *columns: SchemaItem, **options: Any) -> Table:
        return Table(self.name(noun), self.metadata, *columns, **options)

    def _room(self) -> Table:
        room = self._table(
            "room",
            Column("id", _Id, primary_key=True),  # never given twice, not even after a room was deleted
            Column("name", Name),  # None: deleted
            Column("epoch", Text, nullable=False),
            Column("head", BigInteger, nullable=False),  # the highest number given
            Column(
                "floor", BigInteger, nullable=False
            ),  # up to here all is gone, whether rows are left or not
            Column("title", Text, nullable=False),
            Column("visibility", Name, nullable=False),
            Column("attributes", Text, nullable=False),  # JSON
            Column("created_at", Float(53), nullable=False),
            Column("created_by", Text),
            Column("auto", Boolean, nullable=False),
            Column("announce", Boolean, nullable=False),
            Column("key_user", Text),  # the key and hash of the command that made it
            Column("key_id", Text),
            Column("hash", LargeBinary, nullable=False),
            sqlite_autoincrement=True,
        )
        # A new head then stays in its page, and no index is touched.
        half_full = DDL("ALTER TABLE %(fullname)s SET (fillfactor = 50)")  # type: ignore[no-untyped-call]
        event.listen(room, "after_create", half_full.execute_if(dialect="postgresql"))
        Index(self.name("room_name"), room.c.name, unique=True)
        Index(self.name("room_listed"), room.c.visibility, room.c.name)
        return room

    def _event(self) -> Table:
        event = self._table(
            "event",
            Column("room_id", BigInteger, nullable=False),
            Column("seq", BigInteger, nullable=False),
            Column("msg_id", Text, nullable=False),
            Column("timestamp", Float(53), nullable=False),
            Column("type", Text, nullable=False),
            Column("payload", LargeBinary, nullable=False),
            Column("sender_id", Text),
            Column("sender_name", Text),
            Column("key_user", Text),  # the draft's key; None: it has none
            Column("key_id", Text),
            Column("hash", LargeBinary, nullable=False),
            Column("folded", Boolean, nullable=False),  # no line of the timeline
            Column("target", Text),  # the msg_id that an edit or a deletion is about
            Column("edited", Float(53)),
            Column("deleted", Boolean, nullable=False),
            Column("changed", BigInteger),
            # On SQLite a table with a row number and this as an index: measured faster than one without.
            PrimaryKeyConstraint("room_id", "seq", name=self.name("event_pkey")),
        )
        c = event.c
        Index(self.name("event_key"), c.room_id, c.key_user, c.key_id, unique=True)
        Index(self.name("event_msg_id"), c.room_id, c.msg_id)
        lines, targets = c.folded == false(), c.target.is_not(None)
        Index(
            self.name("event_line"), c.room_id, c.seq, sqlite_where=lines, postgresql_where=lines
        )  # the timeline
        Index(self.name("event_target"), c.room_id, c.target, sqlite_where=targets, postgresql_where=targets)
        return event

    def _member(self) -> Table:
        member = self._table(
            "member",
            Column("room_id", BigInteger, nullable=False),
            Column("user_id", Name, nullable=False),
            Column("name", Text, nullable=False),
            Column("role", Text, nullable=False),
            Column("joined_at", Float(53), nullable=False),
            PrimaryKeyConstraint("room_id", "user_id", name=self.name("member_pkey")),
        )
        Index(self.name("member_user"), member.c.user_id, member.c.room_id)
        return member

    def _outbox(self) -> Table:
        return self._table(
            "outbox",
            Column("id", _Id, primary_key=True),
            Column("room", Text, nullable=False),
            Column("type", Text, nullable=False),
            Column("payload", LargeBinary, nullable=False),
            Column("msg_id", Text, nullable=False),
            Column("timestamp", Float(53), nullable=False),
            Column("sender_id", Text),
            Column("sender_name", Text),
            Column("key_user", Text),
            Column("key_id", Text),
            Column("hash", LargeBinary, nullable=False),
        )

    def _names(self, noun: str) -> Table:
        return self._table(
            noun, Column("name", Text, primary_key=True), Column("value", Text, nullable=False)
        )


def metadata(instance: str = "default", prefix: str = "chatrooms_", namespace: str = "") -> MetaData:
    """The tables of an instance, for the `target_metadata` of an app's Alembic.

    `namespace`: on PostgreSQL the setting of that name, which is the app's name; on SQLite none.
    """
    return Schema(f"{namespace}{SPACE}{instance}" if namespace else instance, prefix).metadata


_BESIDE = frozenset(("boot", "here", "seen"))
"""Tables of an instance that are not of `Schema`: PostgreSQL's `boot`, and those of `SQLPresence`."""


def include_object(
    object: SchemaItem,  # noqa: ARG001 - Alembic gives it
    name: str | None,
    type_: str,
    reflected: bool,
    compare_to: SchemaItem | None,
    *,
    prefix: str = "chatrooms_",
) -> bool:
    """For `context.configure(include_object=…)` of an app's Alembic: whether `--autogenerate` looks at this.

    Tables of the chat's that the app's `target_metadata` lacks are none of its business: it would drop them. Those that
    it has are compared like all others. `prefix`: that of the store, where it is another one (`functools.partial`).
    """
    stray = type_ == "table" and reflected and compare_to is None
    return not (stray and name is not None and _is_ours(name, prefix))


def _is_ours(table: str, prefix: str) -> bool:
    nouns = {name.rpartition("_")[2] for name in Schema(prefix=prefix).metadata.tables} | _BESIDE
    return table.startswith(prefix) and table.removeprefix(prefix).rpartition("_")[2] in nouns


# Versions. The n-th step leads from version n-1 to version n; a step that was released is never changed again.


def _make_tables(connection: Connection, schema: Schema) -> None:
    schema.metadata.create_all(connection)


STEPS: tuple[Callable[[Connection, Schema], None], ...] = (_make_tables,)


def migrate(connection: Connection, schema: Schema) -> None:
    """Bring the tables to this version, from whichever they are: none, or an older one.

    Within the caller's transaction, which must keep others from doing the same. Raises `ConfigError` where they are of
    a later version.
    """
    version = _version(connection, schema)
    if version > len(STEPS):
        raise ConfigError(
            f"the tables {schema.prefix}… are of version {version}, and this sanic-chatrooms knows {len(STEPS)}: "
            "run the version that made them, or a later one"
        )
    for step in STEPS[version:]:
        step(connection, schema)
    if version < len(STEPS):
        meta = schema.meta
        connection.execute(meta.delete().where(meta.c.name == "version"))
        connection.execute(meta.insert().values(name="version", value=str(len(STEPS))))


def _version(connection: Connection, schema: Schema) -> int:
    if not inspect(connection).has_table(schema.meta.name):
        return 0
    found = connection.scalar(select(schema.meta.c.value).where(schema.meta.c.name == "version"))
    return int(found or 0)


def require_tables(connection: Connection, schema: Schema) -> None:
    """Are the tables there? For an app that makes them itself. Raises `ConfigError` that names what is missing."""
    missing = set(schema.metadata.tables) - set(inspect(connection).get_table_names())
    if missing:
        raise ConfigError(
            f"SQLStore(create=False): the database has no {', '.join(sorted(missing))}; "
            "bring it to the state of sanic_chatrooms.stores.sql.schema.metadata(…) first"
        )
