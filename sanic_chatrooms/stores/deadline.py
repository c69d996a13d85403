"""A store that answers in time: what `STORE_TIMEOUT` promises, whatever the store itself does about it.

Everything but the journal's `append` goes through here. So a store that hangs costs a connection its time limit per
command, and the hub one per look; the rest goes on.
"""

import asyncio
from collections.abc import Awaitable, Collection, Sequence
from typing import Any, TypeVar

from ..errors import ChatError, Unavailable
from ..models import Appended, Draft, Event, Head, Member, Page, Room
from .base import Bounds, MemberPage, RoomPage, Store

__all__ = ["TimedStore"]

T = TypeVar("T")
READS = 16
"""Pieces of the past that are read at a time: each can be some megabytes."""


class TimedStore(Store):
    """Every verb of `inner` ends within `timeout` seconds, at the latest as `Unavailable`.

    Except `append`: the journal repeats it until its outcome is known, within the same limit. Capabilities beyond the
    contract are `inner`'s.
    """

    def __init__(self, inner: Store, timeout: float) -> None:
        self.scope = inner.scope  # type: ignore[misc] # the class has none of its own: it depends on what it wraps
        self.publishes_as = inner.publishes_as
        self.inner = inner
        self._timeout = timeout
        self._reads = asyncio.Semaphore(READS)

    async def start(self, instance: str, bounds: Bounds) -> None:
        """Start what is wrapped, however long it takes."""
        await self.inner.start(instance, bounds)

    async def stop(self) -> None:
        """Stop what is wrapped."""
        await self.inner.stop()

    async def append(self, drafts: Sequence[Draft]) -> list[Appended | ChatError]:
        """See `Store.append`; without a limit."""
        return await self.inner.append(drafts)

    def require_free(self) -> None:
        """See `Store.require_free`."""
        self.inner.require_free()

    async def heads(self, rooms: Collection[str]) -> dict[str, Head]:
        """See `Store.heads`."""
        return await self._in_time(self.inner.heads(rooms))

    async def history(
        self,
        room: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int,
        timeline: bool = False,
    ) -> Page:
        """See `Store.history`."""
        return await self._in_time(
            self._read(room, after=after, before=before, limit=limit, timeline=timeline)
        )

    async def _read(self, room: str, **which: Any) -> Page:
        async with self._reads:
            return await self.inner.history(room, **which)

    async def message(self, room: str, msg_id: str) -> Event | None:
        """See `Store.message`."""
        return await self._in_time(self.inner.message(room, msg_id))

    async def renew_epoch(self, room: str, old: str) -> Head:
        """See `Store.renew_epoch`."""
        return await self._in_time(self.inner.renew_epoch(room, old))

    async def create_room(
        self,
        room: Room,
        *,
        owner: Member | None = None,
        key: tuple[str, str] | None = None,
        hash: bytes = b"",
    ) -> tuple[Room, bool]:
        """See `Store.create_room`."""
        return await self._in_time(self.inner.create_room(room, owner=owner, key=key, hash=hash))

    async def room(self, room: str) -> Room | None:
        """See `Store.room`."""
        return await self._in_time(self.inner.room(room))

    async def rooms(
        self, *, member: str | None = None, cursor: str | None = None, limit: int = 50
    ) -> RoomPage:
        """See `Store.rooms`."""
        return await self._in_time(self.inner.rooms(member=member, cursor=cursor, limit=limit))

    async def update_room(self, room: Room) -> Room:
        """See `Store.update_room`."""
        return await self._in_time(self.inner.update_room(room))

    async def delete_room(self, room: str, *, unused: bool = False) -> bool:
        """See `Store.delete_room`."""
        return await self._in_time(self.inner.delete_room(room, unused=unused))

    async def member(self, room: str, user: str) -> Member | None:
        """See `Store.member`."""
        return await self._in_time(self.inner.member(room, user))

    async def members(self, room: str, *, cursor: str | None = None, limit: int = 50) -> MemberPage:
        """See `Store.members`."""
        return await self._in_time(self.inner.members(room, cursor=cursor, limit=limit))

    async def first_members(self, rooms: Collection[str], limit: int) -> dict[str, list[Member]]:
        """See `Store.first_members`."""
        return await self._in_time(self.inner.first_members(rooms, limit))

    async def set_member(self, room: str, member: Member) -> None:
        """See `Store.set_member`."""
        await self._in_time(self.inner.set_member(room, member))

    async def remove_member(self, room: str, user: str) -> bool:
        """See `Store.remove_member`."""
        return await self._in_time(self.inner.remove_member(room, user))

    async def secret(self, name: str) -> str:
        """See `Store.secret`."""
        return await self._in_time(self.inner.secret(name))

    async def _in_time(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._timeout):
                return await answer
        except TimeoutError as exc:
            raise Unavailable from exc
