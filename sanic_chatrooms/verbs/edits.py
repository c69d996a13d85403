"""What becomes of a message after it was said: it is edited, or deleted.

Its author may do both; who moderates the room may delete what others said. Nobody edits what another has said.
"""

from typing import Any

import msgspec
from msgspec.structs import replace

from ..access.access import Access, Actor
from ..errors import Forbidden
from ..hub.journal import Journal
from ..models import Appended, Draft, Event, Member, MessageDeleted, MessageEdited, Sender
from ..stores.base import Store
from ..wire.decode import Command
from ..wire.encode import EMPTY, encode
from .messages import command_hash, draft

__all__ = ["MODERATORS", "Changed", "Edits"]

MODERATORS = frozenset(("owner", "admin", "moderator"))
"""Roles that may delete what others said."""

UNKNOWN = MessageDeleted("")
"""What is asked of the store where there is nothing to change: `MessageNotFound`, unless it repeats what was done then."""


class Changed(msgspec.Struct, omit_defaults=False):
    """The ack of `message.edit` and `message.delete`."""

    seq: int
    duplicate: bool


class Edits:
    """The verbs for messages that are there already.

    `actor` None is the host, who may. A `command` makes the change idempotent by its msgId. They raise `RoomNotFound`,
    `MessageNotFound`, `Forbidden`, `Conflict`, `Unavailable`.
    """

    def __init__(self, store: Store, journal: Journal, access: Access) -> None:
        self._store = store
        self._journal = journal
        self._access = access

    async def edit(
        self, actor: Actor | None, room: str, msg_id: str, body: bytes, command: Command | None = None
    ) -> Appended:
        """Give a message another body, which was checked: {"text": …, …}."""
        message, _ = await self._look(actor, "message.edit", room, msg_id)
        if message is not None and not _may_edit(actor, message):
            raise Forbidden("only who wrote a message may edit it")
        item = _draft(actor, room, "message.edited", command)
        if message is not None:
            state = {"body": msgspec.Raw(body), "edited": item.timestamp}
            item = _changing(item, message, state, MessageEdited(msg_id, body))
        return await self._journal.append(item, actor)

    async def delete(
        self, actor: Actor | None, room: str, msg_id: str, command: Command | None = None
    ) -> Appended:
        """Delete a message: nothing of what it said is kept."""
        message, member = await self._look(actor, "message.delete", room, msg_id)
        if message is not None and not (_may_edit(actor, message) or _moderates(member)):
            raise Forbidden("only who wrote a message, or moderates the room, may delete it")
        item = _draft(actor, room, "message.deleted", command)
        if message is not None:
            item = _changing(item, message, {"deleted": True}, MessageDeleted(msg_id))
        return await self._journal.append(item, actor)

    async def _look(
        self, actor: Actor | None, action: str, room: str, msg_id: str
    ) -> tuple[Event | None, Member | None]:
        """The message, if it can be changed, and the actor's membership."""
        _, member = await self._access.look(actor, action, room)
        found = await self._store.message(room, msg_id)
        changeable = found is not None and found.type == "message" and not found.deleted
        return (found if changeable else None), member


def _may_edit(actor: Actor | None, message: Event) -> bool:
    return actor is None or (message.sender is not None and message.sender.id == actor.user.id)


def _moderates(member: Member | None) -> bool:
    return member is not None and member.role in MODERATORS


def _draft(actor: Actor | None, room: str, type: str, command: Command | None) -> Draft:
    """A draft that changes nothing yet. The store looks at its key first: what was done is answered though it is gone."""
    sender = Sender(actor.user.id, actor.user.name) if actor is not None else None
    if sender is None or command is None:
        return draft(room, type, EMPTY, sender, change=UNKNOWN)
    key = (sender.id, command.msg_id) if command.msg_id is not None else None
    return draft(room, type, EMPTY, sender, key=key, hash=command_hash(command), change=UNKNOWN)


def _changing(
    item: Draft, message: Event, state: dict[str, Any], change: MessageEdited | MessageDeleted
) -> Draft:
    payload = encode({"msgId": message.msg_id, "seq": message.seq, **state})
    return replace(item, payload=payload, change=change)
