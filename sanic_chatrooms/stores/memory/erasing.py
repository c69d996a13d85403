"""Erasing a user in memory."""

from abc import abstractmethod
from collections.abc import Sequence

from ...models import Known
from ...support.paging import encode_cursor
from ..erasing import Erased, Erasing, facts_behind, facts_page
from ..pages import FactPage
from .effects import Effects
from .room import MemoryRoom

__all__ = ["MemoryErasing"]


class MemoryErasing(Erasing):
    """The part of `MemoryStore` that erases."""

    _effects: Effects

    @abstractmethod
    def _found(self, room: str) -> MemoryRoom: ...

    @abstractmethod
    def _expire(self, room: MemoryRoom) -> None: ...

    async def erase(self, room: str, user: str, events: Sequence[Erased]) -> None:
        """See `Store.erase`."""
        found = self._found(room)
        self._expire(found)
        found.forget_maker(user)
        for one in events:
            event = found.event(one.seq)
            if event is None:
                continue
            if one.payload is None:
                self._effects.forget_hashes(found, found.empty(event))
            else:
                found.say_otherwise(event, one.was, one.payload)
            found.forget_user_at(one.seq, user)

    async def all_facts(self, room: str, *, cursor: str | None = None, limit: int = 50) -> FactPage:
        """See `Store.all_facts`."""
        behind, kinds, found = facts_behind(cursor), self._found(room).facts, list[Known]()
        for kind in sorted(kinds):
            if behind is not None and kind < behind[0]:
                continue
            start = encode_cursor("facts", behind[1]) if behind is not None and kind == behind[0] else None
            found += kinds[kind].page("facts", start, limit + 1 - len(found))[0]
            if len(found) > limit:
                break
        return facts_page(found, limit)
