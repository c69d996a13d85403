"""What the drafts of a batch do on SQLite besides their events: relations and facts.

What they are about is read once for the whole batch, followed in memory while the drafts are numbered, and written
after their events.
"""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec.structs import replace

from ...errors import ChatError, Conflict, MessageNotFound
from ...models import Collected, Draft, Fact, Fold, Relation, Sender
from ..changes import (
    changes,
    completed,
    contradicts,
    facts_of,
    left_of_thread,
    no_parent,
    spaced_out,
    too_many,
)
from ..members import MEMBER
from ..properties import is_room, visibility_of
from .statements_sqlite import EffectStatements

__all__ = ["Effects", "RoomState", "Unchanged", "as_json"]


class RoomState:
    """Where a room stands while its drafts are numbered."""

    __slots__ = ("before", "begin", "epoch", "head", "id", "keep", "made_by", "restricted")

    def __init__(self, id: int, head: int, restricted: int, epoch: str, *made_by: str | None) -> None:
        self.id = id
        self.restricted = restricted
        self.made_by = made_by  # the two halves of the key by which it was made
        self.head = self.before = head
        self.epoch = epoch
        self.begin = 0  # its floor when the batch began
        self.keep = 0  # how many events are kept at most

    @property
    def floor(self) -> int:
        """Events up to here are gone."""
        return max(self.begin, self.head - self.keep)


class Unchanged(NamedTuple):
    """The draft would change nothing: it is so by the event with this number; 0: by none."""

    seq: int


class _Message(NamedTuple):
    seq: int
    deleted: bool
    parent: int | None
    """The number of the message that it replies to."""
    sender: str | None


_Stated: TypeAlias = tuple[int, str, str]
"""A room, and kind and key of a fact."""
_Place: TypeAlias = tuple[int, int]
"""A room, and the number of a message."""
_Marked: TypeAlias = tuple[int, int, str]
"""A room, the number of a message, and a key that is on or off there."""


