"""What is remembered of rooms that users have deleted, so that a repetition of the command has the first result.

A deletion has no event, since nothing is left of the room. So it is noted in the room that all workers hold.
"""

import time

import msgspec

from ..auth.once import Once
from ..errors import Conflict
from ..models import Appended, Room
from .core import Core

__all__ = ["DONE", "deleted_before", "note_deletion"]

DONE = Appended("", 0, 0.0, "", duplicate=True)
"""The first result of a command that has no event."""


class _Note(msgspec.Struct, array_like=True):
    hash: bytes
    made_at: float


_note = msgspec.json.Decoder(_Note)


def _notes(core: Core) -> Once:
    return Once(core.store, "deletion")


async def note_deletion(
    core: Core, room: Room, key: tuple[str, str] | None, hash: bytes, window: float
) -> None:
    """Note, before the room is deleted, that the command with this key does it. Raises `Unavailable`."""
    if key is not None:
        note = msgspec.json.encode(_Note(hash, room.created_at))
        await _notes(core).put(_key(room.id, key), note, time.time() + window)


async def deleted_before(core: Core, room: str, key: tuple[str, str] | None, hash: bytes) -> bool:
    """Whether the command with this key has deleted the room: it is gone, or another one. Raises `Conflict`, `Unavailable`."""
    noted = None if key is None else await _notes(core).value(_key(room, key))
    if key is None or noted is None:
        return False
    note, there = _note.decode(noted), await core.store.room(room)
    if there is not None and there.created_at == note.made_at:
        return False  # the first attempt ended too early
    if note.hash != hash:
        raise Conflict
    return True


def _key(room: str, key: tuple[str, str]) -> str:
    return f"{len(key[0])}:{key[0]}{len(key[1])}:{key[1]}{room}"
