"""Edits and deletions of messages.

Users edit and delete their own messages. Moderators also delete the messages of others.
"""

import msgspec

from ..access.standing import LEVELS
from ..errors import Forbidden
from ..models import Appended, Event, Fold, Relation
from ..wire.encode import EMPTY, encode
from ..wire.events import Deleted, Edited
from .context import Ctx
from .table import Changed, command

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


@command(
    "message.edit",
    Edit,
    ack=Changed,
    event="message.edited",
    feature="edits",
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
    edited = Edited(message.msg_id, ask.body, ctx.now)
    about = Relation(message.msg_id, Fold.REPLACE, value=bytes(ask.body))
    return await ctx.append(encode(edited), about=about)


@command("message.delete", Delete, ack=Changed, event="message.deleted", feature="edits", as_user=True)
async def delete(ctx: Ctx, ask: Delete) -> Appended | None:
    """Delete a message. Its body is erased. Raises `MessageNotFound`, `Forbidden`."""
    message = await _changeable(ctx, ask.msg_id)
    if message is None:
        return await ctx.append(EMPTY, about=UNKNOWN)
    wrote, deleted = _wrote(ctx, message), encode(Deleted(message.msg_id))

    def allowed() -> None:
        if not (wrote or ctx.seat.standing.level >= LEVELS["moderator"]):
            raise Forbidden("only the author of a message or a moderator of the room may delete it")

    return await ctx.append(deleted, about=Relation(message.msg_id, Fold.ERASE), allowed=allowed)


async def _changeable(ctx: Ctx, msg_id: str) -> Event | None:
    """The message, or None if it cannot be changed. Then the store decides, because the command may be a repetition."""
    found = await ctx.core.store.message(ctx.seat.room.id, msg_id)
    return found if found is not None and found.type == "message" and not found.deleted else None


def _wrote(ctx: Ctx, message: Event) -> bool:
    return ctx.actor is None or (message.sender is not None and message.sender.id == ctx.actor.user.id)
