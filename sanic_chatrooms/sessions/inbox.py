"""What concerns one user on every worker goes through a reserved room of theirs: numbered, so that no order is lost.

Every worker with a connection of the user holds that room and carries orders out as they come (`sessions.py`); a lost
bell is found like that of any room. A user without connections has no such room, and then there is nobody to order.
"""

import msgspec

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
    "Changed",
    "Close",
    "Enter",
    "Order",
    "Orders",
    "Push",
    "Remove",
    "decode_order",
    "decode_push",
    "reserved_room",
]


class Enter(msgspec.Struct, tag="enter"):
    """Put every connection of the user that is not yet there into `room`; its events from `seq` + 1 follow."""

    room: str
    epoch: str
    seq: int
    partner: Sender | None = None


class Remove(msgspec.Struct, tag="remove", omit_defaults=True):
    """Take every connection of the user out of `room` and say why; the one with session `silent` knows already."""

    room: str
    reason: str
    silent: str | None = None


class Close(msgspec.Struct, tag="close", omit_defaults=True):
    """Close the user's connections, or the one with this session id."""

    code: int
    reason: str
    session: str | None = None


class Changed(msgspec.Struct, tag="changed"):
    """What the user is in `room` has changed: their connections are judged by what they are now."""

    room: str


Order = Enter | Remove | Close | Changed


class Push(msgspec.Struct, omit_defaults=True):
    """A live event for all connections that hear it, or for the one with this session id."""

    event: msgspec.Raw
    session: str | None = None


class _Ordered(msgspec.Struct):
    payload: Order


_decoder = msgspec.json.Decoder(_Ordered)
decode_push = msgspec.json.Decoder(Push).decode


def decode_order(data: bytes) -> Order:
    """The order in an event of a reserved room."""
    return _decoder.decode(data).payload


def reserved_room(id: str) -> Room:
    """A room that carries orders, as it is made."""
    return Room(id, "", 0, visibility=RESERVED, created_at=now(), auto=True)


class Orders:
    """Gives orders. Each returns when the order is stored; this worker has then carried it out already."""

    def __init__(self, journal: Journal, hub: Hub, store: Store, presence: Presence) -> None:
        self._journal = journal
        self._hub = hub
        self._store = store
        self._presence = presence

    async def give(self, user_id: str, order: Order) -> None:
        """Order something to every connection of the user. Raises `Unavailable`."""
        msg_id = new_id()
        draft = Draft(
            room=user_room(user_id),
            type="order",
            payload=encode(order),
            msg_id=msg_id,
            timestamp=now(),
            key=("", msg_id),
        )
        try:
            stored = await self._journal.append(draft)
        except RoomNotFound:
            if not await self._is_here(user_id):
                return  # no connection of theirs anywhere
            # It was forgotten just when they came back. Who holds it finds another past there, and closes with 4010.
            await self._store.create_room(reserved_room(draft.room))
            stored = await self._journal.append(draft)
        # Behind another worker's order whose bell was lost, ours would wait here until the hole is repaired.
        await self._hub.reach(draft.room, stored.seq)

    async def _is_here(self, user_id: str) -> bool:
        try:
            return bool(await self._presence.online((user_id,)))
        except Unavailable:
            return False

    def look(self, room: str) -> None:
        """Tell every other worker that a room has ended or has another past: each asks the store at once."""
        self._journal.ring(Envelope(room, "", 0, LOOK, b"{}"))

    def notify(self, user_id: str, event: bytes, session: str | None) -> Envelope:
        """A live push to one user, as an envelope."""
        return Envelope(user_room(user_id), "", 0, "push", encode(Push(msgspec.Raw(event), session)))

    def broadcast(self, event: bytes) -> Envelope:
        """A live push to everybody, as an envelope."""
        return Envelope(EVERYONE, "", 0, "push", encode(Push(msgspec.Raw(event))))
