"""Whose browsers want notifications, of what, and of whom not: one SQLite file for all workers. All of it touches the disk: call it in a thread."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from .web_push import Subscription

__all__ = ["Subscriptions"]

MOST = 10  # of one user; a further one replaces the oldest
PATIENCE = 10.0  # seconds to wait for another worker that writes

SCHEMA = """
CREATE TABLE IF NOT EXISTS subscriptions (
  number INTEGER PRIMARY KEY AUTOINCREMENT, endpoint TEXT NOT NULL UNIQUE, user TEXT NOT NULL, login TEXT NOT NULL,
  p256dh BLOB NOT NULL, auth BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS subscriptions_of_user ON subscriptions (user, number);
CREATE INDEX IF NOT EXISTS subscriptions_of_login ON subscriptions (login);
CREATE TABLE IF NOT EXISTS choices (user TEXT NOT NULL, room TEXT NOT NULL, notify TEXT NOT NULL, PRIMARY KEY (user, room));
CREATE TABLE IF NOT EXISTS blocks (user TEXT NOT NULL, other TEXT NOT NULL, PRIMARY KEY (user, other));
"""


class Subscriptions:
    def __init__(self, path: Path) -> None:
        self._path = path

    def start(self) -> None:
        self._path.touch(mode=0o600)
        with self._connection() as connection:
            connection.executescript(SCHEMA)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=PATIENCE)) as connection, connection:
            yield connection

    # ---- browsers ----

    def add(self, user: str, login: str, one: Subscription) -> None:
        """A browser has one subscription for a page. It belongs to whoever came last with it."""
        with self._connection() as connection:
            connection.execute("DELETE FROM subscriptions WHERE endpoint = ?", (one.endpoint,))
            insert = "INSERT INTO subscriptions (endpoint, user, login, p256dh, auth) VALUES (?, ?, ?, ?, ?)"
            connection.execute(insert, (one.endpoint, user, login, one.p256dh, one.auth))
            newest = "SELECT number FROM subscriptions WHERE user = ? ORDER BY number DESC LIMIT ?"
            connection.execute(
                f"DELETE FROM subscriptions WHERE user = ? AND number NOT IN ({newest})",  # noqa: S608 - ours
                (user, user, MOST),
            )

    def of(self, user: str) -> list[Subscription]:
        select = "SELECT endpoint, p256dh, auth FROM subscriptions WHERE user = ? ORDER BY number"
        with self._connection() as connection:
            return [Subscription(*row) for row in connection.execute(select, (user,))]

    def logins(self, user: str) -> list[str]:
        """The sign-ins with which the user's browsers were subscribed; empty for those without one."""
        select = "SELECT DISTINCT login FROM subscriptions WHERE user = ?"
        with self._connection() as connection:
            return [login for (login,) in connection.execute(select, (user,))]

    def remove(self, endpoint: str, user: str | None = None) -> None:
        """`user`: only if it is theirs."""
        with self._connection() as connection:
            connection.execute(
                "DELETE FROM subscriptions WHERE endpoint = ? AND user = coalesce(?, user)", (endpoint, user)
            )

    def forget(self, login: str) -> None:
        """What was subscribed to with a sign-in that has ended."""
        with self._connection() as connection:
            connection.execute("DELETE FROM subscriptions WHERE login = ?", (login,))

    # ---- choices ----

    def choose(self, user: str, room: str, notify: str) -> None:
        with self._connection() as connection:
            connection.execute("INSERT OR REPLACE INTO choices VALUES (?, ?, ?)", (user, room, notify))

    def choice(self, user: str, room: str) -> str:
        """`all`, `mentions` or `none`."""
        select = "SELECT notify FROM choices WHERE user = ? AND room = ?"
        with self._connection() as connection:
            row = connection.execute(select, (user, room)).fetchone()
        return str(row[0]) if row else "all"

    # ---- blocks ----

    def block(self, user: str, other: str, *, on: bool) -> None:
        add, remove = (
            "INSERT OR IGNORE INTO blocks VALUES (?, ?)",
            "DELETE FROM blocks WHERE user = ? AND other = ?",
        )
        with self._connection() as connection:
            connection.execute(add if on else remove, (user, other))

    def blocks(self, user: str, other: str) -> bool:
        select = "SELECT 1 FROM blocks WHERE user = ? AND other = ?"
        with self._connection() as connection:
            return connection.execute(select, (user, other)).fetchone() is not None
