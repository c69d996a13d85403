"""What operators ask: one row for each question, with the query that it takes.

All of it holds for all workers: it comes from the store, from the presence, or from every worker (`fleet`).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from ...access.actions import actions
from ...access.visibility import LAST
from ...auth.names import shown_name
from ...chat import Chat
from ...config.field import shown
from ...config.settings import FIELDS
from ...errors import RoomNotFound
from ...live.presence import ANYWHERE
from ...models import DIRECT, Event, Known, Room, User
from ...observe.board import FRESH
from ...server_api import ServerAPI
from ...sessions.revocations import BannedFromServer
from ...stores import members
from ...stores.base import LISTED
from ...support.user_ids import GUEST, check_user_id
from ...verbs.moderation import Asked as RestrictionsAsked
from ...verbs.pages import page_limit
from ...wire.encode import encode_event
from ..health import Readiness
from .figures import BUCKETS, COUNTED
from .fleet import BUSIEST, Fleet

__all__ = ["QUESTIONS", "Operator", "Question"]

LINES = 25
"""Rooms, people, decisions in a page unless the operator asks for a number."""
TAIL = 50
MOST_ROOMS = 100
"""Rooms whose numbers are asked for at a time, and memberships of a person that are shown."""


class Operator(NamedTuple):
    """Who asks, and whom they ask."""

    user: User
    may_change: bool
    api: ServerAPI
    chat: Chat
    fleet: Fleet
    readiness: Readiness


class _Nothing(msgspec.Struct):
    """A query without a field."""


class _Paged(msgspec.Struct):
    """A page of a list."""

    cursor: str | None = None
    limit: int = LINES


# ---- who it is, and all workers ----


async def me(op: Operator, _: _Nothing) -> Any:
    """Who asks, whether they may act, and which actions `explain` knows."""
    return {
        "user": {"id": op.user.id, "name": op.user.name},
        "mayChange": op.may_change,
        "instance": op.chat.settings.instance,
        "actions": sorted(name for name, one in actions().items() if one.in_a_room),
    }


async def overview(op: Operator, _: _Nothing) -> Any:
    """The figures of every worker, each with its age, what is left of those that ended, the rooms with most connections, and how store and broker are."""
    (workers, left), took = await asyncio.gather(op.fleet.overview(), op.readiness.ask_store(op.chat))
    backends, busiest = op.chat.backends, Counter[str]()
    for one in workers:
        busiest.update(one.figures.busiest if one.age < FRESH else {})
    return {
        "worker": op.fleet.me,
        "busiest": [{"room": room, "connections": count} for room, count in busiest.most_common(BUSIEST)],
        "workers": [{"age": round(one.age, 3), **msgspec.to_builtins(one.figures)} for one in workers],
        "left": {told: value for told, value in msgspec.to_builtins(left).items() if told in COUNTED},
        "buckets": BUCKETS,
        "health": {
            "store": {"kind": type(backends.store).__name__, "ok": took is not None, "seconds": took},
            "broker": {"kind": type(backends.broker).__name__, "ok": bool(backends.broker.healthy)},
            "presence": {"kind": type(backends.presence).__name__},
        },
    }


# ---- rooms ----


class _RoomsAsked(_Paged):
    """A page of all rooms. `visibility`: only those."""

    visibility: str | None = None


class _RoomAsked(msgspec.Struct):
    """One room."""

    room: str


class _HeadsAsked(msgspec.Struct):
    """The numbers of these rooms, written with commas."""

    rooms: str


class _TailAsked(msgspec.Struct):
    """The events of a room after a number; without it the newest."""

    room: str
    after: int | None = None


async def rooms(op: Operator, asked: _RoomsAsked) -> Any:
    """A page of all rooms, in the order of their ids."""
    visibility = asked.visibility if asked.visibility in LISTED else None
    page = await op.api.all_rooms(visibility=visibility, cursor=asked.cursor, limit=asked.limit)
    sizes = await asyncio.gather(*(_members(op, room.id) for room in page.rooms))
    online = await _online(op, [room.id for room in page.rooms])
    lines = [
        {**_room(room), "members": size, "online": online.get(room.id, 0)}
        for room, size in zip(page.rooms, sizes, strict=True)
    ]
    return {"rooms": lines, "cursor": page.cursor}


async def heads(op: Operator, asked: _HeadsAsked) -> Any:
    """For each room that is there: the number of its newest event, and how many users are in it."""
    wanted = [room for room in asked.rooms.split(",") if room and not _reserved(room)][:MOST_ROOMS]
    found = await op.chat.store.heads(wanted)
    online = await _online(op, list(found))
    return {
        "rooms": {
            room: {"seq": head.seq, "epoch": head.epoch, "online": online.get(room, 0)}
            for room, head in found.items()
        }
    }


async def room(op: Operator, asked: _RoomAsked) -> Any:
    """One room, with its first members, who is in it, and who is banned or muted."""
    there = await _found(op, asked.room)
    listed, present, bans, mutes = await asyncio.gather(
        op.api.members(there.id, limit=LINES),
        op.api.presence(there.id, limit=LINES),
        _restrictions(op, there.id, "ban"),
        _restrictions(op, there.id, "mute"),
    )
    return {
        **_room(there),
        "members": await _members(op, there.id),
        "online": present.total,
        "listed": listed.members,
        "present": present.users,
        "bans": bans,
        "mutes": mutes,
    }


async def tail(op: Operator, asked: _TailAsked) -> Any:
    """Events of a room as they are stored. Of direct rooms nobody reads what was said, operators neither."""
    there = await _found(op, asked.room)
    where: dict[str, Any] = {"before": LAST} if asked.after is None else {"after": asked.after}
    page = await op.chat.store.history(there.id, **where, limit=TAIL)
    secret = there.visibility == DIRECT
    events = [msgspec.Raw(encode_event(_without_words(one) if secret else one)) for one in page.events]
    return {"events": events, "epoch": page.epoch, "seq": page.seq, "more": page.more, "withheld": secret}


def _without_words(event: Event) -> Event:
    return msgspec.structs.replace(event, payload=msgspec.Raw(b"{}"))


def _room(room: Room) -> dict[str, Any]:
    return {
        "id": room.id,
        "epoch": room.epoch,
        "seq": room.seq,
        "title": room.title,
        "topic": room.topic,
        "visibility": room.visibility,
        "archived": room.archived,
        "slowMode": room.slow_mode,
        "createdAt": room.created_at,
        "createdBy": room.created_by,
    }


async def _found(op: Operator, id: str) -> Room:
    there = await op.api.room(id)
    if there is None:
        raise RoomNotFound("there is no such room")
    return there


def _reserved(room: str) -> bool:
    return room.startswith("~") and not room.startswith("~direct.")


async def _members(op: Operator, room: str) -> int:
    try:
        return (await op.chat.store.facts(room, members.MEMBER, limit=1)).total
    except RoomNotFound:
        return 0  # deleted meanwhile


async def _online(op: Operator, rooms: list[str]) -> dict[str, int]:
    return await op.chat.backends.presence.count(rooms) if rooms else {}


async def _restrictions(op: Operator, room: str, kind: str) -> Any:
    asked = RestrictionsAsked(kind, limit=LINES)
    return (await op.chat.commands.give("restrictions", asked, room=room)).restrictions


# ---- people ----


class _PersonAsked(msgspec.Struct):
    """One user."""

    user: str


async def people(op: Operator, asked: _Paged) -> Any:
    """A page of the users with a connection to any worker, in the order of their ids."""
    limit = page_limit(op.chat.settings, asked.limit)
    page = await op.chat.backends.presence.list(ANYWHERE, cursor=asked.cursor, limit=limit)
    return {"people": page.users, "total": page.total, "cursor": page.cursor}


async def person(op: Operator, asked: _PersonAsked) -> Any:
    """A user's connections to all workers, their rooms, and whether they are banned from the server."""
    id = check_user_id(asked.user)
    (devices, silent), memberships, banned = await asyncio.gather(
        op.fleet.devices(id), op.chat.store.facts_of(members.MEMBER, id, limit=MOST_ROOMS), _ban(op, id)
    )
    names = [one.name for one in devices] or [members.as_member(known).name for known in memberships.facts]
    return {
        "user": {"id": id, "name": names[0] if names else shown_name(None, id)},
        "devices": devices,
        "silent": silent,
        "rooms": [_membership(known) for known in memberships.facts],
        "inRooms": memberships.total,
        "banned": banned,
    }


