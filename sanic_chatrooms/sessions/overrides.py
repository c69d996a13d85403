"""Settings that were changed at run time. They are facts in the room that every worker holds, so they outlive restarts.

Every worker hears of a change by an event there, and reads them all from the store. So does a worker that starts.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ..errors import RoomNotFound, Unavailable
from ..hub.hub import Hub
from ..hub.journal import Journal
from ..models import EVERYONE, Draft, Fact
from ..stores.base import Store
from ..support.clock import now
from ..support.ids import new_id
from ..support.paging import PAGE_LIMIT
from ..wire.encode import encode
from .inbox import Reconfigured

__all__ = ["Overrides"]

KIND = "setting"
AGAIN = 1.0
"""Seconds until the store is asked again when it did not answer."""


class Overrides:
    """One per worker. `apply` gets the values of all settings that were changed, by name."""

    def __init__(
        self, store: Store, journal: Journal, hub: Hub, apply: Callable[[dict[str, Any]], None]
    ) -> None:
        self._store = store
        self._journal = journal
        self._hub = hub
        self._apply = apply
        self._changed = asyncio.Event()
        self.values: dict[str, Any] = {}

    def changed(self) -> None:
        """They have changed, or may have: read them soon."""
        self._changed.set()

    async def go_on(self) -> None:
        """Wait for a change, and use it; repeat it."""
        await self._changed.wait()
        self._changed.clear()
        try:
            await self.load()
        except Unavailable:
            await asyncio.sleep(AGAIN)
            self._changed.set()

    async def load(self) -> None:
        """Read them from the store, and use them. Raises `Unavailable`."""
        values, cursor = dict[str, Any](), None
        try:
            while True:
                page = await self._store.facts(EVERYONE, KIND, cursor=cursor, limit=PAGE_LIMIT)
                values |= {known.key: msgspec.json.decode(known.value) for known in page.facts}
                if (cursor := page.cursor) is None:
                    break
        except RoomNotFound:
            values = {}  # the store has lost everything
        if values != self.values:
            self.values = values
            self._apply(values)

    async def change(self, values: Mapping[str, Any]) -> None:
        """Store these for all workers; None: what is configured. When it returns, this worker uses them. Raises `Unavailable`."""
        facts = tuple(
            Fact(KIND, name, None if value is None else encode(value)) for name, value in values.items()
        )
        id = new_id()
        draft = Draft(
            EVERYONE,
            "inbox",
            encode(Reconfigured()),
            id,
            now(),
            key=("", id),
            facts=facts,
            only_if_changed=True,
        )
        try:
            stored = await self._journal.append(draft)
        except RoomNotFound:
            raise Unavailable from None  # the store has just lost everything; it is made again in a moment
        await self._hub.reach(EVERYONE, stored.seq)
        await self.load()
