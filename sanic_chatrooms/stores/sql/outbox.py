"""The outbox of `SQLStore`: a table that the app's own transactions write to, and workers empty."""

import asyncio
from collections.abc import Callable
from functools import partial
from itertools import compress
from typing import Any, TypeAlias, TypeVar
from weakref import WeakSet

import msgspec
from sqlalchemy import Connection, Engine, Row, Select, event, inspect, select
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.orm import Session

from ...drivers.sql.database import Database
from ...errors import ChatError, InvalidField, Unavailable
from ...models import Appended, Draft, Fact, Relation, Sender
from ..base import Stale
from .appender import Appender
from .schema import Schema

__all__ = ["Outgoing"]

T = TypeVar("T")

_Results: TypeAlias = list[tuple[Draft, Appended | ChatError]]


class _Numbered:
    """What came of one turn of numbering, if its transaction was carried out."""

    def __init__(self) -> None:
        self.results: _Results = []
        self.transaction: str | None = None


class Outgoing:
    """The rows of one instance's outbox."""

    def __init__(self, schema: Schema, database: Database, appender: Appender) -> None:
        self._table = schema.outbox
        self._database = database
        self._appender = appender
        self._unsure: list[_Numbered] = []
        """Turns of which it is not known whether they were carried out."""
        self._known: WeakSet[Engine] = WeakSet()  # that lead to our table
        self._watched: WeakSet[Connection] = WeakSet()

    # ---- in the app's transaction ----

    async def put(self, within: object, draft: Draft, committed: Callable[[], None]) -> None:
        """See `Outbox.put`: `within` is a Session, AsyncSession, Connection or AsyncConnection."""
        loop = asyncio.get_running_loop()

        def call() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(committed)

        def put(connection: Connection) -> None:
            connection.execute(self._table.insert(), _values(draft))
            self._watch(connection, call)

        await self._require_our_table(within)
        await _run(within, put)

    async def _require_our_table(self, within: object) -> None:
        engine, theirs = await _run(within, self._found)
        if theirs is None:
            return
        ours = await self._database.read(lambda c: self._database.identity(c, self._table.name))
        if theirs != ours:
            raise InvalidField(
                f"is of another database than the chat's: it leads to {theirs}, and the chat's is {ours}",
                field="within",
            )
        self._known.add(engine)

    def _found(self, connection: Connection) -> tuple[Engine, str | None]:
        """Which table an app's connection leads to; None where that is known to be ours."""
        engine = connection.engine
        if engine in self._known:
            return engine, None
        # Asked of the catalogue: a statement that fails would end the app's transaction.
        if connection.dialect.name != self._database.dialect or not inspect(connection).has_table(
            self._table.name
        ):
            raise InvalidField(
                f"is of a database without {self._table.name}, so not the chat's", field="within"
            )
        return engine, self._database.identity(connection, self._table.name)

    def _watch(self, connection: Connection, committed: Callable[[], object]) -> None:
        if connection not in self._watched:
            self._watched.add(connection)
            # Told right before the COMMIT: there is no event after it that every way to commit would pass.
            event.listen(connection, "commit", lambda _: committed())

    # ---- after it ----

    async def number(self, limit: int) -> _Results:
        """See `Outbox.number`."""
        if told := await self._settle():
            return told
        if not await self._database.read(self._is_waiting):
            return []
        numbered = _Numbered()
        try:
            await self._appender.write(lambda c: self._number(c, limit, numbered))
        except Unavailable:
            self._unsure.append(numbered)
            raise
        return numbered.results

    async def _settle(self) -> _Results:
        """The results of a turn that was carried out though its answer was lost."""
        while self._unsure:
            numbered = self._unsure.pop(0)
            ask = partial(self._database.was_done, transaction=numbered.transaction)
            try:
                if await self._database.read(ask):
                    return numbered.results
            except Unavailable:
                self._unsure.insert(0, numbered)
                raise
        return []

    def _is_waiting(self, connection: Connection) -> bool:
        return connection.execute(select(self._table.c.id).limit(1)).first() is not None

    def _number(self, connection: Connection, limit: int, numbered: _Numbered) -> None:
        # Nobody else gets these before the transaction ends.
        waiting = [(row.id, _draft(row)) for row in connection.execute(self._oldest(limit))]
        drafts = [draft for _, draft in waiting]
        results = self._appender.append_within(connection, drafts) if drafts else []
        known = [not isinstance(result, Unavailable) for result in results]
        done = [not isinstance(result, Unavailable | Stale) for result in results]
        ids = [id for (id, _), gone in zip(waiting, done, strict=True) if gone]
        connection.execute(self._table.delete().where(self._table.c.id.in_(ids)))
        numbered.results = list(compress(zip(drafts, results, strict=True), known))
        numbered.transaction = self._database.transaction(connection)

    def _oldest(self, limit: int) -> Select[Any]:
        return select(self._table).order_by(self._table.c.id).limit(limit).with_for_update()

    def judge(self, connection: Connection, draft: Draft) -> None:
        """See `Outbox.judge`."""
        same = self._table.c.msg_id == draft.msg_id
        connection.execute(self._table.update().where(same).values(besides=_besides(draft)))

    def drop(self, connection: Connection, msg_id: str) -> None:
        """See `Outbox.drop`."""
        connection.execute(self._table.delete().where(self._table.c.msg_id == msg_id))


