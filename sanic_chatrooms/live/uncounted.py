"""What waits until presence answers: changes of rooms until they are counted, and users who may be on no worker."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeAlias

from ..errors import Unavailable
from ..models import user_room
from ..presence.base import Presence
from .diff import NAMES_LIMIT, Diff, merged

__all__ = ["KEPT", "Nowhere", "Uncounted"]

logger = logging.getLogger("sanic_chatrooms.live.presence")

KEPT = 100_000
"""Names that wait at most, in all rooms together, and users who may be on no worker. Then the oldest are forgotten."""
TOGETHER = 500
"""Rooms or users that waited and are asked about in one question, at most."""

_Counts: TypeAlias = dict[str, int]


class Uncounted:
    """Changes of rooms, each passed on with the number of users when that is known. A room of which more names wait than are
    shown is told only the number.

    One room that cannot be counted must not keep others waiting, and a question about fewer rooms costs a slow backend less. So after a
    failure half as many are asked about at a time, and after an answer twice as many.
    """

    def __init__(self, presence: Presence, pass_on: Callable[[str, Diff, int], None]) -> None:
        self._presence = presence
        self._pass_on = pass_on
        self._rooms: dict[str, Diff | None] = {}
        """The next to be asked about first; None: no names."""
        self._weight = 0
        self._together = TOGETHER
        self._warned = False

    def __len__(self) -> int:
        return len(self._rooms)

    async def ask(self, diffs: dict[str, Diff], rooms: Iterable[str]) -> _Counts:
        """These rooms have changed; -> how many are there and in other `rooms`. Rooms that have waited go on waiting."""
        asked = {room for room in (*diffs, *rooms) if room not in self._rooms}
        for room, diff in diffs.items():
            self._add(room, diff)
        counts = await self._count(asked)
        self._bound(diffs)
        return counts

    async def ask_again(self) -> _Counts:
        """Ask about rooms that have waited, until all were asked about or a question has failed."""
        counts: _Counts = {}
        for rooms in self._questions():
            try:
                for room in rooms:
                    await self._look(room)
                counts |= await self._count(rooms)
            except Unavailable:
                pass
            except Exception:  # of a defect, or an app's own presence: what comes after it must go on
                logger.exception("presence failed to say who is in rooms; it is asked again")
        return counts

    async def _look(self, room: str) -> None:
        """Forget who has come back or gone again since: another worker has told it, and this one must not say the opposite after it.

        Raises `Unavailable`.
        """
        diff = self._rooms[room]
        if diff is None:
            return
        users = {user.id for user in (*diff.joined, *diff.left)}
        here = await self._presence.online(users, room=room)
        joined = [user for user in diff.joined if user.id in here]
        left = [user for user in diff.left if user.id not in here]
        self._put(room, Diff(joined, left, diff.renamed))

    async def counts(self, rooms: Collection[str]) -> _Counts:
        """How many users are in each; nothing if the backend does not answer."""
        try:
            return await self._presence.count(rooms) if rooms else {}
        except Unavailable:
            return {}

    async def _count(self, rooms: Collection[str]) -> _Counts:
        counts = await self.counts(rooms)
        for room in counts.keys() & self._rooms.keys():
            diff = self._rooms[room]
            self._forget(room)
            self._pass_on(room, diff or Diff(), counts[room])
        return counts

    def _add(self, room: str, diff: Diff) -> None:
        if room not in self._rooms:
            self._put(room, diff)
        elif (earlier := self._rooms[room]) is not None:
            self._put(room, merged(earlier, diff))

    def _bound(self, rooms: Iterable[str]) -> None:
        for room in rooms:
            diff = self._rooms.get(room)
            if diff is not None and _names(diff) > NAMES_LIMIT:
                self._put(room, None)
        while self._weight > KEPT:
            self._forget(next(iter(self._rooms)))
            self._warn()

    def _questions(self) -> Iterator[list[str]]:
        waiting = list(self._rooms)
        while waiting:
            some, waiting = waiting[: self._together], waiting[self._together :]
            yield some
            failed = [room for room in some if room in self._rooms]
            if failed:
                self._together = max(1, len(some) // 2)
                self._rooms |= {room: self._rooms.pop(room) for room in failed}  # the others first
                return
            self._together = min(2 * self._together, TOGETHER)

    def _put(self, room: str, diff: Diff | None) -> None:
        self._weight += _names(diff) - (_names(self._rooms[room]) if room in self._rooms else 0)
        self._rooms[room] = diff

    def _forget(self, room: str) -> None:
        self._weight -= _names(self._rooms.pop(room))
        self._warned = self._warned and bool(self._rooms)

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "presence cannot count who is in rooms: more than %d changes wait, the oldest are forgotten",
                KEPT,
            )


class Nowhere:
    """Users who may be on no worker, until presence says so: then `emptied` is called with their inbox. `is_here`: presence need not be asked."""

    def __init__(
        self, presence: Presence, is_here: Callable[[str], bool], emptied: Callable[[str], None]
    ) -> None:
        self._presence = presence
        self._is_here = is_here
        self._emptied = emptied
        self._users: dict[str, None] = {}
        """Those about whom it did not answer, the next to be asked about first."""

    async def ask(self, users: Iterable[str]) -> bool:
        """Whether presence has answered; else they wait."""
        asked = {id for id in users if not self._is_here(id)}
        try:
            nowhere = asked - await self._presence.online(asked) if asked else asked
        except Unavailable:
            self._users |= dict.fromkeys(asked)
            while len(self._users) > KEPT:
                del self._users[next(iter(self._users))]
            return False
        for id in nowhere:
            self._emptied(user_room(id))
        return True

    async def ask_again(self) -> None:
        """Ask about those who wait, until all were asked about or a question has failed."""
        waiting = list(self._users)
        for low in range(0, len(waiting), TOGETHER):
            some = waiting[low : low + TOGETHER]
            for id in some:
                del self._users[id]
            if not await self.ask(some):
                return


def _names(diff: Diff | None) -> int:
    """How many names wait; at least 1, since the room waits, too."""
    return 1 if diff is None else max(1, len(diff.joined) + len(diff.left) + len(diff.renamed))
