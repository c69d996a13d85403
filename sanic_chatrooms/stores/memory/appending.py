"""How drafts are appended in memory: without a task, and answered at once."""

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Raw
from msgspec.structs import replace

from ...errors import ChatError, RoomNotFound
from ...models import Appended, Draft, Event
from ..base import Bounds, Stale
from ..soon import AppendsSoon, Heard
from .effects import Effects
from .room import First, MemoryRoom

__all__ = ["MemoryAppending"]


class MemoryAppending(AppendsSoon):
    """The part of `MemoryStore` that appends."""

    appends_soon = True
    _bounds: Bounds
    _effects: Effects
    _firsts: deque[First]
    _passing: Callable[[], float]
    _rooms: dict[str, MemoryRoom]

    @abstractmethod
    def _expire(self, room: MemoryRoom) -> None: ...

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Store.append`. Never suspends, so that a batch is one step for all readers."""
        return self.append_now(drafts)

    def append_soon(self, batch: Sequence[Sequence[Draft]], heard: Heard) -> bool:
        """See `Store.append_soon`. Answers before it returns."""
        for place, drafts in enumerate(batch):
            heard(place, self.append_now(drafts))
        return True

    # The hot path. Longer than other functions here because each call it does not make is one per message.
    def append_now(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Store.append_now`."""
        now = self._passing()  # once per batch: its drafts are of one moment
        if self._firsts:
            self._forget_keys(now, 2 * len(drafts))
        retention = self._bounds.retention
        until = now + self._bounds.dedup_window
        rooms, firsts = self._rooms, self._firsts  # locals: an attribute look-up less per draft
        results: list[Appended | ChatError] = []
        for draft in drafts:
            room = rooms.get(draft.room)
            if room is None:
                results.append(RoomNotFound())
                continue
            key = draft.key
            if key is not None and key in room.firsts:  # expiry is only looked at where a key is known
                first = room.firsts[key]
                if first[2] >= now:
                    results.append(room.repeated(first, draft))
                    continue
            if (draft.judged is not None and draft.judged < room.restricted) or (
                draft.judged_in is not None and draft.judged_in != room.epoch
            ):
                results.append(Stale())
                continue
            payload = draft.payload
            if draft.about is not None or draft.facts or draft.restricts or draft.spaced or draft.mentions:
                outcome = self._effects.apply(room, draft)
                if not isinstance(outcome, bytes):
                    results.append(outcome)
                    continue
                payload = outcome
            room.seq = seq = room.seq + 1
            appended = Appended(draft.msg_id, seq, draft.timestamp, room.epoch)
            # Positional: keywords would cost half as much again. The payload stays the bytes it came as.
            room.events.append(
                Event(
                    draft.msg_id,
                    draft.timestamp,
                    draft.type,
                    Raw(payload),
                    draft.room,
                    seq,
                    draft.sender,
                    key[1] if key is not None and key[0] else None,  # "": the key is ours, not a client's
                )
            )
            if key is not None:
                # One tuple is both the entry in the room and its place in the queue of what expires.
                room.firsts[key] = remembered = (draft.hash, appended, until, draft.room, key)
                firsts.append(remembered)
            if len(room.events) > room.full:  # the front is cut off now and then, not one by one
                room.compact()
            if retention is not None:
                self._expire(room)
            results.append(appended if payload is draft.payload else replace(appended, payload=payload))
        return results

    def _forget_keys(self, now: float, most: int) -> None:
        # At most two per draft that comes: memory shrinks after a rush, and no single append pays for all of it.
        firsts = self._firsts
        while most and firsts and firsts[0][2] < now:
            first = firsts.popleft()
            room, key = self._rooms.get(first[3]), first[4]
            # Something else stands there when the key was used again later, or the room was made anew.
            if room is not None and room.firsts.get(key) is first:
                del room.firsts[key]
            most -= 1
