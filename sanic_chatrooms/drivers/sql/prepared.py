"""Statements whose text is made once.

SQLAlchemy looks up, completes and binds a construct each time. That takes 0.15 ms, as long as a quick statement itself. And its cursor
takes as long again, so the driver is asked itself.
"""

from asyncio import CancelledError
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select

__all__ = ["Prepared"]


class Prepared:
    """A statement without parameters of varying length (`expanding`), compiled for the database that is asked first.

    Its rows are what the driver returns: types of SQLAlchemy neither convert parameters nor columns.
    """

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self._text = ""

    def rows(self, connection: Connection, given: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        """All rows, of a statement that only reads. `given`: the parameters by name."""
        if not self._text:  # several threads may make it at a time: they make the same
            self._compile(connection)
        fixed = self._fixed
        values = tuple([given[name] if name in given else fixed[name] for name in self._places])
        try:
            return self._ask(connection, values)
        except Exception:  # noqa: BLE001 - SQLAlchemy meets it too, which tells it apart and drops connections that are dead
            return connection.exec_driver_sql(self._text, values).all()

    def _ask(self, connection: Connection, values: tuple[Any, ...]) -> Sequence[Sequence[Any]]:
        driver: Any = connection.connection.dbapi_connection
        if not connection.dialect.is_async:
            rows: list[Any] = driver.execute(self._text, values).fetchall()
            return rows
        try:
            rows = driver.run_async(lambda asyncpg: asyncpg.fetch(self._text, *values))
        except CancelledError:  # nobody knows when the connection can be used again
            connection.invalidate()
            raise
        return rows

    def _compile(self, connection: Connection) -> None:
        compiled: Any = self._statement.compile(dialect=connection.dialect)
        if compiled.post_compile_params:
            raise ValueError("a prepared statement has no parameter of varying length")
        self._places: list[str] = list(compiled.positiontup)
        self._fixed: dict[str, Any] = compiled.params
        self._text = str(compiled)
