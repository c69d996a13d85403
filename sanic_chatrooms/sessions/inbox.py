"""Each user has an inbox: a reserved room with numbered messages for their connections, on every worker.

A worker with a connection of the user holds that room and handles its messages in order (`registry`). A message that the
broker loses is found like that of any room. A user without connections has no inbox, and needs none. Nor does a worker that is
alone, with a store of its own: it has all connections, and handles each message at once.
"""

from typing import get_args

import msgspec

from ..access.actions import Right
from ..access.standing import Restriction
from ..errors import RoomNotFound, Unavailable
from ..hub.hub import Hub
from ..hub.journal import Journal
from ..models import EVERYONE, LOOK, RESERVED, Draft, Envelope, Room, Sender, user_room
from ..presence.base import Presence
from ..stores.base import Store
from ..support.clock import now
from ..support.ids import new_id
from ..wire.encode import encode

__all__ = [
    "ADMINS",
    "Close",
    "Enter",
    "Forgotten",
    "Inbox",
    "InboxMessage",
    "Push",
    "PushToAdmins",
    "Reconfigured",
    "Refuse",
    "Remove",
    "StandingChanged",
    "decode_inbox",
    "decode_push",
    "decode_push_to_admins",
    "reserved_room",
]


class Enter(msgspec.Struct, tag="enter"):
    """Put all connections of the user into `room`. Its events from `seq` + 1 follow."""

    room: str
    epoch: str
    seq: int
    partner: Sender | None = None
    by: Sender | None = None
    """Who added the user to the room."""


class Remove(msgspec.Struct, tag="remove", omit_defaults=True):
    """Take all connections of the user out of `room`, and tell them why, except the session `silent`."""

    room: str
    reason: str
    silent: str | None = None


class Close(msgspec.Struct, tag="close", omit_defaults=True):
    """Close all connections of the user, or only the one with this session id."""

    code: int
    reason: str
    session: str | None = None


class StandingChanged(msgspec.Struct, tag="standing"):
    """The user's standing in `room` has changed. Their connections read it again before the next command."""

    room: str


class Refuse(msgspec.Struct, tag="refuse", omit_defaults=True):
    """To everybody: close the connections of a user whose tokens were issued until then, of one token, or of one sign-in. With
    `ban`, all connections of the user."""

    user: str | None = None
    jti: str | None = None
    sid: str | None = None
    until: float = 0.0
    """Unix seconds."""
    ban: Restriction | None = None


class Forgotten(msgspec.Struct, tag="forgotten"):
    """To everybody: bans or revocations have ended. Nothing to do."""


class Reconfigured(msgspec.Struct, tag="settings"):
    """To everybody: settings have changed. The facts say which."""


InboxMessage = Reconfigured | Enter | Remove | Close | StandingChanged | Refuse | Forgotten


class Push(msgspec.Struct, omit_defaults=True):
    """A live event for all connections of the user, or only for the one with this session id, or for all but the one `unless`.

    `room`: the room that it tells of. Connections whose token does not allow `right` there do not get it.
    """

    event: msgspec.Raw
    session: str | None = None
    unless: str | None = None
    room: str | None = None
    right: Right = Right.READ


class PushToAdmins(msgspec.Struct, omit_defaults=True):
    """A live event for all whose token has the scope `chat:admin`, except the user `unless`."""

    event: msgspec.Raw
    unless: str | None = None


class _Event(msgspec.Struct):
    payload: InboxMessage


class _Kind(msgspec.Struct):
    type: str


class _Unknown(msgspec.Struct):
    payload: _Kind


_decoder = msgspec.json.Decoder(_Event)
_unknown = msgspec.json.Decoder(_Unknown)
_KINDS = frozenset(kind.__struct_config__.tag for kind in get_args(InboxMessage))
decode_push = msgspec.json.Decoder(Push).decode
decode_push_to_admins = msgspec.json.Decoder(PushToAdmins).decode
ADMINS = "admins"
"""The type of the envelopes with a `PushToAdmins`."""


def decode_inbox(data: bytes) -> InboxMessage | None:
    """The message in an event of an inbox; None for a kind that only newer workers know."""
    try:
        return _decoder.decode(data).payload
    except msgspec.ValidationError:
        if _unknown.decode(data).payload.type not in _KINDS:
            return None
        raise


def reserved_room(id: str) -> Room:
    """An inbox as it is created."""
    return Room(id, "", 0, visibility=RESERVED, created_at=now(), auto=True)


class Inbox:
    """Sends to the inboxes of users. `alone`: there is no other worker."""

    def __init__(
        self, journal: Journal, hub: Hub, store: Store, presence: Presence, *, alone: bool = False
    ) -> None:
        self._alone = alone
        self._journal = journal
        self._hub = hub
        self._store = store
        self._presence = presence

    async def send(self, user_id: str, message: InboxMessage) -> None:
        """Send a message to every connection of the user. Raises `Unavailable`.

        When it returns, the message is stored, and this worker has handled it.
        """
        if self._alone:
            self._hub.deliver(Envelope(user_room(user_id), "", 1, "inbox", encode({"payload": message})))
            # An app's own store in memory may wait, and what it was given came before this.
            await self._journal.settle()
            return
        msg_id = new_id()
        draft = Draft(
            room=user_room(user_id),
            type="inbox",
            payload=encode(message),
            msg_id=msg_id,
            timestamp=now(),
            key=("", msg_id),
        )
        try:
            stored = await self._journal.append(draft)
        except RoomNotFound:
            if not await self._is_here(user_id):
                return  # the user has no connection anywhere
            # It was deleted just when they came back. A worker that holds it finds another epoch, and closes with 4010.
            await self._store.create_room(reserved_room(draft.room))
            stored = await self._journal.append(draft)
        # If the broker lost another worker's message before ours, this one would wait until the gap is repaired.
        await self._hub.reach(draft.room, stored.seq)

    async def _is_here(self, user_id: str) -> bool:
        try:
            return bool(await self._presence.online((user_id,)))
        except Unavailable:
            return False

    def look(self, room: str) -> None:
        """Tell every other worker that a room was deleted or has another epoch. Each asks the store at once."""
        self._journal.publish(Envelope(room, "", 0, LOOK, b"{}"))

    def push(self, envelope: Envelope) -> None:
        """Send a live event, here and on the other workers. It is lost where the broker is away."""
        self._hub.deliver(envelope)
        self._journal.publish(envelope)

    def notify(
        self,
        user_id: str,
        event: bytes,
        session: str | None,
        *,
        unless: str | None = None,
        room: str | None = None,
        right: Right = Right.READ,
    ) -> Envelope:
        """A live push to one user, as an envelope. `room`: the room that it tells of, `right`: what a token has to allow there."""
        push = Push(msgspec.Raw(event), session, unless, room, right)
        return Envelope(user_room(user_id), "", 0, "push", encode(push))

    def to_admins(self, event: bytes, unless: str | None) -> Envelope:
        """A live push to everybody whose token has the scope `chat:admin`, except one user, as an envelope."""
        return Envelope(EVERYONE, "", 0, ADMINS, encode(PushToAdmins(msgspec.Raw(event), unless)))

    def broadcast(self, event: bytes) -> Envelope:
        """A live push to everybody, as an envelope."""
        return Envelope(EVERYONE, "", 0, "push", encode(Push(msgspec.Raw(event))))
