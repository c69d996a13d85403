"""The PostgreSQL of the tests: real, durable, killed and started again."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.support.postgres import PostgresServer


async def test_a_killed_server_comes_back_with_what_was_committed(mortal_postgres: PostgresServer) -> None:
    connection = await mortal_postgres.connect()
    await connection.execute("CREATE TABLE IF NOT EXISTS t(n integer)")
    await connection.execute("INSERT INTO t VALUES (1)")

    mortal_postgres.kill()
    connection.terminate()
    mortal_postgres.start()

    again = await mortal_postgres.connect()
    assert await again.fetchval("SELECT n FROM t") == 1
    await again.close()


async def test_durability_is_as_postgresql_ships_it(postgres: PostgresServer) -> None:
    connection = await postgres.connect()

    settings = [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")]

    await connection.close()
    assert settings == ["on", "on"]


async def test_each_test_may_have_a_database_of_its_own(postgres: PostgresServer, postgres_url: str) -> None:
    name = urlsplit(postgres_url).path.removeprefix("/")
    connection = await postgres.connect(name)

    tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")

    await connection.close()
    assert tables == 0
