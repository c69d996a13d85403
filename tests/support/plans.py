"""How SQLite carries out what a store asks: the statements of a piece of code, each with its plan."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

__all__ = ["plan", "statements"]


@contextlib.contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """What SQLAlchemy executes meanwhile, anywhere: text and parameters."""
    seen: list[tuple[str, Any]] = []

    def executed(conn: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        seen.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", executed)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", executed)


def plan(file: Path, statement: str, parameters: Any = ()) -> list[str]:
    """Its steps: "SEARCH event USING INDEX …" and the like."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
