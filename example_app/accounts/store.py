"""Where accounts are kept: one SQLite file for all workers, used by one thread of each, so that no event loop waits."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

from sanic_chatrooms import Unavailable, skeletons

T = TypeVar("T")

MAX_ACCOUNTS = 100_000
PATIENCE = 10.0
"""Seconds to wait for another worker that writes."""
SPENT = 2**62
"""Above the number of every refresh token: of a login that has it, none is good any more."""
MAX_LOGINS = 20
"""Of one account; a further one ends the oldest."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
  id TEXT PRIMARY KEY, form TEXT NOT NULL UNIQUE, name TEXT NOT NULL, password TEXT NOT NULL,
  secret TEXT, proposed TEXT, step INTEGER NOT NULL DEFAULT 0, looks TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS logins (
  id TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE,
  number INTEGER NOT NULL, rotated REAL NOT NULL, expires REAL NOT NULL, with_code INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS logins_of_account ON logins (account, rotated);
CREATE TABLE IF NOT EXISTS recovery (
  account TEXT NOT NULL REFERENCES accounts ON DELETE CASCADE, hash TEXT NOT NULL, PRIMARY KEY (account, hash));
CREATE TABLE IF NOT EXISTS attempts (key TEXT PRIMARY KEY, full REAL NOT NULL);
"""


@dataclass(frozen=True)
class Account:
    id: str
    name: str
    password: str
    """Argon2's hash of it."""
    secret: str | None = None
    """Of the second factor; None: the account has none."""
    proposed: str | None = None
    """A secret that is not confirmed by a code yet."""


@dataclass(frozen=True)
class Login:
    """A device that is signed in."""

    id: str
    account: Account
    with_code: bool
    """A code of the second factor was shown, besides the password."""


class Refusal(Enum):
    UNKNOWN = "unknown"
    REUSED = "reused"


class AccountStore:
    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> None:
        """In the process that uses it: no connection of SQLite may pass from one to another."""
        self._connection = connect(self._path)
        self._thread = ThreadPoolExecutor(1, "accounts")

    def close(self) -> None:
        self._thread.shutdown()
        self._connection.close()

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def transaction() -> T:
            with self._connection as connection:
                connection.execute("BEGIN IMMEDIATE")  # what is read stays true until it is written
                return work(connection)

        return await asyncio.get_running_loop().run_in_executor(self._thread, transaction)

    # ---- accounts ----

    async def add(self, account: Account, form: str) -> bool:
        """False if the name is taken. Raises `Unavailable` if there are as many accounts as there may be."""

        def add(connection: sqlite3.Connection) -> bool:
            (count,) = connection.execute("SELECT count(*) FROM accounts").fetchone()
            if count >= MAX_ACCOUNTS:
                raise Unavailable("There can be no more accounts here.")
            row = (account.id, form, account.name, account.password, _looks(account.name))
            insert = "INSERT OR IGNORE INTO accounts (id, form, name, password, looks) VALUES (?, ?, ?, ?, ?)"
            return connection.execute(insert, row).rowcount == 1

        return await self._run(add)

    async def find(self, form: str) -> Account | None:
        return await self._run(lambda connection: _account(connection, "form = ?", form))

    async def called(self, form: str, most: int) -> list[tuple[str, str]]:
        """Id and name of accounts whose form begins so, in its order."""
        select = "SELECT id, name FROM accounts WHERE form >= ? AND form < ? ORDER BY form LIMIT ?"
        return await self._run(lambda c: c.execute(select, (form, form + "\U0010ffff", most)).fetchall())

    async def looks_like_one(self, name: str) -> bool:
        """Whether somebody could take this name for the name of an account."""
        forms = sorted(skeletons(name))
        select = f"SELECT 1 FROM accounts WHERE looks IN ({', '.join('?' * len(forms))}) LIMIT 1"  # noqa: S608
        return await self._run(lambda c: c.execute(select, forms).fetchone() is not None)

    async def set_password(self, account: Account, hashed: str) -> bool:
        """False if the password has changed since the account was read."""
        update = "UPDATE accounts SET password = ? WHERE id = ? AND password = ?"
        return await self._run(
            lambda c: c.execute(update, (hashed, account.id, account.password)).rowcount == 1
        )

    # ---- logins: a device that is signed in, and the number of its newest refresh token ----

    async def add_login(self, login: Login, now: float, expires: float) -> bool:
        """False if the password or the second factor has changed since the account was read."""

        def add(connection: sqlite3.Connection) -> bool:
            connection.execute("DELETE FROM logins WHERE expires <= ?", (now,))
            account = login.account
            insert = (
                "INSERT INTO logins (id, account, number, rotated, expires, with_code) "
                "SELECT ?, id, 0, ?, ?, ? FROM accounts WHERE id = ? AND password = ? AND secret IS ?"
            )
            of = (account.id, account.password, account.secret)
            if connection.execute(insert, (login.id, now, expires, login.with_code, *of)).rowcount == 0:
                return False
            oldest = "SELECT id FROM logins WHERE account = ? ORDER BY rotated DESC, id LIMIT -1 OFFSET ?"
            connection.execute(f"DELETE FROM logins WHERE id IN ({oldest})", (account.id, MAX_LOGINS))  # noqa: S608
            return True

        return await self._run(add)

    async def login(self, id: str, now: float) -> Login | None:
        """A login that has not ended."""

        def find(connection: sqlite3.Connection) -> Login | None:
            select = "SELECT account, with_code FROM logins WHERE id = ? AND expires > ? AND number < ?"
            row = connection.execute(select, (id, now, SPENT)).fetchone()
            account = row and _account(connection, "id = ?", row[0])
            return Login(id, account, bool(row[1])) if account else None

        return await self._run(find)

    async def rotate(self, login: str, number: int, now: float, grace: float) -> int | Refusal:
        """Replace the refresh token of this number; -> the number of the next one. If it was replaced before, none is good after.

        For `grace` seconds after a replacement nothing is replaced again, and the token before the newest is answered too:
        several tabs may ask at once with what each of them had, and answers get lost.
        """

        def rotate(connection: sqlite3.Connection) -> int | Refusal:
            select = "SELECT number, rotated FROM logins WHERE id = ? AND expires > ?"
            row = connection.execute(select, (login, now)).fetchone()
            if row is None:
                return Refusal.UNKNOWN
            newest, fresh = int(row[0]), now - row[1] < grace
            if fresh and number in (newest, newest - 1):
                return newest
            goal = newest + 1 if number == newest else SPENT
            connection.execute("UPDATE logins SET number = ?, rotated = ? WHERE id = ?", (goal, now, login))
            return Refusal.REUSED if goal == SPENT else goal

        return await self._run(rotate)

    async def end_login(self, login: str) -> None:
        await self._run(lambda connection: connection.execute("DELETE FROM logins WHERE id = ?", (login,)))

    async def logins_of(self, account: str) -> list[str]:
        select = "SELECT id FROM logins WHERE account = ?"
        return await self._run(lambda c: [login for (login,) in c.execute(select, (account,))])

    # ---- second factor ----

    async def propose(self, account: str, secret: str) -> None:
        await self._run(
            lambda c: c.execute("UPDATE accounts SET proposed = ? WHERE id = ?", (secret, account))
        )

    async def turn_on(self, login: Login, secret: str, step: int, hashes: list[str]) -> bool:
        """False if this secret is not the proposed one any more."""
        account = login.account.id

        def turn_on(connection: sqlite3.Connection) -> bool:
            update = "UPDATE accounts SET secret = proposed, proposed = NULL, step = ? WHERE id = ? AND proposed = ?"
            if connection.execute(update, (step, account, secret)).rowcount == 0:
                return False
            connection.execute("UPDATE logins SET with_code = 1 WHERE id = ?", (login.id,))
            connection.execute("DELETE FROM recovery WHERE account = ?", (account,))
            connection.executemany("INSERT INTO recovery VALUES (?, ?)", [(account, one) for one in hashes])
            return True

        return await self._run(turn_on)

    async def turn_off(self, account: str) -> None:
        def turn_off(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE accounts SET secret = NULL, proposed = NULL WHERE id = ?", (account,))
            connection.execute("DELETE FROM recovery WHERE account = ?", (account,))

        await self._run(turn_off)

    async def use_step(self, account: str, step: int) -> bool:
        """Each code is good once: False if this one, or a later one, was used before."""
        update = "UPDATE accounts SET step = ? WHERE id = ? AND step < ?"
        return await self._run(lambda c: c.execute(update, (step, account, step)).rowcount == 1)

    async def use_recovery(self, account: str, hashed: str) -> bool:
        delete = "DELETE FROM recovery WHERE account = ? AND hash = ?"
        return await self._run(lambda c: c.execute(delete, (account, hashed)).rowcount == 1)

    # ---- attempts ----

    async def take(self, limits: "list[tuple[str, Limit]]", now: float) -> float:
        """Count one attempt against all of these keys; -> 0, or the seconds to wait if one of them is used up.

        GCRA: all that is kept of a key is when its bucket will be full again.
        """

        def take(connection: sqlite3.Connection) -> float:
            connection.execute("DELETE FROM attempts WHERE full <= ?", (now,))
            fulls = [max(now, _full(connection, key)) for key, _ in limits]
            waits = [full - now - limit.spare for full, (_, limit) in zip(fulls, limits, strict=True)]
            if max(waits) > 0:
                return max(waits)
            rows = [(key, full + limit.interval) for full, (key, limit) in zip(fulls, limits, strict=True)]
            connection.executemany("INSERT OR REPLACE INTO attempts VALUES (?, ?)", rows)
            return 0.0

        return await self._run(take)

    async def give_back(self, limits: "list[tuple[str, Limit]]") -> None:
        rows = [(limit.interval, key) for key, limit in limits]
        await self._run(lambda c: c.executemany("UPDATE attempts SET full = full - ? WHERE key = ?", rows))


@dataclass(frozen=True)
class Limit:
    """`burst` attempts at once, then one in `interval` seconds."""

    interval: float
    burst: int

    @property
    def spare(self) -> float:
        return self.interval * (self.burst - 1)


def connect(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
    _use_wal(connection)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.executescript(SCHEMA)
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        _add_columns(connection)
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Two workers open a new file at once, and SQLite refuses one of them without waiting: neither could go on."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def _add_columns(connection: sqlite3.Connection) -> None:
    """To a file that an earlier version of the example made."""
    for table, column, kind in (("accounts", "looks", "TEXT"), ("logins", "with_code", "INTEGER")):
        there = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
        if column not in there:
            default = "''" if kind == "TEXT" else "0"
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind} NOT NULL DEFAULT {default}")
    unknown = connection.execute("SELECT id, name FROM accounts WHERE looks = ''").fetchall()
    looks = [(_looks(name), id) for id, name in unknown]
    connection.executemany("UPDATE accounts SET looks = ? WHERE id = ?", looks)
    connection.execute("CREATE INDEX IF NOT EXISTS accounts_by_looks ON accounts (looks)")


def _looks(name: str) -> str:
    return min(skeletons(name))  # names of accounts are of ASCII, and so have one only


def _account(connection: sqlite3.Connection, condition: str, *values: object) -> Account | None:
    select = f"SELECT id, name, password, secret, proposed FROM accounts WHERE {condition}"  # noqa: S608
    row = connection.execute(select, values).fetchone()
    return Account(*row) if row else None


def _full(connection: sqlite3.Connection, key: str) -> float:
    row = connection.execute("SELECT full FROM attempts WHERE key = ?", (key,)).fetchone()
    return float(row[0]) if row else 0.0