def _membership(known: Known) -> dict[str, str]:
    return {"room": known.room, "role": members.as_member(known).role}


async def _ban(op: Operator, id: str) -> dict[str, Any] | None:
    try:
        await op.chat.revocations.check_ban(User(id, ""))
    except BannedFromServer as problem:
        return {"until": problem.fields.get("until"), "reason": problem.fields.get("reason", "")}
    return None


# ---- what was reported and decided ----


class _ReportsAsked(_Paged):
    """A page of reports. `open`: only those that are not closed."""

    room: str | None = None
    open: bool = True


class _AuditAsked(_Paged):
    """A page of decisions: in a room, of an actor."""

    room: str | None = None
    actor: str | None = None


class _ExplainAsked(msgspec.Struct):
    """May this user do that in the room?"""

    user: str
    action: str
    room: str


async def reports(op: Operator, asked: _ReportsAsked) -> Any:
    """A page of the reports of a room, or of all rooms."""
    return await op.api.reports(asked.room, open=asked.open, cursor=asked.cursor, limit=asked.limit)


async def audit(op: Operator, asked: _AuditAsked) -> Any:
    """Who did what to whom, in a room or in all."""
    return await op.api.audit(asked.room, actor=asked.actor, cursor=asked.cursor, limit=asked.limit)


