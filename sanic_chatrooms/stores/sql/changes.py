"""What a draft does besides its event, also where it says so by a `change`; until nobody does."""

from ...models import (
    Draft,
    Fact,
    Fold,
    MemberRemoved,
    MemberSet,
    MessageDeleted,
    MessageEdited,
    Relation,
)
from ..members import MEMBER, member_fact

__all__ = ["about_of", "facts_of", "is_plain"]


def is_plain(draft: Draft) -> bool:
    """Is it nothing but an event?"""
    return draft.about is None and not draft.facts and draft.change is None and not draft.restricts


def about_of(draft: Draft) -> Relation | None:
    """What it does to another message."""
    match draft.change:
        case MessageEdited(msg_id, payload):
            return Relation(msg_id, Fold.REPLACE, value=payload)
        case MessageDeleted(msg_id):
            return Relation(msg_id, Fold.ERASE)
    return draft.about


def facts_of(draft: Draft) -> tuple[Fact, ...]:
    """What holds from its event on."""
    match draft.change:
        case MemberSet(member):
            return (member_fact(member), *draft.facts)
        case MemberRemoved(user):
            return (Fact(MEMBER, user, None), *draft.facts)
    return draft.facts
