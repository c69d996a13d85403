"""`search`: messages by their words, in one room or in one's own rooms.

The store's index names candidates. Each is read as it is now and compared with the query here, so an edited or deleted message is
found by what it says now. Messages that are not indexed yet are compared one by one.
"""

from collections.abc import Collection, Iterable
from typing import TypeVar

import msgspec

from ..access.access import judge
from ..access.limits.kinds import Kind
from ..access.limits.limits import EXEMPT
from ..access.needs import LOOKING
from ..access.visibility import EVERYTHING, LAST, Seen, seen_by
from ..errors import ChatError, InvalidCursor, InvalidField, RoomNotFound, Unavailable
from ..models import Event, Related
from ..stores.search import Hit, SearchIndex
from ..support.paging import decode_number, encode_cursor
from ..support.words import Query
from ..wire.encode import encode
from .beside import encode_as_now
from .comparing import matching, portions, texts_of
from .context import Ctx
from .pages import PAGE_BYTES, page_limit
from .table import Judged, Needs, command

__all__ = ["Found", "Search"]

LONGEST, MOST_WORDS = 256, 16
"""Characters of a query, and words."""
LOOKED_AT, STEP = 2_000, 100
"""Messages that one call looks at, and how many at a time."""
READ = 25
"""Messages that are read at once."""
LARGE = 500
"""Characters of text that count as another message."""
WALK = 400
"""What a step counts in which the store found little, and walked past many messages."""
ROOMS = 50
"""Rooms that one call finds something in."""
COST = 4
"""A search counts as so many questions."""
R = TypeVar("R", bound=int | None)


class Search(msgspec.Struct):
    """The payload of `search`. `before`: only with a room, and exclusive. `cursor`: that of the page before."""

    query: str
    before: int | None = None
    cursor: str | None = None
    limit: int | None = None


class Found(msgspec.Struct, omit_defaults=True):
    """The answer to `search`: messages as they are now, newest first, each with `highlights`, the places of its text that match.

    There may be `more` although the page is short, or empty. `cursor` is there then.
    """

    messages: list[msgspec.Raw]
    more: bool
    cursor: str | None = None


class _Match(msgspec.Struct, frozen=True):
    event: Event
    place: int
    """Below which to look on after it."""
    highlights: list[tuple[int, int]]


@command(
    "search",
    Search,
    ack=Found,
    room=Needs.PERHAPS,
    judged=Judged.ITSELF,
    needs=LOOKING,
    looks=True,
    as_user=True,
    feature="search",
)
async def search(ctx: Ctx, ask: Search) -> Found:
    """A page of what matches. Raises `InvalidField`, `InvalidCursor`, `RoomNotFound`, `RateLimited`, `Unavailable`."""
    query, limit, room = _query(ask.query), page_limit(ctx.settings, ask.limit), _room(ctx)
    index = ctx.core.index
    assert index is not None  # or there is no such command
    at = _begin(ask, in_room=room is not None)
    if room is None:
        await ctx.ask_policy()
        await _pay(ctx)
        return Found([], False) if not query else await _OwnRooms(ctx, index, query, limit).page(at)
    await ctx.find(room)
    await ctx.require(ctx.row.action)
    await _pay(ctx)
    return Found([], False) if not query else await _OneRoom(ctx, index, query, limit).page(at)


def _room(ctx: Ctx) -> str | None:
    """The room of the command. A connection for one room only searches in that."""
    session = ctx.source
    if ctx.command.room is None and session is not None and session.route.confined:
        return session.room
    return ctx.command.room


async def _pay(ctx: Ctx) -> None:
    for _ in range(COST - 1 if ctx.level < EXEMPT else 0):
        await ctx.spend(Kind.READ)


def _query(text: object) -> Query:
    if not isinstance(text, str):  # the app may give anything
        raise InvalidField("must be text", field="query")
    if len(text) > LONGEST:
        raise InvalidField(f"has more than {LONGEST} characters", field="query", limit=LONGEST)
    if not text.strip():
        raise InvalidField("is empty", field="query")
    query = Query(text)
    if len(query) > MOST_WORDS:
        raise InvalidField(f"has more than {MOST_WORDS} words", field="query", limit=MOST_WORDS)
    return query


def _begin(ask: Search, *, in_room: bool) -> int:
    if ask.before is not None and not in_room:
        raise InvalidField("needs a room; without one, pages are asked for by cursor", field="before")
    if ask.before is not None and ask.cursor is not None:
        raise InvalidField("give before or cursor, not both", field="before")
    if ask.cursor is not None:
        return decode_number(_kind(in_room), ask.cursor)
    before: object = ask.before  # the app may give anything
    if before is None:
        return LAST
    if not isinstance(before, int) or not 0 <= before <= LAST:
        raise InvalidCursor
    return before


