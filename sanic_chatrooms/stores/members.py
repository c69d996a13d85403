"""Members of a room, as facts: the fact "member" about a user's id is {"name": …, "role": …, "joinedAt": …}, and "creator": true
of the member who made the room."""

from collections.abc import Collection

import msgspec
from msgspec.structs import replace

from ..models import Fact, Known, Member
from .base import Store

__all__ = [
    "BY_USER",
    "INVITE",
    "MEMBER",
    "MemberPage",
    "as_member",
    "find",
    "first",
    "left",
    "member_fact",
    "page",
    "put",
    "remove",
]

MEMBER, INVITE = "member", "invite"
BY_USER = frozenset((MEMBER, INVITE))
"""Kinds of facts about a user by which rooms are found. The rooms of other facts are not, unless the fact is about the room itself."""


class MemberPage(msgspec.Struct, frozen=True):
    """Members in the order of their user ids. `total` counts all of them."""

    members: list[Member]
    total: int
    cursor: str | None = None


class _Value(msgspec.Struct, frozen=True, rename="camel", gc=False):
    name: str
    role: str = "member"
    joined_at: float = 0.0
    creator: bool | msgspec.UnsetType = msgspec.UNSET
    invited_seq: int | msgspec.UnsetType = msgspec.UNSET


_value = msgspec.json.Decoder(_Value)


def member_fact(member: Member) -> Fact:
    """The fact that this user is a member."""
    invited = msgspec.UNSET if member.invited_seq is None else member.invited_seq
    value = _Value(member.name, member.role, member.joined_at, member.creator or msgspec.UNSET, invited)
    return Fact(MEMBER, member.user, msgspec.json.encode(value))


def left(user: str) -> Fact:
    """The fact that this user is no member any more."""
    return Fact(MEMBER, user, None)


def as_member(known: Known) -> Member:
    """The member that this fact describes."""
    value = _value.decode(known.value)
    invited = None if value.invited_seq is msgspec.UNSET else value.invited_seq
    return Member(known.key, value.name, value.role, value.joined_at, value.creator is True, invited)


async def find(store: Store, room: str, user: str) -> Member | None:
    """The membership of one user in one room; None if there is none, or no such room."""
    known = await store.fact(room, MEMBER, user)
    return None if known is None else as_member(known)


async def page(store: Store, room: str, *, cursor: str | None = None, limit: int = 50) -> MemberPage:
    """The members of a room, in the order of their ids. Raises `RoomNotFound`, `InvalidCursor`."""
    found = await store.facts(room, MEMBER, cursor=cursor, limit=limit)
    return MemberPage([as_member(known) for known in found.facts], found.total, found.cursor)


async def first(store: Store, rooms: Collection[str], limit: int) -> dict[str, list[Member]]:
    """The first `limit` members of each of these rooms; a room that does not exist is left out."""
    found = await store.first_facts(rooms, MEMBER, limit)
    return {room: [as_member(known) for known in facts] for room, facts in found.items()}


async def put(store: Store, room: str, member: Member, was: bytes | None = None) -> bool:
    """Make or change a membership without an event; True if that changed anything. Raises `RoomNotFound`.

    `was`: the value of the fact that it replaces, b"" for a new one. With another value nothing changes.
    """
    return await store.set_fact(room, replace(member_fact(member), was=was))


async def remove(store: Store, room: str, user: str, was: Member | None = None) -> bool:
    """End a membership without an event; True if there was one. `was`: only if it is still this one. Raises `RoomNotFound`."""
    value = None if was is None else member_fact(was).value
    return await store.set_fact(room, replace(left(user), was=value))
