"""Which start of the machine this is: with `synchronous=normal`, another one may have lost what was acknowledged."""

from sqlalchemy import Connection, func, select

from ...drivers.sql.boot_id import present_boot
from .schema import Schema

__all__ = ["use_boot_id"]


def use_boot_id(connection: Connection, schema: Schema, *, unsafe: bool) -> None:
    """Renew every room's epoch if the machine was started again since somebody used the file unsafely.

    `unsafe`: it is used so from now on.
    """
    meta = schema.meta
    noted = connection.scalar(select(meta.c.value).where(meta.c.name == "boot_id"))
    present = present_boot()
    if noted is not None and noted != present:
        connection.execute(meta.delete().where(meta.c.name == "boot_id"))
        # By SQLite itself: nobody waits longer for a start than for anything else, however many rooms there are.
        connection.execute(schema.room.update().values(epoch=func.lower(func.hex(func.randomblob(16)))))
    if unsafe and noted != present:
        connection.execute(meta.insert().values(name="boot_id", value=present))
