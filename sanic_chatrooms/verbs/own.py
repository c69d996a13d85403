"""Commands of the app's own."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from ..access.limits.kinds import Kind
from ..errors import TooLarge
from ..hooks.middleware import Context, Handler
from ..observe.ids import ids
from ..sessions.session import Session
from ..wire.decode import Command, decode_payload
from .table import Done, Judged, Row

__all__ = ["AppCommand", "check_size", "own_handler", "own_row"]

logger = logging.getLogger("sanic_chatrooms.verbs.dispatch")


class AppCommand(NamedTuple):
    """A command type of the app: a function `(ctx, payload) -> the ack's payload`."""

    function: Callable[[Context, Any], Awaitable[Any]]
    decoder: "msgspec.json.Decoder[Any]"


def own_row(type: str, command: AppCommand) -> Row:
    """The row of such a command."""
    return Row(
        type=type,
        verb=command.function,
        decoder=command.decoder,
        judged=Judged.FREE,
        ack=Done,
        own=True,
        rate=Kind.READ,
    )


def own_handler(row: Row) -> Handler:
    """What carries it out."""

    async def handle(ctx: Context) -> Any:
        result = await row.verb(ctx, decode_payload(ctx.command.payload, row.decoder))
        return {} if result is None else result

    return handle


def check_size(session: Session, command: Command, reply: bytes) -> None:
    """Check that the answer is not too large to send. Raises `TooLarge`."""
    limit = session.settings.max_publish
    if len(reply) > limit:
        logger.error(
            "the answer to %s has %d bytes, at most %d: page it",
            command.type,
            len(reply),
            limit,
            extra=ids(command=command.type, room=command.room, msg_id=command.msg_id),
        )
        raise TooLarge(f"the answer to {command.type} in bytes", limit=limit, size=len(reply))
