"""Reports: users tell the moderators of a room of a message. The reported user never learns who reports.

A report is a fact of the room without an event. Its id names the room, so that `report.close` needs no other. Reports of direct
rooms, which nobody moderates, are for the app, and for users whose token has the scope `chat:admin`.
"""

import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from ..access.actions import Right, action
from ..access.decide import need_in
from ..access.limits.limits import EXEMPT
from ..access.needs import MODERATION, REPORTING
from ..access.standing import standing_of
from ..errors import (
    Forbidden,
    InvalidField,
    MessageNotFound,
    NotAMember,
    RateLimited,
    RoomNotFound,
    TooLarge,
    Unavailable,
)
from ..hooks.middleware import Context
from ..models import DIRECT, Fact, Known, Room, Sender
from ..sessions.session import Session
from ..stores import members
from ..support.clock import now
from ..support.ids import new_id
from ..wire.encode import encode, live_event
from ..wire.events import Reported
from .across import List, across, marked, only
from .context import Ctx
from .core import Core
from .pages import page_limit
from .table import Done, Judged, Needs, command

__all__ = [
    "REPORT",
    "Asked",
    "Close",
    "Report",
    "ReportLine",
    "ReportList",
    "concerns",
    "hold",
    "kept_until",
    "reports_by",
]

REPORT = "report"
REPORTED = "reported"
"""The kind of the fact about a room that it has, or had, reports."""
REASON_LIMIT = 500
"""Characters."""
KEPT = 1_000
"""Reports that a room keeps. Where there are as many, closed ones go first; then no more are taken."""
OPEN_FOR, CLOSED_FOR = 180 * 86_400.0, 30 * 86_400.0
"""Seconds after which a report is forgotten, from when it was made and from when it was closed."""
EACH, EACH_PER_SECOND = 20, 20 / 3_600
"""Reports that a user may make at once, and how many more a second. Moderators may make more."""
MODERATORS, STEP = 10_000, 200
"""Members of a room who are looked at for its moderators, and how many at a time."""


class Report(msgspec.Struct, rename="camel"):
    """The payload of `report`: the server's id of the message, and why."""

    msg_id: str
    reason: str


class Taken(msgspec.Struct, omit_defaults=False):
    """The ack of `report`."""

    id: str
    duplicate: bool


class Asked(msgspec.Struct):
    """The payload of `reports`. `open`: only those that are not closed."""

    open: bool = True
    cursor: str | None = None
    limit: int | None = None


class Close(msgspec.Struct):
    """The payload of `report.close`: the report's id, and what was decided."""

    id: str
    outcome: str


class ReportLine(msgspec.Struct, rename="camel", omit_defaults=True):
    """One report. `at`: Unix seconds; `outcome`: what was decided, once it is closed. `by` is null for the one whose message it is."""

    id: str
    room: str
    msg_id: str
    reason: str
    by: Sender | None
    at: float
    outcome: str | None = None
    held: dict[str, Any] | None = None
    """The body of a message that the app did not let through. Then `msg_id` is empty."""


class _Kept(msgspec.Struct, omit_defaults=True):
    """A report as it is stored. `reported`: the id of whose message it is; None: of the app."""

    line: ReportLine
    reported: str | None = None


class ReportList(msgspec.Struct, omit_defaults=True):
    """The answer to `reports`."""

    reports: list[ReportLine]
    cursor: str | None = None


_kept = msgspec.json.Decoder(_Kept)


# ---- to report ----


@command("report", Report, ack=Taken, needs=REPORTING, archive_stops=False, feature="reports", as_user=True)
async def report(ctx: Ctx, ask: Report) -> Taken:
    """Tell the moderators of a message. Raises `MessageNotFound`, `TooLarge`, `RateLimited`.

    The reason is read by moderators only, so who is muted gives one, too.
    """
    _check_text("reason", ask.reason)
    store, room = ctx.core.store, ctx.seat.room
    message = await store.message(room.id, ask.msg_id)
    if message is None or message.type != "message" or message.deleted or message.seq not in ctx.seen:
        raise MessageNotFound
    id = await _id(ctx.core, ctx.reader or "", ask.msg_id, room.id)
    if await store.fact(room.id, REPORT, id) is not None:
        return Taken(id, True)
    await _spend(ctx.core, ctx.reader or "", ctx.level)
    reported = None if message.sender is None else message.sender.id
    line = ReportLine(id, room.id, ask.msg_id, ask.reason, ctx.sender, ctx.now)
    new = await _keep(ctx.core, _Kept(line, reported))
    if new:
        await _tell(ctx.core, room, line, reported)
    return Taken(id, not new)


