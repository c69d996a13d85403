"""Which of all loops of one name gets the events, and how far it came: a lease, and a fact in each room.

A loop that has the lease renews it while it runs. If its process dies or hangs, the lease ends, and another loop takes it. After each
event the loop keeps its number as a fact that only goes up, so a process that wakes up late takes nothing back.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from ..errors import PositionLost, RoomNotFound, Unavailable
from ..models import Fact
from ..stores.base import Store
from ..support.backoff import jittered
from ..support.positions import Position
from ..support.tasks import end, keep_on

__all__ = ["Turn"]

LEASE = 10.0
"""Seconds for which a loop has its turn, unless it renews it."""
ASK_EVERY = 2.0
"""Seconds after which a loop that waits for its turn asks again."""
MARGIN = 0.1
"""The part of them that a loop does not use: it may be slow to see that they are over."""
KEEP_EVERY = 5.0
"""Seconds after which a position is kept that has only passed events of other types."""
KIND = "follow."
"""How the kinds of the facts begin; the room's epoch follows."""


class Turn:
    """The turn of one loop. `over` is called when it may be another's."""

    def __init__(self, store: Store, name: str, over: Callable[[], None]) -> None:
        self._store = store
        self._name = name
        self._over = over
        self._fence = 0
        self._until = 0.0
        self._renewing: asyncio.Task[None] | None = None
        self._kept: dict[str, Position] = {}
        self._kept_at = 0.0

    # ---- the lease ----

    @property
    def ours(self) -> bool:
        """No other loop can have the turn now."""
        return time.monotonic() < self._until

    async def ask(self) -> float | None:
        """Ask for the turn. None: it is ours; else seconds until it makes sense to ask again."""
        await self._stop_renewing()
        if not await self._renew():
            return jittered(ASK_EVERY)
        self._kept.clear()
        self._renewing = asyncio.ensure_future(
            keep_on(self._renew_in_time, f"keeping the turn of {self._name}")
        )
        return None

    async def _renew(self) -> bool:
        asked = time.monotonic()
        try:
            self._fence = await self._store.lease(f"follow.{self._name}", LEASE, self._fence)
        except Unavailable:
            return False
        self._until = asked + LEASE * (1 - MARGIN) if self._fence else 0.0
        return bool(self._fence)

    async def _renew_in_time(self) -> None:
        await asyncio.sleep(LEASE / 4)
        await self._renew()
        if not self.ours:
            self._over()

    async def _stop_renewing(self) -> None:
        renewing, self._renewing = self._renewing, None
        if renewing is not None:
            await end(renewing)

    async def give_back(self) -> None:
        """Let another loop have the turn at once."""
        await self._stop_renewing()
        fence, self._fence, self._until = self._fence, 0, 0.0
        if fence:
            with suppress(Unavailable):  # it ends by itself
                await self._store.lease(f"follow.{self._name}", 0.0, fence)

    # ---- positions ----

    async def kept(self, room: str) -> Position | None:
        """How far any loop of this name came in the room. Raises `Unavailable`."""
        head = (await self._store.heads((room,))).get(room)
        if head is None:
            raise RoomNotFound(f"there is no room {room!r}")
        known = await self._known(room)
        epoch = head.epoch if head.epoch in known else next(iter(known), None)
        if epoch is not None:
            self._kept[room] = Position(epoch, known[epoch])
        return self._kept.get(room)

    async def _known(self, room: str) -> dict[str, int]:
        """By epoch."""
        facts = await self._store.facts_about(room, self._name)
        kept = {kind: known for kind, known in facts.items() if kind.startswith(KIND)}
        return {kind.removeprefix(KIND): int(known.value) for kind, known in kept.items()}

    async def keep(self, room: str, position: Position) -> None:
        """Everything up to this position is done. Raises `RoomNotFound`, `Unavailable`."""
        fact = Fact(KIND + position.epoch, self._name, str(position.seq).encode(), "max")
        await self._store.set_fact(room, fact)
        self._kept[room] = position

    async def keep_up(self, positions: Mapping[str, Position]) -> None:
        """Keep positions that have passed other events, now and then. Raises `Unavailable`."""
        if time.monotonic() - self._kept_at < KEEP_EVERY or not self.ours:
            return
        self._kept_at = time.monotonic()
        for room, position in positions.items():
            if self._kept.get(room) not in (position, None):
                with suppress(RoomNotFound):
                    await self.keep(room, position)

    def unsaved_for(self, positions: Mapping[str, Position]) -> float | None:
        """Seconds until `keep_up` has something to do; None: nothing."""
        if all(self._kept.get(room) in (position, None) for room, position in positions.items()):
            return None
        return max(0.0, self._kept_at + KEEP_EVERY - time.monotonic())

    async def lost(self, room: str, lost: PositionLost) -> None:
        """What follows the kept position is gone: the next loop begins at the room's head. Raises `Unavailable`."""
        head = Position(lost.fields["epoch"], lost.fields["seq"])
        with suppress(RoomNotFound):
            for epoch in await self._known(room):
                await self._store.set_fact(room, Fact(KIND + epoch, self._name, None))
            await self.keep(room, head)
