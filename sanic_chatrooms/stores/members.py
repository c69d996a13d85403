"""A member of a room is the fact "member" about a user's id: {"name": …, "role": …, "joinedAt": …}."""

import msgspec

from ..models import Fact, Known, Member

__all__ = ["MEMBER", "as_member", "member_fact"]

MEMBER = "member"


class _Value(msgspec.Struct, frozen=True, rename="camel", gc=False):
    name: str
    role: str = "member"
    joined_at: float = 0.0


_value = msgspec.json.Decoder(_Value)


def member_fact(member: Member) -> Fact:
    """The fact that this user is a member."""
    value = _Value(member.name, member.role, member.joined_at)
    return Fact(MEMBER, member.user, msgspec.json.encode(value))


def as_member(known: Known) -> Member:
    """The member of whom this fact tells."""
    value = _value.decode(known.value)
    return Member(known.key, value.name, value.role, value.joined_at)