async def hold(ctx: Context, reason: str) -> None:
    """Keep what somebody wanted to say in a room for its moderators, as a report. Raises what refuses it in any case.

    Nothing is kept of direct messages, because nobody moderates them.
    """
    core, user, id = ctx.chat.running().core, ctx.user, ctx.room
    if id is None:
        return
    by_seat = (
        isinstance(ctx, Ctx) and ctx.row.judged is Judged.SEAT
    )  # an edit needs no connection in the room
    if by_seat and isinstance(ctx.session, Session) and id not in ctx.session.seats:
        raise NotAMember
    room, standing = await core.access.look(cast("Session", ctx.session), "message", id)
    if room.visibility == DIRECT:
        return
    key = await _id(core, user.id, f"held {ctx.command.msg_id or new_id()}", id)
    if await core.store.fact(id, REPORT, key) is not None:
        return
    await _spend(core, user.id, standing.level)
    author = Sender(user.id, user.name)
    line = ReportLine(key, id, "", reason[:REASON_LIMIT], author, now(), held=ctx.payload)
    if await _keep(core, _Kept(line, user.id)):
        await _tell(core, room, line, user.id)


async def _spend(core: Core, user: str, level: int) -> None:
    if not core.settings.rate_limits or level >= EXEMPT:
        return
    if wait := await core.store.take(f"report:{user}", EACH_PER_SECOND, EACH):
        raise RateLimited("moderators have much to look at from you", retry_after=wait, limit="reports")


def _check_text(field: str, text: object) -> None:
    if not isinstance(text, str):  # the app may give anything
        raise InvalidField("must be text", field=field)
    if len(text) > REASON_LIMIT:
        raise TooLarge(f"{field} has too many characters", limit=REASON_LIMIT, size=len(text))


async def _id(core: Core, user: str, msg_id: str, room: str) -> str:
    """The same for the same user and message. Who does not know the secret cannot try which user it is."""
    secret = await core.store.secret("reports")
    made = hmac.digest(secret.encode(), f"{len(user)}:{user}{msg_id}".encode(), hashlib.sha256)
    return f"{made.hex()[:24]}.{room}"


async def _keep(core: Core, kept: _Kept) -> bool:
    """Keep a report; False if another worker has kept the same."""
    store, room = core.store, kept.line.room
    if (await store.facts(room, REPORT, limit=1)).total >= KEPT and not await _forget_closed(core, room):
        raise RateLimited("there are too many open reports in this room", retry_after=3_600, limit="reports")
    until = kept_until(kept.line.at, None)
    fact = Fact(REPORT, kept.line.id, encode(kept), until=until, was=b"")
    await store.set_fact(room, Fact(REPORTED, "", b"true"))
    try:
        return await store.set_fact(room, fact)
    except Unavailable:  # perhaps it is kept all the same: who asks again would hear that it was there
        known = await store.fact(room, REPORT, fact.key)
        if known is None or known.value != fact.value:
            raise
        return True


async def _forget_closed(core: Core, room: str) -> bool:
    """Forget the reports of the room that are closed; whether there were any."""
    there = [known async for known in _all(core, room, REPORT, KEPT)]
    closed = [known.key for known in there if _kept.decode(known.value).line.outcome is not None]
    for id in closed:
        await core.store.set_fact(room, Fact(REPORT, id, None))
    return bool(closed)


async def _all(core: Core, room: str, kind: str, most: int) -> AsyncIterator[Known]:
    """The first facts of one kind in a room."""
    cursor = None
    for _ in range(0, most, STEP):
        page = await core.store.facts(room, kind, cursor=cursor, limit=STEP)
        for known in page.facts:
            yield known
        cursor = page.cursor
        if cursor is None:
            return


async def reports_by(core: Core, room: str, user: str) -> AsyncIterator[ReportLine]:
    """The reports of a room that this user has made."""
    async for known in _all(core, room, REPORT, KEPT):
        line = _kept.decode(known.value).line
        if line.by is not None and line.by.id == user:
            yield line


def concerns(known: Known, user: str) -> bool:
    """Is this report, which is such a fact, by this user, or about what they said?"""
    kept = _kept.decode(known.value)
    return kept.reported == user or (kept.line.by is not None and kept.line.by.id == user)


def kept_until(at: float, outcome: str | None) -> float:
    """When a report is forgotten that was made at this time (Unix seconds), and is open or was closed now with this outcome."""
    return at + OPEN_FOR if outcome is None else now() + CLOSED_FOR


