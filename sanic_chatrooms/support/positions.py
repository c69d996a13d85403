"""Positions in rooms as text: `epoch:seq` in one room, `room@epoch:seq,room@epoch:seq` in several.

Neither rooms nor epochs have a `,`, `@` or (epochs) `:` in them.
"""

import re
from collections.abc import Collection, Mapping
from typing import NamedTuple

from ..errors import InvalidField

__all__ = ["Position", "Since", "read_position", "read_since", "write"]

_POSITION = re.compile(r"([A-Za-z0-9_-]{1,64}):(\d{1,16})", re.ASCII)
_WHAT = "must be what position() gave, or (epoch, seq)"


class Position(NamedTuple):
    """A place in a room's past: everything up to `seq` came before it."""

    epoch: str
    seq: int


Since = str | tuple[str, int]
"""What `position` gave, or the epoch and number of a position in the only room."""


def write(positions: Mapping[str, Position]) -> str:
    """One text for the positions in all these rooms."""
    if len(positions) == 1:
        (only,) = positions.values()
        return f"{only.epoch}:{only.seq}"
    return ",".join(f"{room}@{place.epoch}:{place.seq}" for room, place in positions.items())


def read_since(since: Since, rooms: Collection[str]) -> dict[str, Position]:
    """The positions in those of `rooms` that `since` names. Raises `InvalidField`."""
    if not isinstance(since, str):
        since = _as_text(since)
    if "@" not in since:
        if len(rooms) != 1:
            raise InvalidField("names no room, and there are several", field="since")
        return dict.fromkeys(rooms, read_position(since))
    named = (part.rpartition("@") for part in since.split(","))
    positions = {room: read_position(place) for room, _, place in named}
    return {room: positions[room] for room in rooms if room in positions}


def _as_text(since: object) -> str:
    match since:
        case (str(epoch), int(seq)) if not isinstance(seq, bool):
            return f"{epoch}:{seq}"
    raise InvalidField(_WHAT, field="since")


def read_position(text: str) -> Position:
    """The position in a single room. Raises `InvalidField`."""
    found = _POSITION.fullmatch(text)
    if found is None:
        raise InvalidField(_WHAT, field="since")
    return Position(found[1], int(found[2]))
