"""What the tests of relations are built from: short ways to say what an event does to a message."""

import msgspec
from msgspec.structs import replace

from ...errors import ChatError
from ...models import Appended, Draft, Event, Fold, Relation, Sender
from ...stores.base import Store
from .hooks import StoreHooks

__all__ = ["WORD", "RelationHooks", "completed", "number_of", "text_of", "views"]

WORD = "the secret word"


class RelationHooks(StoreHooks):
    """Drafts about a message. `key` makes them idempotent."""

    def about(
        self,
        message: Event,
        relation: Relation,
        type: str,
        state: dict[str, object] | None = None,
        *,
        key: str | None = None,
    ) -> Draft:
        """A draft with this relation, and a payload as the protocol gives its event."""
        plain = self.draft(type=type, text=str(relation), key=key)
        payload = msgspec.json.encode({"msgId": message.msg_id, **(state or {})})
        return replace(plain, payload=payload, about=relation)

    def rewrite(self, message: Event, body: bytes, *, key: str | None = None) -> Draft:
        """A draft that gives a message another body."""
        relation = Relation(message.msg_id, Fold.REPLACE, value=body)
        state: dict[str, object] = {"body": msgspec.Raw(body), "edited": self.now()}
        return self.about(message, relation, "message.edited", state, key=key)

    def edit(self, message: Event, text: str, *, key: str | None = None) -> Draft:
        """A draft that gives a message another text."""
        return self.rewrite(message, b'{"text":"%s"}' % text.encode(), key=key)

    def delete(self, message: Event, *, key: str | None = None) -> Draft:
        """A draft that deletes a message."""
        relation = Relation(message.msg_id, Fold.ERASE)
        return self.about(message, relation, "message.deleted", {"deleted": True}, key=key)

    def turn(
        self, message: Event, on: bool, what: str = "👍", owner: str = "u1", *, key: str | None = None
    ) -> Draft:
        """A draft that turns something on or off, as its owner."""
        relation = Relation(message.msg_id, Fold.TOGGLE, what, owner, on)
        draft = self.about(message, relation, "reaction.added" if on else "reaction.removed", key=key)
        return replace(draft, sender=Sender(owner or "u1", f"name of {owner}"))

    def pin(self, message: Event, on: bool = True) -> Draft:
        """A draft that turns on or off what has no owner."""
        return self.turn(message, on, "pin", "")

    def reply(self, message: Event, text: str = "a reply") -> Draft:
        """A draft of a reply to a message."""
        return replace(self.draft(text=text), about=Relation(message.msg_id, Fold.COLLECT))


def completed(draft: Draft, seq: int) -> bytes:
    """The payload of a draft's event about the message with this number, as the store completes it."""
    return b'{"seq":%d,' % seq + draft.payload[1:]


async def views(store: Store, seq: int) -> list[Event]:
    """One event in the log and in the timeline."""
    pages = [
        await store.history("r", after=seq - 1, limit=1, timeline=timeline) for timeline in (False, True)
    ]
    events = [page.events[0] for page in pages]
    assert [event.seq for event in events] == [seq, seq]
    return events


def text_of(event: Event) -> str:
    return str(msgspec.json.decode(event.payload)["text"])


def number_of(answer: Appended | ChatError) -> int:
    assert isinstance(answer, Appended), repr(answer)
    return answer.seq
