"""Envelopes as they travel between processes: a few of one publisher in one piece, by msgpack, signed.

What arrives is checked: who signed it, field by field, and whether it was here before. A process that does not understand
a piece counts it and drops it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Generic, TypeVar

import msgspec

from ..models import Envelope
from ..support.signature import Forged, Seal
from .replay import Age, Seen

__all__ = ["UNREADABLE", "Bell", "Packer", "RoomBell", "by_room", "fitting"]

UNREADABLE = (Forged, msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `Packer.unpack` raises for what is none of ours."""
AROUND = 96
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


class RoomBell(Bell, array_like=True, frozen=True, gc=False):
    """An envelope, for pieces of several rooms."""

    room: str

    @property
    def size(self) -> int:
        """See `Bell.size`."""
        return super().size + len(self.room.encode())


B = TypeVar("B", bound=Bell)


class _Packed(msgspec.Struct, Generic[B], array_like=True, frozen=True):
    origin: str
    number: Annotated[int, msgspec.Meta(ge=1)]
    at: int
    """When it was packed, in Unix seconds."""
    bells: list[B]


_encode = msgspec.msgpack.Encoder().encode


class Packer(Generic[B]):
    """Packs what one process publishes as `origin`, and unpacks what others did: for one start of a broker."""

    def __init__(
        self, seal: Seal, origin: str, bell: type[B], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._seal = seal
        self._origin = origin
        self._clock = clock
        self._decode: Callable[[bytes], _Packed[B]] = msgspec.msgpack.Decoder(_Packed[bell]).decode  # type: ignore[valid-type]
        self._seen = Seen(clock)
        self._number = 0

    def pack(self, place: str, bells: list[B]) -> bytes:
        """One piece, for this room or for whatever else one channel is."""
        self._number += 1
        body = _encode(_Packed(self._origin, self._number, int(self._clock()), bells))
        return self._seal.close(place, body)

    def unpack(self, place: str, piece: bytes) -> Sequence[B]:
        """The bells of a piece; none where it is one's own or was here before. Raises one of `UNREADABLE`.

        Of an old piece, which may have been here before, what is durable is left: the hub knows by its number.
        """
        packed = self._decode(self._seal.open(place, piece))
        if packed.origin == self._origin:
            return ()
        age = self._seen.judge(packed.origin, packed.number, packed.at)
        if age is Age.NEW:
            return packed.bells
        return [bell for bell in packed.bells if bell.seq] if age is Age.OLD else ()


def by_room(envelopes: Sequence[Envelope]) -> dict[str, list[Bell]]:
    """What there is to tell each room, in order."""
    rooms: dict[str, list[Bell]] = {}
    for envelope in envelopes:
        bell = Bell(envelope.epoch, envelope.seq, envelope.type, envelope.data)
        rooms.setdefault(envelope.room, []).append(bell)
    return rooms


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
