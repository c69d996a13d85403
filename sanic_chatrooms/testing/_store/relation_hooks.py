"""What the tests of relations are built from."""

from typing import Any

import msgspec
from msgspec.structs import replace

from ...models import Draft, Event, Fold, Relation, Sender
from .hooks import StoreHooks

__all__ = ["RelationHooks"]


class RelationHooks(StoreHooks):
    """Short ways to say what an event is about."""

    def about(self, message: Event, fold: Fold, *, msg_id: str | None = None, **values: Any) -> Draft:
        """A draft about a message. `msg_id` makes it idempotent; the rest is the relation's."""
        plain = self.draft(type=f"message.{fold.value}", text=fold.value, key=msg_id)
        payload = msgspec.json.encode({"msgId": message.msg_id})
        return replace(plain, payload=payload, about=Relation(message.msg_id, fold, **values))

    def turn(
        self, message: Event, on: bool, key: str = "👍", owner: str = "u1", *, msg_id: str | None = None
    ) -> Draft:
        """A draft that turns something on or off, as its owner."""
        draft = self.about(message, Fold.TOGGLE, msg_id=msg_id, key=key, owner=owner, value=on)
        return replace(draft, sender=Sender(owner or "u1", f"name of {owner}"))

    def pin(self, message: Event, on: bool = True) -> Draft:
        """A draft that turns on or off what has no owner."""
        return self.turn(message, on, "pin", "")

    def reply(self, message: Event, text: str = "a reply", *, room: str = "r") -> Draft:
        """A draft of a reply to a message."""
        return replace(self.draft(room, text), about=Relation(message.msg_id, Fold.COLLECT))

    def erase(self, message: Event) -> Draft:
        """A draft that deletes a message."""
        return self.about(message, Fold.ERASE)
