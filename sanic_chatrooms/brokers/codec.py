"""Envelopes as they travel between processes: a packet holds a few of one publisher, packed by msgpack and signed.

What arrives is checked: the signature, each field, and whether the packet was here before. A process that does not
understand a packet counts it and drops it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Generic, TypeVar

import msgspec

from ..models import Envelope
from ..support.signature import BODY, Forged, Signer
from .replay import Age, Seen

__all__ = ["UNREADABLE", "Entry", "Packer", "RoomEntry", "by_room", "fitting", "in_room"]

UNREADABLE = (Forged, msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `Packer.unpack` raises for a packet that is none of ours."""
PASS_EVERY = 16
"""One in so many packets without live entries moves what counts as old: few beside the width of the window, and cheap."""
OVERHEAD = 96
"""Bytes that a packet, or an entry of it, has beside the texts and the data, at most."""


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An envelope in a packet, without its room."""

    epoch: str
    seq: Annotated[int, msgspec.Meta(ge=0)]
    type: str
    data: bytes

    @property
    def size(self) -> int:
        """Bytes that it takes, or a few less."""
        return len(self.data) + len(self.epoch) + len(self.type) + OVERHEAD


class RoomEntry(Entry, array_like=True, frozen=True, gc=False):
    """An envelope in a packet for several rooms."""

    room: str

    @property
    def size(self) -> int:
        """See `Entry.size`."""
        return super().size + len(self.room.encode())


E = TypeVar("E", bound=Entry)


class _Packed(msgspec.Struct, Generic[E], array_like=True, frozen=True):
    publisher: str
    number: Annotated[int, msgspec.Meta(ge=1)]
    at: int
    """When it was packed, in Unix seconds."""
    entries: list[E]


_encode = msgspec.msgpack.Encoder().encode


class Packer(Generic[E]):
    """Packs what one process publishes as `publisher`, and unpacks what others did: for one start of a broker."""

    def __init__(
        self, signer: Signer, publisher: str, entry: type[E], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._signer = signer
        self._own = b"\x94" + _encode(
            publisher
        )  # how the body of its own packets begins: four values, its name
        self._publisher = publisher
        self._clock = clock
        self._decode: Callable[[bytes], _Packed[E]] = msgspec.msgpack.Decoder(_Packed[entry]).decode  # type: ignore[valid-type]
        self._seen = Seen(clock)
        self._number = 0

    def pack(self, place: str, entries: list[E]) -> bytes:
        """A signed packet, for this room or for whatever else one channel is."""
        self._number += 1
        body = _encode(_Packed(self._publisher, self._number, int(self._clock()), entries))
        return self._signer.sign(place, body)

    def unpack(self, place: str, packet: bytes) -> Sequence[E]:
        """The entries of a packet; none of one that carries this process's own name. Raises one of `UNREADABLE`.

        Durable entries may have been here before: the hub knows them by their number. Live ones come once, and not of an
        old packet.
        """
        if packet.startswith(self._own, BODY):
            return ()  # the echo of its own, or what pretends to be: worth no verification
        packed = self._decode(self._signer.verify(place, packet))
        for entry in packed.entries:
            if not entry.seq:
                return self._once(packed)
        if packed.number % PASS_EVERY == 0:
            self._seen.passed(packed.publisher, packed.number, packed.at)
        return packed.entries

    def _once(self, packed: _Packed[E]) -> Sequence[E]:
        age = self._seen.judge(packed.publisher, packed.number, packed.at)
        if age is Age.NEW:
            return packed.entries
        return [entry for entry in packed.entries if entry.seq] if age is Age.OLD else ()


def by_room(envelopes: Sequence[Envelope]) -> dict[str, list[Entry]]:
    """What there is to tell each room, in order."""
    rooms: dict[str, list[Entry]] = {}
    for envelope in envelopes:
        entry = Entry(envelope.epoch, envelope.seq, envelope.type, envelope.data)
        rooms.setdefault(envelope.room, []).append(entry)
    return rooms


def in_room(room: str, entries: Sequence[Entry]) -> list[Envelope]:
    """The envelopes of a packet that is for one room."""
    return [Envelope(room, entry.epoch, entry.seq, entry.type, entry.data) for entry in entries]


def fitting(entries: Iterable[E], limit: int) -> Iterator[list[E]]:
    """Entries in groups of at most so many bytes.

    A durable one that is larger by itself goes by reference: without its data, which the hub reads from the store. A live
    one stands alone in its group, for the broker to decide.
    """
    group: list[E] = []
    left = limit
    for entry in entries:
        size = entry.size
        if size > limit - OVERHEAD and entry.seq:
            entry = msgspec.structs.replace(entry, data=b"")
            size = entry.size
        if group and size > left:
            yield group
            group, left = [], limit
        group.append(entry)
        left -= size
    if group:
        yield group
