"""What operators do: one row for each act, with the payload that it takes. Each is logged with the operator's id, and the audit
tells of it: of acts in rooms by their events, of all others by a decision for the whole server.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from ...errors import ConfigError, InvalidField, Unavailable
from ...models import Sender
from ...verbs.moderation import Ban, Kick, Unban
from ...verbs.operators import keep
from .reading import Operator

__all__ = ["ACTS", "Act"]

logger = logging.getLogger("sanic_chatrooms.web.admin")


class _OfMember(msgspec.Struct):
    """About a user in a room. `until`: Unix seconds; without it, for good."""

    room: str
    user: str
    until: float | None = None
    reason: str = ""


class _OfUser(msgspec.Struct):
    """About a user anywhere. `until` and `reason` of a ban; `session`: only this connection."""

    user: str
    until: float | None = None
    reason: str = ""
    session: str | None = None


class _OfReport(msgspec.Struct):
    """A report, and what was decided."""

    id: str
    outcome: str


class _OfWorker(msgspec.Struct):
    """A worker, by its name on all machines."""

    worker: str


class _OfSettings(msgspec.Struct):
    """Settings by name; null is what is configured."""

    settings: dict[str, Any]


# ---- in rooms ----


async def kick(op: Operator, ask: _OfMember) -> bool:
    """Take a user out of a room: members by an event with the reason, visitors by one without."""
    try:
        return await _moderate(op, "member.kick", ask.room, Kick(ask.user, ask.reason))
    except InvalidField as problem:
        if problem.fields.get("field") != "user" or not await op.api.kick(ask.room, ask.user):
            raise
        return True


async def ban(op: Operator, ask: _OfMember) -> bool:
    """Ban a user from a room."""
    return await _moderate(op, "member.ban", ask.room, Ban(ask.user, ask.until, ask.reason))


async def unban(op: Operator, ask: _OfMember) -> bool:
    """End a ban."""
    return await _moderate(op, "member.unban", ask.room, Unban(ask.user))


async def mute(op: Operator, ask: _OfMember) -> bool:
    """Let a user say nothing in a room."""
    return await _moderate(op, "member.mute", ask.room, Ban(ask.user, ask.until, ask.reason))


async def unmute(op: Operator, ask: _OfMember) -> bool:
    """End a mute."""
    return await _moderate(op, "member.unmute", ask.room, Unban(ask.user))


async def _moderate(op: Operator, type: str, room: str, ask: Any) -> bool:
    by = Sender(op.user.id, op.user.name)
    settled = await op.chat.commands.give(type, ask, room=room, by=by)
    return not settled.duplicate


# ---- anywhere ----


async def disconnect(op: Operator, ask: _OfUser) -> bool:
    """Close the connections of a user, or one. They may come back."""
    await op.api.disconnect(ask.user, session=ask.session, reason=ask.reason)
    return True


async def revoke(op: Operator, ask: _OfUser) -> bool:
    """Revoke all tokens of a user that were issued until now."""
    await op.api.revoke(user=ask.user)
    return True


async def ban_user(op: Operator, ask: _OfUser) -> bool:
    """Ban a user from the whole server."""
    return await op.api.ban_user(ask.user, until=ask.until, reason=ask.reason)


async def unban_user(op: Operator, ask: _OfUser) -> bool:
    """End such a ban."""
    return await op.api.unban_user(ask.user)


async def close_report(op: Operator, ask: _OfReport) -> bool:
    """Close a report."""
    await op.api.close_report(ask.id, ask.outcome)
    return True


# ---- the server ----


async def drain(op: Operator, ask: _OfWorker) -> bool:
    """Have a worker send its connections to others, and take no new ones."""
    await op.fleet.order(ask.worker, "drain")
    return True


async def restart(op: Operator, ask: _OfWorker) -> bool:
    """Have a worker drain and end; a new one takes its place."""
    await op.fleet.order(ask.worker, "restart")
    return True


async def reconfigure(op: Operator, ask: _OfSettings) -> bool:
    """Change settings on all workers."""
    try:
        await op.api.reconfigure(**ask.settings)
    except ConfigError as problem:
        raise InvalidField(str(problem), field="settings") from None
    return True


class Act(NamedTuple):
    """An act: the payload that it takes, and what carries it out; -> whether that changed anything."""

    ask: type
    do: Callable[[Operator, Any], Awaitable[bool]]
    decides: str | None = None
    """The type of the decision that it is; None: an event of a room tells of it."""

    async def carry_out(self, op: Operator, ask: Any) -> bool:
        """Do it, and keep it for the audit; True if it changed anything. Raises the refusal."""
        changed = await self.do(op, ask)
        if changed and self.decides is not None:
            await _keep(op, self.decides, ask)
        return changed


async def _keep(op: Operator, type: str, ask: Any) -> None:
    details = {key: value for key, value in msgspec.structs.asdict(ask).items() if value not in (None, "")}
    user, reason, by = details.pop("user", None), details.pop("reason", ""), Sender(op.user.id, op.user.name)
    try:
        await keep(op.chat.store, type, by, user=user, reason=reason, details=details)
    except Unavailable:
        # It is done, and a worker has to end also while the store does not answer.
        logger.warning(
            "operator %s: the audit does not tell of %s, for the store does not answer", by.id, type
        )


ACTS = {
    "kick": Act(_OfMember, kick),
    "ban": Act(_OfMember, ban),
    "unban": Act(_OfMember, unban),
    "mute": Act(_OfMember, mute),
    "unmute": Act(_OfMember, unmute),
    "disconnect": Act(_OfUser, disconnect, "user.disconnected"),
    "revoke": Act(_OfUser, revoke, "user.revoked"),
    "ban-user": Act(_OfUser, ban_user, "user.banned"),
    "unban-user": Act(_OfUser, unban_user, "user.unbanned"),
    "close-report": Act(_OfReport, close_report, "report.closed"),
    "drain": Act(_OfWorker, drain, "worker.drained"),
    "restart": Act(_OfWorker, restart, "worker.restarted"),
    "reconfigure": Act(_OfSettings, reconfigure, "settings.changed"),
}