async def explain(op: Operator, asked: _ExplainAsked) -> Any:
    """Whether a user may do something in a room, and why."""
    id = check_user_id(asked.user)
    user = User(id, shown_name(None, id), guest=id.startswith(GUEST))
    return await op.api.explain(user, asked.action, asked.room)


# ---- settings ----


async def settings(op: Operator, _: _Nothing) -> Any:
    """Every setting as this worker has it; secrets and passwords are left out. Those that can change have their `value`, too."""
    now, changed = op.chat.settings, op.chat.overrides.values
    at_run_time, configured = now.at_run_time, op.chat.configured.at_run_time
    lines = []
    for name, field in FIELDS.items():
        told = shown(getattr(now, name), secret=field.setting.secret)
        line: dict[str, Any] = {
            "name": name,
            "told": told,
            "doc": field.setting.doc,
            "expected": field.expected,
        }
        if name in at_run_time:
            line |= {"value": at_run_time[name], "configured": configured[name], "changed": name in changed}
        lines.append(line)
    return {"settings": lines}


class Question(NamedTuple):
    """A question: the query that it takes, and what answers."""

    asked: type
    answer: Callable[[Operator, Any], Awaitable[Any]]


QUESTIONS = {
    "me": Question(_Nothing, me),
    "overview": Question(_Nothing, overview),
    "rooms": Question(_RoomsAsked, rooms),
    "heads": Question(_HeadsAsked, heads),
    "room": Question(_RoomAsked, room),
    "tail": Question(_TailAsked, tail),
    "people": Question(_Paged, people),
    "person": Question(_PersonAsked, person),
    "reports": Question(_ReportsAsked, reports),
    "audit": Question(_AuditAsked, audit),
    "explain": Question(_ExplainAsked, explain),
    "settings": Question(_Nothing, settings),
}