def _kind(in_room: bool) -> str:
    return "search in" if in_room else "search"


class _Searching:
    """One search: what it has found, and how much it may still look at."""

    in_room: bool

    def __init__(self, ctx: Ctx, index: SearchIndex, query: Query, limit: int) -> None:
        self.ctx = ctx
        self.index = index
        self.query = query
        self.limit = limit
        self.left = LOOKED_AT
        self.found: list[_Match] = []
        self.seen: dict[str, Seen] = {}
        """By room: what the actor may read. Without those where that is everything."""

    async def page(self, at: int) -> Found:
        """What matches below a place."""
        following: int | None = at
        while following is not None and self.left > 0 and len(self.found) <= self.limit:
            following = await self.step(following)
        found = self.found
        if len(found) > self.limit:
            found = found[: self.limit]
            following = found[-1].place
        return await self._shown(await self.seen_now(found), following)

    async def step(self, at: int) -> int | None:
        """Look at some messages below this place; -> where to look on, None: nowhere."""
        raise NotImplementedError

    async def seen_now(self, found: list[_Match]) -> list[_Match]:
        """Those of them that the actor may still read: rights are looked up after the messages were read, and are `seen` then."""
        raise NotImplementedError

    async def look_at(self, hits: list[Hit], low: R) -> R | int:
        """Read these messages, some at a time, and keep those that match; -> `low`, or where to look on if they are too large to
        look at all of them now."""
        self.left -= WALK if len(hits) < STEP and low is not None and low > 1 else max(len(hits), 1)
        for at in range(0, len(hits), READ):
            some = hits[at : at + READ]
            events = await self._read(some)
            places = {(hit.room, hit.seq): hit.place for hit in some}
            await self.compare([events[place] for place in places if place in events], places)
            if (self.left <= 0 or len(self.found) > self.limit) and at + READ < len(hits):
                return some[-1].place
        return low

    async def _read(self, hits: list[Hit]) -> dict[tuple[str, int], Event]:
        events: dict[tuple[str, int], Event] = {}
        for room, seqs in _by_room([(hit.room, hit.seq) for hit in hits]).items():
            try:
                of_room = await self.ctx.core.store.events(room, seqs)
            except RoomNotFound:  # deleted a moment ago
                continue
            events |= {(room, seq): event for seq, event in of_room.items()}
        return events

    async def compare(self, events: Collection[Event], places: dict[tuple[str, int], int]) -> None:
        """Keep those that match. `places` are by room and number."""
        said, core = texts_of(events), self.ctx.core
        self.left -= sum(len(text) for _, text in said) // LARGE
        for some in portions(said):
            for event, highlights in await matching(self.query, some, self.index, core.searching):
                place = places[event.room or "", event.seq or 0]
                self.found.append(_Match(event, place, highlights))
            if len(self.found) > self.limit:  # the next page begins before the others
                return

    async def _shown(self, found: list[_Match], following: int | None) -> Found:
        events, related = await self._present(found)
        messages: list[msgspec.Raw] = []
        size = 0
        for match in found:
            place = match.event.room or "", match.event.seq or 0
            one = _encoded(events.get(place, match.event), related.get(place), match.highlights)
            size += len(one)
            if size > PAGE_BYTES and messages:
                break
            messages.append(msgspec.Raw(one))
        if len(messages) < len(found):
            following = found[len(messages) - 1].place
        if following is None:
            return Found(messages, False)
        return Found(messages, True, encode_cursor(_kind(self.in_room), str(following)))

    async def _present(
        self, found: list[_Match]
    ) -> tuple[dict[tuple[str, int], Event], dict[tuple[str, int], Related]]:
        """The messages as they are now, also those that are being written, and what they show beside their payloads."""
        past, reader = self.ctx.core.past, self.ctx.reader
        events, related = dict[tuple[str, int], Event](), dict[tuple[str, int], Related]()
        of_rooms: dict[str, list[Event]] = {}
        for match in found:
            of_rooms.setdefault(match.event.room or "", []).append(match.event)
        for room, some in of_rooms.items():
            events |= {(room, event.seq or 0): event for event in await past.present(room, some)}
            seqs, seen = [event.seq or 0 for event in some], self.seen.get(room, EVERYTHING)
            beside = await past.related(room, seqs, reader=reader, seen=seen)
            related |= {(room, seq): one for seq, one in beside.items()}
        return events, related


