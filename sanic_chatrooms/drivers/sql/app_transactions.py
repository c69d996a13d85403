"""Transactions of the app's own on a SQLite file, as far as SQLAlchemy tells of them.

One that has written keeps all others from writing until it ends. A task that waits for the chat while its own is open
would wait for itself, so it is told at once.
"""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, event

__all__ = ["holds_up", "watch"]


class _Begun(NamedTuple):
    task: "asyncio.Task[Any]"
    changes: int
    """Rows that the connection had changed by then, ever."""


_begun: "WeakKeyDictionary[Connection, _Begun]" = WeakKeyDictionary()


def watch() -> None:
    """Hear of the transactions that this process begins from now on."""
    if not event.contains(Engine, "begin", _note):
        event.listen(Engine, "begin", _note)
        event.listen(Engine, "commit", _forget)
        event.listen(Engine, "rollback", _forget)


def holds_up(file: Path) -> bool:
    """Has the task that asks a transaction open that has written to this file?"""
    if not _begun:
        return False
    task = asyncio.current_task()
    mine = [(connection, begun) for connection, begun in list(_begun.items()) if begun.task is task]
    return any(_has_written(*one) and _leads_to(one[0], file) for one in mine)


def _note(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    try:
        task = asyncio.current_task()
    except RuntimeError:  # in a thread, as our own are: whom it holds up cannot be known
        return
    if task is not None:
        _begun[connection] = _Begun(task, _changes(connection))


def _forget(connection: Connection) -> None:
    if _begun:
        _begun.pop(connection, None)


def _changes(connection: Connection) -> int:
    return getattr(connection.connection.driver_connection, "total_changes", 0)


def _has_written(connection: Connection, begun: _Begun) -> bool:
    return not connection.closed and _changes(connection) > begun.changes


def _leads_to(connection: Connection, file: Path) -> bool:
    database = connection.engine.url.database
    try:
        return database is not None and file.samefile(database)
    except OSError:  # ":memory:" and the like
        return False
