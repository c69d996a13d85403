"""What a user has not read in a room in memory."""

from bisect import bisect_right

from ...models import Known
from ..members import MEMBER, as_member
from ..pages import Unread
from ..unread import EVERYONE, GROUP, LOOKED_AT, MOST_MENTIONS, PREFS, READ, Ranges, joined, name_of
from . import facts
from .room import MemoryRoom

__all__ = ["unread_in"]


def unread_in(
    room: MemoryRoom, user: str, cap: int, ranges: Ranges, counted: tuple[str, ...], silent: frozenset[str]
) -> Unread:
    """See `Store.unread`. `silent`: those whose messages mention nobody: the user, and users whom they have blocked."""
    last = _last(room, counted)
    member = facts.get(room, MEMBER, user)
    if member is None:
        return Unread(last=last)
    read, prefs = facts.get(room, READ, user), facts.get(room, PREFS, user)
    marker = member.since if read is None else int(read.value)
    blank = Unread(member, marker, prefs=None if prefs is None else prefs.value, last=last)
    parts = [_within(room, blank, first, last, cap, counted, silent) for first, last in ranges]
    return joined(parts, cap) if parts else blank


def _within(
    room: MemoryRoom,
    blank: Unread,
    first: int,
    last: int,
    cap: int,
    counted: tuple[str, ...],
    silent: frozenset[str],
) -> Unread:
    member = blank.member
    assert member is not None
    start = max(blank.marker, room.floor, first - 1)
    end = min(last, start + LOOKED_AT)
    found, number = list[int](), start
    while number < min(end, room.seq) and len(found) <= cap:
        number += 1
        event = room.events[number - room.base - 1]
        mine = event.sender is not None and event.sender.id == member.key
        if event.type in counted and not event.deleted and not mine:
            found.append(number)
    more = len(found) > cap or min(last, room.seq) > end
    mentions = _mentions(room, member, start, end, silent)
    return Unread(
        member, blank.marker, min(len(found), cap), more, found[0] if found else None, mentions, blank.prefs, blank.last
    )  # fmt: skip


def _mentions(room: MemoryRoom, member: Known, start: int, end: int, silent: frozenset[str]) -> int:
    as_role = f"{GROUP}{as_member(member).role}", max(start, member.since, member.seq)
    seqs = set[int]()
    for name, above in ((name_of(member.key), start), (EVERYONE, max(start, member.since)), as_role):
        listed = room.mentions.get(name, [])
        seqs.update(listed[bisect_right(listed, above) : bisect_right(listed, end)])
    senders = [room.events[seq - room.base - 1].sender for seq in seqs]
    return min(sum(sender is None or sender.id not in silent for sender in senders), MOST_MENTIONS)


def _last(room: MemoryRoom, counted: tuple[str, ...]) -> tuple[int, float] | None:
    for number in range(room.seq, max(room.floor, room.seq - LOOKED_AT), -1):
        event = room.events[number - room.base - 1]
        if event.type in counted and not event.deleted:
            return number, event.timestamp
    return None
