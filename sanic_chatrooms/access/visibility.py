"""Which events of a room a user may read: each is judged by who might read the past when it was stored.

A room remembers from which numbers on this changed (`Room.history`). So it is known without a look at any event.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise

from ..models import Room
from ..stores.properties import shown
from ..stores.unread import LAST
from .standing import Standing

__all__ = ["EVERYTHING", "LAST", "Seen", "seen_by"]


class Seen:
    """The numbers of the events that somebody may read: ascending ranges, each (first, last), that do not touch."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: list[tuple[int, int]]) -> None:
        self._firsts = [first for first, _ in ranges]
        self._lasts = [last for _, last in ranges]

    def __contains__(self, seq: int | None) -> bool:
        return seq is not None and self.covers(seq, seq)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._firsts, self._lasts, strict=True)

    @property
    def everything(self) -> bool:
        """Nothing is left out."""
        return self.covers(1, LAST)

    @property
    def last(self) -> int:
        """The highest number that may be read; 0: none."""
        return self._lasts[-1] if self._lasts else 0

    def covers(self, first: int, last: int) -> bool:
        """May all events from one number to another be read?"""
        place = bisect_right(self._firsts, first) - 1
        return place >= 0 and last <= self._lasts[place]

    def above(self, seq: int) -> list[tuple[int, int]]:
        """What of the ranges is above this number, ascending."""
        ranges = list(self)[bisect_right(self._lasts, seq) :]
        return [(max(first, seq + 1), last) for first, last in ranges]

    def below(self, seq: int) -> list[tuple[int, int]]:
        """What of the ranges is below this number, the newest first."""
        ranges = list(self)[: bisect_left(self._firsts, seq)]
        return [(first, min(last, seq - 1)) for first, last in reversed(ranges)]


EVERYTHING = Seen([(1, LAST)])


def seen_by(room: Room, standing: Standing) -> Seen:
    """What a user with this standing may read of the room. `room` and `standing` are of one moment: `room.seq` and before.

    For users who are no members it ends at `room.seq`: what comes later may be stored when only members may read.
    """
    if standing.member and not room.history and shown(room) in ("world", "members"):
        return EVERYTHING
    end = LAST if standing.member else room.seq
    begins = {"world": 1, **_begins(standing)}
    changes = [*(room.history or ((1, shown(room)),)), (end + 1, "")]
    ranges: list[tuple[int, int]] = []
    for (start, value), (following, _) in pairwise(changes):
        first, last = max(start, begins.get(value, LAST + 1)), following - 1
        if first > last:
            continue
        if ranges and ranges[-1][1] == first - 1:
            first = ranges.pop()[0]
        ranges.append((first, last))
    return Seen(ranges)


def _begins(standing: Standing) -> dict[str, int]:
    """From which number on a member reads, by who may read."""
    joined = standing.joined_seq
    if joined is None:
        return {}
    if standing.role_seq != joined:  # the event with this number was there before: no event made the member
        joined += 1
    invited = standing.invited_seq
    return {"members": 1, "joined": joined, "invited": joined if invited is None else min(invited, joined)}