async def _run(within: Any, work: Callable[[Connection], T]) -> T:
    if not isinstance(within, Session | Connection) and hasattr(within, "registry"):
        within = within.registry()  # a scoped session stands for the one of this scope
    # By its method, not its class: SQLAlchemy's asyncio half cannot be imported without greenlet.
    run_sync = getattr(within, "run_sync", None)
    if run_sync is None:
        return work(_connection(within))
    done: T = await run_sync(lambda inner: work(_connection(inner)))
    return done


def _connection(within: object) -> Connection:
    if isinstance(within, Connection):
        return within
    if not isinstance(within, Session):
        raise InvalidField(
            "must be a Session, AsyncSession, Connection or AsyncConnection of SQLAlchemy", field="within"
        )
    try:
        return within.connection()
    except UnboundExecutionError as exc:
        raise InvalidField(
            "has no engine of its own; give the connection that writes", field="within"
        ) from exc


def _values(draft: Draft) -> dict[str, Any]:
    sender, (key_user, key_id) = draft.sender, draft.key or (None, None)
    return {
        "room": draft.room,
        "type": draft.type,
        "payload": draft.payload,
        "msg_id": draft.msg_id,
        "timestamp": draft.timestamp,
        "sender_id": sender and sender.id,
        "sender_name": sender and sender.name,
        "key_user": key_user,
        "key_id": key_id,
        "hash": draft.hash,
        "besides": _besides(draft),
    }


class _Besides(msgspec.Struct, frozen=True, omit_defaults=True):
    """Fields of a draft that have no column."""

    about: Relation | None = None
    facts: tuple[Fact, ...] = ()
    judged: int | None = None
    restricts: bool = False
    only_if_changed: bool = False
    judged_in: str | None = None
    spaced: float = 0
    mentions: tuple[str, ...] = ()


_unpack = msgspec.msgpack.Decoder(_Besides).decode
_NOTHING = _Besides()


def _besides(draft: Draft) -> bytes:
    fields = _Besides.__struct_fields__
    return msgspec.msgpack.encode(_Besides(*[getattr(draft, name) for name in fields]))


def _draft(row: Row[Any]) -> Draft:
    besides = _NOTHING if row.besides is None else _unpack(row.besides)
    return Draft(
        row.room,
        row.type,
        row.payload,
        row.msg_id,
        row.timestamp,
        None if row.sender_id is None else Sender(row.sender_id, row.sender_name),
        None if row.key_user is None else (row.key_user, row.key_id),
        row.hash,
        **msgspec.structs.asdict(besides),
    )
