"""A batch of drafts into SQLite: the hot path of `SQLStore`, on its writing thread."""

import sqlite3
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, TypeAlias, TypeVar

from msgspec.structs import replace
from sqlalchemy import Connection

from ...drivers.sql.sqlite import SQLite
from ...drivers.sql.sqlite_connections import raw
from ...errors import ChatError, Conflict, RoomNotFound
from ...models import Appended, Draft, Fold
from ..base import FOLDED, Bounds, Stale
from ..changes import has_effects
from .appender import Appender
from .boot_sqlite import use_boot_id
from .effects_sqlite import Effects, RoomState, Unchanged, as_json
from .history import Past
from .schema import Schema
from .statements_sqlite import EffectStatements, quoted

__all__ = ["SQLiteAppender", "Statements"]

ROWS = (64, 16, 4, 1)
"""Rows of one statement, as many as fit. While a statement runs, the event loop has the interpreter, and afterwards the
thread has to wait for it: with a statement for each row it would wait at each row."""

T = TypeVar("T")

_Key: TypeAlias = tuple[int, str, str]
"""Room, and the two halves of a draft's key."""


class Statements:
    """The statements of the hot path, as text: SQLAlchemy's constructs would take half of the time."""

    def __init__(self, schema: Schema) -> None:
        room, event = map(quoted, (schema.room, schema.event))
        self.rooms = (
            f"SELECT name, id, head, restricted, epoch, key_user, key_id FROM {room} "
            "WHERE name IN (SELECT value FROM json_each(?))"
        )
        # OR FAIL: a row that is refused ends the transaction, so nothing need be kept to undo the rows before it, which for
        # many rows in one statement would cost a third more.
        insert = (
            f"INSERT OR FAIL INTO {event} (room_id, seq, msg_id, timestamp, type, payload, sender_id, sender_name, "
            "key_user, key_id, hash, folded, deleted) VALUES "
        )
        row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
        self.inserts = {rows: insert + ", ".join([row] * rows) for rows in ROWS}
        self.head = f"UPDATE {room} SET head = ?, restricted = ? WHERE id = ?"
        # CROSS JOIN keeps the order: for each key one search of the index.
        self.firsts = (
            "SELECT e.room_id, e.key_user, e.key_id, iif(e.deleted, e.type, e.hash), e.type, e.msg_id, e.seq, e.timestamp, "
            "e.payload, e.target "
            "FROM json_each(?) AS d "
            f"CROSS JOIN {event} AS e ON e.room_id = json_extract(d.value, '$[0]') "
            "AND e.key_user = json_extract(d.value, '$[1]') AND e.key_id = json_extract(d.value, '$[2]')"
        )
        self.effects = EffectStatements(schema)


class SQLiteAppender(Appender):
    """See `Appender`: batches go to the driver directly."""

    def __init__(self, database: SQLite, schema: Schema, past: Past, bounds: Bounds) -> None:
        self._database = database
        self._schema = schema
        self._past, self._statements = past, Statements(schema)

    def prepare(self, connection: Connection) -> None:
        """Give every room a new epoch where a power failure may have taken back what was acknowledged."""
        use_boot_id(connection, self._schema, unsafe=self._database.normal)

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Appender.append`. It waits for one other job at most."""
        batch = self._batch(drafts)
        return await self._database.write_first(batch.run, erases=batch.erases)

    def append_within(self, connection: Connection, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Appender.append_within`."""
        return self._batch(drafts).run_within(connection)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """See `Appender.write`."""
        return await self._database.write(work)

    def _batch(self, drafts: Sequence[Draft]) -> "_Append":
        return _Append(self._statements, self._past, drafts)

    async def stop(self) -> None:
        """Nothing to close: the connection is the database's."""


