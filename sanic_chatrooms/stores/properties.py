"""What a room is besides its past, as a fact: the fact "room" about "" is {"visibility": …, "history": …, "title": …, …}."""

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import msgspec
from msgspec.structs import replace

from ..models import PUBLIC, Fact, Room

__all__ = [
    "HISTORY_KEPT",
    "ROOM",
    "first_facts",
    "is_room",
    "numbered",
    "room_fact",
    "shown",
    "visibility_in",
    "visibility_of",
    "with_properties",
]

ROOM = "room"
HISTORY_KEPT = 16
"""Changes of the history's visibility that a room remembers."""
_WIDEST_FIRST = ("world", "members", "invited", "joined")
_COMING = 0
"""Stands for the number of the event that sets the fact, which nobody knows before."""


class _Value(msgspec.Struct, frozen=True, rename="camel"):
    # Its first two fields stand in front of whatever users wrote: stores look for them in the text.
    visibility: str
    history: Sequence[tuple[int, str]] = ()
    title: str = ""
    announce: bool = False
    attributes: Mapping[str, Any] = {}
    topic: str = ""
    permissions: Mapping[str, Any] = {}
    history_visibility: str | None = None
    slow_mode: float = 0
    archived: bool = False
    retention: float = 0


_value = msgspec.json.Decoder(_Value)
_OWN = tuple(name for name in _Value.__struct_fields__ if name != "history")
_only_here = attrgetter("topic", "permissions", "history_visibility", "slow_mode", "archived", "retention")
_NONE = _only_here(_Value(PUBLIC))
"""Those of most rooms, and of every user's own reserved room."""


def room_fact(room: Room, was: Room | None = None) -> Fact:
    """The fact that the room has the properties of `room`: title, visibility, attributes, announce, topic, permissions …

    `was`: the room as the store gave it, whose history continues. If others may read its events now, they may do so from the
    event that sets this fact. That event must have `restricts`, and `judged` be the number of `was`: then nothing comes between.
    """
    history = () if was is None else _continued(was, shown(room))
    value = _Value(history=history, **{name: getattr(room, name) for name in _OWN})
    return Fact(ROOM, "", msgspec.json.encode(value))


def is_room(fact: Fact) -> bool:
    """Is this the fact that tells of the room itself?"""
    return fact.kind == ROOM and not fact.key and fact.value is not None


def shown(room: Room) -> str:
    """Who may read what is stored in the room now: `world`, `members`, `invited` or `joined`."""
    if room.visibility == PUBLIC:
        return "world"
    return "members" if room.history_visibility in (None, "world") else room.history_visibility


def _continued(was: Room, now: str) -> Sequence[tuple[int, str]]:
    before = was.history or ((1, shown(was)),)
    if before[-1][1] == now:
        return was.history
    history = (*before, (_COMING, now))
    if len(history) > HISTORY_KEPT:  # of the two oldest, the one by which fewer may read
        (first, one), (_, other), *rest = history
        history = ((first, max(one, other, key=_WIDEST_FIRST.index)), *rest)
    return history


def first_facts(room: Room, facts: Sequence[Fact]) -> Sequence[Fact]:
    """The facts with which a room is made: its properties too, if it has some that stores know as facts only."""
    return facts if _only_here(room) == _NONE else (*facts, room_fact(room))


def numbered(fact: Fact, seq: int) -> Fact:
    """A room's fact that is set without an event, and holds from this number on."""
    assert fact.value is not None
    value = _value.decode(fact.value)
    history = [(number or seq, shown) for number, shown in value.history]
    return replace(fact, value=msgspec.json.encode(replace(value, history=history)))


def visibility_of(fact: Fact) -> str:
    """The room's visibility, of a fact for which `is_room`."""
    assert fact.value is not None
    return _value.decode(fact.value).visibility


def visibility_in(facts: Iterable[Fact]) -> str | None:
    """The visibility that these facts give a room, if one does."""
    return next((visibility_of(fact) for fact in facts if is_room(fact)), None)


def with_properties(room: Room, value: bytes, seq: int) -> Room:
    """The room with what its fact says, which the event with this number set."""
    found = _value.decode(value)
    history = tuple([(number or seq, shown) for number, shown in found.history])
    return replace(room, history=history, **{name: getattr(found, name) for name in _OWN})
