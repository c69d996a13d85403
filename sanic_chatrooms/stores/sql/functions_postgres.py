"""What `Postgres` keeps in the database beside the tables: two functions, and a table that a crash empties."""

from zlib import crc32

from .append_postgres import append_function
from .history import RESERVED_HISTORY_MAX
from .schema import Schema

__all__ = ["boot_table", "functions", "lock_key", "opened_call"]

VERSION = 1
"""Of `opened`; see `postgres_append.VERSION`."""

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
  PERFORM pg_advisory_xact_lock({key});  -- whoever comes first does it
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


def functions(schema: Schema) -> list[tuple[str, str, str]]:
    """-> (name, body, statement that makes it) of each."""
    return [append_function(schema, RESERVED_HISTORY_MAX), _opened_function(schema)]


def boot_table(schema: Schema) -> str:
    """The statement that makes the table which PostgreSQL empties after a crash, and keeps at an orderly restart."""
    return f'CREATE UNLOGGED TABLE IF NOT EXISTS "{schema.name("boot")}" (up boolean NOT NULL)'


def lock_key(schema: Schema) -> int:
    """Of the advisory lock that whoever makes or opens the tables of an instance takes."""
    return crc32(schema.prefix.encode())


def opened_call(schema: Schema) -> str:
    """To be called whenever a connection was opened: true if all rooms have new epochs since."""
    return f'SELECT "{schema.name(f"opened_{VERSION}")}"()'


def _opened_function(schema: Schema) -> tuple[str, str, str]:
    name = schema.name(f"opened_{VERSION}")
    tables = {noun: f'"{schema.name(noun)}"' for noun in ("room", "meta", "boot")}
    body = _OPENED.format(key=lock_key(schema), **tables)
    head = f'CREATE OR REPLACE FUNCTION "{name}"(OUT renewed boolean) LANGUAGE plpgsql'
    return name, body, f"{head} AS $body${body}$body$"
