"""What members keep for themselves in a room, and what counts as unread: rules that are the same in every store."""

from collections.abc import Sequence

from ..models import Fact
from .pages import Unread

__all__ = [
    "EVERYONE",
    "GROUP",
    "LAST",
    "LOOKED_AT",
    "MOST_MENTIONS",
    "NONE",
    "OWN",
    "PREFS",
    "READ",
    "WHOLE",
    "Ranges",
    "is_own",
    "joined",
    "name_of",
]

LAST = 2**53 - 1
"""No event has a higher number."""
OWN = "my."
"""How the kinds of facts begin that belong to a membership."""
READ, PREFS = OWN + "read", OWN + "prefs"
"""Up to which number a member has read, and what they prefer."""
LOOKED_AT = 20_000
"""Numbers above the marker that are looked at. A room where so many come without something that counts is rare; then there
may be more."""
MOST_MENTIONS = 100
"""Mentions that are counted."""
GROUP = "@"
"""How the name of a group begins: the rest is a role, or"""
EVERYONE = "@room"

Ranges = Sequence[tuple[int, int]]
"""Numbers, each (first, last)."""
WHOLE: Ranges = ((1, LAST),)
NONE: Ranges = ((1, 0),)


def is_own(fact: Fact) -> bool:
    """Does it belong to the membership of its key?"""
    return fact.kind.startswith(OWN)


def name_of(user: str) -> str:
    """The name by which a user is mentioned; "" for an id like those of groups."""
    return "" if user.startswith(GROUP) else user


def joined(parts: Sequence[Unread], cap: int) -> Unread:
    """What was counted in several ranges, ascending, as one."""
    if len(parts) == 1:
        return parts[0]  # in no more than `cap`, as it was asked
    count = sum(part.count for part in parts)
    first = next((part.first for part in parts if part.first is not None), None)
    mentions = min(sum(part.mentions for part in parts), MOST_MENTIONS)
    one = parts[0]
    return Unread(
        one.member, one.marker, min(count, cap), count > cap or any(part.more for part in parts), first,
        mentions, one.prefs, one.last,
    )  # fmt: skip
