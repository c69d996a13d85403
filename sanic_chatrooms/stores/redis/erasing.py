"""Erasing a user in Redis."""

import re
from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import Any

from ...drivers.redis.cluster import RedisLink
from ...models import Known, Room
from ..erasing import Erased, Erasing, facts_behind, facts_page
from ..pages import FactPage
from . import codec
from .eraser import Eraser
from .lists import RedisLists
from .scripts import ERASING, RoomCalls

__all__ = ["RedisErasing"]


_SPECIAL = re.compile(r"[\\*?\[\]^]")
"""What means something else than itself in a pattern."""


class RedisErasing(Erasing):
    """The part of `RedisStore` that erases."""

    _calls: RoomCalls
    _eraser: Eraser
    _link: RedisLink
    _lists: RedisLists

    @abstractmethod
    async def _rooms_with(self, rooms: Sequence[str], kind: str, key: str) -> list[Room | None]: ...

    async def erase(self, room: str, user: str, events: Sequence[Erased]) -> None:
        """See `Store.erase`."""
        await self._eraser.note()
        # As a room's JSON has it: between two other fields, so that no text of users is taken for it.
        made, keys = b',"created_by":%b,"auto":', f"{len(user)}:{user}"
        what: list[Any] = [user, made % codec.encode(user), made % b"null", keys]
        for one in events:
            what += [one.seq, b"" if one.payload is None else b"=" + one.was, one.payload or b""]
        await self._calls.ask(ERASING, room, "erase", *what)
        if not events:
            for part in ("k0", "k1"):
                await self._forget_keys(room, part, keys)

    async def _forget_keys(self, room: str, part: str, start: str) -> None:
        """Forget the keys of drafts that begin so: also of those whose events were trimmed."""
        cursor = b"0"
        while True:
            pattern = _SPECIAL.sub(r"\\\g<0>", start) + "*"
            scan = self._calls.plain("HSCAN", room, part, cursor.decode(), "MATCH", pattern, "COUNT", "1000")
            cursor, flat = await self._link.call(scan)
            for key in flat[::2]:
                await self._link.call(self._calls.plain("HDEL", room, part, key.decode()))
            if cursor == b"0":
                return

    async def all_facts(self, room: str, *, cursor: str | None = None, limit: int = 50) -> FactPage:
        """See `Store.all_facts`."""
        behind = facts_behind(cursor)
        start = "" if behind is None else "=" + "\n".join(behind)
        flat = await self._calls.ask(ERASING, room, "all facts", start, limit)
        rows = zip(*[iter(flat)] * 5, strict=True)
        found = [
            Known(kind.decode(), key.decode(), value, seq, since, room)
            for kind, key, value, seq, since in rows
        ]
        return facts_page(found, limit)

    async def forget_user(self, user: str, kinds: Collection[str]) -> None:
        """See `Store.forget_user`. A list of rooms is shortened when it is read; nobody may read this user's any more."""
        for kind in kinds:
            await self._lists.clear(kind, user, self._rooms_with)
        await self._eraser.note()
