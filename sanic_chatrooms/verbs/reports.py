"""Reports: users tell the moderators of a room of a message. Nobody else learns who reports.

A report is a fact of the room without an event. Its id names the room, so that `report.close` needs no other.
"""

import hashlib

import msgspec
from msgspec.structs import replace

from ..access.needs import MODERATION, REPORTING
from ..errors import InvalidField, MessageNotFound, RoomNotFound, TooLarge
from ..models import Event, Fact, Sender
from ..stores import members
from ..wire.encode import encode, live_event
from ..wire.events import Reported
from .context import Ctx
from .pages import page_limit
from .table import Done, Judged, Needs, command

__all__ = ["Close", "Report", "ReportLine", "ReportList"]

REPORT = "report"
REASON_LIMIT = 500
"""Characters."""
MODERATORS = 1_000
"""Members of a room who are looked at for its moderators."""


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
    """One report. `at`: Unix seconds; `outcome`: what was decided, once it is closed."""

    id: str
    room: str
    msg_id: str
    reason: str
    by: Sender | None
    at: float
    outcome: str | None = None


class ReportList(msgspec.Struct, omit_defaults=True):
    """The answer to `reports`."""

    reports: list[ReportLine]
    cursor: str | None = None


_line = msgspec.json.Decoder(ReportLine)


@command("report", Report, ack=Taken, needs=REPORTING, archive_stops=False, feature="reports", as_user=True)
async def report(ctx: Ctx, ask: Report) -> Taken:
    """Tell the moderators of a message. Raises `MessageNotFound`, `TooLarge`."""
    if len(ask.reason) > REASON_LIMIT:
        raise TooLarge("reason has too many characters", limit=REASON_LIMIT, size=len(ask.reason))
    store, room = ctx.core.store, ctx.seat.room
    message = await store.message(room.id, ask.msg_id)
    if message is None or message.type != "message" or message.deleted or message.seq not in ctx.seen:
        raise MessageNotFound
    line = ReportLine(
        _id(ctx.reader or "", ask.msg_id, room.id), room.id, ask.msg_id, ask.reason, ctx.sender, ctx.now
    )
    if await store.fact(room.id, REPORT, line.id) is not None:
        return Taken(line.id, True)
    await store.set_fact(room.id, Fact(REPORT, line.id, encode(line)))
    await _tell_moderators(ctx, message, line)
    return Taken(line.id, False)


def _id(user: str, msg_id: str, room: str) -> str:
    return f"{hashlib.sha256(f'{len(user)}:{user}{msg_id}'.encode()).hexdigest()[:16]}.{room}"


async def _tell_moderators(ctx: Ctx, message: Event, line: ReportLine) -> None:
    """Live, to all connections of the moderators but the reported one."""
    core, room = ctx.core, ctx.seat.room
    event = live_event(Reported(line.id, room.id, line.msg_id, line.reason), room=room.id)
    reported = None if message.sender is None else message.sender.id
    need, cursor = MODERATION.within(room.visibility), None
    for _ in range(MODERATORS // 200):
        page = await core.store.facts(room.id, members.MEMBER, cursor=cursor, limit=200)
        for known in page.facts:
            role = members.as_member(known).role
            if known.key != reported and core.access.levels.get(role, 0) >= (need.level or 101):
                envelope = core.inbox.notify(known.key, event, None)
                core.hub.deliver(envelope)
                core.journal.publish(envelope)
        cursor = page.cursor
        if cursor is None:
            return


@command("reports", Asked, ack=ReportList, needs=MODERATION, looks=True, feature="reports", as_user=True)
async def reports(ctx: Ctx, ask: Asked) -> ReportList:
    """A page of the reports of a room. Raises `Forbidden`, `InvalidCursor`."""
    limit = page_limit(ctx.settings, ask.limit)
    page = await ctx.core.store.facts(ctx.seat.room.id, REPORT, cursor=ask.cursor, limit=limit)
    lines = [_line.decode(known.value) for known in page.facts]
    return ReportList([line for line in lines if not (ask.open and line.outcome is not None)], page.cursor)


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
    if len(ask.outcome) > REASON_LIMIT:
        raise TooLarge("outcome has too many characters", limit=REASON_LIMIT, size=len(ask.outcome))
    room = ask.id.partition(".")[2]
    if not room:
        raise RoomNotFound
    await ctx.find(room)
    await ctx.require(ctx.row.action)
    known = await ctx.core.store.fact(room, REPORT, ask.id)
    if known is None:
        raise InvalidField("is no report", field="id")
    line = replace(_line.decode(known.value), outcome=ask.outcome)
    await ctx.core.store.set_fact(room, Fact(REPORT, ask.id, encode(line)))
    return Done()
