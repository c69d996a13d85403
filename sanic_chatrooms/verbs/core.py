"""The parts of a running chat that verbs use."""

import asyncio
from functools import partial

import msgspec

from ..access.access import Access
from ..access.limits.limits import Limits
from ..auth.asking import Asking
from ..auth.guests import Guests
from ..auth.tickets import Tickets
from ..config.settings import Settings
from ..hooks.listeners import Listeners
from ..hooks.middleware import Chain
from ..hub.hub import Hub
from ..hub.journal import Journal
from ..live.presence import Occupancy
from ..live.streams import Streams
from ..live.typing import Typists
from ..observe.meter import Meter, Tally
from ..presence.base import Presence
from ..sessions.backlog import Backlog
from ..sessions.evictions import Evictions
from ..sessions.heartbeat import Heartbeat
from ..sessions.inbox import Inbox
from ..sessions.receipts import ReadEvents
from ..sessions.registry import Sessions
from ..sessions.revocations import Revocations
from ..stores.base import Store
from ..stores.search import SearchIndex
from ..support.locks import Locks
from .pages import Past
from .unattached import Unattached

__all__ = ["Core"]

SEARCHES = 1
"""Searches of a worker that ask the store at once."""


class Core(msgspec.Struct, kw_only=True):
    """One of each per instance and worker."""

    settings: Settings
    store: Store
    presence: Presence
    journal: Journal
    hub: Hub
    access: Access
    limits: Limits
    guests: Guests
    tickets: Tickets
    asking: Asking
    inbox: Inbox
    sessions: Sessions
    revocations: Revocations
    evictions: Evictions
    heartbeat: Heartbeat
    backlog: Backlog
    occupancy: Occupancy
    typists: Typists
    streams: Streams
    receipts: ReadEvents
    listeners: Listeners
    chain: Chain
    unattached: Unattached
    past: Past
    meter: Meter
    said: Tally
    """Messages that were stored, for the metrics."""
    places: dict[str, int] = msgspec.field(default_factory=dict)
    """By room: how many more members it takes before they are counted again (`capacity`)."""
    index: SearchIndex | None = None
    """Finds messages by their words; None: the store cannot."""
    searching: asyncio.Semaphore = msgspec.field(default_factory=partial(asyncio.Semaphore, SEARCHES))
    """Limits how many searches ask the store at once, so that other readers have their turn."""
    settling: Locks = msgspec.field(default_factory=Locks)
    """By room: changes of rights wait for each other here, or each would make the others' judgement out of date."""

    @property
    def missing(self) -> frozenset[str]:
        """Features that the store cannot have. Their commands are unknown."""
        return frozenset() if self.index is not None else frozenset(("search",))