class _Append:
    """One batch. `run` stores it; drafts that were stored before cost a second attempt, all others one."""

    def __init__(self, statements: Statements, past: Past, drafts: Sequence[Draft]) -> None:
        self._statements = statements
        self._past = past
        self._drafts = drafts
        self._plain = not any(map(has_effects, drafts))
        self.erases = not self._plain and any(map(_erases, drafts))
        """Is a message edited or deleted, so that what it said must go?"""

    def run(self, connection: Connection) -> list[Appended | ChatError]:
        """Store it in a transaction. The result is that of `Store.append`."""
        if self._plain:  # what else there is to do must not be asked of what was stored before
            try:
                return self._attempt(connection, look_up=False)
            except (sqlite3.IntegrityError, _Unsure):
                pass
        return self._attempt(connection, look_up=True)

    def _attempt(self, connection: Connection, *, look_up: bool) -> list[Appended | ChatError]:
        with connection.begin():
            return self.run_within(connection, look_up=look_up)

    def run_within(self, connection: Connection, *, look_up: bool = True) -> list[Appended | ChatError]:
        """The same as a step of a transaction. `look_up`: whether drafts of it were stored before.

        Without `look_up`, and where some were: the index of keys says so by an `IntegrityError`.
        """
        driver = raw(connection)
        rooms = self._rooms(driver)
        effects = None if self._plain else self._effects(connection, rooms)
        firsts = self._firsts(driver, rooms) if look_up else {}
        numbering = _Numbering(rooms, firsts, effects)
        results = [numbering.take(draft) for draft in self._drafts]
        if numbering.found_stale and not look_up:
            raise _Unsure
        self._store(driver, numbering)
        return results

    # ---- what is there ----

    def _rooms(self, driver: sqlite3.Connection) -> dict[str, RoomState]:
        names = as_json(list({draft.room for draft in self._drafts}))
        found = driver.execute(self._statements.rooms, (names,))
        return {name: RoomState(*room) for name, *room in found}

    def _firsts(self, driver: sqlite3.Connection, rooms: dict[str, RoomState]) -> "_Firsts":
        keys = {(draft.room, draft.key) for draft in self._drafts if draft.key is not None}
        asked = as_json([(rooms[room].id, *key) for room, key in keys if room in rooms])
        epochs = {room.id: room.epoch for room in rooms.values()}
        return {
            (room, user, key): (
                hash,
                Appended(msg_id, seq, timestamp, epochs[room], payload=payload),
                type,
                target or msg_id,
            )
            for room, user, key, hash, type, msg_id, seq, timestamp, payload, target in driver.execute(
                self._statements.firsts, (asked,)
            )
        }

    def _effects(self, connection: Connection, rooms: dict[str, RoomState]) -> Effects:
        floors = self._past.floors(connection, [room.id for room in rooms.values()])
        for room in rooms.values():
            room.begin, room.keep = floors[room.id]
        drafts = [(rooms[draft.room].id, draft) for draft in self._drafts if draft.room in rooms]
        return Effects(raw(connection), self._statements.effects, drafts, self._past.now())

    # ---- what is new ----

    def _store(self, driver: sqlite3.Connection, numbering: "_Numbering") -> None:
        rows, at = numbering.rows, 0
        for size, insert in self._statements.inserts.items():
            while len(rows) - at >= size:
                driver.execute(insert, tuple(chain.from_iterable(rows[at : at + size])))
                at += size
        moved = [room for room in numbering.rooms.values() if room.head != room.before]
        heads = [(room.head, room.restricted, room.id) for room in moved]
        driver.executemany(self._statements.head, heads)
        if numbering.effects is not None:
            numbering.effects.write(driver)


class _Unsure(Exception):
    """Whether the rights behind a draft are still known must not be asked if it was stored before."""


def _erases(draft: Draft) -> bool:
    about = draft.about
    return about is not None and about.fold in (Fold.REPLACE, Fold.ERASE)


_Firsts: TypeAlias = dict[_Key, tuple[bytes | str, Appended, str, str]]
"""What became of drafts that were sent before: their hash (instead of one that had to go, the type), the result, the type,
and the message with whose deletion the text goes."""


