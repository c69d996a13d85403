"""Questions about several rooms, or about several keys of a room: one round trip each."""

from collections.abc import Collection, Mapping, Sequence

from redis.exceptions import ClusterCrossSlotError, ResponseError

from ...drivers.redis.cluster import RedisLink
from ...models import Known
from ..pages import RoomAbout, Unread
from ..unread import LOOKED_AT, MOST_MENTIONS, NONE, WHOLE, Ranges, joined, name_of
from . import codec
from .scripts import ROOMS, UNREAD, UNREAD_IN_TIME, RoomCalls

__all__ = ["Many"]

AT_ONCE = 10
"""Rooms of which one call of a script asks: they share what it costs to begin a script, and nobody else is served meanwhile."""


class Many:
    """Asks them of one instance."""

    def __init__(self, link: RedisLink, calls: RoomCalls) -> None:
        self._link = link
        self._calls = calls
        self._at_once = 1 if link.is_cluster else AT_ONCE

    async def unread(
        self,
        user: str,
        rooms: Collection[str],
        cap: int,
        seen: Mapping[str, Ranges],
        blocked: Collection[str],
    ) -> dict[str, Unread]:
        """See `Store.unread`. A call of a script for some rooms, or for one room and range; in a cluster for each room."""
        whole = [room for room in rooms if room not in seen]
        asked = [(whole[low : low + self._at_once], WHOLE[0]) for low in range(0, len(whole), self._at_once)]
        asked += [([room], one) for room in rooms if room in seen for one in (seen[room] or NONE)]
        who, limits = (user, name_of(user), cap), (LOOKED_AT, MOST_MENTIONS)
        use = UNREAD_IN_TIME if self._calls.retains else UNREAD
        calls = [
            self._calls.scripted_for(use, some, "unread", *who, *one, *limits, *blocked)
            for some, one in asked
        ]
        try:
            answers = await self._link.run(calls)
        except ClusterCrossSlotError:
            if self._at_once == 1:
                raise
            self._at_once = 1  # one address, but several servers behind it
            return await self.unread(user, rooms, cap, seen, blocked)
        parts: dict[str, list[Unread]] = {}
        for (some, _), replies in zip(asked, answers, strict=True):
            for room, reply in zip(some, replies, strict=True):
                if reply is not None:
                    parts.setdefault(room, []).append(codec.decode_unread(room, user, reply))
        return {room: joined(found, cap) for room, found in parts.items()}

    async def first_facts(self, rooms: Sequence[str], kind: str, limit: int) -> dict[str, list[Known]]:
        """See `Store.first_facts`."""
        calls = [self._calls.scripted(ROOMS, room, "facts", kind, "", limit) for room in rooms]
        replies = zip(rooms, await self._link.run(calls), strict=True)
        found = {room: reply for room, reply in replies if reply is not None}
        return {room: codec.decode_facts(room, kind, flat)[:limit] for room, (_, *flat) in found.items()}

    async def about_each(self, room: str, keys: Sequence[str]) -> dict[str, dict[str, Known]] | None:
        """See `Store.about_each`; None for a room of the first layout."""
        if not keys:
            return {}
        try:
            found = await self._link.call(self._calls.plain("HMGET", room, "o", *keys))
        except ResponseError as error:
            _require_first_layout(error)
            return None
        return {key: codec.decode_known(room, key, packed) for key, packed in zip(keys, found, strict=True)}

    async def rooms_about(self, rooms: Sequence[str], key: str) -> dict[str, RoomAbout] | None:
        """See `Store.rooms_about`; None if there is a room of the first layout."""
        # The room first, so that what is known of it is at least as new.
        there = [self._calls.plain("HMGET", room, "h", *codec.ROOM) for room in rooms]
        about = [self._calls.plain("HGET", room, "o", key) for room in rooms]
        try:
            if (
                self._link.is_cluster
            ):  # a room that is moving may be answered later than what was asked behind it
                found = [*await self._link.run(there), *await self._link.run(about)]
            else:
                found = await self._link.run([*there, *about])
        except ResponseError as error:
            _require_first_layout(error)
            return None
        pairs = zip(rooms, found[: len(there)], found[len(there) :], strict=True)
        return {
            room: (codec.decode_room(one), codec.decode_known(room, key, packed))
            for room, one, packed in pairs
            if one[0] is not None
        }


def _require_first_layout(error: ResponseError) -> None:
    if not str(error).startswith("WRONGTYPE"):
        raise error
