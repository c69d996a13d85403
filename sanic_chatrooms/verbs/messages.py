"""Messages to a room.

`say` is the hot path: it takes every message on a connection. It waits for nothing; the journal answers when the batch is
stored.
"""

import asyncio
from inspect import isawaitable

import msgspec
from msgspec.structs import replace

from ..access.access import WIDENED, Actor, refusal
from ..access.decide import Denial, first_refusal
from ..access.limits.kinds import Kind
from ..access.limits.limits import EXEMPT
from ..access.limits.limits import refusal as too_fast
from ..access.needs import MODERATION, SPEAKING
from ..access.visibility import seen_by
from ..errors import ChatError, InvalidField, InvalidText, NotAMember, TooLarge
from ..models import Appended, Draft, Fold, Relation, Sender
from ..sessions.seats import Seat
from ..sessions.session import Session
from ..stores.base import Stale
from ..support.clock import now
from ..support.ids import new_id
from ..wire.decode import Command
from ..wire.encode import ack
from .attachments import attached
from .context import NO_EPOCH, Ctx, may_look
from .core import Core
from .drafts import NO_MORE, Body, Effects, check_body, command_hash
from .mentions import mentioned, tell
from .table import Judged, Nothing, also_action, command, commands
from .threads import reply_to

__all__ = ["IN_A_USERS_NAME", "Said", "say"]


MESSAGE = int(Kind.MESSAGE)  # a list takes an int faster than a member of an enum


BYPASS = also_action("slowmode.bypass", MODERATION)


class Said(msgspec.Struct, omit_defaults=False, gc=False):
    """The ack of `message`."""

    msg_id: str = msgspec.field(name="msgId")
    seq: int
    timestamp: float
    duplicate: bool


def say(core: Core, session: Session, command: Command) -> bool:
    """Check the message and give a draft to the journal. The answer follows when the batch is stored.

    Returns False, and has done nothing, if the standing has to be read first or the policy returns an awaitable. Then
    `message` handles the command.
    """
    seat = session.seats.get(command.room or "")
    try:
        if seat is None:
            raise _no_seat(command)
        payload = command.payload
        # `find`: `in` first makes an error of the bytes, which are no number. Whom a message mentions has to be looked up.
        if not seat.fresh or (payload is not command.plain and payload.find(b'"mentions"') >= 0):
            return False
        if seat.says is not True and (denied := _denied(session, seat)) is not None:
            if denied.rule in WIDENED:
                return False
            _refuse_unless_repeated(core, session, seat, command, denied.error)
            return True
        if seat.standing.level < EXEMPT and (wait := session.limits.take(MESSAGE)):
            _refuse_unless_repeated(core, session, seat, command, too_fast(MESSAGE, wait))
            return True
        item = _draft(core, session, seat, command)
        if item.about is not None and not _sees_all(seat):
            return False  # the store has to be asked if this is a reply to something that the user may read
        answer = session.policy.require(session.user, "message", seat.room, seat.standing)
    except (Exception, asyncio.CancelledError) as problem:  # noqa: BLE001 - a policy may raise anything
        error = refusal("message", problem)
        if seat is None or isinstance(error, InvalidField | TooLarge | InvalidText):
            session.fail(command, error)
        else:
            _refuse_unless_repeated(core, session, seat, command, error)
        return True
    if answer is not None and isawaitable(answer):
        session.wait_for_policy(answer)  # which only a call can show
        return False
    session.queue.begun()
    if item.facts:
        core.unattached.stored(item.room)
    core.journal.submit(item, _Answer(core, session, seat, command), session)
    return True


class _Answer(msgspec.Struct, gc=False):
    """Answers a message when it is known what became of it. A closure would be six objects for the garbage collector to look at, for each
    message under way."""

    core: Core
    session: Session
    seat: Seat
    command: Command

    def __call__(self, result: Appended | ChatError) -> None:
        session, command = self.session, self.command
        session.queue.ended()
        if isinstance(result, Appended):  # as `_answer`, written out
            self.core.said.count += 1
            said = Said(result.msg_id, result.seq, result.timestamp, result.duplicate)
            session.answer(ack(command.msg_id, said, result.timestamp))
        elif isinstance(result, Stale):
            # Somebody lost rights in this room: judge the message again, before those that were sent later.
            self.seat.fresh = False
            session.queue.redo(command)
        else:
            session.fail(command, result)


