"""The words of commands, on their way through middleware that is not about the command itself.

Bodies of messages (edits, direct messages) pass the middleware for `message` and `speak`, other words (titles, reasons, names) that for `speak`.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from ..errors import InvalidField
from ..hooks.middleware import Context
from ..wire.decode import Command, decode_payload
from ..wire.encode import encode
from .context import Ctx

__all__ = ["said", "spoken"]


T = TypeVar("T")


class _Words(msgspec.Struct):
    text: str


_words = msgspec.json.Decoder(_Words)
# `float`: the decoder itself takes up to 50 µs for numbers that are hard to read.
_any = msgspec.json.Decoder(float_hook=float)


async def said(ctx: Ctx, ask: Any, field: str, go_on: Callable[[Any], Awaitable[T]]) -> T:
    """Carry out a command through the middleware for `message`, which gets the body in this field of its payload as the payload of
    a `message`: -> what `go_on` returns. `field`: "" where the payload is the body."""
    command = ctx.command

    async def with_body(inner: Context) -> T:
        if field:
            return await go_on(replace(ask, **{field: msgspec.Raw(inner.command.payload)}))
        command.payload = inner.command.payload
        return await go_on(decode_payload(command.payload, ctx.row.decoder))

    body = bytes(getattr(ask, field)) if field else command.payload
    message = Command("message", command.msg_id, command.room, body)
    words = Context(ctx.session, message, ctx.chat, ctx.app)
    answer: T = await ctx.core.chain.around_words_of(ctx.row.type, with_body)(words)
    return answer


async def spoken(ctx: Ctx, ask: Any, fields: Sequence[str], go_on: Callable[[Any], Awaitable[T]]) -> T:
    """Carry out a command through the middleware for `speak`, once for each of these fields of its payload: -> what `go_on` returns.

    `go_on` gets the payload with the words as middleware has left them. Fields without words are passed over.
    """
    for at, field in enumerate(fields):
        if text := _words_of(getattr(ask, field)):
            return await _spoken(ctx, ask, field, text, fields[at + 1 :], go_on)
    return await go_on(ask)


async def _spoken(
    ctx: Ctx,
    ask: Any,
    field: str,
    text: str,
    others: Sequence[str],
    go_on: Callable[[Any], Awaitable[T]],
) -> T:
    async def with_words(inner: Context) -> T:
        now = decode_payload(inner.command.payload, _words, field).text
        return await spoken(ctx, _with(ask, field, now, text), others, go_on)

    command = ctx.command
    words = Context(
        ctx.session,
        Command(command.type, command.msg_id, command.room, encode(_Words(text))),
        ctx.chat,
        ctx.app,
    )
    words.field = field
    answer: T = await ctx.core.chain.around_words_of(ctx.row.type, with_words, field)(words)
    return answer


def _with(ask: Any, field: str, text: str, before: str) -> Any:
    if text == before:
        return ask
    if isinstance(getattr(ask, field), msgspec.Raw):
        # Nobody knows which of its texts this should be.
        raise InvalidField("holds words that are not allowed here", field=field)
    return replace(ask, **{field: text})


def _words_of(value: Any) -> str:
    """The words of a field; of JSON, all texts in it, one a line."""
    if isinstance(value, msgspec.Raw):
        return "\n".join(filter(None, _texts(_any.decode(value))))
    return value if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    found, left = list[str](), [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            found.append(one)
        elif isinstance(one, list):
            left += reversed(one)
        elif isinstance(one, dict):
            left += [part for pair in reversed(one.items()) for part in reversed(pair)]
    return found
