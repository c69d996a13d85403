"""One room of the store in memory: its events, and what became of them."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from operator import itemgetter
from typing import TypeAlias

from msgspec import Raw
from msgspec.structs import replace

from ...errors import ChatError, Conflict
from ...models import APP, Appended, Collected, Draft, Event, Fold, Head, Known, Page, Related, Room
from ...support.ids import new_epoch
from ...support.paging import Paged
from ..base import FOLDED
from ..properties import with_properties
from ..unread import name_of
from .relations import Relations

__all__ = ["First", "Key", "MemoryRoom"]

Key: TypeAlias = tuple[str, str]
First: TypeAlias = tuple[bytes | str | None, Appended, float, str, Key]
"""What is remembered of a keyed draft: its hash, its result, until when, in which room, under which key.

Instead of a hash that had to go stands the type, and None for the command that made the room, which no draft repeats.

A tuple of plain values: there is one for every message of the last minutes, and the garbage collector stops walking
through tuples that hold nothing it cares for.
"""


class MemoryRoom:
    """One room: its events in a list whose first is number `base + 1`, so that a number's place is a subtraction."""

    __slots__ = (
        "base", "edits", "ends", "epoch", "events", "expired", "facts", "firsts", "full", "history_max", "id",
        "line", "lined", "made_by", "mentions", "relations", "restricted", "room", "seq", "visibility",
    )  # fmt: skip

    def __init__(self, room: Room, history_max: int, made_by: tuple[Key | None, bytes]) -> None:
        self.id = room.id
        self.visibility = room.visibility
        self.room = room
        self.made_by = made_by
        self.epoch = new_epoch()
        self.seq = 0
        self.restricted = 0
        self.events: list[Event] = []
        self.base = 0  # how many events were cut from the front of the list
        self.expired = 0  # up to which number they were too old
        self.history_max = history_max
        # A quarter more is kept before the front is cut off: cutting then costs next to nothing per event.
        self.full = history_max + history_max // 4 + 16
        self.line: list[int] = []  # the numbers of the timeline …
        self.lined = 0  # … as far as it was looked at
        # Number of the change, id of the message. A list: every user has a room, and an empty deque takes 0.6 KB.
        self.edits: list[tuple[int, str]] = []
        self.firsts: dict[Key, First] = {}
        key = made_by[0]
        if key is not None:
            self.firsts[key] = (None, Appended("", 0, 0.0, self.epoch), math.inf, self.id, key)
        self.relations = Relations()
        self.mentions: dict[
            str, list[int]
        ] = {}  # by name, the numbers of the messages that mention it, ascending
        self.facts: dict[str, Paged[Known]] = {}  # by kind
        self.ends: dict[tuple[str, str], int] = {}  # numbers of facts that end; see `Facts`

    @property
    def floor(self) -> int:
        """Everything up to and including this number is gone."""
        return max(self.expired, self.seq - self.history_max)

    @property
    def is_unused(self) -> bool:
        """Made by its first join, and nothing was ever stored in it."""
        return self.room.auto and self.seq == 0

    def head(self) -> Head:
        """Where its numbering stands."""
        return Head(self.epoch, self.seq)

    def snapshot(self) -> Room:
        """The room as the store shows it."""
        if self.room.seq != self.seq or self.room.epoch != self.epoch:
            self.room = replace(self.room, seq=self.seq, epoch=self.epoch, restricted=self.restricted)
        return self.room

    def describe(self, value: bytes, seq: int) -> None:
        """Give it the properties of its fact, which the event with this number set."""
        self.room = with_properties(self.room, value, seq)
        self.visibility = self.room.visibility

    def compact(self) -> None:
        """Cut off the front of the list: what is trimmed or expired."""
        floor = self.floor
        del self.events[: floor - self.base]
        self.base = floor
        self.relations.trim(floor)
        if self.mentions:
            left = {name: seqs[bisect_right(seqs, floor) :] for name, seqs in self.mentions.items()}
            self.mentions = {name: seqs for name, seqs in left.items() if seqs}

    def trim(self, seq: int) -> None:
        """Drop everything up to and including this number."""
        self.expired = max(self.expired, min(seq, self.seq))
        self.compact()

    def expire(self, oldest: float) -> None:
        """Count what is older than `oldest` (Unix seconds) as gone."""
        # From the front only: what is left has no hole, even where clocks of several senders disagree.
        events, base, seq, number = self.events, self.base, self.floor, self.seq
        while seq < number and events[seq - base].timestamp < oldest:
            seq += 1
        self.expired = seq
        if seq - base > self.full - self.history_max:
            self.compact()

    def log_page(self, after: int | None, before: int | None, limit: int) -> Page:
        """A page of all events."""
        floor, head = self.floor, self.seq
        if after is not None:
            low = max(after, floor)
            high = min(low + limit, head)
            more = high < head
        else:
            assert before is not None
            high = min(before - 1, head)
            low = max(high - limit, floor)
            more = low > floor
        events = self.events[low - self.base : max(low, high) - self.base]
        return Page(events, more, self.epoch, head, floor)

    def timeline_page(self, after: int | None, before: int | None, limit: int, replies: bool) -> Page:
        """A page without what is folded into messages or tells of members and the room, and with replies or without."""
        line, parents = self._present_line(), self.relations.parents
        if not replies and parents:
            line = [seq for seq in line if seq not in parents]
        return self._page_of(line, after, before, limit)

    def replies_page(self, parent: int, after: int | None, before: int | None, limit: int) -> Page:
        """A page of the replies to one message."""
        return self._page_of(self.relations.replies_to(parent, self.floor), after, before, limit)

    def _page_of(self, line: list[int], after: int | None, before: int | None, limit: int) -> Page:
        if after is not None:
            start = bisect_right(line, after)
            stop = start + limit
            more = stop < len(line)
        else:
            assert before is not None
            stop = bisect_left(line, before)
            start = max(stop - limit, 0)
            more = start > 0
        events = [self.events[seq - self.base - 1] for seq in line[start:stop]]
        return Page(events, more, self.epoch, self.seq, self.floor)

    def event(self, seq: int) -> Event | None:
        """The event with this number, if it is not trimmed."""
        return self.events[seq - self.base - 1] if self.floor < seq <= self.seq else None

    def related(self, seqs: Iterable[int], reader: str | None) -> dict[int, Related]:
        """What other events have made of these messages, without those of which there is nothing to tell."""
        found, relations = {}, self.relations
        for seq in seqs:
            if self.event(seq) is None:
                continue
            toggles, collected = relations.toggled(seq, reader), self.collected(seq)
            if toggles or collected is not None:
                found[seq] = Related(toggles, collected)
        return found

    def collected(self, seq: int) -> Collected | None:
        """The replies to a message that are not deleted: how many, and the newest."""
        replies = self.relations.replies_to(seq, self.floor)
        return self.relations.collected([self.events[number - self.base - 1] for number in replies])

    def find(self, msg_id: str) -> Event | None:
        """The event with this id, if it is not trimmed. Walks from the newest: what is changed is seldom old."""
        for place in range(len(self.events) - 1, self.floor - self.base - 1, -1):
            if self.events[place].msg_id == msg_id:
                return self.events[place]
        return None

    def edit(self, message: Event, payload: bytes, at: float | None) -> None:
        """Give a message another payload, by the event that comes next. `at`: None where that is no edit, but its first whole one."""
        number = self.seq + 1
        self._put(replace(message, payload=Raw(payload), edited=at, changed=number))
        del self.edits[: bisect_right(self.edits, self.base, key=itemgetter(0))]
        self.edits.append((number, message.msg_id))

    def delete(self, message: Event) -> list[Event]:
        """Empty a message, and the edits of it, by the event that comes next. -> what lost its text."""
        self._put(replace(message, payload=_NOTHING, deleted=True, edited=None, changed=self.seq + 1))
        return [message, *self._empty_beside(message)]

    def empty(self, event: Event) -> list[Event]:
        """Leave of an event only its number, id, type and time, without an event that says so. -> the edits of it, as they were."""
        left = replace(event, payload=_NOTHING, deleted=True, edited=None, sender=None, client_msg_id=None)
        self._put(left)
        first = self.firsts.get(_key_of(event))
        if first is not None and first[1].seq == event.seq:
            del self.firsts[_key_of(event)]
        return self._empty_beside(event)

    def _empty_beside(self, message: Event) -> list[Event]:
        """Empty the edits of a message, and forget what is on at it, and whom it mentions. -> the edits as they were."""
        numbers = [number for number, edited in self.edits if edited == message.msg_id and number > self.base]
        edits = [self.events[number - self.base - 1] for number in numbers]
        for edit in edits:
            self._put(replace(edit, payload=_NOTHING, deleted=True))
        assert message.seq is not None
        self.relations.turn_off(message.seq)
        self.mention(message.seq, ())
        return edits

    def say_otherwise(self, event: Event, was: bytes, payload: bytes) -> None:
        """Give an event another payload, if it still has the one that it had, without an event that says so."""
        if bytes(event.payload) == was:
            self._put(replace(event, payload=Raw(payload)))

    def forget_user_at(self, seq: int, user: str) -> None:
        """Nothing of the user is on at this message any more, and it does not mention the user."""
        self.relations.forget_user(seq, user)
        mentioned = self.mentions.get(name_of(user), [])
        if seq in mentioned:
            mentioned.remove(seq)
            if not mentioned:
                del self.mentions[user]

    def forget_maker(self, user: str) -> None:
        """The room does not tell that this user made it."""
        if self.room.created_by == user:
            self.room = replace(self.room, created_by=None)
        key = self.made_by[0]
        if key is not None and key[0] == user:
            self.firsts.pop(key, None)
            self.made_by = (None, b"")

    def mention(self, seq: int, names: Collection[str]) -> None:
        """Let the message with this number mention these, and nobody else."""
        for name in [name for name, seqs in self.mentions.items() if seq in seqs and name not in names]:
            self.mentions[name].remove(seq)
            if not self.mentions[name]:
                del self.mentions[name]
        for name in names:
            seqs = self.mentions.setdefault(name, [])
            place = bisect_left(seqs, seq)
            if seqs[place : place + 1] != [seq]:
                seqs.insert(place, seq)

    def forget_hash(self, event: Event) -> tuple[First, First] | None:
        """Keep the key of an event, so that a repetition is known, but no hash of what it said.

        -> what was remembered, and what is now; None where nothing was.
        """
        key = _key_of(event)
        first = self.firsts.get(key)
        if first is None or first[1].seq != event.seq:
            return None
        self.firsts[key] = now = (event.type, *first[1:])
        return first, now

    def repeated(self, first: First, draft: Draft) -> Appended | ChatError:
        """What becomes of a draft whose key was used before."""
        if first[0] not in (draft.hash, draft.type):
            return Conflict()
        completes = draft.about is not None and draft.about.fold is not Fold.COLLECT
        event = self.event(first[1].seq) if completes else None
        return replace(first[1], duplicate=True, payload=None if event is None else bytes(event.payload))

    def changeable(self, msg_id: str) -> Event | None:
        """The message with this id, if it is there and not deleted."""
        found = self.find(msg_id)
        return found if found is not None and found.type == "message" and not found.deleted else None

    def _put(self, event: Event) -> None:
        assert event.seq is not None
        self.events[event.seq - self.base - 1] = event

    def _present_line(self) -> list[int]:
        # Only when somebody reads: each event is looked at once, and appending costs nothing for it.
        floor, base = self.floor, self.base
        del self.line[: bisect_right(self.line, floor)]
        start = max(self.lined, floor)
        fresh = enumerate(self.events[start - base :], start + 1)
        self.line.extend(seq for seq, event in fresh if not event.type.startswith(FOLDED))
        self.lined = self.seq
        return self.line


def _key_of(event: Event) -> Key:
    if event.client_msg_id is None:
        return "", event.msg_id
    return event.sender.id if event.sender is not None else APP, event.client_msg_id


_NOTHING = Raw(b"{}")
