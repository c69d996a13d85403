"""The index of words of `SQLStore` keeps its contract, on SQLite and PostgreSQL."""

from __future__ import annotations

from sanic_chatrooms.testing import SearchSuite
from tests.conformance.test_postgres import OverPostgres
from tests.conformance.test_sqlite import OverSQLite


class TestSearchOverSQLite(OverSQLite, SearchSuite):
    pass


class TestSearchOverPostgres(OverPostgres, SearchSuite):
    pass
