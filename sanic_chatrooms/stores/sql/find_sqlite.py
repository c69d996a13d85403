"""The index of words on SQLite: FTS5, whose rows are those of `word`. Triggers keep both alike."""

import sqlite3
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, select

from ...drivers.sql.sqlite_connections import raw
from ..members import MEMBER
from .finder import Asked, Finder, Found
from .keys import room_key
from .schema import Schema
from .statements_sqlite import quoted

__all__ = ["SQLiteFinder"]

LOOKED_AT = 5_000
"""Messages with the keys that are looked at in one call, where most may be in other rooms."""
NEEDED = "ENABLE_FTS5"
"""How SQLite has to be built."""
SECURE = (3, 42, 0)
"""From this version of SQLite on, what is deleted leaves the files of the index at once."""


class SQLiteFinder(Finder):
    """See `Finder`. SQLite finds the newest first, and stops when there are enough."""

    def __init__(self, schema: Schema) -> None:
        super().__init__(schema)
        self._word = word = quoted(schema.word)
        self._find = find = f'"{schema.name("find")}"'
        hits = f"FROM {find} CROSS JOIN {word} AS w ON w.id = {find}.rowid WHERE {find} MATCH ? AND {find}.rowid > ? AND {find}.rowid < ?"
        newest = f"ORDER BY {find}.rowid DESC LIMIT ?"
        self._hits = f"SELECT w.id, w.room_id, w.seq {hits} {newest}"
        fact = quoted(schema.fact)
        self._hits_of = (
            f"SELECT h.id, h.room_id, h.seq, f.room_id IS NOT NULL FROM ({self._hits}) AS h "
            f"LEFT JOIN {fact} AS f ON f.room_id = h.room_id AND f.kind = '{MEMBER}' AND f.key = ? ORDER BY h.id DESC"
        )

    def prepare(self, connection: Connection) -> bool:
        """See `Finder.prepare`."""
        driver = raw(connection)
        (has_fts5,) = driver.execute("SELECT sqlite_compileoption_used(?)", (NEEDED,)).fetchone()
        if has_fts5 and not self._is_there(driver):
            self._make(driver)
        return bool(has_fts5)

    def _is_there(self, driver: sqlite3.Connection) -> bool:
        found = driver.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (self._schema.name("find"),))
        return found.fetchone() is not None

    def _make(self, driver: sqlite3.Connection) -> None:
        word, find = self._word, self._find
        # Only which message has which key: no positions, no lengths, and no copy of the keys, which are in `word`.
        driver.execute(
            f"CREATE VIRTUAL TABLE {find} USING fts5(terms, content='{self._schema.word.name}', content_rowid='id', "
            "detail='none', columnsize=0, tokenize='ascii')"
        )
        if sqlite3.sqlite_version_info >= SECURE:
            driver.execute(f"INSERT INTO {find}({find}, rank) VALUES('secure-delete', 1)")
        forget = f"INSERT INTO {find}({find}, rowid, terms) VALUES('delete', old.id, old.terms);"
        learn = f"INSERT INTO {find}(rowid, terms) VALUES(new.id, new.terms);"
        for name, when, what in (
            ("word_came", "INSERT", learn),
            ("word_went", "DELETE", forget),
            ("word_changed", "UPDATE OF terms", forget + learn),
        ):
            trigger = f'"{self._schema.name(name)}"'
            driver.execute(f"CREATE TRIGGER {trigger} AFTER {when} ON {word} BEGIN {what} END")

    def of_room(self, connection: Connection, room: int, asked: Asked) -> Found:
        """See `Finder.of_room`."""
        low, high = (self._last_before(connection, room, seq) for seq in (asked.after + 1, asked.before))
        rows = self._look(connection, _match(asked.keys, [room]), low, high + 1, asked.limit + 1)
        return _found(rows, asked.limit, by=2)

    def of_rooms(self, connection: Connection, rooms: Collection[int], asked: Asked) -> Found:
        """See `Finder.of_rooms`."""
        rows = self._look(connection, _match(asked.keys, rooms), asked.after, asked.before, asked.limit + 1)
        return _found(rows, asked.limit, by=0)

    def of_user(self, connection: Connection, user: str | None, asked: Asked) -> Found:
        """See `Finder.of_user`."""
        match = _match(asked.keys, ())
        if user is None:
            return _found(
                self._look(connection, match, asked.after, asked.before, asked.limit + 1), asked.limit, by=0
            )
        given = (match, asked.after, asked.before, LOOKED_AT, user)
        looked_at = raw(connection).execute(self._hits_of, given).fetchall()
        rows = [tuple(row) for *row, theirs in looked_at if theirs]
        if len(rows) > asked.limit or len(looked_at) < LOOKED_AT:
            return _found(rows, asked.limit, by=0)
        return Found(rows, looked_at[-1][0])

    def _look(self, connection: Connection, match: str, after: int, before: int, limit: int) -> list[Any]:
        return raw(connection).execute(self._hits, (match, after, before, limit)).fetchall()

    def _last_before(self, connection: Connection, room: int, seq: int) -> int:
        """The id of the last message of a room with a lower number; 0: there is none."""
        word = self._schema.word.c
        last = select(word.id).where(word.room_id == room, word.seq < seq).order_by(word.seq.desc())
        return connection.scalar(last.limit(1)) or 0


def _match(keys: Collection[str], rooms: Collection[int]) -> str:
    within = [f"({' OR '.join(map(room_key, rooms))})"] if rooms else []
    return " AND ".join([*sorted(keys), *within])


def _found(rows: list[Any], limit: int, by: int) -> Found:
    if len(rows) <= limit:
        return Found(rows, None)
    return Found(rows[:limit], rows[limit - 1][by])
