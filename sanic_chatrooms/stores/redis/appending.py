"""How drafts are appended in Redis: one call of a script for each room and batch."""

from collections.abc import Iterable, Sequence
from typing import Any

from ...drivers.redis.cluster import Call, RedisLink
from ...errors import ChatError
from ...models import PRIVATE, PUBLIC, Appended, Draft, Fact, Fold, is_reserved
from ...support.ids import new_epoch
from ...support.signature import script_keys
from ..base import Bounds
from ..changes import has_effects
from ..properties import visibility_in
from ..soon import AppendsSoon, Heard
from . import codec
from .eraser import Eraser
from .lists import RedisLists
from .scripts import APPEND, EFFECTS, RoomCalls

__all__ = ["RedisAppending"]

CALL_LIMIT = 500
"""Drafts in one call of the script: Lua takes only so many arguments at a time."""
_ERASING = (Fold.REPLACE, Fold.ERASE)


class RedisAppending(AppendsSoon):
    """The part of `RedisStore` that appends."""

    publishes_as: str | None
    publish_key: bytes
    _bounds: Bounds
    _calls: RoomCalls
    _eraser: Eraser
    _link: RedisLink
    _lists: RedisLists
    _publish: str

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Store.append`. One call per room and 500 drafts; all rooms in one round trip."""
        effects = [draft for draft in drafts if has_effects(draft)]
        listed: list[tuple[int, str, int]] = []
        if effects:
            await self._list_first((draft.room, fact) for draft in effects for fact in draft.facts)
            listed = await self._enlist(drafts)
            if any(draft.about is not None and draft.about.fold in _ERASING for draft in effects):
                await self._eraser.note()
        by_room: dict[str, list[int]] = {}
        for n, draft in enumerate(drafts):
            by_room.setdefault(draft.room, []).append(n)
        results: list[Any] = [None] * len(drafts)
        # More than one call of a room would arrive in any order, so the rest waits for the next round.
        start = 0
        while left := [
            (room, numbers[start : start + CALL_LIMIT])
            for room, numbers in by_room.items()
            if len(numbers) > start
        ]:
            epoch = new_epoch()
            calls = [self._append_call(room, epoch, [drafts[n] for n in numbers]) for room, numbers in left]
            for (_, numbers), reply in zip(left, await self._link.run(calls), strict=True):
                found = codec.decode_results([drafts[n] for n in numbers], reply)
                for n, result in zip(numbers, found, strict=True):
                    results[n] = result
            start += CALL_LIMIT
        for n, visibility, stamp in listed:
            if isinstance(results[n], Appended) and not results[n].duplicate:
                await self._lists.settle(drafts[n].room, visibility, stamp)
        return results

    def append_soon(self, batch: Sequence[Sequence[Draft]], heard: Heard) -> bool:
        """See `Store.append_soon`. One call per room."""
        epoch = new_epoch()

        def take(place: int, reply: Any) -> None:
            try:
                results = None if isinstance(reply, Exception) else codec.decode_results(batch[place], reply)
            except Exception:  # noqa: BLE001 - `append` gets the same reply, and says what is wrong with it
                results = None
            heard(place, results)

        calls = [self._append_call(drafts[0].room, epoch, drafts) for drafts in batch]
        return self._link.run_soon(calls, take)

    async def _enlist(self, drafts: Sequence[Draft]) -> list[tuple[int, str, int]]:
        """Put rooms on the list of the visibility that a draft gives them: -> the draft's place, visibility and stamp, of each."""
        given = [(n, visibility_in(draft.facts)) for n, draft in enumerate(drafts) if draft.facts]
        return [
            (n, visibility, await self._lists.enlist(drafts[n].room, visibility))
            for n, visibility in given
            if visibility in (PUBLIC, PRIVATE)
        ]

    def _append_call(self, room: str, epoch: str, drafts: Sequence[Draft]) -> Call:
        arguments: list[Any] = list(self._publishing(room))
        effects, counted = any(map(has_effects, drafts)), self._bounds.counted
        for draft in drafts:
            arguments += codec.arguments(draft, counted, effects=effects)
        return self._calls.scripted(EFFECTS if effects else APPEND, room, "append", *arguments, epoch=epoch)

    def _publishing(self, room: str) -> tuple[str, str, str, str, str]:
        if self.publishes_as is None:
            return ("", "", "", "", "")
        return (self._calls.channel(room), self._publish, self.publishes_as, *script_keys(self.publish_key))

    async def _list_first(self, facts: Iterable[tuple[str, Fact]]) -> None:
        # Before the facts hold: reading a list removes rooms that do not belong there, but cannot find missing ones.
        listed = [(room, fact) for room, fact in facts if fact.value is not None and not is_reserved(room)]
        await self._lists.add(listed)
