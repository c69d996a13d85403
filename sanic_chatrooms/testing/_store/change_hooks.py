"""What the tests of edits and deletions are built from."""

from typing import Any

import msgspec

from ...errors import ChatError
from ...models import (
    Appended,
    Change,
    Draft,
    Event,
    Fold,
    MessageDeleted,
    MessageEdited,
    Relation,
)
from ...stores.base import Store
from .hooks import StoreHooks

__all__ = ["WORD", "ChangeHooks", "RelatedHooks", "number_of", "text_of", "views"]

WORD = "the secret word"


class ChangeHooks(StoreHooks):
    """Short ways to say how a message changes."""

    def doing(self, change: Change) -> dict[str, Any]:
        """How a draft says what it changes."""
        return {"change": change}

    def told(self, draft: Draft, seq: int) -> bytes:
        """The payload of a draft's event about the message with this number."""
        return draft.payload

    def change(self, message: Event, type: str, change: Change, *, key: str | None = None) -> Draft:
        """A draft that changes a message, with the payload that the protocol gives its event."""
        plain = self.draft(type=type, text=str(change), key=key, **self.doing(change))
        state: dict[str, object] = {"msgId": message.msg_id}
        if isinstance(change, MessageEdited):
            state |= {"body": msgspec.Raw(change.payload), "edited": plain.timestamp}
        else:
            state["deleted"] = True
        return msgspec.structs.replace(plain, payload=msgspec.json.encode(state))

    def edit(self, message: Event, text: str, *, key: str | None = None) -> Draft:
        """A draft that gives a message another text."""
        body = b'{"text":"%s"}' % text.encode()
        return self.change(message, "message.edited", MessageEdited(message.msg_id, body), key=key)

    def delete(self, message: Event, *, key: str | None = None) -> Draft:
        """A draft that deletes a message."""
        return self.change(message, "message.deleted", MessageDeleted(message.msg_id), key=key)


class RelatedHooks(ChangeHooks):
    """The same said by relations (sentence 22)."""

    def doing(self, change: Change) -> dict[str, Any]:
        """As a relation."""
        if isinstance(change, MessageEdited):
            return {"about": Relation(change.msg_id, Fold.REPLACE, value=change.payload)}
        assert isinstance(change, MessageDeleted)
        return {"about": Relation(change.msg_id, Fold.ERASE)}

    def told(self, draft: Draft, seq: int) -> bytes:
        """Completed by the store."""
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