def _denied(session: Session, seat: Seat) -> Denial | None:
    """What but the policy refuses a message. If nothing does, nothing will before the standing changes, and the seat knows it."""
    its = commands()["message"].action
    assert its is not None
    denied = first_refusal(its, session.user, session.scopes, seat.room, seat.standing, now())
    seat.says = denied is None
    return denied


def _refuse_unless_repeated(
    core: Core, session: Session, seat: Seat, command: Command, problem: ChatError
) -> None:
    """Refuse a message, unless it is the repetition of one that is stored: that is answered with the first result.

    Only the store knows, and asking it counts as a question.
    """
    if command.msg_id is None or not may_look(session.limits):
        session.fail(command, problem)
        return
    item = replace(_draft(core, session, seat, command), judged_in=NO_EPOCH)
    session.queue.begun()

    def done(result: Appended | ChatError) -> None:
        session.queue.ended()
        if isinstance(result, Appended):
            _answer(core, session, command, result)
        else:
            session.fail(command, problem if isinstance(result, Stale) else result)

    core.journal.submit(item, done, session)


def _answer(core: Core, session: Session, command: Command, stored: Appended) -> None:
    core.said.count += 1
    said = Said(stored.msg_id, stored.seq, stored.timestamp, stored.duplicate)
    session.answer(ack(command.msg_id, said, stored.timestamp))


def _no_seat(command: Command) -> ChatError:
    return InvalidField("is missing", field="room") if command.room is None else NotAMember()


def _draft(core: Core, session: Session, seat: Seat, command: Command) -> Draft:
    payload, max_text = command.payload, session.settings.max_text
    # A text has no more characters than bytes.
    plain = payload is command.plain and len(payload) <= max_text
    body = NO_MORE if plain else check_body(payload, max_text)
    parent = body.parent
    user = session.user
    sender = Sender(user.id, user.name)
    room = seat.room
    core.typists.stopped(room.id, sender)
    id = new_id()
    key = ("", id) if command.msg_id is None else (user.id, command.msg_id)
    # As `draft` does, but positional: keywords would cost more than the struct, for every message.
    hash = command_hash(command)
    return Draft(
        room.id,
        "message",
        payload,
        id,
        now(),
        sender,
        key,
        hash,
        None if parent is None else Relation(parent, Fold.COLLECT),
        attached(id, body.attachments) if body.attachments else (),
        room.seq,
        False,
        False,
        room.epoch,
        pace(session, seat) if room.slow_mode else 0,
    )


def _sees_all(seat: Seat) -> bool:
    return seen_by(seat.room, seat.standing).covers(1, max(seat.room.seq, 1))


def pace(actor: Actor, seat: Seat) -> float:
    """Seconds that have to lie between two messages of the actor in this room; 0: none. The store checks it."""
    room = seat.room
    if not room.slow_mode:
        return 0
    refused = first_refusal(BYPASS, actor.user, actor.scopes, room, seat.standing, now())
    return 0 if refused is None else room.slow_mode


@command(
    "message",
    Body,
    ack=Said,
    event="message",
    judged=Judged.SEAT,
    needs=SPEAKING,
    speaks=True,
    body="",
    as_user=True,
    overlaps=True,
    rate=Kind.MESSAGE,
)
async def message(ctx: Ctx, said: Body | Nothing) -> Appended | None:
    """Send a message. So it is with middleware, with a policy that waits, and without a connection; else `say` is quicker."""
    if ctx.sender is not None:
        ctx.core.typists.stopped(ctx.seat.room.id, ctx.sender)
    spaced = 0 if ctx.actor is None else pace(ctx.actor, ctx.seat)
    type, payload = ctx.command.type, ctx.command.payload
    if not isinstance(said, Body):
        return await ctx.append(payload, type=type, spaced=spaced)
    about = await reply_to(ctx, said.parent)
    mentions = await mentioned(ctx, ctx.seat.room, ctx.sender, said.mentions)
    if said.attachments:
        ctx.core.unattached.stored(ctx.seat.room.id)
    besides: Effects = {
        "about": about,
        "spaced": spaced,
        "files": said.attachments or (),
        "mentions": mentions.names,
    }
    stored = await ctx.append(payload, type=type, **besides)
    tell(ctx.core, ctx.seat.room.id, mentions, stored, ctx.sender, said.text)
    return stored


IN_A_USERS_NAME = replace(
    commands()["message"], payload=Nothing, decoder=msgspec.json.Decoder(Nothing), body=None
)
"""The row for types of the app in a user's name: like a message, but the body may have any form."""
