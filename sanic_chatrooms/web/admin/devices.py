"""A user's connections to one worker, as operators see them."""

import time

import msgspec

from ...access.limits.kinds import Kind
from ...access.limits.limits import Allowance
from ...chat import Chat
from ...sessions.session import Session

__all__ = ["Device", "devices_of"]

ROOMS, AGENT = 10, 200
"""Rooms, and characters of the browser's name, that are told of each."""


class Device(msgspec.Struct, rename="camel"):
    """One connection. Times are Unix seconds."""

    worker: str
    session: str
    name: str
    """The user's, as this connection has it."""
    guest: bool
    state: str
    ip: str
    agent: str
    """What the client says that it is (`User-Agent`)."""
    since: float
    heard: float
    """When it was heard last."""
    rooms: list[str]
    """The first of the rooms that it is in; `in_rooms`: how many there are."""
    in_rooms: int
    used: dict[str, float]
    """How much of a burst the user has used up, by limit: 1.0 is all of it. Those that are full are left out."""


def devices_of(chat: Chat, worker: str, user: str) -> list[Device]:
    """The user's connections to this worker, the oldest first."""
    return sorted(
        (_device(one, worker) for one in chat.sessions.of(user) if one.authenticated),
        key=lambda one: one.since,
    )


def _device(session: Session, worker: str) -> Device:
    begun = time.time() - time.monotonic()
    rooms = list(session.seats)
    return Device(
        worker,
        session.id,
        session.user.name,
        session.user.guest,
        session.state.value,
        session.handshake.remote_ip,
        session.handshake.headers.get("user-agent", "")[:AGENT],
        begun + session.liveness.opened_at,
        begun + session.liveness.heard_at,
        rooms[:ROOMS],
        len(rooms),
        _used(session.limits),
    )


def _used(limits: Allowance) -> dict[str, float]:
    shares = limits.used()
    return {Kind(kind).label: round(share, 2) for kind, share in shares.items() if share >= 0.01}
