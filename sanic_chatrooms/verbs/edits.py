"""Edits and deletions of messages.

Users edit and delete their own messages. Moderators also delete the messages of others.
"""

import msgspec

from ..access.decide import may_reach
from ..access.needs import MODERATION, SPEAKING
from ..errors import Conflict, Forbidden
from ..live.writing import may_be_open
from ..models import Appended, Event, Fold, Relation
from ..stores.streams import ending, stream
from ..wire.encode import EMPTY, encode
from ..wire.events import Deleted, Edited
from .attachments import FILES, Attachment, files_in, with_others
from .context import Ctx
from .mentions import Mentions, mentioned, names_in, tell_of
from .moderation import check_words
from .table import Changed, Judged, also_action, command
from .threads import keep_parent

__all__ = ["Delete", "Edit"]

UNKNOWN = Relation("", Fold.ERASE)
"""Sent to the store if there is nothing to change: the answer is `MessageNotFound`, unless the command is a repetition."""


class Edit(msgspec.Struct, rename="camel"):
    """The payload of `message.edit`: the server's id of the message, and its new body."""

    msg_id: str
    body: msgspec.Raw


class Delete(msgspec.Struct, rename="camel"):
    """The payload of `message.delete`: the server's id of the message."""

    msg_id: str
    reason: str | None = None


@command(
    "message.edit",
    Edit,
    ack=Changed,
    event="message.edited",
    feature="edits",
    needs=SPEAKING,
    speaks=True,
    body="body",
    as_user=True,
)
async def edit(ctx: Ctx, ask: Edit) -> Appended | None:
    """Give a message another body. Raises `MessageNotFound`, `Forbidden`."""
    message = await _changeable(ctx, ask.msg_id)
    if message is None:
        return await ctx.append(EMPTY, about=UNKNOWN)
    if not _wrote(ctx, message):
        raise Forbidden("only the author of a message may edit it")
    if may_be_open(message) and await stream(ctx.core.store, ctx.seat.room.id, message.msg_id) is not None:
        raise Conflict("this message is still being written; close it first")
    body = keep_parent(bytes(message.payload), bytes(ask.body))
    edited = Edited(message.msg_id, msgspec.Raw(body), ctx.now)
    room, (text, names), (_, before) = ctx.seat.room, names_in(body), names_in(bytes(message.payload))
    mentions = await mentioned(ctx, room, message.sender, names, seq=message.seq)
    about, files = Relation(message.msg_id, Fold.REPLACE, value=body), files_in(body)
    if files:
        stored = await _with_files(ctx, encode(edited), about, files, mentions)
    else:
        stored = await ctx.append(encode(edited), about=about, mentions=mentions.names)
    _look(ctx, message)
    if stored is not None and not stored.duplicate and message.seq is not None:
        added = [user for user in mentions.told if user not in before]
        tell_of(ctx.core, room.id, added, message.msg_id, message.seq, message.sender, text)
    return stored


async def _with_files(
    ctx: Ctx, payload: bytes, about: Relation, files: list[Attachment], mentions: Mentions
) -> Appended | None:
    """Store an edit to a body with attachments. What the message had attached so far stays noted, until the app has heard of it."""
    room = ctx.seat.room.id
    known = await ctx.core.store.fact(room, FILES, about.target)
    while True:
        before = None if known is None else known.value
        try:
            facts = with_others(about.target, files, before)
            return await ctx.append(payload, about=about, facts=facts, mentions=mentions.names)
        except Conflict:  # of the msgId, or the note has changed meanwhile
            known = await ctx.core.store.fact(room, FILES, about.target)
            if before == (None if known is None else known.value):
                raise


def _look(ctx: Ctx, message: Event) -> None:
    """Tell the app soon what the message has attached no longer."""
    if files_in(bytes(message.payload)):
        ctx.core.unattached.look(ctx.seat.room.id, message.msg_id)


DELETE_ANY = also_action("message.delete.any", MODERATION, archive_stops=False)


@command(
    "message.delete",
    Delete,
    ack=Changed,
    event="message.deleted",
    feature="edits",
    judged=Judged.ITSELF,
    needs=SPEAKING,
    words=("reason",),
    archive_stops=False,
    as_user=True,
)
async def delete(ctx: Ctx, ask: Delete) -> Appended | None:
    """Delete a message. Its body is erased. Raises `MessageNotFound`, `Forbidden`, `TooLarge`."""
    await ctx.see()
    message = await _changeable(ctx, ask.msg_id)

    async def allowed() -> None:
        await check_words(ctx, ask.reason or "")
        if message is None or _wrote(ctx, message):
            await ctx.require(ctx.row.action)
        else:
            await _require_any(ctx, message)

    if message is None:
        return await ctx.append(EMPTY, about=UNKNOWN, allowed=allowed)
    deleted = encode(Deleted(message.msg_id, reason=ask.reason or msgspec.UNSET))
    facts = (ending(message.msg_id),) if may_be_open(message) else ()
    about = Relation(message.msg_id, Fold.ERASE)
    stored = await ctx.append(deleted, about=about, facts=facts, allowed=allowed)
    _look(ctx, message)
    return stored


async def _require_any(ctx: Ctx, message: Event) -> None:
    if ctx.actor is None:
        return
    rank = None
    if message.sender is not None:
        author = await ctx.core.access.standing(ctx.seat.room, ctx.seat.room.id, message.sender.id)
        rank = may_reach(ctx.seat.standing, author)
    await ctx.require(DELETE_ANY, rank=rank)


async def _changeable(ctx: Ctx, msg_id: str) -> Event | None:
    """The message, or None if it cannot be changed. Then the store decides, because the command may be a repetition."""
    found = await ctx.core.store.message(ctx.seat.room.id, msg_id)
    if found is None or found.seq not in ctx.seen:
        return None
    return found if found.type == "message" and not found.deleted else None


def _wrote(ctx: Ctx, message: Event) -> bool:
    return ctx.actor is None or (message.sender is not None and message.sender.id == ctx.actor.user.id)
