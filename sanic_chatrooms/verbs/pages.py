"""Pages of history: read from the store in pieces, and cut to the size of one answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from ..access.visibility import EVERYTHING, LAST, Seen
from ..config.settings import Settings
from ..errors import InvalidField
from ..live.writing import may_be_open
from ..models import Collected, Event, Page, Related
from ..stores.base import Store
from ..support.paging import PAGE_LIMIT
from .beside import encode_as_now

__all__ = ["PAGE_BYTES", "Listed", "Messages", "Past", "cut", "page_limit"]

PAGE_BYTES = 256 * 1024
"""A page ends here, or at its limit, whichever is first; it holds at least one event."""
STEP = 50
"""Events that are read at first: 500 of the largest would be 32 MB, most of it for nothing."""
HEAVY_ROOMS = 1000
"""Rooms with large events that are remembered."""
COUNTED = 5
"""Pages of replies that are read to count those that somebody may see."""
_Read: TypeAlias = Callable[..., Awaitable[Page]]
_BESIDE = 250
"""Approximate bytes of an event without its payload."""


Show = Callable[[str, Sequence[Event]], Awaitable[dict[int, Event]]]


class Listed(msgspec.Struct):
    """The payload of a command that asks for a page of a list."""

    cursor: str | None = None
    limit: int | None = None


def page_limit(settings: Settings, limit: object) -> int:
    """The length of a page for the limit that the client or the app asks for; None: the usual. Raises `InvalidField`."""
    if limit is None:
        return settings.history_page
    if not isinstance(limit, int) or limit < 1:
        raise InvalidField("must be a whole number of at least 1", field="limit")
    return min(limit, PAGE_LIMIT)


class Messages(msgspec.Struct):
    """The answer to `history`, and part of that to `join`."""

    messages: list[msgspec.Raw]
    more: bool
    epoch: str
    seq: int


def cut(page: Page, *, newest: bool, most: int = PAGE_BYTES) -> Messages:
    """The page as it is sent. Events that do not fit are dropped at the far end: the oldest ones with `newest`."""
    encoded: list[msgspec.Raw] = []
    size = 0
    for event in reversed(page.events) if newest else page.events:
        one = encode_as_now(event, page.related.get(event.seq or 0))
        size += len(one)
        if size > most and encoded:
            break
        encoded.append(msgspec.Raw(one))
    if newest:
        encoded.reverse()
    return Messages(encoded, page.more or len(encoded) < len(page.events), page.epoch, page.seq)


class Past:
    """Reads pages from a store. Pages of rooms with large events are read one at a time, and at most half of the time, so that
    many readers of such rooms do not delay everybody else.

    `show` has the messages of a page that are being written, as they are now.
    """

    def __init__(self, store: Store, show: Show | None = None) -> None:
        self._store = store
        self._show = show
        self._heavy: dict[str, int] = {}
        """Rooms whose events are large, with how many of them make a page."""
        self._lane = asyncio.Semaphore()

    async def read(
        self,
        room: str,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int,
        most: int = PAGE_BYTES,
        timeline: bool = False,
        replies: bool = True,
        parent: int | None = None,
        reader: str | None = None,
        seen: Seen = EVERYTHING,
    ) -> Page:
        """Like `Store.history`, but stops after about `most` bytes. What is not `seen` is left out."""
        history = partial(
            self._store.history, room, timeline=timeline, replies=replies, parent=parent, reader=reader
        )
        read = partial(self._read_paced, room, history, most=most)
        if seen.everything:
            page = await read(after=after, before=before, limit=limit)
        else:
            page = await _read_seen(read, seen, after, before, limit)
            page = replace(page, related=await self._seen_of(room, page.related, seen))
        return await self._with_streams(room, page)

    async def _with_streams(self, room: str, page: Page) -> Page:
        events = await self.present(room, page.events)
        return page if events is page.events else replace(page, events=events)

    async def present(self, room: str, events: list[Event]) -> list[Event]:
        """Events of the room with what there is of those that are being written."""
        for event in events:
            if may_be_open(event) and self._show is not None:
                shown = await self._show(room, events)
                return [shown.get(event.seq or 0, event) for event in events]
        return events

    async def related(
        self, room: str, seqs: Collection[int], *, reader: str | None = None, seen: Seen = EVERYTHING
    ) -> Mapping[int, Related]:
        """Like `Store.related`. Replies that are not `seen` are not counted."""
        return await self._seen_of(room, await self._store.related(room, seqs, reader=reader), seen)

    async def _seen_of(self, room: str, related: Mapping[int, Related], seen: Seen) -> Mapping[int, Related]:
        # Replies come after their message. So they are seen too, unless something between it and the end is not.
        doubtful = [
            seq
            for seq, its in related.items()
            if its.collected is not None and not seen.covers(seq, seen.last)
        ]
        counted = {
            seq: replace(related[seq], collected=await self._count(room, seq, seen)) for seq in doubtful
        }
        return {**related, **counted} if counted else related

    async def _count(self, room: str, parent: int, seen: Seen) -> Collected | None:
        """The replies to a message that are seen and not deleted: of the newest 1,000."""
        count, before, newest = 0, LAST, None
        for _ in range(COUNTED):
            page = await self._store.history(room, before=before, limit=PAGE_LIMIT, parent=parent)
            there = [event for event in page.events if not event.deleted and event.seq in seen]
            count += len(there)
            if newest is None and there:
                newest = there[-1]
            if not page.more:
                break
            before = page.events[0].seq or 0
        if newest is None or newest.seq is None:
            return None
        return Collected(count, newest.seq, newest.timestamp, newest.sender)

    async def _read_paced(
        self,
        room: str,
        history: _Read,
        *,
        after: int | None,
        before: int | None,
        limit: int,
        most: int,
    ) -> Page:
        step = self._heavy.get(room)
        if step is None:
            page = await _read(history, after, before, limit, STEP, most)
        else:
            await self._lane.acquire()
            began = time.monotonic()
            try:
                page = await _read(history, after, before, limit, step, most)
            finally:
                asyncio.get_running_loop().call_later(time.monotonic() - began, self._lane.release)
        self._note(room, page)
        return page

    def _note(self, room: str, page: Page) -> None:
        if not page.events:
            return
        self._heavy.pop(room, None)
        step = PAGE_BYTES * len(page.events) // _size(page) + 1
        if step < STEP:
            self._heavy[room] = step
            if len(self._heavy) > HEAVY_ROOMS:
                del self._heavy[next(iter(self._heavy))]


async def _read_seen(read: _Read, seen: Seen, after: int | None, before: int | None, limit: int) -> Page:
    """A page of what is seen: of one range after the other, until it is full. A room has a few ranges at most."""
    ranges = seen.below(LAST if before is None else before) if after is None else seen.above(after)
    if not ranges:
        at = {"after": 0, "before": None} if after is not None else {"after": None, "before": 1}
        return replace(await read(limit=1, **at), events=[], more=False, related={})
    whole: Page | None = None
    for number, (first, last) in enumerate(ranges, 1):
        left = limit + 1 - (0 if whole is None else len(whole.events))  # one more tells whether there is more
        at = (
            {"after": first - 1, "before": None} if after is not None else {"after": None, "before": last + 1}
        )
        page = await read(limit=left, **at)
        events = [event for event in page.events if first <= (event.seq or 0) <= last]
        more = page.more and len(events) == len(page.events)
        whole = _joined(whole, replace(page, events=events, more=more), newest=after is None)
        if more:
            break
        if len(whole.events) > limit or _size(whole) >= PAGE_BYTES:
            whole = replace(whole, more=number < len(ranges))
            break
    assert whole is not None
    return _first(whole, limit, newest=after is None)


def _first(page: Page, limit: int, *, newest: bool) -> Page:
    if len(page.events) <= limit:
        return page
    return replace(page, events=page.events[-limit:] if newest else page.events[:limit], more=True)


def _joined(one: Page | None, other: Page, *, newest: bool) -> Page:
    """Two pieces of a page. `newest`: the second one is the older."""
    if one is None or one.epoch != other.epoch:
        return other if one is None else one
    events = [*other.events, *one.events] if newest else [*one.events, *other.events]
    return replace(other, events=events, related={**one.related, **other.related})


async def _read(
    history: _Read, after: int | None, before: int | None, limit: int, step: int, most: int
) -> Page:
    page = await history(after=after, before=before, limit=min(limit, step))
    while (step := _step(page, limit, most)) > 0:
        if after is not None:
            found = await history(after=page.events[-1].seq, limit=step)
            events = [*page.events, *found.events]
        else:
            found = await history(before=page.events[0].seq, limit=step)
            events = [*found.events, *page.events]
        if found.epoch != page.epoch:
            break
        related = {**page.related, **found.related}
        page = Page(events, found.more, found.epoch, found.seq, max(page.floor, found.floor), related)
    return page


def _size(page: Page) -> int:
    return sum(len(event.payload) for event in page.events) + _BESIDE * len(page.events)


def _step(page: Page, limit: int, most: int) -> int:
    """How many more events to read, estimated from those that are there."""
    have = len(page.events)
    if not page.more or not have:
        return 0
    size = _size(page)
    return min(limit - have, max(0, (most - size) * have // size + 1))
