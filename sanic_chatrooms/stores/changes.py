"""Rules of relations and facts that are the same in every store."""

from typing import Any

import msgspec

from ..errors import ChatError, InvalidField, RateLimited
from ..models import Collected, Draft, Fact

__all__ = [
    "SPOKE",
    "SWEPT",
    "Stale",
    "changes",
    "completed",
    "contradicts",
    "facts_of",
    "has_effects",
    "left_of_thread",
    "no_parent",
    "spaced_out",
    "thread_of",
    "too_early",
    "too_many",
]

SPOKE = "spoke"
SWEPT = 10
"""Facts whose time has passed that are forgotten when another one with an end is set."""


class Stale(ChatError):
    """The sender's rights may have changed since they were checked. Never sent: check them again and append again."""

    code = "unavailable"
    temporary = True
    http_status = 503
    close_code = 1013
    default = "the rights of the sender may have changed meanwhile"


def has_effects(draft: Draft) -> bool:
    """Does it do anything besides being stored? Nearly all drafts do not."""
    return draft.about is not None or bool(draft.facts or draft.restricts or draft.spaced or draft.mentions)


def facts_of(draft: Draft) -> tuple[Fact, ...]:
    """Its facts, and if it is `spaced`, as the last one, that its sender has spoken now."""
    if not draft.spaced or draft.sender is None:
        return draft.facts
    until = draft.timestamp + draft.spaced
    return (*draft.facts, Fact(SPOKE, draft.sender.id, repr(draft.timestamp).encode(), until=until))


def spaced_out(draft: Draft, spoke: bytes | None) -> RateLimited | None:
    """The refusal of a draft that comes too early. `spoke`: when its sender spoke last, as the fact has it."""
    if not draft.spaced or spoke is None:
        return None
    left = float(spoke) + draft.spaced - draft.timestamp
    return too_early(left) if left > 0 else None


def too_early(seconds: float) -> RateLimited:
    """The refusal of a draft that comes so many seconds too early."""
    return RateLimited(retry_after=seconds, limit="slowMode")


def completed(payload: bytes, seq: int, count: int | None = None, besides: bytes = b"") -> bytes:
    """The payload of an event about the message with number `seq`: `{"seq":3,"count":2,…}`. `besides`: members of it, as text.

    Textual, so that the rest stays byte for byte. `payload` is `{}` or begins with `{"`.
    """
    added = b'{"seq":%d' % seq if count is None else b'{"seq":%d,"count":%d' % (seq, count)
    if besides:
        added += b"," + besides
    return added + (b"}" if payload == b"{}" else b"," + payload[1:])


def thread_of(collected: Collected | None) -> dict[str, Any] | None:
    """The replies of a message, as the protocol tells of them; None: there is none that is not deleted."""
    if collected is None:
        return None
    last = {"seq": collected.seq, "timestamp": collected.timestamp, "sender": collected.sender}
    return {"count": collected.count, "last": last}


def left_of_thread(parent: str, left: Collected | None) -> bytes:
    """What the deletion of a reply tells besides: the id of the message that it replied to, and the replies that are left."""
    return msgspec.json.encode({"parent": parent, "thread": thread_of(left)})[1:-1]


def changes(present: bytes | None, fact: Fact) -> bool:
    """Does this fact change anything? `present` is its value so far; None: it does not hold."""
    if fact.value is None or present is None:
        return fact.value is not present
    if fact.rule == "max":
        return int(fact.value) > int(present)
    return fact.value != present


def contradicts(present: bytes | None, fact: Fact) -> bool:
    """Does this fact replace another value than the present one? `present` as for `changes`."""
    return fact.was is not None and fact.was != (present or b"")


def too_many(limit: int) -> InvalidField:
    """The error for a key that would be one more than a message may have."""
    return InvalidField(f"there are {limit} different ones at this message", field="emoji", limit=limit)


def no_parent(*, is_reply: bool = False) -> InvalidField:
    """The error for a reply to a reply, or to something that is no message of the room."""
    if is_reply:
        said = "this message is a reply itself; reply to the message that it answers"
    else:
        said = "there is no such message in this room"
    return InvalidField(said, field="parent")
