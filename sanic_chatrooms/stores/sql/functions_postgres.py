"""What `PostgresAppender` keeps in the database beside the tables: two functions, and a table that a crash empties."""

from sqlalchemy import Connection, inspect, text

from ...drivers.sql.tables import lock_key
from ..base import RESERVED_HISTORY_MAX
from .append_postgres import append_function
from .schema import Schema

__all__ = ["make_functions", "opened_call"]

VERSION = 2
"""Of `opened`; see `append_postgres.VERSION`."""

STEP = 1_000
"""Rooms that one call of it gives new epochs: a call must end within the time limit of a store, however many rooms there are."""

_SOURCE = text("SELECT prosrc FROM pg_proc WHERE oid = to_regproc(:name)")

_OPENED = """
DECLARE
  here text := '';
  lazy boolean := current_setting('synchronous_commit') = 'off' OR current_setting('fsync') = 'off';
  was_here text;
  was_lazy boolean;
  crashed boolean;
  last_id bigint;
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
  PERFORM pg_advisory_xact_lock({key});  -- several workers take turns
  SELECT m.value INTO was_here FROM {meta} m WHERE m.name = 'place';
  was_lazy := EXISTS (SELECT FROM {meta} m WHERE m.name = 'lazy');
  crashed := NOT EXISTS (SELECT FROM {boot});
  renewed := coalesce(was_here <> here, false) OR (was_lazy AND crashed);
  unfinished := false;
  IF renewed THEN
    -- Until all rooms are done, the place has the last one's number behind it, so it is another place for everybody.
    IF split_part(was_here, ' ', 1) = here THEN
      last_id := nullif(split_part(was_here, ' ', 2), '')::bigint;
    END IF;
    WITH next AS (SELECT t.id FROM {room} t WHERE t.id > coalesce(last_id, 0) ORDER BY t.id LIMIT {step} FOR NO KEY UPDATE),
         done AS (UPDATE {room} t SET epoch = replace(gen_random_uuid()::text, '-', '') FROM next WHERE t.id = next.id
                  RETURNING t.id)
    SELECT max(done.id), count(*) = {step} INTO last_id, unfinished FROM done;
    IF unfinished THEN
      INSERT INTO {meta} AS m (name, value) VALUES ('place', here || ' ' || last_id)
        ON CONFLICT (name) DO UPDATE SET value = excluded.value;
      RETURN;
    END IF;
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
    """To be called whenever a connection was opened that appends, and again while it is `unfinished`. Before that, nothing may be
    appended. `renewed`: it gave new epochs, the last ones if it is not `unfinished`."""
    return f'SELECT renewed, unfinished FROM "{schema.name(f"opened_{VERSION}")}"()'  # noqa: S608 - a name of ours


def _opened_function(schema: Schema) -> tuple[str, str, str]:
    name = schema.name(f"opened_{VERSION}")
    tables = {noun: f'"{schema.name(noun)}"' for noun in ("room", "meta", "boot")}
    body = _OPENED.format(key=lock_key(schema.prefix), step=STEP, **tables)
    head = (
        f'CREATE OR REPLACE FUNCTION "{name}"(OUT renewed boolean, OUT unfinished boolean) LANGUAGE plpgsql'
    )
    return name, body, f"{head} AS $body${body}$body$"
