"""What waits until presence answers: changes of rooms until they are counted, and users who may be on no worker."""

import logging
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeAlias

from ..errors import Unavailable
from ..models import user_room
from ..presence.base import Presence
from .diff import NAMES_LIMIT, Diff, merged

__all__ = ["KEPT", "Counts", "Nowhere", "Uncounted"]

logger = logging.getLogger("sanic_chatrooms.live.presence")

KEPT = 100_000
"""Rooms that wait at most, and users who may be on no worker. Then the first are forgotten."""
NAMES_KEPT = 500_000
"""Names that wait, shared among the rooms."""
TOGETHER = 500
"""Rooms or users that waited and are asked about in one question, at most."""

Counts: TypeAlias = dict[str, int]
"""How many users are in each of some rooms."""


class Uncounted:
    """Changes of rooms, each passed on with the number of users when that is known. A room of which more names wait than are
    shown, or than its share of those that are kept, is told only the number."""

    def __init__(self, presence: Presence, pass_on: Callable[[str, Diff | None, int], None]) -> None:
        self._presence = presence
        self._pass_on = pass_on
        self._rooms: dict[str, Diff | None] = {}
        """None: no names."""
        self._warned = False

    def __len__(self) -> int:
        return len(self._rooms)

    async def ask(self, diffs: dict[str, Diff], rooms: Iterable[str]) -> Counts:
        """These rooms have changed; -> how many are there and in other `rooms`. Rooms that have waited go on waiting."""
        asked = {room for room in (*diffs, *rooms) if room not in self._rooms}
        for room, diff in diffs.items():
            if room not in self._rooms:
                self._rooms[room] = diff
            elif (earlier := self._rooms[room]) is not None:
                self._rooms[room] = merged(earlier, diff)
        counts = await self._count(asked)
        if not self._rooms:  # as nearly always
            self._warned = False
            return counts
        share = min(NAMES_LIMIT, NAMES_KEPT // len(self._rooms))
        for room in diffs.keys() & self._rooms.keys():
            if _names(self._rooms[room]) > share:
                self._rooms[room] = None
        if _forget_oldest(self._rooms) and not self._warned:
            self._warned = True
            logger.warning(
                "presence cannot count who is in rooms: more than %d wait, the oldest are forgotten", KEPT
            )
        return counts

    async def ask_again(self) -> Counts:
        """Ask about rooms that have waited, until all were asked about or nothing is answered."""
        counts, waiting = Counts(), list(self._rooms)
        try:
            for low in range(0, len(waiting), TOGETHER):
                some = waiting[low : low + TOGETHER]
                # They wait behind the others now: a server that stays silent must not keep those waiting.
                self._rooms |= {room: self._rooms.pop(room) for room in some}
                # Which can be counted: others must not keep them waiting.
                answered = await self.counts(some)
                if not answered:
                    break
                for room in answered:
                    await self._look(room)
                counts |= await self._count(answered)
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
        diff.joined = [user for user in diff.joined if user.id in here]
        diff.left = [user for user in diff.left if user.id not in here]

    async def counts(self, rooms: Collection[str]) -> Counts:
        """How many users are in each; nothing if the backend does not answer."""
        try:
            return await self._presence.count(rooms) if rooms else {}
        except Unavailable:
            return {}

    async def _count(self, rooms: Collection[str]) -> Counts:
        counts = await self.counts(rooms)
        for room in counts.keys() & self._rooms.keys():
            self._pass_on(room, self._rooms.pop(room), counts[room])
        return counts


class Nowhere:
    """Users who may be on no worker, until presence says so: then `emptied` is called with their inbox. `is_here`: presence need not be asked."""

    def __init__(
        self, presence: Presence, is_here: Callable[[str], bool], emptied: Callable[[str], None]
    ) -> None:
        self._presence = presence
        self._is_here = is_here
        self._emptied = emptied
        self._users: dict[str, None] = {}

    async def ask(self, users: Iterable[str] = ()) -> None:
        """Ask about these users and about those who have waited, until all were asked about or a question has failed."""
        self._users |= dict.fromkeys(users)
        _forget_oldest(self._users)
        waiting = list(self._users)
        for low in range(0, len(waiting), TOGETHER):
            some = waiting[low : low + TOGETHER]
            for id in some:
                del self._users[id]
            asked = [id for id in some if not self._is_here(id)]
            try:
                anywhere = await self._presence.online(asked) if asked else set()
            except Unavailable:
                self._users |= dict.fromkeys(asked)
                return
            for id in asked:
                if id not in anywhere:
                    self._emptied(user_room(id))


def _names(diff: Diff | None) -> int:
    return 0 if diff is None else len(diff.joined) + len(diff.left) + len(diff.renamed)


def _forget_oldest(waiting: dict[str, Any]) -> bool:
    """Whether there were more than are kept."""
    over = len(waiting) > KEPT
    while len(waiting) > KEPT:
        del waiting[next(iter(waiting))]
    return over