class _Numbering:
    """Gives numbers to drafts, and collects what is to be written."""

    def __init__(self, rooms: dict[str, RoomState], firsts: _Firsts, effects: Effects | None) -> None:
        self.rooms = rooms
        self.rows: list[tuple[Any, ...]] = []
        self.effects = effects
        self.found_stale = False
        self._firsts = firsts
        self._texts: dict[tuple[int, str], list[_Key]] = {}
        """By room and message: the keys of what goes with its deletion."""
        if effects is not None:
            for key, (*_, message) in firsts.items():
                self._texts.setdefault((key[0], message), []).append(key)

    # Once per message: longer than other functions, for the calls it does not make.
    def take(self, draft: Draft) -> Appended | ChatError:
        """What becomes of the draft, in the order of sentence 36 of the contract."""
        room = self.rooms.get(draft.room)
        if room is None:
            return RoomNotFound()
        user, key = draft.key or (None, None)
        if user is not None and key is not None:
            if (user, key) == room.made_by:
                return Conflict()
            first = self._firsts.get((room.id, user, key))
            if first is not None:
                return _repeated(room, draft, *first[:2])
        if (draft.judged is not None and draft.judged < room.restricted) or (
            draft.judged_in is not None and draft.judged_in != room.epoch
        ):
            self.found_stale = True
            return Stale()
        seq, payload = room.head + 1, draft.payload
        if self.effects is not None:
            outcome = self._effects_of(self.effects, room, draft)
            if not isinstance(outcome, bytes):
                return outcome
            payload = outcome
        room.head = seq
        completed = None if payload is draft.payload else payload
        appended = Appended(draft.msg_id, seq, draft.timestamp, room.epoch, payload=completed)
        if user is not None and key is not None:
            self._remember((room.id, user, key), draft, appended)
        sender, type = draft.sender, draft.type
        self.rows.append(
            (
                room.id,
                seq,
                draft.msg_id,
                draft.timestamp,
                type,
                payload,
                sender and sender.id,
                sender and sender.name,
                user,
                key,
                draft.hash,
                type.startswith(FOLDED),
            )
        )
        return appended

    def _effects_of(self, effects: Effects, room: RoomState, draft: Draft) -> bytes | Appended | ChatError:
        """The payload, completed, of a draft that may do more than be there; or what becomes of it instead."""
        outcome = effects.of(room, draft)
        if isinstance(outcome, Unchanged):
            return Appended(draft.msg_id, outcome.seq, draft.timestamp, room.epoch, unchanged=True)
        if isinstance(outcome, bytes):
            if draft.about is not None and draft.about.fold is Fold.ERASE:
                self._forget_texts(room.id, draft.about.target)
            if draft.restricts:
                room.restricted = room.head + 1
        return outcome

    def _remember(self, key: _Key, draft: Draft, appended: Appended) -> None:
        about, message = draft.about, draft.msg_id
        if about is not None and about.fold in (Fold.REPLACE, Fold.CLOSE):
            message = about.target
        self._firsts[key] = (draft.hash, appended, draft.type, message)
        if self.effects is not None:
            self._texts.setdefault((key[0], message), []).append(key)

    def _forget_texts(self, room: int, message: str) -> None:
        """The message is deleted: what comes again has neither its text nor a hash of it."""
        for key in self._texts.get((room, message), ()):
            _, appended, type, _ = self._firsts[key]
            self._firsts[key] = (type, replace(appended, payload=b"{}"), type, message)


def _repeated(room: RoomState, draft: Draft, hash: bytes | str, first: Appended) -> Appended | ChatError:
    if hash not in (draft.hash, draft.type):
        return Conflict()
    completed = draft.about is not None and draft.about.fold is not Fold.COLLECT and first.seq > room.floor
    return replace(first, duplicate=True, payload=first.payload if completed else None)
