"""Streams: messages that are written piece by piece, while everybody watches.

Two durable events make one: `message` when it is opened, and `message.edited` when it is closed. Between them, the text grows
on one worker (`live.streams`), and its pieces are live.
"""

import time
from functools import partial
from typing import Literal

import msgspec
from msgspec import UNSET

from ..access.actions import action
from ..access.limits.kinds import Kind
from ..access.needs import CANCELLING, LOOKING, REPORTING, SPEAKING
from ..errors import ChatError, Conflict, Forbidden, InvalidField, MessageNotFound, Unavailable
from ..live.streams import LEASE
from ..live.writing import Writing, check_size, is_closed, lacks, may_be_open
from ..models import Appended, Sender
from ..stores import streams as kept
from ..stores.base import OpenStream
from ..support.ids import new_stream_id
from ..wire.decode import decode_payload
from .attachments import FILES, files_in, with_others
from .closing import CLOSE, TRIES, closing, finish, let_go, review, tell_writer
from .context import Ctx
from .drafts import Body, check_named, parent_in
from .mentions import mentioned, names_in, tell_of
from .messages import pace
from .stream_limits import give_back, in_a_place, register
from .table import Changed, Done, Judged, also_action, command
from .targets import message_of
from .threads import keep_parent, reply_to

__all__: list[str] = []


class Opened(msgspec.Struct, omit_defaults=False):
    """The ack of `message.open`. `lease`: seconds without a piece after which the server closes it."""

    msg_id: str = msgspec.field(name="msgId")
    seq: int
    timestamp: float
    duplicate: bool
    lease: float


class Append(msgspec.Struct, rename="camel"):
    """The payload of `message.append`: the message, how many characters it has before this piece, and the piece."""

    msg_id: str
    at: int
    text: str


class Reached(msgspec.Struct):
    """The ack of `message.append`: how many characters (code points) there are now."""

    at: int


class Close(msgspec.Struct, rename="camel"):
    """The payload of `message.close`. A body without `text` keeps what was written."""

    msg_id: str
    body: msgspec.Raw | msgspec.UnsetType = UNSET
    reason: Literal["complete", "cancelled", "error"] = "complete"


class Cancel(msgspec.Struct, rename="camel"):
    """The payload of `message.cancel`."""

    msg_id: str


class Asked(msgspec.Struct, rename="camel"):
    """The payload of `message.text`: the message, and from which character on."""

    msg_id: str
    from_: int = msgspec.field(default=0, name="from")


class Written(msgspec.Struct):
    """The ack of `message.text`: the text from `at` on, and whether it is still being written."""

    at: int
    text: str
    streaming: bool


class _Body(Body):
    text: str | None = None  # type: ignore[assignment]


_body = msgspec.json.Decoder(_Body)
ELSEWHERE = Kind.CHANGE
"""What a piece or a close counts for if its message is not written here: the store, or all workers, get the whole text anew."""


# ---- writing ----


@command(
    "message.open",
    Body,
    ack=Opened,
    event="message",
    feature="streams",
    judged=Judged.SEAT,
    needs=SPEAKING,
    speaks=True,
    body="",
    rate=Kind.MESSAGE,
)
async def open_message(ctx: Ctx, ask: Body) -> Opened | None:
    """Begin a message that is going to be written. Raises `RateLimited`, and what `message` raises."""
    core, room, msg_id = ctx.core, ctx.seat.room.id, new_stream_id()
    assert ctx.actor is not None
    user = ctx.actor.user.id
    if ctx.sender is not None:
        core.typists.stopped(room, ctx.sender)
    async with core.streams.turns.of(user):
        await register(core.store, user, room, msg_id, ctx.settings.store_timeout)
        try:
            opened = await _open(ctx, ask, room, msg_id)
        except Unavailable:
            raise  # it may be stored
        except ChatError:
            await give_back(core.store, user, msg_id)
            raise
        if opened is None or opened.duplicate:
            await give_back(core.store, user, msg_id)
    return opened


async def _open(ctx: Ctx, ask: Body, room: str, msg_id: str) -> Opened | None:
    streams, body = ctx.core.streams, ctx.command.payload
    assert ctx.actor is not None
    await streams.prepare(room)
    try:
        append = partial(
            ctx.append,
            body,
            type="message",
            msg_id=msg_id,
            spaced=pace(ctx.actor, ctx.seat),
            about=await reply_to(ctx, ask.parent),
            files=ask.attachments or (),
        )
        facts = kept.opening(msg_id, ctx.sender, body)
        stored = await in_a_place(ctx.core.store, room, msg_id, lambda place: append(facts=(*facts, place)))
        if stored is None:
            return None
        if not stored.duplicate:
            writing = streams.begin(room, stored.msg_id, stored.seq, ctx.sender, body)
            writing.session = ctx.source
    finally:
        streams.release(room)
    return Opened(stored.msg_id, stored.seq, stored.timestamp, stored.duplicate, LEASE)


