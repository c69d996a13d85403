"""Pins: messages that a room keeps at hand.

Moderators pin in rooms, and both users in a direct room. A room has one pin for each message, whoever set it.
"""

import msgspec

from ..access.needs import LOOKING, PINNING
from ..models import Appended, Fold, Related, Relation, Sender
from ..stores.base import TogglePage
from ..support.paging import PAGE_LIMIT
from ..wire.encode import encode
from .beside import beside, encode_as_now
from .context import Ctx
from .pages import PAGE_BYTES, Listed, page_limit
from .table import Settled, command
from .targets import target_of

__all__ = ["Pin", "PinList"]

PIN = "pin"
COUNTED = 5
"""Pages of pins that are read to count those that somebody may see."""


class Pin(msgspec.Struct, rename="camel"):
    """The payload of `message.pin` and `message.unpin`: the server's id of the message."""

    msg_id: str


class PinChanged(msgspec.Struct, rename="camel"):
    """`message.pinned` and `message.unpinned`: the message, and who did it. The store adds the message's `seq`."""

    msg_id: str
    by: Sender | None


class PinList(msgspec.Struct, omit_defaults=True):
    """The answer to `pins`: the messages as they are now, the one that was pinned last first."""

    messages: list[msgspec.Raw]
    total: int
    cursor: str | None = None


class Pinned(msgspec.Struct):
    """What a pinned message shows: who pinned it, and when (Unix seconds)."""

    by: Sender | None
    at: float


@command(
    "message.pin",
    Pin,
    ack=Settled,
    event="message.pinned",
    feature="pins",
    needs=PINNING,
    mute_stops=True,
    as_user=True,
)
async def pin(ctx: Ctx, ask: Pin) -> Appended | None:
    """Pin a message. Raises `MessageNotFound`, `Forbidden`."""
    return await _set(ctx, ask.msg_id, on=True)


@command(
    "message.unpin",
    Pin,
    ack=Settled,
    event="message.unpinned",
    feature="pins",
    needs=PINNING,
    mute_stops=True,
    as_user=True,
)
async def unpin(ctx: Ctx, ask: Pin) -> Appended | None:
    """Take the pin off a message. Raises `MessageNotFound`, `Forbidden`."""
    return await _set(ctx, ask.msg_id, on=False)


async def _set(ctx: Ctx, msg_id: str, *, on: bool) -> Appended | None:
    payload = encode(PinChanged(msg_id, ctx.sender))
    about = Relation(await target_of(ctx, msg_id), Fold.TOGGLE, PIN, value=on)
    return await ctx.append(payload, about=about)


@command("pins", Listed, ack=PinList, feature="pins", needs=LOOKING, looks=True, as_user=True)
async def pins(ctx: Ctx, ask: Listed) -> PinList:
    """A page of the pinned messages, of 256 KiB at most. Raises `InvalidCursor`, `InvalidField`, `RoomNotFound`."""
    store, room, limit = ctx.core.store, ctx.seat.room.id, page_limit(ctx.settings, ask.limit)
    page = await store.toggles(room, key=PIN, cursor=ask.cursor, limit=limit)
    messages, shown = await _messages(ctx, [row.target for row in page.rows])
    if shown < len(page.rows):  # the rest is the next page's
        page = await store.toggles(room, key=PIN, cursor=ask.cursor, limit=shown)
    total = await _total(ctx, page)
    await ctx.check_read()
    return PinList(messages, total, page.cursor)


async def _total(ctx: Ctx, page: TogglePage) -> int:
    """How many pins the actor may see: of the newest 1,000, where some are of messages that they may not read."""
    if (seen := ctx.seen).everything:
        return page.total
    total, cursor = 0, None
    for _ in range(COUNTED):
        counted = await ctx.core.store.toggles(ctx.seat.room.id, key=PIN, cursor=cursor, limit=PAGE_LIMIT)
        total += sum(row.target in seen for row in counted.rows)
        if (cursor := counted.cursor) is None:
            break
    return total


async def _messages(ctx: Ctx, seqs: list[int]) -> tuple[list[msgspec.Raw], int]:
    """The messages with these numbers; -> those that fit into one answer, and how many numbers that took."""
    store, room, size = ctx.core.store, ctx.seat.room.id, 0
    seen = ctx.seen
    found = await store.events(room, [seq for seq in seqs if seq in seen])
    events = {event.seq: event for event in await ctx.core.past.present(room, list(found.values()))}
    related = await ctx.core.past.related(room, found, reader=ctx.reader, seen=seen)
    encoded: list[msgspec.Raw] = []
    for at, seq in enumerate(seqs):
        if seq not in events:
            continue  # trimmed a moment ago
        one = encode_as_now(events[seq], related.get(seq))
        size += len(one)
        if size > PAGE_BYTES and encoded:
            return encoded, at
        encoded.append(msgspec.Raw(one))
    return encoded, len(seqs)


@beside("pinned")
def pinned(related: Related) -> Pinned | None:
    """What a pinned message shows."""
    toggle = related.toggles.get(PIN)
    return None if toggle is None else Pinned(toggle.by, toggle.at)
