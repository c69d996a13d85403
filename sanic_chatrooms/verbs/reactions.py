"""Reactions: emoji that users put at a message, each user each emoji once.

Everybody who may say something in a room may react. The store counts, in the step in which the event is stored.
"""

import re
from typing import Any

import msgspec
from msgspec.structs import replace

from ..access.needs import LOOKING, SPEAKING
from ..errors import InvalidField, RoomNotFound
from ..models import Appended, Fold, Related, Relation, Sender, is_reserved
from ..wire.encode import encode
from .beside import beside
from .context import Ctx
from .core import Core
from .drafts import draft
from .pages import page_limit
from .table import acked, command
from .targets import message_of, target_of

__all__ = ["Counted", "React", "react"]

MOST = 20
"""Different emoji at one message."""
LONGEST = 32
"""Bytes of an emoji in UTF-8, and characters of a name between colons."""
_NAMED = re.compile(r":[a-z0-9_+-]{1,32}:")


class React(msgspec.Struct, rename="camel"):
    """The payload of `reaction.add` and `reaction.remove`: the server's id of the message, and the emoji."""

    msg_id: str
    emoji: str


class Counted(msgspec.Struct):
    """The ack: how many users react with the emoji now.

    `duplicate`: nothing changed. Then `seq` is the number of the event that made it so, if there is one.
    """

    seq: int | msgspec.UnsetType
    duplicate: bool
    count: int


class Reacted(msgspec.Struct, rename="camel"):
    """`reaction.added` and `reaction.removed`. The store adds the message's `seq`, and `count`."""

    msg_id: str
    emoji: str
    user: Sender


class Asked(msgspec.Struct, rename="camel"):
    """The payload of `reactions`: who reacted to a message, with all emoji or with one."""

    msg_id: str
    emoji: str | None = None
    cursor: str | None = None
    limit: int | None = None


class Reaction(msgspec.Struct):
    """A reaction, and since when it is there (Unix seconds)."""

    emoji: str
    user: Sender
    at: float


class Reactions(msgspec.Struct, omit_defaults=True):
    """The answer to `reactions`, the newest first."""

    reactions: list[Reaction]
    cursor: str | None = None


class Shown(msgspec.Struct, omit_defaults=True):
    """What a message shows of one emoji: how many reacted with it, and whether the reader did."""

    count: int
    me: bool = False


def check_emoji(emoji: str) -> str:
    """Text of 1 to 32 bytes that is not plain ASCII, or a name between colons, like `:+1:`. Raises `InvalidField`."""
    if _NAMED.fullmatch(emoji):
        return emoji
    if emoji.isascii() or len(emoji.encode(errors="surrogatepass")) > LONGEST:
        raise InvalidField(
            f"must be an emoji of at most {LONGEST} bytes, or a name like :thumbs_up:",
            field="emoji",
            limit=LONGEST,
        )
    return emoji


@command(
    "reaction.add",
    React,
    ack=Counted,
    event="reaction.added",
    feature="reactions",
    needs=SPEAKING,
    speaks=True,
    words=("emoji",),
    as_user=True,
)
async def add(ctx: Ctx, ask: React) -> Appended:
    """React to a message. Raises `MessageNotFound`, `InvalidField`, `Forbidden`."""
    return await _set(ctx, ask, on=True)


@command(
    "reaction.remove",
    React,
    ack=Counted,
    event="reaction.removed",
    feature="reactions",
    needs=SPEAKING,
    as_user=True,
)
async def remove(ctx: Ctx, ask: React) -> Appended:
    """Take one's reaction back. Raises `MessageNotFound`, `InvalidField`, `Forbidden`."""
    return await _set(ctx, ask, on=False)


async def _set(ctx: Ctx, ask: React, *, on: bool) -> Appended:
    who = ctx.sender
    assert who is not None  # the app says in whose name, see `react`
    effect = _effect(await target_of(ctx, ask.msg_id), ask.emoji, who, on=on)
    stored = await ctx.append(_payload(ask, who), about=effect)
    assert stored is not None  # no transaction contains a reaction
    ctx.stored = stored = await _counted(ctx.core, ctx.seat.room.id, ask, stored)
    return stored


def _payload(ask: React, who: Sender) -> bytes:
    return encode(Reacted(ask.msg_id, ask.emoji, who))


def _effect(target: str, emoji: str, who: Sender, *, on: bool) -> Relation:
    return Relation(target, Fold.TOGGLE, check_emoji(emoji), who.id, on, MOST)


async def _counted(core: Core, room: str, ask: React, stored: Appended) -> Appended:
    """The result with the present count, if no event was stored that tells it."""
    if not stored.unchanged:
        return stored
    message = await core.store.message(room, ask.msg_id)
    if message is None or message.seq is None:
        return stored
    related = (await core.store.related(room, [message.seq])).get(message.seq, Related())
    toggle = related.toggles.get(ask.emoji)
    return replace(stored, payload=encode({"count": 0 if toggle is None else toggle.count}))


async def react(core: Core, room: str, who: Sender, ask: React, *, on: bool) -> Counted:
    """React for the app, in a user's name, whatever that user may do. Raises `RoomNotFound`, `MessageNotFound`, `InvalidField`."""
    if is_reserved(room):
        raise RoomNotFound
    effect = _effect(ask.msg_id, ask.emoji, who, on=on)
    type = "reaction.added" if on else "reaction.removed"
    stored = await core.journal.append(draft(room, type, _payload(ask, who), who, about=effect))
    counted: Counted = acked(Counted, await _counted(core, room, ask, stored))
    return counted


@command("reactions", Asked, ack=Reactions, feature="reactions", needs=LOOKING, looks=True, as_user=True)
async def reactions(ctx: Ctx, ask: Asked) -> Reactions:
    """A page of the users who reacted to a message. Raises `MessageNotFound`, `InvalidCursor`, `InvalidField`, `RoomNotFound`."""
    emoji = None if ask.emoji is None else check_emoji(ask.emoji)
    limit = page_limit(ctx.settings, ask.limit)
    message = await message_of(ctx, ask.msg_id)
    page = await ctx.core.store.toggles(
        ctx.seat.room.id, key=emoji, target=message.seq, cursor=ask.cursor, limit=limit
    )
    await ctx.check_read()
    rows = [Reaction(row.key, row.by or Sender(row.owner, row.owner), row.at) for row in page.rows]
    return Reactions(rows, page.cursor)


@beside("reactions")
def shown(related: Related) -> dict[str, Any] | None:
    """What a message shows of its reactions, by emoji."""
    emoji = {
        key: Shown(toggle.count, toggle.mine)
        for key, toggle in related.toggles.items()
        if not key.isascii() or key.startswith(":")  # a pin is no emoji
    }
    return emoji or None
