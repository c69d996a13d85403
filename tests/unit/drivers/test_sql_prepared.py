from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, create_engine, select
from sqlalchemy.exc import DBAPIError

from sanic_chatrooms.drivers.sql.prepared import Prepared
from tests.support.plans import statements

TABLE = Table("t", MetaData(), Column("id", Integer, primary_key=True), Column("name", Text))


def test_a_statement_gets_its_parameters_each_time() -> None:
    with create_engine("sqlite://").connect() as connection:
        TABLE.create(connection)
        connection.execute(TABLE.insert(), [{"id": n, "name": f"n{n}"} for n in range(5)])
        above = (
            select(TABLE.c.name)
            .where(TABLE.c.id > bindparam("low"), TABLE.c.name != "n3")
            .order_by(TABLE.c.id)
        )
        prepared = Prepared(above)
        with statements() as seen:
            found = [[row[0] for row in prepared.rows(connection, {"low": low})] for low in (3, 1)]

    assert found == [["n4"], ["n2", "n4"]]
    assert len({text for text, _ in seen}) == 1


def test_errors_are_those_of_sqlalchemy_which_drops_what_is_broken() -> None:
    missing = Prepared(select(Table("missing", MetaData(), Column("id", Integer)).c.id))
    with create_engine("sqlite://").connect() as connection, pytest.raises(DBAPIError, match="no such table"):
        missing.rows(connection, {})


def test_a_parameter_of_varying_length_is_refused() -> None:
    some = Prepared(select(TABLE.c.id).where(TABLE.c.id.in_(bindparam("ids", expanding=True))))
    with (
        create_engine("sqlite://").connect() as connection,
        pytest.raises(ValueError, match="varying length"),
    ):
        some.rows(connection, {"ids": [1]})
