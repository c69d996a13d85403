"""Presence: tells the backend which users are on this worker, and tells rooms who came and went.

A user counts once, however many connections there are. A user leaves only after a grace period, so that a reconnect does
not flap. A room gets at most one `presence` event a second, and a very large one fewer.

One task updates the backend, in rounds. A round takes all changes since the last one began. So a thousand users who come
back share two rounds, and changes keep their order. `refresh` repeats what the backend did not take. Rooms hear of a change when
the backend has said how many are there.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable

import msgspec

from ..errors import Unavailable
from ..hub.hub import Hub
from ..models import Envelope, Sender
from ..presence.base import Entry, Presence
from ..support.tasks import end
from ..wire import events
from ..wire.encode import encode
from .diff import Diff, merged, parts
from .here import Here, remove, unanswered
from .throttle import Throttle
from .uncounted import Counts, Nowhere, Uncounted

__all__ = ["ANYWHERE", "LEAVING", "Occupancy"]

logger = logging.getLogger("sanic_chatrooms.live.presence")

ANYWHERE = ""
"""The room of all users who have a connection."""
LEAVING = "~leaving"
"""The room of users whose last connection broke, until their grace period is over."""
_NO_ROOMS = (ANYWHERE, LEAVING)
INTERVAL = 1.0
"""Seconds between two `presence` events of a room, at least …"""
DELIVERIES = 5_000
"""… and so many that one room gets at most in a second, on each worker. While 100,000 people come into a room, telling all of them every
second would take the whole worker."""
STEP = 500
"""Entries that are kept alive in one round. Users who come meanwhile need not wait for all of them."""
LOOK_EVERY = 2.0
"""Seconds between two checks for users of workers that died, and for what the backend could not say before."""

_Key = tuple[str, str]
"""A room and a user's id."""

_decoder = msgspec.json.Decoder(Diff)


