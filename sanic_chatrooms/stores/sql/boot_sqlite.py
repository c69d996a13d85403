"""Which start of the machine this is: with `synchronous=normal`, another one may have lost what was acknowledged."""

from pathlib import Path

from sqlalchemy import Connection, select

from ...errors import ConfigError
from .directory import renew_epochs
from .schema import Schema

__all__ = ["BOOT_ID", "require_boot_id", "use_boot_id"]

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def require_boot_id() -> None:
    """Does this system tell? Raises `ConfigError`."""
    if not BOOT_ID.exists():
        raise ConfigError(
            "SQLStore: synchronous=normal needs a system that numbers its starts (Linux): without, nobody would learn "
            "that an outage took messages back; leave it at full"
        )


def use_boot_id(connection: Connection, schema: Schema, *, unsafe: bool) -> None:
    """Renew every room's epoch if the machine was started again since somebody used the file unsafely.

    `unsafe`: it is used so from now on.
    """
    meta = schema.meta
    noted = connection.scalar(select(meta.c.value).where(meta.c.name == "boot_id"))
    present = BOOT_ID.read_text().strip() if BOOT_ID.exists() else None
    if noted is not None and noted != present:
        connection.execute(meta.delete().where(meta.c.name == "boot_id"))
        renew_epochs(connection, schema)
    if unsafe and noted != present:
        connection.execute(meta.insert().values(name="boot_id", value=present))