class _OneRoom(_Searching):
    """In the room of `ctx.seat`. Places are numbers of messages."""

    in_room = True

    async def step(self, at: int) -> int | None:
        """See `_Searching.step`."""
        room = self.ctx.seat.room
        ranges = self.ctx.seen.below(min(at, room.seq + 1))
        if not ranges:
            return None
        first, last = ranges[0]
        async with self.ctx.core.searching:
            hits = await self.index.find_in(room.id, self.query, before=last + 1, after=first - 1, limit=STEP)
        low = first
        if last > hits.indexed:
            new = max(first, hits.indexed + 1)
            low = await self._compare_each(new, last)
            if low > new:
                return low
        found = [Hit(room.id, hit.seq, hit.seq) for hit in hits.hits]
        low = await self.look_at(found, first if hits.resume is None else hits.resume)
        return low if len(ranges) > 1 or low > first else None

    async def _compare_each(self, first: int, last: int) -> int:
        """Compare messages that are not indexed yet, the newest ones up to `last`; -> the lowest number that was looked at."""
        room = self.ctx.seat.room.id
        page = await self.ctx.core.store.history(room, before=last + 1, limit=STEP, timeline=True)
        events = [event for event in reversed(page.events) if (event.seq or 0) >= first]
        await self.compare(events, {(room, event.seq or 0): event.seq or 0 for event in events})
        self.left -= max(len(events), 1)
        reached = len(events) == len(page.events) and page.more
        return (events[-1].seq or first) if reached and events else first

    async def seen_now(self, found: list[_Match]) -> list[_Match]:
        """See `_Searching.seen_now`."""
        ctx, before = self.ctx, self.ctx.seat.room
        if ctx.actor is None:
            return found
        await ctx.find(before.id)
        await ctx.require(ctx.row.action)
        if ctx.seat.room.epoch != before.epoch:  # what was read may be of another past
            raise Unavailable
        seen = self.seen[before.id] = ctx.seen
        return [match for match in found if match.event.seq in seen]


class _OwnRooms(_Searching):
    """In the rooms of which the actor is a member; in all rooms for the app."""

    in_room = False

    def __init__(self, ctx: Ctx, index: SearchIndex, query: Query, limit: int) -> None:
        super().__init__(ctx, index, query, limit)
        self._rooms: dict[str, Seen] = {}

    async def step(self, at: int) -> int | None:
        """See `_Searching.step`."""
        async with self.ctx.core.searching:
            found = await self.index.find_of(self.ctx.reader, self.query, before=at, limit=STEP)
        hits, low = await self._may_be_read(found.hits, at)
        return await self.look_at(hits, found.resume if low is None else low)

    async def _may_be_read(self, hits: list[Hit], at: int) -> tuple[list[Hit], int | None]:
        """Those that the actor may read, as far as so many rooms reach; -> and below which place the next call goes on, None: all."""
        kept: list[Hit] = []
        for hit in hits:
            if hit.room not in self._rooms:
                if len(self._rooms) >= ROOMS:
                    self.left = 0
                    return kept, at
                self._rooms[hit.room] = await self._seen_in(hit.room)
            if hit.seq in self._rooms[hit.room]:
                kept.append(hit)
            at = hit.place
        return kept, None

    async def _seen_in(self, room_id: str) -> Seen:
        """What the actor may read of a room."""
        ctx, actor = self.ctx, self.ctx.actor
        if actor is None:
            return EVERYTHING
        try:
            room, standing = await ctx.core.access.find(actor.user, room_id)
            if not standing.member or ctx.row.action is None:
                return Seen([])
            await judge(actor, ctx.row.action, room, standing)
        except ChatError as refused:
            if refused.temporary:
                raise
            return Seen([])
        return seen_by(room, standing)

    async def seen_now(self, found: list[_Match]) -> list[_Match]:
        """See `_Searching.seen_now`."""
        if self.ctx.actor is None:
            return found
        rooms = {match.event.room or "" for match in found}
        seen = self.seen = {room: await self._seen_in(room) for room in rooms}
        return [match for match in found if match.event.seq in seen[match.event.room or ""]]


def _encoded(event: Event, related: Related | None, highlights: list[tuple[int, int]]) -> bytes:
    return encode_as_now(event, related)[:-1] + b',"highlights":' + encode(highlights) + b"}"


def _by_room(messages: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    rooms: dict[str, list[int]] = {}
    for room, seq in messages:
        rooms.setdefault(room, []).append(seq)
    return rooms
