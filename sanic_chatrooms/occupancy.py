"""Who is here: tells the presence backend about this worker's users, and the rooms about who came and went.

A user is here once, however many connections. Leaving waits for a grace, so that a reconnect does not flap; rooms hear
at most one `presence` event a second. What the backend cannot take now is told again by `refresh`.
"""

import logging
import time
from collections.abc import Callable, Iterable

import msgspec

from . import protocol
from .errors import Unavailable
from .hub import Hub
from .models import Envelope, Sender, user_room
from .paced import Paced
from .presence.base import Entry, Presence

__all__ = ["ANYWHERE", "Occupancy"]

logger = logging.getLogger("sanic_chatrooms.occupancy")

ANYWHERE = ""
"""The room of everybody who has a connection at all."""
NAMES_LIMIT = 200
"""Above so many present, rooms hear the number only."""
PACE = 1.0


class _Here(msgspec.Struct):
    user: Sender
    sessions: int = 0
    leaves_at: float = 0.0


class _Diff(msgspec.Struct, omit_defaults=True):
    joined: list[Sender] = []
    left: list[Sender] = []
    online: int = 0


_decoder = msgspec.json.Decoder(_Diff)


class Occupancy:
    """`entered` and `exited` for each session; `refresh` and `sweep` now and then.

    `emptied` is called with a room that its last user has left, the grace over; with a user's own when the user has no
    connection left anywhere.
    """

    def __init__(
        self,
        presence: Presence,
        hub: Hub,
        ring: Callable[[Envelope], None],
        *,
        grace: float,
        ttl: float,
        clock: Callable[[], float] = time.monotonic,
        emptied: Callable[[str], None] | None = None,
    ) -> None:
        self._presence = presence
        self._hub = hub
        self._ring = ring
        self._grace = grace
        self._ttl = ttl
        self._clock = clock
        self._emptied = emptied or (lambda room: None)
        self._here: dict[tuple[str, str], _Here] = {}
        self._leaving: dict[tuple[str, str], _Here] = {}
        self._untold: set[tuple[str, str]] = set()
        """Whom the backend has not taken."""
        self._changes: dict[str, _Diff] = {}
        self._paced = Paced(PACE, self._emit, clock)
        self._refreshed_at = clock()
        hub.interpret("presence", self.heard)

    async def entered(self, room: str, user: Sender) -> None:
        """One more session of this user is in the room."""
        key = (room, user.id)
        here = self._here.get(key)
        if here is None:
            here = self._here[key] = _Here(user)
            self._untold.add(key)
        here.sessions += 1
        here.user = user
        self._leaving.pop(key, None)
        if key in self._untold:
            await self._touch([key])

    async def renamed(self, rooms: Iterable[str], user: Sender) -> None:
        """A user who is in these rooms goes by another name now."""
        keys = [(room, user.id) for room in rooms if (room, user.id) in self._here]
        for key in keys:
            self._here[key].user = user
        self._untold.update(keys)
        await self._touch(keys)

    def exited(self, room: str, user_id: str, *, at_once: bool = False) -> None:
        """One session less. `at_once`: they said so; else they may be back within the grace."""
        key = (room, user_id)
        here = self._here.get(key)
        if here is None:
            return
        here.sessions -= 1
        if here.sessions <= 0:
            here.leaves_at = self._clock() + (0.0 if at_once else self._grace)
            self._leaving[key] = here

    async def online(self, room: str) -> int:
        """How many users are in the room; 0 where the backend cannot say."""
        try:
            return (await self._presence.count((room,))).get(room, 0)
        except Unavailable:
            return 0

    # ---- upkeep ----

    async def refresh(self) -> None:
        """Take back who left, keep alive who is here. Raises nothing: the next one tries again."""
        try:
            await self._drop_leavers()
            now = self._clock()
            stale = now - self._refreshed_at >= self._ttl / 3
            if stale:
                self._refreshed_at = now
            keys = list(self._here if stale else self._untold)
            if keys:
                await self._touch(keys)
        except Unavailable:
            pass

    def sweep(self) -> None:
        """Tell the rooms what is due."""
        self._paced.sweep()

    async def _touch(self, keys: list[tuple[str, str]]) -> None:
        entries = [Entry(room, self._here[room, id].user) for room, id in keys]
        try:
            came = await self._presence.touch(entries)
        except Unavailable:
            return
        for key, entry, new in zip(keys, entries, came, strict=True):
            self._untold.discard(key)
            if new and entry.room:
                await self._announce(entry.room, joined=entry.user)

    async def _drop_leavers(self) -> None:
        now = self._clock()
        due = [key for key, here in self._leaving.items() if here.leaves_at <= now]
        if not due:
            return
        entries = [Entry(room, self._leaving[room, id].user) for room, id in due]
        gone = await self._presence.drop(entries)
        for key, entry, last in zip(due, entries, gone, strict=True):
            if self._leaving.pop(key, None) is None:
                # Somebody came back while the backend was asked: tell it so, with the next refresh.
                self._untold.add(key)
                continue
            del self._here[key]
            self._untold.discard(key)
            if last and not entry.room:
                self._emptied(user_room(entry.user.id))
            elif last and not await self._announce(entry.room, left=entry.user):
                self._emptied(entry.room)

    # ---- telling ----

    async def _announce(self, room: str, *, joined: Sender | None = None, left: Sender | None = None) -> int:
        diff = _Diff([joined] if joined else [], [left] if left else [], await self.online(room))
        envelope = Envelope(room, "", 0, "presence", protocol.encode(diff))
        self._hub.deliver(envelope)
        self._ring(envelope)
        return diff.online

    def heard(self, envelope: Envelope) -> None:
        """A worker's change, ours too: merged until the room is told."""
        new = _decoder.decode(envelope.data)
        diff = self._changes.setdefault(envelope.room, _Diff())
        joined = {u.id: u for u in diff.joined} | {u.id: u for u in new.joined}
        left = {u.id: u for u in diff.left} | {u.id: u for u in new.left}
        for user in new.joined:
            left.pop(user.id, None)
        for user in new.left:
            joined.pop(user.id, None)
        self._changes[envelope.room] = _Diff(list(joined.values()), list(left.values()), new.online)
        self._paced.note(envelope.room)

    def _emit(self, room: str) -> None:
        diff = self._changes.pop(room, None)
        held = self._hub.room(room)
        if diff is None or held is None:
            return
        payload = {"online": diff.online}
        if diff.online <= NAMES_LIMIT:
            payload = {"joined": diff.joined, "left": diff.left, "online": diff.online}  # type: ignore[dict-item]
        self._hub.emit(held, protocol.frame(protocol.live("presence", payload, room=room)))
