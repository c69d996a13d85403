"""Threads: replies to a message.

A reply is a message of the room like any other, whose body names its `parent`. The parent shows how many replies it has.
"""

from typing import Any

import msgspec

from ..access.needs import LOOKING
from ..models import Fold, Related, Relation
from ..stores.changes import thread_of
from ..wire.encode import encode
from . import pages
from .beside import beside, encode_as_now
from .context import Ctx
from .history import place_of
from .pages import page_limit
from .table import command
from .targets import message_of, target_of

__all__ = ["Thread", "keep_parent", "reply_to"]


class Thread(msgspec.Struct, rename="camel"):
    """The payload of `thread`: the server's id of the message, and which of its replies; by default the newest."""

    msg_id: str
    before: int | None = None
    after: int | None = None
    limit: int | None = None


class Replies(msgspec.Struct):
    """The answer to `thread`: the message as it is now, and replies to it, ascending."""

    message: msgspec.Raw
    messages: list[msgspec.Raw]
    more: bool


@command("thread", Thread, ack=Replies, feature="threads", needs=LOOKING, looks=True, as_user=True)
async def thread(ctx: Ctx, ask: Thread) -> Replies:
    """A page of the replies to a message, which may be deleted. Raises `MessageNotFound`, `InvalidCursor`, `InvalidField`, `RoomNotFound`."""
    place, limit = place_of(ask.before, ask.after), page_limit(ctx.settings, ask.limit)
    past, room, seen = ctx.core.past, ctx.seat.room.id, ctx.seen
    (parent,) = await past.present(room, [await message_of(ctx, ask.msg_id, deleted=True)])
    assert parent.seq is not None
    page = await past.read(room, limit=limit, parent=parent.seq, reader=ctx.reader, seen=seen, **place)
    related = await past.related(room, [parent.seq], reader=ctx.reader, seen=seen)
    await ctx.check_read()
    said = pages.cut(page, newest=ask.after is None)
    shown = encode_as_now(parent, related.get(parent.seq))
    return Replies(msgspec.Raw(shown), said.messages, said.more)


@beside("thread")
def shown(related: Related) -> dict[str, Any] | None:
    """What a message shows of the replies to it."""
    return thread_of(related.collected)


# ---- messages that are replies ----


async def reply_to(ctx: Ctx, parent: str | None) -> Relation | None:
    """What a message does to its parent; None: it has none. The store refuses a parent that is none, or that is a reply itself."""
    return None if parent is None else Relation(await target_of(ctx, parent), Fold.COLLECT)


_NONE = msgspec.Raw(b"null")


class _Names(msgspec.Struct):
    parent: msgspec.Raw = _NONE


_names = msgspec.json.Decoder(_Names).decode
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def keep_parent(said: bytes, body: bytes) -> bytes:
    """The body that replaces what a message said: with the message's own `parent`, whatever the body says of it."""
    first = _names(said).parent
    if first == _names(body).parent:
        return body
    fields = _fields(body)
    if first == _NONE:
        del fields["parent"]
    else:
        fields["parent"] = first
    return encode(fields)
