"""What `PostgresAppender` keeps in the database beside the tables: two functions, and a table that a crash empties."""

from sqlalchemy import Connection, inspect, text

from ...drivers.sql.tables import lock_key
from ..base import RESERVED_HISTORY_MAX
from .append_postgres import append_function
from .schema import Schema

__all__ = ["make_functions", "opened_call"]

VERSION = 1
"""Of `opened`; see `append_postgres.VERSION`."""

_SOURCE = text("SELECT prosrc FROM pg_proc WHERE oid = to_regproc(:name)")

_OPENED = """
DECLARE
  here text := '';
  lazy boolean := current_setting('synchronous_commit') = 'off' OR current_setting('fsync') = 'off';
  was_here text;
  was_lazy boolean;
  crashed boolean;
BEGIN
  BEGIN
    -- Another cluster: restored from a dump. Another timeline: a standby took over, or an older state was restored.
    here := (SELECT system_identifier FROM pg_control_system()) || '.' ||
            left(pg_walfile_name(pg_current_wal_lsn()), 8);
  EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
    NULL;  -- not every hosted database tells
  END;
  IF lazy THEN
    SET LOCAL synchronous_commit = on;  -- what this says must not be lost
  END IF;
  PERFORM pg_advisory_xact_lock({key});  -- of several workers, the first does it
  SELECT m.value INTO was_here FROM {meta} m WHERE m.name = 'place';
  was_lazy := EXISTS (SELECT FROM {meta} m WHERE m.name = 'lazy');
  crashed := NOT EXISTS (SELECT FROM {boot});
  renewed := coalesce(was_here <> here, false) OR (was_lazy AND crashed);
  IF renewed THEN
    UPDATE {room} SET epoch = replace(gen_random_uuid()::text, '-', '');
    DELETE FROM {meta} WHERE name = 'lazy';
  END IF;
  INSERT INTO {meta} AS m (name, value) VALUES ('place', here)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE m.value <> excluded.value;
  IF lazy THEN
    INSERT INTO {meta} (name, value) VALUES ('lazy', 'yes') ON CONFLICT (name) DO NOTHING;
  END IF;
  IF crashed THEN
    INSERT INTO {boot} VALUES (true);
  END IF;
END
"""


def make_functions(connection: Connection, schema: Schema) -> None:
    """Make the functions and the table beside the others, where they are not there as they should be."""
    if not inspect(connection).has_table(schema.name("boot")):
        connection.exec_driver_sql(_boot_table(schema))
    for name, body, statement in (append_function(schema, RESERVED_HISTORY_MAX), _opened_function(schema)):
        there = connection.scalar(_SOURCE, {"name": f'"{name}"'})
        if there != body:
            connection.exec_driver_sql(statement)


def _boot_table(schema: Schema) -> str:
    # PostgreSQL empties it after a crash, and keeps it at an orderly restart.
    return f'CREATE UNLOGGED TABLE IF NOT EXISTS "{schema.name("boot")}" (up boolean NOT NULL)'


def opened_call(schema: Schema) -> str:
    """To be called whenever a connection was opened: true if all rooms have new epochs since."""
    return f'SELECT "{schema.name(f"opened_{VERSION}")}"()'


def _opened_function(schema: Schema) -> tuple[str, str, str]:
    name = schema.name(f"opened_{VERSION}")
    tables = {noun: f'"{schema.name(noun)}"' for noun in ("room", "meta", "boot")}
    body = _OPENED.format(key=lock_key(schema.prefix), **tables)
    head = f'CREATE OR REPLACE FUNCTION "{name}"(OUT renewed boolean) LANGUAGE plpgsql'
    return name, body, f"{head} AS $body${body}$body$"
