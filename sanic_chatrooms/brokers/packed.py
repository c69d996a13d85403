"""Envelopes as they travel between processes: those of one room and one publisher in one piece, by msgpack, with a version.

What arrives is checked field by field. A process that does not understand a piece counts it and drops it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, TypeVar

import msgspec

from ..models import Envelope

__all__ = ["UNREADABLE", "VERSION", "Bell", "by_room", "check_version", "fitting", "pack", "unpack"]

VERSION = 1
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `unpack` raises for what is none of ours."""
AROUND = 64
"""Bytes that a piece, or a bell in it, has beside the texts and the data, at most."""


class Bell(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An envelope without its room."""

    epoch: str
    seq: Annotated[int, msgspec.Meta(ge=0)]
    type: str
    data: bytes

    @property
    def size(self) -> int:
        """Bytes that it takes, or a few less."""
        return len(self.data) + len(self.epoch) + len(self.type) + AROUND


class _Packed(msgspec.Struct, array_like=True, frozen=True):
    version: int
    origin: str
    bells: list[Bell]


B = TypeVar("B", bound=Bell)

_encode = msgspec.msgpack.Encoder().encode
_decoder = msgspec.msgpack.Decoder(_Packed)


def by_room(envelopes: Sequence[Envelope]) -> dict[str, list[Bell]]:
    """What there is to tell each room, in order."""
    rooms: dict[str, list[Bell]] = {}
    for envelope in envelopes:
        bell = Bell(envelope.epoch, envelope.seq, envelope.type, envelope.data)
        rooms.setdefault(envelope.room, []).append(bell)
    return rooms


def pack(origin: str, bells: list[Bell]) -> bytes:
    """One piece."""
    return _encode(_Packed(VERSION, origin, bells))


def unpack(room: str, data: bytes, origin: str) -> list[Envelope]:
    """The envelopes of a piece; none where it is one's own. Raises one of `UNREADABLE`."""
    packed = _decoder.decode(data)
    check_version(packed.version)
    if packed.origin == origin:
        return []
    return [Envelope(room, bell.epoch, bell.seq, bell.type, bell.data) for bell in packed.bells]


def check_version(version: int) -> None:
    """Raises `msgspec.ValidationError` for another than ours."""
    if version != VERSION:
        raise msgspec.ValidationError(f"version {version}")


def fitting(bells: Iterable[B], limit: int) -> Iterator[list[B]]:
    """Bells in groups of at most so many bytes.

    One that is larger by itself goes by reference where it is durable: without its data, which the hub reads from the
    store. A live one stands alone in its group, for the broker to decide.
    """
    group: list[B] = []
    left = limit
    for bell in bells:
        if bell.size > limit - AROUND and bell.seq:
            bell = msgspec.structs.replace(bell, data=b"")
        if group and bell.size > left:
            yield group
            group, left = [], limit
        group.append(bell)
        left -= bell.size
    if group:
        yield group
