"""What a draft does besides being stored: changes to a message, and to the facts of its room."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from operator import itemgetter

from ...errors import ChatError, Conflict, MessageNotFound
from ...models import (
    Appended,
    Draft,
    Event,
    Fact,
    Fold,
    Known,
    Relation,
)
from ..base import Holding
from ..changes import (
    SPOKE,
    changes,
    completed,
    contradicts,
    facts_of,
    left_of_thread,
    no_parent,
    spaced_out,
    too_many,
)
from . import facts
from .room import First, MemoryRoom

__all__ = ["Effects"]


class Effects:
    """Applies relations and facts for one store. `firsts` is the store's queue of keys, `expire` drops events that are too old."""

    def __init__(
        self, facts: facts.Facts, firsts: deque[First], expire: Callable[[MemoryRoom], None]
    ) -> None:
        self._facts = facts
        self._firsts = firsts
        self._expire = expire

    def apply(self, room: MemoryRoom, draft: Draft) -> bytes | Appended | ChatError:
        """Apply relation and facts before the event is stored; -> its payload, or the result of a draft that is not stored."""
        payload = draft.payload
        if draft.spaced and draft.sender is not None:
            spoke = facts.get(room, SPOKE, draft.sender.id)
            refusal = spaced_out(draft, None if spoke is None else spoke.value)
            if refusal is not None:
                return refusal
        if _contradicted(room, draft.facts):
            return Conflict()
        if draft.about is not None:
            self._expire(room)
            outcome = self._relate(room, draft, draft.about)
            if not isinstance(outcome, bytes):
                return outcome
            payload = outcome
        elif draft.only_if_changed and (known := _holding_already(room, draft.facts)):
            return _unchanged(room, draft, max(fact.seq if fact else 0 for fact in known))
        for fact in facts_of(draft):
            self._facts.put(room, fact, room.seq + 1)
        if draft.mentions and (draft.about is None or draft.about.fold is Fold.COLLECT):
            room.mention(room.seq + 1, draft.mentions)
        if draft.restricts:
            room.restricted = room.seq + 1
        return payload

    def _relate(self, room: MemoryRoom, draft: Draft, about: Relation) -> bytes | Appended | ChatError:
        if about.fold is Fold.COLLECT:
            return _collect(room, draft, about)
        message = room.changeable(about.target)
        if message is None or message.seq is None:
            return MessageNotFound()
        if about.fold is Fold.TOGGLE:
            return _toggle(room, draft, about, message.seq)
        if about.fold is Fold.REPLACE:
            assert isinstance(about.value, bytes)
            room.edit(message, about.value, draft.timestamp)
            room.mention(message.seq, draft.mentions)
            return completed(draft.payload, message.seq)
        if about.fold is Fold.CLOSE:
            _close(room, draft, about, message)
            room.mention(message.seq, draft.mentions)
            return completed(draft.payload, message.seq)
        self.forget_hashes(room, room.delete(message))
        return completed(draft.payload, message.seq, besides=_left_of_thread(room, message.seq))

    def forget_hashes(self, room: MemoryRoom, gone: list[Event]) -> None:
        """Forget the hashes of what these events said."""
        for event in gone:
            found = room.forget_hash(event)
            if found is not None:
                self._exchange(*found)

    def _exchange(self, first: First, now: First) -> None:
        firsts, until = self._firsts, first[2]
        place = bisect_left(firsts, until, key=itemgetter(2))  # they stand in the order in which they expire
        while place < len(firsts) and firsts[place][2] == until:
            if firsts[place] is first:
                firsts[place] = now
                return
            place += 1


def _holding_already(room: MemoryRoom, wanted: Sequence[Fact]) -> list[Known | None]:
    """What is known of these facts, if they would change nothing; else nothing."""
    known = [facts.get(room, fact.kind, fact.key) for fact in wanted]
    for there, fact in zip(known, wanted, strict=True):
        if changes(None if there is None else there.value, fact):
            return []
    return known


def _contradicted(room: MemoryRoom, facts_: Sequence[Fact]) -> bool:
    for fact in facts_:
        known = facts.get(room, fact.kind, fact.key)
        if contradicts(None if known is None else known.value, fact):
            return True
    return False


def _close(room: MemoryRoom, draft: Draft, about: Relation, message: Event) -> None:
    assert isinstance(about.value, bytes)
    assert message.seq is not None
    room.edit(message, about.value, None)
    if about.key and room.relations.holding(message.seq, about.key, "") is None:
        held = Holding(message.seq, about.key, "", room.seq + 1, draft.timestamp, draft.sender)
        room.relations.turn_on(held)


def _left_of_thread(room: MemoryRoom, reply: int) -> bytes:
    parent = room.event(room.relations.parents.get(reply, 0))
    if parent is None or parent.seq is None:
        return b""
    return left_of_thread(parent.msg_id, room.collected(parent.seq))


def _toggle(room: MemoryRoom, draft: Draft, about: Relation, target: int) -> bytes | Appended | ChatError:
    relations, key, owner = room.relations, about.key, about.owner
    there = relations.holding(target, key, owner)
    if bool(about.value) is (there is not None):
        return _unchanged(room, draft, 0 if there is None else there.seq)
    if about.value and about.most and relations.is_full(target, key, about.most):
        return too_many(about.most)
    if there is None:
        count = relations.turn_on(Holding(target, key, owner, room.seq + 1, draft.timestamp, draft.sender))
    else:
        count = relations.turn_off(target, key, owner)
    return completed(draft.payload, target, count if owner else None)


def _collect(room: MemoryRoom, draft: Draft, about: Relation) -> bytes | ChatError:
    parent = room.find(about.target)
    if parent is None or parent.seq is None or parent.type != "message":
        return no_parent()
    if parent.seq in room.relations.parents:
        return no_parent(is_reply=True)
    room.relations.collect(parent.seq, room.seq + 1)
    return draft.payload


def _unchanged(room: MemoryRoom, draft: Draft, seq: int) -> Appended:
    return Appended(draft.msg_id, seq, draft.timestamp, room.epoch, unchanged=True)
