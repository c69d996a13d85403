"""Where the workers of an app show each other what they have counted: a file in memory, with a place for each process.

A process takes a place by a lock that the kernel releases when it ends, however it ends. It then goes on counting from what the
process before it has left there, so that no sum ever shrinks. Nobody waits for anybody: a place has two halves, and a process
writes to the older one. One that is killed while it writes leaves the other half.
"""

import fcntl
import os
import struct
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from .counting import Counts

__all__ = ["FRESH", "Board", "Shown", "open_file"]

PLACES = 256
"""Processes that can show something at a time."""
HALF = 1 << 20
"""Bytes; those that nobody has written take no memory."""
FRESH = 10.0
"""Seconds for which gauges count: those of a process that was killed, or hangs, are older."""
_HEAD = struct.Struct("=QdII")  # number of the writing, time, length, checksum
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[str, str, tuple[str, ...], list[float]]]).decode


def open_file() -> int:
    """A new, empty file that has no name, and ends with the last process that has it; -> its descriptor."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("chatrooms-metrics")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class Shown(NamedTuple):
    """What a process shows, or has left behind."""

    age: float
    """Seconds since it was shown."""
    counts: Counts
    about: str = ""
    """What it says of itself; empty: nothing, or it has ended."""


class Board:
    """One process at the file with this descriptor."""

    def __init__(self, file: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = file
        self._clock = clock
        self._place: int | None = None
        self._writings = 0

    def take_place(self) -> Counts:
        """Take a place; -> what its last process has left, without gauges. Without a free place nothing is shown."""
        for place in range(PLACES):
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place * 2 * HALF)
            except OSError:
                continue
            self._place = place
            found = self._read(place)
            if found is None:
                return Counts()
            self._writings, left = found[0], found[1].counts
            left.gauges.clear()
            return left
        return Counts()

    def show(self, counts: Counts, about: str = "") -> None:
        """Replace what this process shows. `about`: what it says of itself."""
        if self._place is None:
            return
        body = _encode([("a", about, (), []), *_rows(counts)])
        if len(body) > HALF - _HEAD.size:
            return
        self._writings += 1
        head = _HEAD.pack(self._writings, self._clock(), len(body), zlib.crc32(body))
        os.pwrite(self._file, head + body, (2 * self._place + self._writings % 2) * HALF)

    def all(self) -> list[Counts]:
        """What all processes show, this one included, and what those have left that ended."""
        found = []
        for one in self.shown():
            if one.age > FRESH:
                one.counts.gauges.clear()
            found.append(one.counts)
        return found

    def shown(self) -> list[Shown]:
        """The same, with the age of each, and gauges however old."""
        end = os.fstat(self._file).st_size
        places = (self._read(place) for place in range(-(-end // (2 * HALF))))
        return [one[1] for one in places if one is not None]

    def _read(self, place: int) -> tuple[int, Shown] | None:
        halves = [self._half(2 * place + half) for half in (0, 1)]
        newest = max((half for half in halves if half is not None), key=lambda half: half[0], default=None)
        if newest is None:
            return None
        writing, at, body = newest
        return writing, Shown(max(0.0, self._clock() - at), *_counts(body))

    def _half(self, number: int) -> tuple[int, float, bytes] | None:
        head = os.pread(self._file, _HEAD.size, number * HALF)
        if len(head) < _HEAD.size:
            return None
        writing, at, length, checksum = _HEAD.unpack(head)
        body = os.pread(self._file, min(length, HALF), number * HALF + _HEAD.size)
        return (writing, at, body) if length and zlib.crc32(body) == checksum else None


def _rows(counts: Counts) -> Iterator[tuple[str, str, tuple[str, ...], list[float]]]:
    for name, series in counts.counters.items():
        for labels, count in series.items():
            yield "c", name, labels, [count]
    for name, lines in counts.histograms.items():
        for labels, values in lines.items():
            yield "h", name, labels, values
    for name, value in counts.gauges.items():
        yield "g", name, (), [value]


def _counts(body: bytes) -> tuple[Counts, str]:
    counts, about = Counts(), ""
    for kind, name, labels, values in _decode(body):
        if kind == "a":
            about = name
        elif kind == "c":
            counts.counters.setdefault(name, {})[labels] = values[0]
        elif kind == "h":
            counts.histograms.setdefault(name, {})[labels] = values
        else:
            counts.gauges[name] = values[0]
    return counts, about