async def _tell(core: Core, room: Room, line: ReportLine, reported: str | None) -> None:
    """Live, to all connections of the moderators but the reported one."""
    event = live_event(
        Reported(line.id, room.id, line.msg_id, line.reason, line.held is not None), room=room.id
    )
    if room.visibility == DIRECT:
        core.inbox.push(core.inbox.to_admins(event, reported))
        return
    need = need_in(action("reports"), room)
    async for known in _all(core, room.id, members.MEMBER, MODERATORS):
        standing = standing_of(room, {known.kind: known}, core.access.levels)
        if known.key != reported and need.met(known.key, standing):
            core.inbox.push(core.inbox.notify(known.key, event, None, room=room.id, right=Right.MODERATE))


# ---- for moderators ----


@command(
    "reports",
    Asked,
    ack=ReportList,
    room=Needs.PERHAPS,
    judged=Judged.ITSELF,
    needs=MODERATION,
    looks=True,
    feature="reports",
    as_user=True,
)
async def reports(ctx: Ctx, ask: Asked) -> ReportList:
    """A page of the reports of a room, or of all rooms that the actor moderates. Raises `Forbidden`, `InvalidCursor`, `RoomNotFound`."""
    limit, judged = page_limit(ctx.settings, ask.limit), _is_admin(ctx)
    room = _confined(ctx) or ctx.command.room
    if room is not None:
        await _moderate(ctx, room)
        rooms, judged = only(room), True
    else:
        rooms = marked(ctx.core.store, REPORTED) if judged else _own_rooms(ctx)

    async def read(room: str, cursor: str | None, limit: int) -> tuple[list[ReportLine], str | None]:
        if not judged and not await _moderates(ctx, room):
            return [], None
        page = await ctx.core.store.facts(room, REPORT, cursor=cursor, limit=limit)
        lines = [_shown(_kept.decode(known.value), ctx.reader) for known in page.facts]
        return [line for line in lines if not (ask.open and line.outcome is not None)], page.cursor

    return ReportList(*await across(rooms, read, ask.cursor, limit))


def _confined(ctx: Ctx) -> str | None:
    """The room of the route, if it is for one room."""
    session = ctx.source
    return session.room if session is not None and session.route.confined else None


def _is_admin(ctx: Ctx) -> bool:
    """The app, or a user whose token has the scope `chat:admin`."""
    scopes = None if ctx.actor is None else ctx.actor.scopes
    return ctx.actor is None or (scopes is not None and scopes.admin)


async def _moderate(ctx: Ctx, room: str) -> None:
    """Check that the actor may read and close the reports of this room. Raises the refusal."""
    await ctx.find(room)
    if not _is_admin(ctx):
        await ctx.require(ctx.row.action)


async def _moderates(ctx: Ctx, room: str) -> bool:
    try:
        await _moderate(ctx, room)
    except (Forbidden, RoomNotFound):
        return False
    return True


def _own_rooms(ctx: Ctx) -> List:
    """The rooms that the actor is a member of."""

    async def rooms(cursor: str | None) -> tuple[str | None, str | None]:
        page = await ctx.core.store.rooms(fact=(members.MEMBER, ctx.reader or ""), cursor=cursor, limit=1)
        return (page.rooms[0].id if page.rooms else None), page.cursor

    return rooms


def _shown(kept: _Kept, reader: str | None) -> ReportLine:
    """The report as this user sees it."""
    return replace(kept.line, by=None) if reader is not None and kept.reported == reader else kept.line


@command(
    "report.close",
    Close,
    room=Needs.NOTHING,
    judged=Judged.ITSELF,
    needs=MODERATION,
    archive_stops=False,
    feature="reports",
    as_user=True,
)
async def close(ctx: Ctx, ask: Close) -> Done:
    """Close a report with what was decided. Raises `Forbidden`, `InvalidField`, `RoomNotFound`."""
    _check_text("id", ask.id)
    _check_text("outcome", ask.outcome)
    room = ask.id.partition(".")[2]
    if not room or _confined(ctx) not in (None, room):
        raise RoomNotFound
    await _moderate(ctx, room)
    known = await ctx.core.store.fact(room, REPORT, ask.id)
    if known is None:
        raise InvalidField("is no report", field="id")
    kept = _kept.decode(known.value)
    closed = replace(kept, line=replace(kept.line, outcome=ask.outcome))
    until = kept_until(kept.line.at, ask.outcome)
    await ctx.core.store.set_fact(room, Fact(REPORT, ask.id, encode(closed), until=until))
    return Done()
