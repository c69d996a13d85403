"""What an action needs: a level, one of some roles, or to be one of some users; by kind of room."""

from typing import Any

import msgspec

from ..errors import InvalidField
from ..models import DIRECT, PRIVATE, PUBLIC
from .standing import Standing

__all__ = [
    "ANYONE",
    "CANCELLING",
    "COMING_IN",
    "GOVERNING",
    "INVITED",
    "INVITING",
    "LEAVING",
    "LOOKING",
    "MANAGING",
    "MARKING",
    "MODERATION",
    "NEVER",
    "PINNING",
    "PREFERRING",
    "REPORTING",
    "SPEAKING",
    "Need",
    "RoomNeeds",
    "need_of",
    "needs",
]

MOST = 100
"""The highest level that a room can ask for, and the most users and roles that a need can name."""

LONGEST = 128
"""Characters of a user's id, and of a role."""


class Need(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Any of these suffices."""

    level: int | None = None
    """The role's level, or a higher one."""
    roles: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    """Ids of users."""

    def met(self, user: str, standing: Standing) -> bool:
        """Whether this user, who stands so, may do it."""
        if self is NEVER:
            return False
        return (
            standing.creator
            or (self.level is not None and standing.level >= self.level)
            or standing.role in self.roles
            or user in self.users
        )

    def told(self) -> Any:
        """As the wire has it: a level, or a set of what suffices. An empty set: only the creator. Equal to what a store gives
        back, so without tuples."""
        if self.level is not None and not (self.roles or self.users):
            return self.level
        fields = msgspec.to_builtins(self).items()
        return {name: list(value) if isinstance(value, tuple) else value for name, value in fields}


NEVER = Need()
"""Nobody may: not the creator, and no room can change it."""


def need_of(value: object, field: str) -> Need:
    """The need that the wire describes: 50, or {"level": 50, "roles": ["editor"], "users": ["u7"]}. Raises `InvalidField`."""
    try:
        need = Need(value) if type(value) is int else msgspec.convert(value, Need, strict=True)
    except msgspec.ValidationError as exc:
        raise InvalidField(
            f"is no level, and no object of level, roles and users: {exc}", field=field
        ) from None
    if need.level is not None and not 0 <= need.level <= MOST:
        raise InvalidField(f"must be a level from 0 to {MOST}", field=field, limit=MOST)
    if len(need.roles) > MOST or len(need.users) > MOST:
        raise InvalidField(f"names more than {MOST} users or roles", field=field, limit=MOST)
    if any(not 0 < len(name) <= LONGEST for name in (*need.roles, *need.users)):
        raise InvalidField(
            f"must name users and roles of 1 to {LONGEST} characters", field=field, limit=LONGEST
        )
    return need


class RoomNeeds(msgspec.Struct, frozen=True):
    """What an action needs in each kind of room, unless the room says otherwise."""

    public: Need
    private: Need
    direct: Need

    def within(self, visibility: str) -> Need:
        """What it needs in such a room."""
        if visibility == PUBLIC:
            return self.public
        return self.private if visibility == PRIVATE else self.direct if visibility == DIRECT else NEVER


def needs(public: Need | int, private: Need | int, direct: Need | int) -> RoomNeeds:
    """Needs in public, private and direct rooms."""
    return RoomNeeds(*(Need(need) if isinstance(need, int) else need for need in (public, private, direct)))


LOOKING = needs(0, 5, 10)
COMING_IN = LOOKING
MARKING = LOOKING
"""Markers: others than members have none, so there is nothing to refuse."""
PREFERRING = needs(5, 5, 10)
SPEAKING = needs(Need(10, roles=("guest",)), 10, 10)
REPORTING = needs(1, 5, 10)
PINNING = needs(50, 50, 10)
INVITING = needs(10, 10, NEVER)
CANCELLING = needs(50, 50, 10)
MODERATION = needs(50, 50, NEVER)
MANAGING = needs(75, 75, NEVER)
GOVERNING = needs(100, 100, NEVER)
LEAVING = needs(0, 0, NEVER)
INVITED = needs(0, 0, NEVER)
"""An invitation; the command itself looks for one."""
ANYONE = needs(0, 0, 0)
