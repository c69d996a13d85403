"""What the scripts of the store are given and what they answer, as values of the models."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from ...errors import ChatError, Conflict, MessageNotFound, RoomNotFound
from ...models import (
    Appended,
    Collected,
    Draft,
    Event,
    Fact,
    Known,
    Related,
    Relation,
    Room,
    Sender,
    Toggle,
)
from ..base import FOLDED, Holding, Stale
from ..changes import completed, facts_of, has_effects, no_parent, too_early, too_many
from ..members import MEMBER
from ..pages import Unread
from ..properties import with_properties
from ..streams import streaming_of

__all__ = [
    "ROOM",
    "arguments",
    "decode_event",
    "decode_facts",
    "decode_holdings",
    "decode_known",
    "decode_related",
    "decode_results",
    "decode_room",
    "decode_unread",
    "encode",
    "given",
    "named",
    "pack",
    "packed_facts",
]


class _Text(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    """What of an event never changes, as it stands in its text."""

    msg_id: str
    timestamp: float
    type: str
    room: str
    sender: Any = None
    client_msg_id: str | None = None


class _Effects(msgspec.Struct):
    """What a draft does besides its event, as effects.lua reads it."""

    fold: str | None
    target: str
    key: str
    owner: str
    value: str | bool
    at: str
    sender: str
    facts: list[Any] | None
    restricts: bool
    only_if_changed: bool
    timeline: bool
    spaced: float
    mentions: tuple[str, ...]
    most: int


class _Kept(msgspec.Struct, array_like=True):
    """A fact as its room has it."""

    value: str
    seq: int
    since: int


class _On(msgspec.Struct, array_like=True):
    key: str
    count: int
    newest: str
    mine: bool


class _Related(msgspec.Struct, array_like=True):
    seq: int
    toggles: list[_On] | dict[str, Any]  # Lua packs an empty list as a map
    count: int
    newest: str


encode = msgspec.json.Encoder().encode
pack = msgspec.msgpack.Encoder().encode
_kept = msgspec.msgpack.Decoder(dict[str, _Kept])
_related = msgspec.msgpack.Decoder(list[_Related])
_event = msgspec.json.Decoder(Event)
_room = msgspec.json.Decoder(Room)
_sender = msgspec.json.Decoder(Sender | None)

ROOM = ("e", "n", "i", "z", "q")
"""Fields of a room's hash, as `decode_room` takes them."""

# ---- drafts ----


def named(key: tuple[str, str] | None) -> str:
    """A key of a draft, as one text."""
    return "" if key is None else f"{len(key[0])}:{key[0]}{key[1]}"


_written = lru_cache(maxsize=64)(repr)
"""Writing a float takes longer than all else that is written for a draft, and many drafts have the same millisecond."""


def arguments(draft: Draft, counted: tuple[str, ...], *, effects: bool) -> tuple[Any, ...]:
    """What the script gets of a draft: its key, what is remembered of it, its text, what it does besides, and who is its sender if it
    is of a type that counts as unread. `effects`: it may have some."""
    key, judged, epoch = draft.key, draft.judged, draft.judged_in
    text = _Text(
        draft.msg_id,
        draft.timestamp,
        draft.type,
        draft.room,
        draft.sender,
        key[1] if key is not None and key[0] else None,  # "": the key is ours, not a client's
    )
    at = _written(draft.timestamp)
    folded = draft.type.startswith(FOLDED)
    checked = f"{'' if judged is None else judged}{'' if epoch is None else '@' + epoch}"
    besides: str | bytes = f"{'~' if folded else '-'}{checked}"
    if effects and has_effects(draft):
        besides = f"{'*' if folded else '+'}{checked};".encode() + pack(_effects(draft, at))
    return (
        ""
        if key is None
        else f"{len(key[0])}:{key[0]}{key[1]}",  # as `named`, written out: every message comes by here
        f"{at} {draft.msg_id} ".encode() + draft.hash,
        b'%b\n%b,"payload":%b}'
        % (encode(text)[1:-1], _streaming(draft) if draft.facts else b"", draft.payload),
        besides,
        ("=" if draft.sender is None else "=" + draft.sender.id) if draft.type in counted else "",
    )


def _streaming(draft: Draft) -> bytes:
    """What other workers are told of a message that is going to be written. It goes when the message is closed."""
    shown = streaming_of(draft.msg_id, draft.payload) if draft.type == "message" else None
    return b"" if shown is None else b',"streaming":' + encode(shown)


def _effects(draft: Draft, at: str) -> _Effects:
    about = draft.about
    sender = encode(draft.sender).decode()
    fold = None if about is None else about.fold.value
    target, key, owner, value = ("", "", "", "") if about is None else _relation(about)
    return _Effects(
        fold, target, key, owner, value, at, sender,
        packed_facts(facts_of(draft)) or None, draft.restricts, draft.only_if_changed,
        not draft.type.startswith(FOLDED), float(draft.spaced if draft.sender is not None else 0),
        draft.mentions,
        0 if about is None else about.most,
    )  # fmt: skip


def _relation(about: Relation) -> tuple[str, str, str, str | bool]:
    value = about.value if isinstance(about.value, bool) else about.value.decode()
    return about.target, about.key, about.owner, value


