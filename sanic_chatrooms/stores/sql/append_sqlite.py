"""A batch of drafts into SQLite: the hot path of `SQLStore`, on its writing thread."""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, Table

from ...drivers.sql.sqlite import SQLite
from ...drivers.sql.sqlite_connections import raw
from ...errors import ChatError, Conflict, MessageNotFound, RoomNotFound
from ...models import Appended, Draft, MemberRemoved, MemberSet, MessageDeleted, MessageEdited
from ..base import FOLDED, Bounds
from .appender import Appender
from .boot_sqlite import use_boot_id
from .history import Past
from .schema import Schema

__all__ = ["SQLiteAppender", "Statements"]

ROWS = (64, 16, 4, 1)
"""Rows of one statement, as many as fit. While a statement runs, the event loop has the interpreter, and afterwards the
thread has to wait for it: with a statement for each row it would wait at each row."""

_Key: TypeAlias = tuple[int, str, str]
"""Room, and the two halves of a draft's key."""


class Statements:
    """The statements of the hot path, as text: SQLAlchemy's constructs would take half of the time."""

    def __init__(self, schema: Schema) -> None:
        room, event, member = map(_quoted, (schema.room, schema.event, schema.member))
        self.rooms = (
            f"SELECT name, id, head, epoch, key_user, key_id FROM {room} "
            "WHERE name IN (SELECT value FROM json_each(?))"
        )
        # OR FAIL: a row that is refused ends the transaction, so nothing need be kept to undo the rows before it, which for
        # many rows in one statement would cost a third more.
        insert = (
            f"INSERT OR FAIL INTO {event} (room_id, seq, msg_id, timestamp, type, payload, sender_id, sender_name, "
            "key_user, key_id, hash, folded, target, deleted) VALUES "
        )
        row = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
        self.inserts = {rows: insert + ", ".join([row] * rows) for rows in ROWS}
        self.head = f"UPDATE {room} SET head = ? WHERE id = ?"
        # CROSS JOIN keeps the order: for each key one search of the index.
        self.firsts = (
            "SELECT e.room_id, e.key_user, e.key_id, e.hash, e.type, e.msg_id, e.seq, e.timestamp FROM json_each(?) AS d "
            f"CROSS JOIN {event} AS e ON e.room_id = json_extract(d.value, '$[0]') "
            "AND e.key_user = json_extract(d.value, '$[1]') AND e.key_id = json_extract(d.value, '$[2]')"
        )
        self.messages = (
            "SELECT e.room_id, e.msg_id, e.seq FROM json_each(?) AS d "
            f"CROSS JOIN {event} AS e ON e.room_id = json_extract(d.value, '$[0]') "
            "AND e.msg_id = json_extract(d.value, '$[1]') WHERE e.type = 'message' AND NOT e.deleted"
        )
        self.edit = (
            f"UPDATE {event} SET payload = ?, edited = ?, changed = ? WHERE room_id = ? AND msg_id = ?"
        )
        self.delete = (
            f"UPDATE {event} SET payload = x'7b7d', hash = x'', deleted = 1, edited = NULL, changed = ? "
            "WHERE room_id = ? AND msg_id = ?"
        )
        self.empty_edits = (
            f"UPDATE {event} SET payload = x'7b7d', hash = x'', deleted = 1 WHERE room_id = ? AND target = ?"
        )
        self.set_member = (
            f"INSERT INTO {member} (room_id, user_id, name, role, joined_at) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (room_id, user_id) DO UPDATE SET name = excluded.name, role = excluded.role, "
            "joined_at = excluded.joined_at"
        )
        self.remove_member = f"DELETE FROM {member} WHERE room_id = ? AND user_id = ?"


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

    def _batch(self, drafts: Sequence[Draft]) -> "_Append":
        return _Append(self._statements, self._past, drafts)

    async def stop(self) -> None:
        """Nothing to close: the connection is the database's."""


class _Room:
    """Where a room stands while its drafts are numbered."""

    __slots__ = ("before", "epoch", "head", "id", "made_by")

    def __init__(self, id: int, head: int, epoch: str, *made_by: str | None) -> None:
        self.id = id
        self.made_by = made_by  # the two halves of the key by which it was made
        self.head = self.before = head
        self.epoch = epoch


