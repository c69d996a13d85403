"""The tables of `SQLStore`.

An app's Alembic includes them by `metadata(…)`; otherwise `migrations` makes them at start. Every table of an instance
begins with `<prefix><instance>_`, on PostgreSQL with the app's namespace too. No table's name holds an underscore, so
no two instances meet in one.
"""

from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    Column,
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
    text,
    true,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

from ...drivers.sql.tables import Name, table_space
from ...models import SPACE

__all__ = [
    "DELETED",
    "Schema",
    "include_object",
    "metadata",
    "schema_of",
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
        self.fact = self._fact()
        self.relation = self._relation()
        self.mention = self._mention()
        self.secret = self._names("secret")
        self.meta = self._names("meta")
        self.outbox = self._outbox()
        self.bucket = self._bucket()
        self.word = self._word()
        self.indexed = self._indexed()

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
            Column("restricted", BigInteger, nullable=False, server_default=text("0")),
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
            Column("parent", BigInteger),  # the number of the message that this one is a reply to
            Column("related", Boolean),  # something is or was on at this message, or it has replies
            # On SQLite a table with a row number and this as an index: measured faster than one without.
            PrimaryKeyConstraint("room_id", "seq", name=self.name("event_pkey")),
        )
        self._index_events(event)
        return event

    def _index_events(self, event: Table) -> None:
        c = event.c
        Index(self.name("event_key"), c.room_id, c.key_user, c.key_id, unique=True)
        Index(self.name("event_msg_id"), c.room_id, c.msg_id)
        lines, targets, replies = c.folded == false(), c.target.is_not(None), c.parent.is_not(None)
        # The timeline, and all that decides whether a line of it counts as unread.
        self.line = Index(
            self.name("event_line"),
            c.room_id,
            c.seq,
            c.sender_id,
            c.type,
            c.deleted,
            c.folded,  # without it, SQLite reads the row
            sqlite_where=lines,
            postgresql_where=lines,
        )
        Index(self.name("event_target"), c.room_id, c.target, sqlite_where=targets, postgresql_where=targets)
        # Ascending by number: a page of a thread is a search. With `deleted`, counting replies reads nothing else.
        self.replies = Index(
            self.name("event_parent"),
            c.room_id,
            c.parent,
            c.seq,
            c.deleted,
            sqlite_where=replies,
            postgresql_where=replies,
        )

    def _fact(self) -> Table:
        fact = self._table(
            "fact",
            Column("room_id", BigInteger, nullable=False),
            Column("kind", Name, nullable=False),
            Column("key", Name, nullable=False),
            Column("value", LargeBinary, nullable=False),
            Column("seq", BigInteger, nullable=False),
            Column("since", BigInteger, nullable=False),
            Column("until", Float(53)),  # from when on it may be forgotten
            PrimaryKeyConstraint("room_id", "kind", "key", name=self.name("fact_pkey")),
        )
        ends = fact.c.until.is_not(None)
        self.ends = Index(self.name("fact_until"), fact.c.until, sqlite_where=ends, postgresql_where=ends)
        # What is known of a user in one room, and in all.
        Index(self.name("fact_key"), fact.c.key, fact.c.room_id, fact.c.kind)
        return fact

    def _relation(self) -> Table:
        relation = self._table(
            "relation",
            Column("room_id", BigInteger, nullable=False),
            Column("target", BigInteger, nullable=False),  # the number of the message
            Column("key", Name, nullable=False),
            Column("owner", Name, nullable=False),
            Column("seq", BigInteger, nullable=False),
            Column("timestamp", Float(53), nullable=False),
            Column("sender_id", Text),
            Column("sender_name", Text),
            PrimaryKeyConstraint("room_id", "target", "key", "owner", name=self.name("relation_pkey")),
        )
        Index(self.name("relation_key"), relation.c.room_id, relation.c.key, relation.c.seq)
        return relation

    def _mention(self) -> Table:
        mention = self._table(
            "mention",
            Column("room_id", BigInteger, nullable=False),
            Column("name", Name, nullable=False),  # a user's id, "@room", or "@" and a role
            Column("seq", BigInteger, nullable=False),  # the number of the message
            Column("sender_id", Text),
            PrimaryKeyConstraint("room_id", "name", "seq", name=self.name("mention_pkey")),
        )
        Index(self.name("mention_seq"), mention.c.room_id, mention.c.seq)
        return mention

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
            Column("besides", LargeBinary),  # what the draft does and asks besides, packed
        )

    def _bucket(self) -> Table:
        bucket = self._table(
            "bucket", Column("key", Name, primary_key=True), Column("full_at", Float(53), nullable=False)
        )
        Index(self.name("bucket_full"), bucket.c.full_at)
        return bucket

    def _word(self) -> Table:
        word = self._table(
            "word",
            # By time and then by whoever was indexed first: the order of search results, and on SQLite the rows of `find`.
            Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
            Column("room_id", BigInteger, nullable=False),
            Column("seq", BigInteger, nullable=False),
            Column("terms", Text().with_variant(TSVECTOR(), "postgresql"), nullable=False),
            Column("due", Boolean, nullable=False),  # the message was edited: `terms` are to be made again
        )
        Index(self.name("word_seq"), word.c.room_id, word.c.seq, unique=True)
        due = word.c.due == true()
        Index(self.name("word_due"), word.c.room_id, word.c.seq, sqlite_where=due, postgresql_where=due)
        return word

    def _indexed(self) -> Table:
        return self._table(
            "indexed",
            Column("room_id", BigInteger, primary_key=True, autoincrement=False),
            Column("seq", BigInteger, nullable=False),  # messages up to here have their row in `word`
            Column("last", BigInteger, nullable=False),  # the highest id there of this room
        )

    def _names(self, noun: str) -> Table:
        return self._table(
            noun, Column("name", Text, primary_key=True), Column("value", Text, nullable=False)
        )


def metadata(instance: str = "default", prefix: str = "chatrooms_", namespace: str = "") -> MetaData:
    """The tables of an instance, for the `target_metadata` of an app's Alembic.

    `namespace`: on PostgreSQL the setting of that name, which is the app's name; on SQLite none.
    """
    return schema_of(instance, prefix, namespace).metadata


def schema_of(instance: str, prefix: str, namespace: str) -> Schema:
    """The tables of an instance, by the names that an app has for them."""
    return Schema(f"{namespace}{SPACE}{instance}" if namespace else instance, prefix)


_BESIDE = frozenset(("boot", "here", "seen", "member", "find"))
"""Tables of an instance that are not of `Schema`: PostgreSQL's `boot`, those of `SQLPresence`, what only version 1 has, and
SQLite's index of words."""
_PARTS = ("_find_config", "_find_data", "_find_idx")
"""How the names end of the tables that SQLite makes for the latter."""


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
    if not reflected or compare_to is not None or name is None or not name.startswith(prefix):
        return True
    return not (
        _is_ours(name, prefix) if type_ == "table" else type_ == "index" and name.endswith("_word_terms")
    )


def _is_ours(table: str, prefix: str) -> bool:
    nouns = {name.rpartition("_")[2] for name in Schema(prefix=prefix).metadata.tables} | _BESIDE
    return table.endswith(_PARTS) or table.removeprefix(prefix).rpartition("_")[2] in nouns