def packed_facts(facts: Iterable[Fact]) -> list[Any]:
    """Facts as the scripts read them."""
    return [
        (
            fact.kind,
            fact.key,
            fact.value is not None and fact.value.decode(),
            fact.rule,
            fact.until is not None and repr(fact.until),
            fact.was is not None and fact.was.decode(),
        )
        for fact in facts
    ]


def decode_results(drafts: Sequence[Draft], reply: Any) -> list[Appended | ChatError]:
    """What became of drafts of one room; see append.lua."""
    if reply is None:
        return [RoomNotFound() for _ in drafts]
    epoch = reply[0].decode()
    return [_appended(draft, epoch, result) for draft, result in zip(drafts, reply[1:], strict=True)]


def _appended(draft: Draft, epoch: str, result: Any) -> Appended | ChatError:
    if isinstance(result, int):
        return (
            Appended(draft.msg_id, result, draft.timestamp, epoch) if result >= 0 else _refusal(draft, result)
        )
    if result.startswith(b"!"):
        return too_early(float(result[1:]))
    found, _, payload = result.partition(b"\n")
    seq, *rest = found.decode().lstrip("+=").split(" ")
    if found.startswith(b"="):
        return Appended(draft.msg_id, int(seq), draft.timestamp, epoch, unchanged=True)
    if found.startswith(b"+"):
        target, count = rest
        whole = completed(draft.payload, int(target), int(count) if count else None, payload)
        return Appended(draft.msg_id, int(seq), draft.timestamp, epoch, payload=whole)
    at, msg_id = rest
    return Appended(msg_id, int(seq), float(at), epoch, duplicate=True, payload=payload or None)


def _refusal(draft: Draft, code: int) -> ChatError:
    match code:
        case -1:
            return Conflict()
        case -2:
            return MessageNotFound()
        case -3:
            return Stale()
        case -4:
            return no_parent()
        case -6:
            assert draft.about is not None
            return too_many(draft.about.most)
    return no_parent(is_reply=True)


# ---- what is read ----


def given(text: str | None) -> str:
    """An optional argument of a script: "" for None."""
    return "" if text is None else "=" + text


def decode_event(text: bytes) -> Event:
    """An event, as a store shows it."""
    event = _event.decode(text)
    return event if event.streaming is None else msgspec.structs.replace(event, streaming=None)


def decode_room(found: Sequence[Any]) -> Room:
    """A room: epoch, number, JSON, restricted, what its fact says. Raises `RoomNotFound` where there is none."""
    epoch, seq, text, restricted, described = found
    if epoch is None:
        raise RoomNotFound
    room = msgspec.structs.replace(
        _room.decode(text), epoch=epoch.decode(), seq=int(seq), restricted=int(restricted or 0), history=()
    )
    if described is None:
        return room
    by, _, value = described.partition(b" ")
    return with_properties(room, value, int(by))


def decode_known(room: str, key: str, packed: bytes | None) -> dict[str, Known]:
    """The facts about one key, by kind."""
    if packed is None:
        return {}
    return {
        kind: Known(kind, key, kept.value.encode(), kept.seq, kept.since, room)
        for kind, kept in _kept.decode(packed).items()
    }


def decode_unread(room: str, user: str, reply: Sequence[Any]) -> Unread:
    """What is unread in one room; see unread.lua."""
    number, at, *counts = reply
    last = (number, float(at)) if number else None
    if not counts:
        return Unread(last=last)
    value, seq, since, marker, count, first, more, mentions, prefs = counts
    member = Known(MEMBER, user, value, seq, since, room)
    return Unread(member, marker, count, bool(more), first or None, mentions, prefs, last)


def decode_facts(room: str, kind: str, flat: Sequence[Any]) -> list[Known]:
    """Facts of one kind: key, value, seq, since of each."""
    rows = zip(*[iter(flat)] * 4, strict=True)
    return [Known(kind, key.decode(), value, seq, since, room) for key, value, seq, since in rows]


def decode_related(packed: bytes) -> dict[int, Related]:
    """What is related, by the messages' numbers."""
    found = _related.decode(packed) if packed else []
    return {one.seq: Related(_toggles(one.toggles), _collected(one)) for one in found}


def _toggles(toggles: list[_On] | dict[str, Any]) -> dict[str, Toggle]:
    return {on.key: Toggle(on.count, *_event_of(on.newest), on.mine) for on in toggles if isinstance(on, _On)}


def _collected(one: _Related) -> Collected | None:
    if not one.count:
        return None
    newest = _event.decode(one.newest)
    assert newest.seq is not None
    return Collected(one.count, newest.seq, newest.timestamp, newest.sender)


def decode_holdings(flat: Sequence[Any]) -> list[Holding]:
    """What is on: target, key, owner, and the event that turned it on, of each."""
    rows = zip(*[iter(flat)] * 4, strict=True)
    return [
        Holding(target, key.decode(), owner.decode(), *_event_of(event.decode()))
        for target, key, owner, event in rows
    ]


def _event_of(text: str) -> tuple[int, float, Sender | None]:
    seq, at, sender = text.split(" ", 2)
    return int(seq), float(at), _sender.decode(sender)