class _Append:
    """One batch. `run` stores it; drafts that were stored before cost a second attempt, all others one."""

    def __init__(self, statements: Statements, past: Past, drafts: Sequence[Draft]) -> None:
        self._statements = statements
        self._past = past
        self._drafts = drafts
        changes = [draft.change for draft in drafts if draft.change is not None]
        self.erases = any(isinstance(change, MessageEdited | MessageDeleted) for change in changes)
        """Is a message edited or deleted, so that what it said must go?"""

    def run(self, connection: Connection) -> list[Appended | ChatError]:
        """Store it in a transaction. The result is that of `Store.append`."""
        if not self.erases:  # whether there is such a message must not be asked of what was stored before
            try:
                return self._attempt(connection, look_up=False)
            except sqlite3.IntegrityError:
                pass  # the index of keys says that something was stored before
        return self._attempt(connection, look_up=True)

    def _attempt(self, connection: Connection, *, look_up: bool) -> list[Appended | ChatError]:
        with connection.begin():
            return self.run_within(connection, look_up=look_up)

    def run_within(self, connection: Connection, *, look_up: bool = True) -> list[Appended | ChatError]:
        """The same as a step of a transaction. `look_up`: whether drafts of it were stored before."""
        driver = raw(connection)
        rooms = self._rooms(driver)
        numbering = _Numbering(rooms, self._firsts(driver, rooms) if look_up else {})
        if self.erases:
            numbering.messages = self._messages(connection, rooms)
        results = [numbering.take(draft) for draft in self._drafts]
        self._store(driver, numbering)
        return results

    # ---- what is there ----

    def _rooms(self, driver: sqlite3.Connection) -> dict[str, _Room]:
        names = _json(list({draft.room for draft in self._drafts}))
        found = driver.execute(self._statements.rooms, (names,))
        return {name: _Room(*room) for name, *room in found}

    def _firsts(self, driver: sqlite3.Connection, rooms: dict[str, _Room]) -> "_Firsts":
        keys = {(draft.room, draft.key) for draft in self._drafts if draft.key is not None}
        asked = _json([(rooms[room].id, *key) for room, key in keys if room in rooms])
        epochs = {room.id: room.epoch for room in rooms.values()}
        return {
            (room, user, key): (hash or type, Appended(msg_id, seq, timestamp, epochs[room]))
            for room, user, key, hash, type, msg_id, seq, timestamp in driver.execute(
                self._statements.firsts, (asked,)
            )
        }

    def _messages(self, connection: Connection, rooms: dict[str, _Room]) -> set[tuple[int, str]]:
        """Those that this batch wants to change and that are there: room and id."""
        asked = {
            (rooms[draft.room].id, draft.change.msg_id)
            for draft in self._drafts
            if isinstance(draft.change, MessageEdited | MessageDeleted) and draft.room in rooms
        }
        floors = self._past.floors(connection, [id for id, _ in asked])
        found = raw(connection).execute(self._statements.messages, (_json(list(asked)),))
        return {(room, msg_id) for room, msg_id, seq in found if seq > floors[room]}

    # ---- what is new ----

    def _store(self, driver: sqlite3.Connection, numbering: "_Numbering") -> None:
        rows, at = numbering.rows, 0
        for size, insert in self._statements.inserts.items():
            while len(rows) - at >= size:
                driver.execute(insert, tuple(chain.from_iterable(rows[at : at + size])))
                at += size
        heads = [(room.head, room.id) for room in numbering.rooms.values() if room.head != room.before]
        driver.executemany(self._statements.head, heads)
        for room, seq, draft in numbering.changes:
            for statement, values in self._change(room, seq, draft):
                driver.execute(statement, values)

    def _change(self, room: int, seq: int, draft: Draft) -> list[tuple[str, tuple[Any, ...]]]:
        do = self._statements
        match draft.change:
            case MemberSet(member):
                values = (room, member.user, member.name, member.role, member.joined_at)
                return [(do.set_member, values)]
            case MemberRemoved(user):
                return [(do.remove_member, (room, user))]
            case MessageEdited(msg_id, payload):
                return [(do.edit, (payload, draft.timestamp, seq, room, msg_id))]
            case MessageDeleted(msg_id):
                return [(do.delete, (seq, room, msg_id)), (do.empty_edits, (room, msg_id))]
        raise TypeError(f"{draft.change!r} is no change that this store knows")


_Firsts: TypeAlias = dict[_Key, tuple[bytes | str, Appended]]
"""What became of drafts that were sent before, and their hash; instead of one that had to go, the type."""


class _Numbering:
    """Gives numbers to drafts, and collects what is to be written."""

    def __init__(self, rooms: dict[str, _Room], firsts: _Firsts) -> None:
        self.rooms = rooms
        self.rows: list[tuple[Any, ...]] = []
        self.changes: list[tuple[int, int, Draft]] = []
        self.messages: set[tuple[int, str]] = set()
        self._firsts = firsts

    # Once per message: longer than other functions, for the calls it does not make.
    def take(self, draft: Draft) -> Appended | ChatError:
        """What becomes of the draft. In this order: is there such a room, was it sent before, can it be done?"""
        room = self.rooms.get(draft.room)
        if room is None:
            return RoomNotFound()
        user, key = draft.key or (None, None)
        if user is not None and key is not None:
            if (user, key) == room.made_by:
                return Conflict()
            first = self._firsts.get((room.id, user, key))
            if first is not None:
                same = first[0] in (draft.hash, draft.type)
                return replace(first[1], duplicate=True) if same else Conflict()
        if draft.change is not None and not self._can(room, draft):
            return MessageNotFound()
        room.head = seq = room.head + 1
        appended = Appended(draft.msg_id, seq, draft.timestamp, room.epoch)
        if user is not None and key is not None:
            self._firsts[room.id, user, key] = (draft.hash, appended)
        sender, change, type = draft.sender, draft.change, draft.type
        self.rows.append(
            (
                room.id,
                seq,
                draft.msg_id,
                draft.timestamp,
                type,
                draft.payload,
                sender and sender.id,
                sender and sender.name,
                user,
                key,
                draft.hash,
                type.startswith(FOLDED),
                change.msg_id if isinstance(change, MessageEdited) else None,
            )
        )
        if change is not None:
            self.changes.append((room.id, seq, draft))
        if type == "message":
            self.messages.add((room.id, draft.msg_id))
        return appended

    def _can(self, room: _Room, draft: Draft) -> bool:
        change = draft.change
        if isinstance(change, MessageEdited):
            return (room.id, change.msg_id) in self.messages
        if isinstance(change, MessageDeleted):
            message = (room.id, change.msg_id)
            there = message in self.messages
            self.messages.discard(message)
            return there
        return True


def _quoted(table: Table) -> str:
    name = table.name.replace('"', '""')
    return f'"{name}"'


def _json(value: Sequence[Any]) -> str:
    return msgspec.json.encode(value).decode()
