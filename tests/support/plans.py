"""How SQLite carries out what a store asks: the statements of a piece of code, each with its plan."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import Engine, event

from sanic_chatrooms.drivers.sql.prepared import Prepared
from sanic_chatrooms.stores.sql.store import SQLStore

__all__ = ["plan", "statements", "stop_indexing"]


async def stop_indexing(store: SQLStore) -> None:
    """Let a store do nothing by itself from now on, so that all its statements are those that a test has asked for."""
    await store._indexing.stop()


@contextlib.contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """What SQLAlchemy and prepared statements execute meanwhile, anywhere: text and parameters."""
    seen: list[tuple[str, Any]] = []
    ask = Prepared._ask

    def asked(self: Prepared, connection: Any, values: tuple[Any, ...]) -> Any:
        seen.append((self._text, values))
        return ask(self, connection, values)

    def executed(conn: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        seen.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", executed)
    try:
        with patch.object(Prepared, "_ask", asked):
            yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", executed)


def plan(file: Path, statement: str, parameters: Any = ()) -> list[str]:
    """Its steps: "SEARCH event USING INDEX …" and the like."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
