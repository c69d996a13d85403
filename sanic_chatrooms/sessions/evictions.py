"""Takes connections out of a room at the number of the event that ends their stay: it is the last that they get."""

from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import Any

import msgspec
from msgspec.structs import replace

from ..access.access import WIDENED, refusal
from ..access.actions import action
from ..access.decide import Denial, first_refusal
from ..access.policy import Policy
from ..access.roles import LEVELS, level_of
from ..errors import ChatError
from ..hub.hub import Hub
from ..hub.room import LocalRoom, Receiver
from ..models import PUBLIC, Envelope, Room
from ..support.clock import now
from ..wire.events import Reset, RoomRemoved
from .seats import Seat
from .session import Session

__all__ = ["Evictions"]

ENDS = {"member.banned": "banned", "member.kicked": "kicked", "member.left": "left"}
"""Events after which their user gets nothing more of the room, and the reason that their connections are told."""
UPDATED, ROLE = "room.updated", "member.role"
"""The events after which some may no longer be in the room."""


class Evictions:
    """Looks at the events that change what somebody may do. `of` has the connections of a user to this worker, `levels` are those
    of all roles."""

    def __init__(
        self, hub: Hub, of: Callable[[str], list[Session]], levels: Mapping[str, int] = LEVELS
    ) -> None:
        self._hub = hub
        self._of = of
        self._levels = levels
        self.leaving: set[tuple[str, str]] = set()
        """Sessions and rooms that their users are leaving by a command, whose answer takes them out."""

    def before(self, envelope: Envelope) -> None:
        """For the hub: an event that may change the standing of its `user` in the room."""
        user = _whom(envelope.data)
        if user is not None:
            for session in self._of(user):
                session.seats.changed(envelope.room)

    def after(self, room: LocalRoom, envelope: Envelope) -> None:
        """For the hub: such an event was passed on."""
        if envelope.type == UPDATED:
            self._look_at_all(room, envelope)
            return
        if envelope.type == ROLE:
            self._give_role(room, envelope)
            return
        reason = ENDS.get(envelope.type)
        user = None if reason is None else _whom(envelope.data)
        if reason is None or user is None:
            return
        for session in self._of(user):
            if session in room and (session.id, room.id) not in self.leaving:
                self._hub.evict(session, room, RoomRemoved(room.id, reason))

    def narrowed(self, session: Session) -> None:
        """The user has shown a token that may allow less: take the connection out of the rooms that it may no longer join."""
        for id, seat in list(session.seats.items()):
            room = self._hub.room(id)
            if room is not None and _refusal(session, seat, seat.room) is not None:
                self._hub.evict(session, room, RoomRemoved(id, "forbidden"))

    def _give_role(self, room: LocalRoom, envelope: Envelope) -> None:
        """The seats of the user keep up with it, so that what comes next is judged by it, too."""
        changed = _role(envelope)
        if changed is None:
            return
        level = level_of(changed.role, self._levels)
        for session in self._of(changed.user.id):
            if session not in room:
                continue
            seat = session.seats.get(room.id)
            if seat is None or session in _waiting(room):
                self._hub.exit(session, room.id)  # it may have been judged by the role before: it joins again
            elif seat.standing.member and seat.standing.role_seq < envelope.seq:
                role_now = replace(
                    seat.standing, role=changed.role, level=level, creator=False, role_seq=envelope.seq
                )
                seat.stand(seat.room, role_now)
                self._take_out(session, room, _refusal(session, seat, seat.room))

    def _look_at_all(self, room: LocalRoom, envelope: Envelope) -> None:
        changed = _changed(envelope)
        if changed.visibility is not None:
            room.public = changed.visibility == PUBLIC
        for receiver in _waiting(room):
            self._hub.exit(receiver, room.id)  # it may have been judged by what the room was: it joins again
        for receiver in list(room.sessions()):
            if isinstance(receiver, Session) and (seat := receiver.seats.get(room.id)) is not None:
                self._look_at(receiver, seat, room, changed.applied(seat.room))

    def _look_at(self, session: Session, seat: Seat, room: LocalRoom, now_there: Room) -> None:
        known = seat.fresh
        session.seats.changed(room.id)
        refused = _refusal(session, seat, now_there)
        seat.stand(now_there, seat.standing)
        self._take_out(session, room, refused, known=known)

    def _take_out(
        self, session: Session, room: LocalRoom, refused: Denial | ChatError | None, *, known: bool = True
    ) -> None:
        """Take out a session that may not join, if it is so. `known`: its seat has the user's standing as it is."""
        if refused is None:
            return
        if known and not _may_be_lifted(refused, session.policy):
            self._hub.evict(session, room, RoomRemoved(room.id, "forbidden"))
        else:  # by its standing as the store has it, or by the policy, it may be allowed: it joins again
            head = room.head
            self._hub.evict(session, room, Reset(room.id, head.epoch, head.seq, "rights changed", 0.0))


def _waiting(room: LocalRoom) -> list[Receiver]:
    """Those who are entering."""
    return [receiver for lane in room.lanes for receiver in lane.waiting]


def _refusal(session: Session, seat: Seat, room: Room) -> Denial | ChatError | None:
    """What keeps the session from joining this room, as far as this can be said at once."""
    refused = first_refusal(action("join"), session.user, session.scopes, room, seat.standing, now())
    if refused is not None or not session.plain_policy:
        return refused
    try:
        answer = session.policy.require(session.user, "join", room, seat.standing)
    except Exception as problem:  # noqa: BLE001 - a policy may raise anything
        return refusal("join", problem)
    if answer is not None and isawaitable(answer):
        session.wait_for_policy(answer)
    return None


def _may_be_lifted(refused: Denial | ChatError, policy: Policy) -> bool:
    return isinstance(refused, Denial) and refused.rule in WIDENED and type(policy).widen is not Policy.widen


class _Of(msgspec.Struct):
    id: str


class _About(msgspec.Struct):
    user: _Of | None = None


class _Event(msgspec.Struct):
    payload: _About


class _Role(msgspec.Struct):
    user: _Of
    role: str


class _RoleChanged(msgspec.Struct):
    payload: _Role


class _Properties(msgspec.Struct):
    """What of a room decides who may be in it."""

    visibility: str | None = None
    permissions: Mapping[str, Any] | None = None
    archived: bool | None = None
    attributes: Mapping[str, Any] | None = None

    def applied(self, room: Room) -> Room:
        """The room with these properties."""
        given = {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}
        return replace(room, **given)


class _Updated(msgspec.Struct):
    payload: _Properties


_event = msgspec.json.Decoder(_Event)
_role_changed = msgspec.json.Decoder(_RoleChanged)
_updated = msgspec.json.Decoder(_Updated)


def _whom(data: bytes) -> str | None:
    """The id of the user in an event's payload: {"payload": {"user": {"id": …}}}."""
    try:
        about = _event.decode(data).payload.user
    except msgspec.DecodeError:
        return None
    return None if about is None else about.id


def _role(envelope: Envelope) -> _Role | None:
    try:
        return _role_changed.decode(envelope.data).payload
    except msgspec.DecodeError:
        return None


def _changed(envelope: Envelope) -> _Properties:
    try:
        return _updated.decode(envelope.data).payload
    except msgspec.DecodeError:
        return _Properties()