class Effects:
    """What one batch changes besides its events. `drafts` are those whose rooms are there, each with its room's number."""

    def __init__(
        self,
        driver: sqlite3.Connection,
        statements: EffectStatements,
        drafts: Sequence[tuple[int, Draft]],
        now: float,
    ) -> None:
        self._driver = driver
        self._statements = statements
        self._now = now
        self._writes: list[tuple[str, tuple[Any, ...]]] = []
        self._replies: dict[_Place, list[Collected]] = {}
        """The batch's own replies to a message, one by one."""
        self._deleted: list[_Place] = []
        abouts = [(room, about) for room, draft in drafts if (about := draft.about) is not None]
        self._messages = self._read_messages(driver, abouts)
        self._held, self._counts = self._read_toggles(driver, abouts)
        self._keys = self._read_keys(driver, abouts)
        self._facts = self._read_facts(driver, drafts)

    def _read_messages(
        self, driver: sqlite3.Connection, abouts: list[tuple[int, Relation]]
    ) -> dict[tuple[int, str], _Message]:
        targets = as_json({(room, about.target) for room, about in abouts})
        return {
            (room, msg_id): _Message(seq, bool(deleted), parent, sender)
            for room, msg_id, seq, deleted, parent, sender in driver.execute(
                self._statements.messages, (targets,)
            )
        }

    def _read_toggles(
        self, driver: sqlite3.Connection, abouts: list[tuple[int, Relation]]
    ) -> tuple[dict[tuple[_Marked, str], int], dict[_Marked, int]]:
        """By what event each owner holds a key, and how many hold it."""
        asked = {
            (room, message.seq, about.key, about.owner)
            for room, about in abouts
            if about.fold is Fold.TOGGLE and (message := self._messages.get((room, about.target)))
        }
        if not asked:
            return {}, {}
        held = driver.execute(self._statements.held, (as_json(asked),))
        owners = {((room, target, key), owner): seq for room, target, key, owner, seq in held}
        counted = driver.execute(self._statements.counts, (as_json({marked[:3] for marked in asked}),))
        return owners, {(room, target, key): count for room, target, key, count in counted}

    def _read_keys(
        self, driver: sqlite3.Connection, abouts: list[tuple[int, Relation]]
    ) -> dict[_Place, set[str]]:
        """The keys with an owner that are on, at the messages where there is a limit."""
        limited = {
            (room, message.seq)
            for room, about in abouts
            if about.most and (message := self._messages.get((room, about.target)))
        }
        keys: dict[_Place, set[str]] = {place: set() for place in limited}
        if limited:
            for room, target, key in driver.execute(self._statements.keys, (as_json(limited),)):
                keys[room, target].add(key)
        return keys

    def _read_facts(
        self, driver: sqlite3.Connection, drafts: Sequence[tuple[int, Draft]]
    ) -> dict[_Stated, tuple[bytes, int]]:
        asked = {(room, fact.kind, fact.key) for room, draft in drafts for fact in facts_of(draft)}
        if not asked:
            return {}
        found = driver.execute(self._statements.facts, (as_json(asked),))
        return {(room, kind, key): (value, seq) for room, kind, key, value, seq in found}

    # ---- while the drafts are numbered ----

    def of(self, room: RoomState, draft: Draft) -> bytes | Unchanged | ChatError:
        """What becomes of a draft that would come next: the payload of its event, or why it gets no number."""
        seq, about, payload = room.head + 1, draft.about, draft.payload
        facts = facts_of(draft)
        if draft.spaced and draft.sender is not None:
            refusal = spaced_out(draft, self._known(room.id, facts[-1])[0])
            if refusal is not None:
                return refusal
        if any(contradicts(self._known(room.id, fact)[0], fact) for fact in draft.facts):
            return Conflict()
        if about is not None:
            outcome = self._relate(room, draft, about)
            if not isinstance(outcome, bytes):
                return outcome
            payload = outcome
        elif draft.only_if_changed and self._hold_already(room.id, draft.facts):
            return Unchanged(max(self._known(room.id, fact)[1] for fact in draft.facts))
        for fact in facts:
            self._put(room.id, seq, fact)
        if draft.type == "message":
            is_reply = about is not None and about.fold is Fold.COLLECT
            parent = self._messages[room.id, about.target].seq if about is not None and is_reply else None
            self._messages[room.id, draft.msg_id] = _Message(seq, False, parent, _sender_of(draft))
        if draft.mentions and (about is None or about.fold is Fold.COLLECT):
            self._mention(room.id, seq, _sender_of(draft), draft.mentions)
        return payload

    def _mention(self, room: int, seq: int, sender: str | None, names: Sequence[str]) -> None:
        if names:
            self._write(self._statements.mention, room, seq, sender, as_json(names))

    def _relate(self, room: RoomState, draft: Draft, about: Relation) -> bytes | Unchanged | ChatError:
        message = self._messages.get((room.id, about.target))
        if message is not None and message.seq <= room.floor:
            message = None
        if about.fold is Fold.COLLECT:
            return self._collect(room, draft, message)
        if message is None or message.deleted:
            return MessageNotFound()
        if about.fold is Fold.TOGGLE:
            return self._toggle(room, draft, about, message.seq)
        do, seq, place = self._statements, room.head + 1, (room.id, message.seq)
        if about.fold is Fold.REPLACE:
            self._write(do.edit, about.value, draft.timestamp, seq, *place)
            self._write(do.name_target, about.target, room.id, seq)
            self._write(do.reindex, *place)
            self._write(do.unmention, *place)
            self._mention(*place, message.sender, draft.mentions)
        elif about.fold is Fold.CLOSE:
            self._close(room, draft, about, message.seq)
            self._write(do.reindex, *place)
            self._write(do.unmention, *place)
            self._mention(*place, message.sender, draft.mentions)
        else:
            self._messages[room.id, about.target] = message._replace(deleted=True)
            self._write(do.erase, seq, *place)
            self._write(do.empty_edits, room.id, about.target)
            self._write(do.turn_off_all, *place)
            self._write(do.unindex, *place)
            self._write(do.unmention, *place)
            self._deleted.append(place)
            if message.parent is not None:
                left = self._left_of_thread(room, message.parent)
                return completed(draft.payload, message.seq, besides=left)
        return completed(draft.payload, message.seq)

    def _close(self, room: RoomState, draft: Draft, about: Relation, target: int) -> None:
        do, seq, place, sender = self._statements, room.head + 1, (room.id, target), draft.sender
        self._write(do.edit, about.value, None, seq, *place)
        self._write(do.name_target, about.target, room.id, seq)
        if about.key:
            by = (sender and sender.id, sender and sender.name)
            self._held.setdefault(((*place, about.key), ""), seq)
            self._write(do.leave_on, *place, about.key, "", seq, draft.timestamp, *by)
            self._write(do.mark, *place)

    def _left_of_thread(self, room: RoomState, parent: int) -> bytes:
        """What the deletion of a reply tells of the message that it replied to, and of the other replies."""
        if parent <= room.floor:
            return b""
        names = (id for (at, id), message in self._messages.items() if (at, message.seq) == (room.id, parent))
        name = next(names, None)
        if name is None:
            name, *_ = self._event(room.id, parent)
        gone = [seq for at, seq in self._deleted if at == room.id]
        asked = (room.id, parent, room.floor, as_json(gone))
        count, newest = self._driver.execute(self._statements.thread, asked).fetchone()
        left = [] if not count else [_collected(count, newest, *self._event(room.id, newest)[1:])]
        left += [one for one in self._replies.get((room.id, parent), ()) if one.seq not in gone]
        whole = replace(left[-1], count=sum(one.count for one in left)) if left else None
        return left_of_thread(name, whole)

    def _event(self, room: int, seq: int) -> tuple[str, float, str | None, str | None]:
        """Id, time and sender of an event that was there before the batch."""
        found: tuple[str, float, str | None, str | None]
        found = self._driver.execute(self._statements.event, (room, seq)).fetchone()
        return found

    def _collect(self, room: RoomState, draft: Draft, parent: _Message | None) -> bytes | ChatError:
        if parent is None or parent.parent is not None:
            return no_parent(is_reply=parent is not None)
        reply = Collected(1, room.head + 1, draft.timestamp, draft.sender)
        self._replies.setdefault((room.id, parent.seq), []).append(reply)
        self._write(self._statements.name_parent, parent.seq, room.id, room.head + 1)
        self._write(self._statements.mark, room.id, parent.seq)
        return draft.payload

    def _toggle(
        self, room: RoomState, draft: Draft, about: Relation, target: int
    ) -> bytes | Unchanged | ChatError:
        marked, owner, seq = (room.id, target, about.key), about.owner, room.head + 1
        since = self._held.get((marked, owner))
        if bool(about.value) is (since is not None):
            return Unchanged(since or 0)
        keys = self._keys.setdefault((room.id, target), set())
        if about.value and about.most and about.key not in keys and len(keys) >= about.most:
            return too_many(about.most)
        count = self._counts[marked] = self._counts.get(marked, 0) + (1 if about.value else -1)
        if owner and count:
            keys.add(about.key)
        elif owner:
            keys.discard(about.key)
        if about.value:
            self._held[marked, owner] = seq
            sender = draft.sender
            by = (sender and sender.id, sender and sender.name)
            self._write(self._statements.turn_on, *marked, owner, seq, draft.timestamp, *by)
            self._write(self._statements.mark, room.id, target)
        else:
            del self._held[marked, owner]
            self._write(self._statements.turn_off, *marked, owner)
        return completed(draft.payload, target, count if owner else None)

    def _hold_already(self, room: int, facts: Sequence[Fact]) -> bool:
        return bool(facts) and not any(self._changes(room, fact) for fact in facts)

    def _known(self, room: int, fact: Fact) -> tuple[bytes | None, int]:
        return self._facts.get((room, fact.kind, fact.key), (None, 0))

    def _changes(self, room: int, fact: Fact) -> bool:
        return changes(self._known(room, fact)[0], fact)

    def _put(self, room: int, seq: int, fact: Fact) -> None:
        if not self._changes(room, fact):
            return
        stated = (room, fact.kind, fact.key)
        if fact.value is None:
            del self._facts[stated]
            self._write(self._statements.forget_fact, *stated)
            if fact.kind == MEMBER:
                self._write(self._statements.forget_own, room, fact.key)
        else:
            self._facts[stated] = (fact.value, seq)
            self._write(self._statements.put_fact, *stated, fact.value, seq, seq, fact.until)
            if fact.until is not None:
                self._write(self._statements.sweep, self._now)
        if is_room(fact):
            self._write(self._statements.list_room, visibility_of(fact), room)

    def _write(self, statement: str, *values: Any) -> None:
        self._writes.append((statement, values))

    # ---- after it ----

    def write(self, driver: sqlite3.Connection) -> None:
        """Write what the drafts do; their events are written."""
        for statement, values in self._writes:
            driver.execute(statement, values)


def _sender_of(draft: Draft) -> str | None:
    return None if draft.sender is None else draft.sender.id


def _collected(
    count: int, seq: int, timestamp: float, sender_id: str | None, sender_name: str | None
) -> Collected:
    sender = None if sender_id is None else Sender(sender_id, sender_name or "")
    return Collected(count, seq, timestamp, sender)


def as_json(values: Collection[Any]) -> str:
    """These, for `json_each`."""
    return msgspec.json.encode(values).decode()
