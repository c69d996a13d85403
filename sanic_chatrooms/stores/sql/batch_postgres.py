"""A batch as PostgreSQL's append function takes it, and what the function answers."""

from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from typing import Any

import msgspec

from ...errors import ChatError, Conflict, MessageNotFound, RoomNotFound, Unavailable
from ...models import Appended, Draft, Fact, Fold
from ..base import FOLDED, Stale
from ..changes import facts_of, has_effects, no_parent, too_early, too_many
from .append_postgres import ARGUMENTS, AS_TEXT

__all__ = ["Batch"]

BACKSLASH = "\\"

_encode = msgspec.json.Encoder().encode


class Batch:
    """Drafts as the columns that the function takes, and its answer as results."""

    def __init__(self, drafts: Sequence[Draft]) -> None:
        self._drafts = drafts
        places: dict[str, int] = {}  # of the rooms, from 1 as PostgreSQL counts
        self._rooms = [places.setdefault(draft.room, len(places) + 1) for draft in drafts]
        self._names = list(places)
        self._counts = [0] * len(places)
        self._ranks = [self._count(place) for place in self._rooms]

    def _count(self, place: int) -> int:
        self._counts[place - 1] += 1
        return self._counts[place - 1]

    def arguments(self, *, wait: bool, keep: int, cutoff: float | None, now: float) -> list[Any]:
        """For `append_call`. `wait`: for rooms that somebody holds locked; else their drafts are answered `Unavailable`."""
        drafts = self._drafts
        senders = [draft.sender for draft in drafts]
        keys = [draft.key for draft in drafts]
        judged = [draft.judged for draft in drafts]
        judged_in = [draft.judged_in for draft in drafts]
        given = {
            "names": self._names,
            "counts": self._counts,
            "wait": wait,
            "keep": keep,
            "cutoff": cutoff,
            "singly": any(map(has_effects, drafts)),
            "room": self._rooms,
            "rank": self._ranks,
            "msg_id": [draft.msg_id for draft in drafts],
            "stamp": [draft.timestamp for draft in drafts],
            "type": [draft.type for draft in drafts],
            "payload": [draft.payload for draft in drafts],
            "sender_id": [sender and sender.id for sender in senders],
            "sender_name": [sender and sender.name for sender in senders],
            "key_user": [key and key[0] for key in keys],
            "key_id": [key and key[1] for key in keys],
            "hash": [draft.hash for draft in drafts],
            "folded": [draft.type.startswith(FOLDED) for draft in drafts],
            "judged": None if all(one is None for one in judged) else judged,
            "judged_in": None if all(one is None for one in judged_in) else judged_in,
        }
        if given["singly"]:
            given |= _relations(drafts) | _facts(drafts) | _mentions(drafts) | {"now": now}
        return [_sent(given.get(name), kind) for name, kind in ARGUMENTS.items()]

    def results(self, row: Any) -> list[Appended | ChatError]:
        """From the function's answer."""
        ids, bases, epochs = row["ids"], row["bases"], row["epochs"]
        if row["outcomes"] is None:
            return [
                Appended(draft.msg_id, bases[place - 1] + rank, draft.timestamp, epochs[place - 1])
                if ids[place - 1] is not None
                else _not_here(epochs[place - 1])
                for draft, place, rank in zip(self._drafts, self._rooms, self._ranks, strict=True)
            ]
        columns = (row[name] for name in ("outcomes", "seqs", "msg_ids", "stamps", "payloads"))
        answers = zip(*columns, strict=True)
        return [
            _result(draft, epochs[place - 1], *answer)
            for draft, place, answer in zip(self._drafts, self._rooms, answers, strict=True)
        ]


def _sent(value: Any, kind: str) -> Any:
    """An argument as the statement takes it. JSON's list is PostgreSQL's array in other brackets, if nothing in it is escaped."""
    if kind not in AS_TEXT or value is None:
        return value
    items = _encode(value)[1:-1].decode()
    return f"{{{','.join(map(_quoted, value)) if BACKSLASH in items else items}}}"


def _quoted(text: str | None) -> str:
    if text is None:
        return "NULL"
    escaped = text.replace(BACKSLASH, BACKSLASH * 2).replace('"', BACKSLASH + '"')
    return f'"{escaped}"'


def _result(
    draft: Draft,
    epoch: str | None,
    outcome: str | None,
    seq: int,
    msg_id: str,
    timestamp: float,
    payload: bytes | None,
) -> Appended | ChatError:
    if outcome is None or epoch is None:
        return _not_here(epoch)
    match outcome:
        case "too early":
            return too_early(timestamp)
        case "stored":
            return Appended(draft.msg_id, seq, draft.timestamp, epoch, payload=payload)
        case "repeated":
            return Appended(msg_id, seq, timestamp, epoch, duplicate=True, payload=payload)
        case "too many":
            assert draft.about is not None
            return too_many(draft.about.most)
        case "unchanged":
            return Appended(draft.msg_id, seq, draft.timestamp, epoch, unchanged=True)
    return _REFUSALS[outcome]()


_REFUSALS: dict[str, Callable[[], ChatError]] = {
    "conflict": Conflict,
    "stale": Stale,
    "no message": MessageNotFound,
    "no parent": lambda: no_parent(is_reply=False),
    "is a reply": lambda: no_parent(is_reply=True),
}


def _not_here(epoch: str | None) -> ChatError:
    return RoomNotFound() if epoch is None else Unavailable()


def _relations(drafts: Sequence[Draft]) -> dict[str, Any]:
    """The columns about relations."""
    abouts = [draft.about for draft in drafts]
    if not any(abouts):
        return {}
    return {
        "fold": [about and about.fold.value for about in abouts],
        "target": [about and about.target for about in abouts],
        "mark": [about and about.key for about in abouts],
        "owner": [about and about.owner for about in abouts],
        "value": [about.value if about and isinstance(about.value, bytes) else None for about in abouts],
        "turn_on": [about and about.fold is Fold.TOGGLE and bool(about.value) for about in abouts],
        "most": [about and about.most for about in abouts],
    }


def _facts(drafts: Sequence[Draft]) -> dict[str, Any]:
    """The columns about facts and rights."""
    by_draft = [facts_of(draft) for draft in drafts]
    facts: list[Fact] = list(chain.from_iterable(by_draft))
    return {
        "restricts": [draft.restricts for draft in drafts],
        "if_changed": [draft.only_if_changed for draft in drafts],
        "facts_end": list(accumulate(map(len, by_draft))),
        "fact_kind": [fact.kind for fact in facts],
        "fact_key": [fact.key for fact in facts],
        "fact_value": [fact.value for fact in facts],
        "fact_max": [fact.rule == "max" for fact in facts],
        "fact_until": [fact.until for fact in facts],
        "fact_was": [fact.was for fact in facts],
        "spaced": [draft.spaced if draft.sender is not None else 0.0 for draft in drafts],
    }


def _mentions(drafts: Sequence[Draft]) -> dict[str, Any]:
    """The columns about mentions."""
    by_draft = [draft.mentions for draft in drafts]
    if not any(by_draft):
        return {}
    return {
        "mentions_end": list(accumulate(map(len, by_draft))),
        "mention": list(chain.from_iterable(by_draft)),
    }