class Occupancy:
    """Call `entered` and `exited` for each session, and `refresh` and `sweep` once a second.

    `emptied` is called with a room when its last user has left and the grace period is over, and with a user's inbox when
    the user has no connection left on any worker. While `waits()` is true, rooms are told nothing; later they are told all at once.
    `alone`: there is no other worker, to whom changes would have to be published.
    """

    def __init__(
        self,
        presence: Presence,
        hub: Hub,
        publish: Callable[[Envelope], None],
        *,
        grace: float,
        ttl: float,
        clock: Callable[[], float] = time.monotonic,
        emptied: Callable[[str], None] | None = None,
        waits: Callable[[], bool] = lambda: False,
        alone: bool = False,
    ) -> None:
        self._presence = presence
        self._hub = hub
        self._publish = publish
        self._alone = alone
        self._grace = grace
        self._ttl = ttl
        self._clock = clock
        self._emptied = emptied or (lambda room: None)
        self._here: dict[_Key, Here] = {}
        self._leaving: dict[_Key, Here] = {}
        """Entries whose grace period runs."""
        self._going: set[_Key] = set()
        """Entries that the backend has to remove."""
        self._untold: set[_Key] = set()
        """Entries that the backend has to add."""
        self._renamed: set[_Key] = set()
        """Those of them whose name has changed."""
        self._stale: list[_Key] = []
        """Entries that it has to keep alive."""
        self._look = False
        """The backend has to be asked for users of workers that died."""
        self._unheard: set[_Key] = set()
        """Entries about which it did not answer, while it did about others. `refresh` or another change tells it again."""
        self._uncounted = Uncounted(presence, self._pass_on)
        self._nowhere = Nowhere(presence, self._is_anywhere, self._emptied)
        self._waiting: list[asyncio.Future[Counts]] = []
        self._telling: asyncio.Task[None] | None = None
        self._changes: dict[str, Diff | int] = {}
        """What rooms are told next; where there are many users, only how many."""
        self._throttle = Throttle(self._interval, self._emit, clock, people=self._size, waits=waits)
        self._refreshed_at = self._looked_at = clock()
        hub.handle("presence", self.receive)

    async def entered(self, room: str, user: Sender) -> int | None:
        """One more session of this user is in the room. When this returns the backend knows, unless it is away; -> how many users are
        in the room, if it was asked."""
        key = (room, user.id)
        here = self._here.get(key)
        if here is None:
            here = self._here[key] = Here(user)
            self._untold.add(key)
        here.sessions += 1
        here.user = user
        if self._leaving:
            self._leaving.pop(key, None)
            if room == ANYWHERE and self._leaving.pop((LEAVING, user.id), None) is not None:
                self._going.add((LEAVING, user.id))
        if key in self._going:
            self._stays(key)
        elif key not in self._untold:
            return None
        return (await self.settle()).get(room)

    async def renamed(self, rooms: Iterable[str], user: Sender) -> None:
        """The name of a user in these rooms has changed."""
        keys = [(room, user.id) for room in rooms if (room, user.id) in self._here]
        for key in keys:
            self._here[key].user = user
        self._untold.update(keys)
        self._renamed.update(keys)
        await self.settle()

    def exited(self, room: str, user_id: str, *, at_once: bool = False) -> None:
        """One session less. With `at_once` the user left on purpose; otherwise the grace period begins."""
        key = (room, user_id)
        here = self._here.get(key)
        if here is None:
            return
        here.sessions -= 1
        if here.sessions > 0:
            return
        at_once = at_once or self._grace <= 0
        if at_once or room == ANYWHERE:
            self._going.add(key)
            self._hurry()
        if not at_once:
            self._linger((LEAVING, user_id) if room == ANYWHERE else key, here.user)

    def _linger(self, key: _Key, user: Sender) -> None:
        here = self._here.get(key)
        if here is None:
            here = self._here[key] = Here(user)
            self._untold.add(key)
        here.leaves_at = self._clock() + self._grace
        self._stays(key)
        self._leaving[key] = here

    def _stays(self, key: _Key) -> None:
        self._going.discard(key)
        if self._here[key].doubtful:
            self._untold.add(key)

    async def online(self, room: str) -> int:
        """The number of users in the room; 0 if the backend does not answer."""
        return (await self._uncounted.counts((room,))).get(room, 0)

    # ---- upkeep ----

    async def refresh(self) -> None:
        """Remove users whose grace period is over, keep others alive, look for users of workers that died. Raises nothing; the next call tries again."""
        now = self._clock()
        self._unheard.clear()
        for key in [key for key, here in self._leaving.items() if here.leaves_at <= now]:
            del self._leaving[key]
            self._going.add(key)
        if now - self._refreshed_at >= self._ttl / 3:
            self._refreshed_at = now
            self._stale = list(self._here)
        if now - self._looked_at >= LOOK_EVERY:
            self._looked_at = now
            self._look = True
        await self.settle()

    def sweep(self) -> None:
        """Send the events that are due."""
        self._throttle.sweep()

    async def stop(self) -> None:
        """Remove this worker's users. Rooms are told about those who are on no other worker."""
        if self._telling is not None:
            await end(self._telling)
        self._going = set(self._here)
        await self._attempt(self._drop())
        if self._uncounted:  # later nobody asks
            await self._attempt(self._uncounted.ask_again())

    # ---- updates of the backend ----

    async def settle(self) -> Counts:
        """Return when the backend has all changes before this call, or has failed to take them; -> how many are in rooms that were entered."""
        if self._telling is None and not self._due:
            return {}
        if self._telling is None and not self._presence.waits:  # then it needs no task, either
            counts = await self._attempt(self._round())
            if counts is not None and self._due:
                self._hurry()
            return counts or {}
        told: asyncio.Future[Counts] = asyncio.get_running_loop().create_future()
        self._waiting.append(told)
        self._hurry()
        return await told

    @property
    def _due(self) -> bool:
        return not (self._untold <= self._unheard >= self._going) or bool(self._stale or self._look)

    def _hurry(self) -> None:
        if self._telling is None:
            self._telling = asyncio.ensure_future(self._tell())

    async def _tell(self) -> None:
        waiting: list[asyncio.Future[Counts]] = []
        counts: Counts | None = {}
        try:
            while self._waiting or (counts is not None and self._due):
                waiting, self._waiting = self._waiting, []
                counts = await self._attempt(self._round())
                _release(waiting, counts or {})
        finally:
            self._telling = None
            _release([*waiting, *self._waiting], {})
            self._waiting = []

    async def _attempt(self, telling: Awaitable[Counts]) -> Counts | None:
        try:
            return await telling
        except Unavailable:
            pass
        except Exception:
            logger.exception("presence failed; the changes are sent again")
        return None

    async def _round(self) -> Counts:
        """Additions before removals: nobody counts as gone before the backend knows who came."""
        look, self._look = self._look, False
        if look:  # first, since what follows may fail every time
            await self._uncounted.ask_again()
            await self._nowhere.ask()
        counts = await self._touch() if self._untold or self._stale else {}
        if self._going:
            counts |= await self._drop()
        if look:
            counts |= await self._attempt(self._take_leave_of_ended()) or {}
        return counts

    async def _touch(self) -> Counts:
        # The backend never learns of users who came and left since the last round.
        untold = self._untold - self._going
        stale, self._stale = self._stale[-STEP:], self._stale[:-STEP]
        keys, entries = [], []
        for key in {*untold, *stale} - self._going:
            if (here := self._here.get(key)) is not None:
                keys.append(key)
                entries.append(Entry(key[0], here.user))
        self._untold -= untold
        renamed, self._renamed = self._renamed, set()
        try:
            came = await self._presence.touch(entries) if entries else []
        except BaseException:
            self._untold |= untold
            self._renamed |= renamed
            self._stale += stale
            self._doubt(untold)
            raise
        self._wait_for(unanswered(keys, came), untold)
        joined = [
            entry
            for key, entry, new in zip(keys, entries, came, strict=True)
            if new is not None and (self._here[key].came() or new)
        ]
        # All who enter are told how many are there: asked here, it is one question and not one for each.
        rooms = {room for room, _ in untold}.difference(_NO_ROOMS)
        if not renamed:
            return await self._announce(rooms, joined=joined)
        # Users who have just come are announced with their new name.
        renamed -= {(entry.room, entry.user.id) for entry in joined}
        others = [entry for key, entry in zip(keys, entries, strict=True) if key in renamed]
        return await self._announce(rooms, joined=joined, renamed=others)

    async def _drop(self) -> Counts:
        keys = list(self._going)
        entries = [Entry(room, self._here[room, id].user) for room, id in keys]
        try:
            gone = await remove(self._presence, entries, [self._here[key] for key in keys])
        except BaseException:
            self._doubt(keys)
            self._untold.update(key for key in keys if key not in self._going)  # they came back meanwhile
            raise
        self._wait_for(unanswered(keys, gone), keys)
        answers = zip(keys, entries, gone, strict=True)
        return await self._take_leave(
            [e for key, e, last in answers if last is not None and self._went(key) and last]
        )

    def _wait_for(self, unheard: set[_Key], changed: Collection[_Key]) -> None:
        self._unheard |= unheard
        self._untold |= unheard.intersection(changed) - self._going
        self._doubt(unheard.intersection(changed))

    def _doubt(self, keys: Iterable[_Key]) -> None:
        for key in keys:
            if (here := self._here.get(key)) is not None:
                here.doubtful = True

    def _went(self, key: _Key) -> bool:
        if key not in self._going:
            # The user came back while the backend was asked. The next round adds them again.
            self._here[key].doubtful = False
            self._untold.add(key)
            return False
        self._going.discard(key)
        self._untold.discard(key)
        del self._here[key]
        return True

    async def _take_leave_of_ended(self) -> Counts:
        ended = await self._presence.ended()
        # After a long failure of the backend, entries of our own users have expired, although the users are still here.
        self._untold.update(ours := {key for e in ended if (key := (e.room, e.user.id)) in self._here})
        return await self._take_leave([e for e in ended if (e.room, e.user.id) not in ours])

    # ---- events for rooms ----

    async def _take_leave(self, entries: list[Entry]) -> Counts:
        """These users are in these rooms on no other worker."""
        counts = await self._announce((), left=entries)
        await self._nowhere.ask({e.user.id for e in entries if e.room in _NO_ROOMS})
        return counts

    def _is_anywhere(self, id: str) -> bool:
        return any((room, id) in self._here for room in _NO_ROOMS)

    async def _announce(self, rooms: Collection[str], **changes: Iterable[Entry]) -> Counts:
        diffs: dict[str, Diff] = {}
        for change, entries in changes.items():
            for entry in entries:
                if entry.room not in _NO_ROOMS:
                    diff = diffs.get(entry.room) or diffs.setdefault(entry.room, Diff())
                    getattr(diff, change).append(entry.user)
        return await self._uncounted.ask(diffs, rooms) if diffs or rooms else {}

    def _pass_on(self, room: str, diff: Diff | None, online: int) -> None:
        for part in parts(diff, online):
            if self._hub.room(room) is not None:
                self._merge(room, part)
            if not self._alone:
                self._publish(Envelope(room, "", 0, "presence", encode(part)))
        if not online:
            self._emptied(room)

    def receive(self, envelope: Envelope) -> None:
        """Merge a change of another worker until the room is told."""
        self._merge(envelope.room, _decoder.decode(envelope.data))

    def _merge(self, room: str, new: Diff) -> None:
        old = self._changes.get(room)
        if not (new.joined or new.left or new.renamed) or isinstance(old, int):
            self._changes[room] = new.online
        else:
            self._changes[room] = new if old is None else merged(old, new)
        self._throttle.note(room)

    def _size(self, room: str) -> int:
        held = self._hub.room(room)
        return 0 if held is None else held.size

    def _interval(self, room: str) -> float:
        return max(INTERVAL, self._size(room) / DELIVERIES)

    def _emit(self, room: str) -> None:
        change = self._changes.pop(room, None)
        if change is None or self._hub.room(room) is None:
            return
        if isinstance(change, int):
            event = events.Presence(change)
        else:
            event = events.Presence(change.online, change.joined, change.left, change.renamed or None)
        self._hub.tell(room, event)


def _release(waiting: Iterable["asyncio.Future[Counts]"], counts: Counts) -> None:
    for told in waiting:
        if not told.done():
            told.set_result(counts)