@command("message.append", Append, ack=Reached, feature="streams", judged=Judged.ITSELF, free=True)
async def append(ctx: Ctx, ask: Append) -> Reached:
    """Add a piece. Raises `Conflict`, `Forbidden`, `MessageNotFound`, `TooLarge`, `RateLimited`."""
    if ask.at < 0:
        raise InvalidField("must be 0 or more", field="at")
    ctx.check_token(action("message.open"))
    writing = await _mine(ctx, ask.msg_id)
    writing.session = ctx.source
    return Reached(ctx.core.streams.write(writing, ask.at, ask.text, ctx.settings.max_stream))


async def _mine(ctx: Ctx, msg_id: str) -> Writing:
    """The actor's message, which is written here from now on. Raises `Conflict` where it is closed, and what `append` raises."""
    streams, room = ctx.core.streams, ctx.room_id
    writing = streams.of(room, msg_id)
    if writing is None:
        await ctx.spend(ELSEWHERE)
        await _require_own(ctx, (await _known(ctx, msg_id)).writer)
        writing = await streams.take_over(room, msg_id)
        if writing is None:
            raise is_closed()
    await _require_own(ctx, writing.writer)
    return writing


async def _require_own(ctx: Ctx, writer: Sender | None) -> None:
    if writer is None or ctx.actor is None or writer.id != ctx.actor.user.id:
        await ctx.find(ctx.room_id)
        await ctx.require(action("history"))  # who may not know of the room learns nothing of its messages
        raise Forbidden("only who opened a message writes it")


async def _known(ctx: Ctx, msg_id: str) -> OpenStream:
    """A message that is being written, and that the actor may see. Raises `Conflict` where it is not, `MessageNotFound`."""
    store = ctx.core.store
    await ctx.find(ctx.room_id)
    await ctx.require(action("history"))
    known = await kept.stream(store, ctx.room_id, msg_id)
    if known is not None and known.seq in ctx.seen:
        return known
    await message_of(ctx, msg_id)
    raise is_closed()


# ---- the end ----


@command(
    CLOSE, Close, ack=Changed, event="message.edited", feature="streams", judged=Judged.ITSELF, free=True
)
async def close(ctx: Ctx, ask: Close) -> Appended | None:
    """Close a message, with the text that was written or with another body. Raises what `append` raises."""
    try:
        return await _close(ctx, ask)
    except (Conflict, MessageNotFound):
        repeated = await ctx.repeated()
        if repeated is None:
            raise
        return repeated


async def _close(ctx: Ctx, ask: Close) -> Appended | None:
    streams, room, given = ctx.core.streams, ctx.room_id, _given(ctx, ask)
    writing = streams.of(room, ask.msg_id)
    if writing is not None:
        await _require_own(ctx, writing.writer)
        if writing.closing:
            raise is_closed()
        writing.closing = True
    else:
        await ctx.spend(ELSEWHERE)
    try:
        stored = await _closed_with(ctx, ask, given, writing)
    except BaseException as problem:
        if writing is not None:
            _go_on(ctx, writing, problem)
        raise
    streams.tell_ended(room, ask.msg_id)
    if writing is not None:
        streams.close(writing)
    return stored


def _go_on(ctx: Ctx, writing: Writing, problem: BaseException) -> None:
    """A close has failed, if it is sure that it has."""
    if not isinstance(problem, ChatError) or isinstance(problem, Unavailable):
        ctx.core.streams.in_background(ctx.core.streams.settle(writing))
        return
    if isinstance(problem, MessageNotFound):
        ctx.core.streams.in_background(let_go(ctx.core, writing))
        return
    writing.closing = False
    if isinstance(problem, Forbidden):
        writing.changed_at = time.monotonic()  # may they go on at all?


def _given(ctx: Ctx, ask: Close) -> "_Body | None":
    """The fields of the body that came with it, checked."""
    if ask.body is UNSET:
        return None
    body = decode_payload(bytes(ask.body), _body, "body")
    check_named(body, "body")
    check_size(len((body.text or "").encode()), ctx.settings.max_stream)
    return body


async def _closed_with(
    ctx: Ctx, ask: Close, given: "_Body | None", writing: Writing | None
) -> Appended | None:
    known = await _known(ctx, ask.msg_id)
    await _require_own(ctx, known.writer)
    if writing is not None and known.fence != writing.fence:
        ctx.core.streams.close(writing)  # another worker writes it now
        writing = None
    text = await _whole_text(ctx, ask, given, writing)
    body = known.body if ask.body is UNSET else bytes(ask.body)
    return await _append_close(ctx, ask, known, keep_parent(known.body, kept.with_text(body, text)))


