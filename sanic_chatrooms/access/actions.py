"""The actions that are decided about. The table of commands fills this from its rows, and adds what has no command of its own."""

import enum
from collections.abc import Mapping

import msgspec

from .needs import RoomNeeds

__all__ = ["Action", "Right", "action", "actions", "add_action"]


class Right(enum.IntEnum):
    """What a token's scope allows. Each includes those before it."""

    READ = 1
    WRITE = 2
    MODERATE = 3


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """Something that users do."""

    name: str
    needs: RoomNeeds
    looks: bool = False
    """It only reads."""
    mute_stops: bool = False
    speaks: bool = False
    """It shows words to others: what `message` needs here, it needs too."""
    archive_stops: bool = True
    """It is not possible in an archived room."""
    for_invited: bool = False
    """Who is invited may do it, without being a member."""
    in_a_room: bool = True
    """It is done in a room that is there."""
    right: Right | None = None
    """The right that a token needs; None: by what the action needs."""

    def right_in(self, visibility: str) -> Right:
        """The right that a token needs in such a room."""
        if self.right is not None:
            return self.right
        if (self.needs.within(visibility).level or 0) >= MODERATOR:
            return Right.MODERATE
        return Right.READ if self.looks else Right.WRITE


MODERATOR = 50
"""The level from which on an action counts as moderation."""

_actions: dict[str, Action] = {}


def add_action(new: Action) -> Action:
    """Declare an action."""
    if new.name in _actions:
        raise ValueError(f"there is an action {new.name} already")
    _actions[new.name] = new
    return new


def action(name: str) -> Action:
    """The action with this name. Raises `KeyError`."""
    return _actions[name]


def actions() -> Mapping[str, Action]:
    """All actions, by name."""
    return _actions