async def _whole_text(ctx: Ctx, ask: Close, given: "_Body | None", writing: Writing | None) -> str:
    streams, room = ctx.core.streams, ctx.room_id
    if given is not None and given.text is not None:
        return given.text
    if writing is not None:
        return writing.text
    text = await streams.asked(room, ask.msg_id)
    if text is not None:
        return text
    taken = await streams.take_over(room, ask.msg_id)
    if taken is None:
        raise is_closed()
    raise lacks(len(taken.text))


async def _append_close(ctx: Ctx, ask: Close, known: OpenStream, body: bytes) -> Appended | None:
    core, current = ctx.core, known
    ended = None if ask.reason == "complete" else ask.reason
    try:
        body = await review(core, ctx.chat, ctx.app, ctx.session, ctx.command.msg_id, ctx.room_id, body)
    except ChatError as problem:
        if not problem.temporary:  # what others have seen growing must not stay: only the beginning does
            event = await message_of(ctx, ask.msg_id)
            await finish(core, current, bytes(event.payload), "error")
            if (writing := core.streams.of(ctx.room_id, ask.msg_id)) is not None:
                core.streams.close(writing)
        raise
    (payload, about), files = closing(ask.msg_id, body, ended), files_in(body)
    text, names = names_in(body)
    mentions = await mentioned(ctx, ctx.seat.room, known.writer, names, seq=known.seq)
    for _ in range(TRIES):
        try:
            noted = await core.store.fact(ctx.room_id, FILES, ask.msg_id) if files else None
            before = None if noted is None else noted.value
            stored = await ctx.append(
                payload,
                about=about,
                mentions=mentions.names,
                facts=(
                    kept.ending(ask.msg_id, current),
                    *(with_others(ask.msg_id, files, before) if files else ()),
                ),
                allowed=partial(_may_write, ctx),
            )
            if stored is not None and not stored.duplicate:
                tell_of(core, ctx.room_id, mentions.told, known.msg_id, known.seq, known.writer, text)
            if files_in(known.body):
                core.unattached.look(ctx.room_id, ask.msg_id)  # it may have less attached
            return stored
        except Conflict:
            again = await _known(ctx, ask.msg_id)
            if again.value == current.value:
                raise
            current = again
    raise is_closed()


async def _may_write(ctx: Ctx) -> None:
    await ctx.require(action("message.open"))
    await ctx.may_speak()


# ---- others ----


ANSWERED = also_action("message.cancel.answer", REPORTING)
"""To cancel what answers one's own message."""


@command(
    "message.cancel",
    Cancel,
    ack=Done,
    feature="streams",
    judged=Judged.ITSELF,
    needs=CANCELLING,
    as_user=True,
)
async def cancel(ctx: Ctx, ask: Cancel) -> Done:
    """Ask the writer of a message to stop. Raises `Conflict` where it is closed, `Forbidden`, `MessageNotFound`."""
    known = await _known(ctx, ask.msg_id)
    mine = ctx.actor is not None and known.writer is not None and known.writer.id == ctx.actor.user.id
    if mine:
        ctx.check_token(action("message.open"))
    else:
        await ctx.require(ANSWERED if await _answers_me(ctx, known) else ctx.row.action)
    tell_writer(ctx.core, ctx.room_id, ask.msg_id, known.writer, ctx.sender)
    return Done()


async def _answers_me(ctx: Ctx, known: OpenStream) -> bool:
    parent = parent_in(known.body)
    if parent is None or ctx.actor is None:
        return False
    answered = await ctx.core.store.message(ctx.room_id, parent)
    return answered is not None and answered.sender is not None and answered.sender.id == ctx.actor.user.id


@command("message.text", Asked, ack=Written, feature="streams", needs=LOOKING, looks=True, as_user=True)
async def text(ctx: Ctx, ask: Asked) -> Written:
    """The text of a message as it is now, from a character on. Raises `MessageNotFound`."""
    if ask.from_ < 0:
        raise InvalidField("must be 0 or more", field="from")
    message = await message_of(ctx, ask.msg_id)
    if may_be_open(message) and message.seq is not None:
        shown = await ctx.core.streams.show(ctx.room_id, (message,))
        message = shown.get(message.seq, message)
    await ctx.check_read()
    whole = kept.text_of(bytes(message.payload))
    at = min(ask.from_, len(whole))
    return Written(at, whole[at:], message.streaming is not None)
