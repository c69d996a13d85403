"""The rule for ids of users, which every id has to pass where it comes in.

Ids come from tokens, from authenticators, from `direct`, and from the app's code.
"""

import unicodedata
from typing import Final

from ..errors import InvalidField

__all__ = ["GUEST", "MAX_USER_ID", "check_user_id", "is_text", "is_unicode"]

MAX_USER_ID: Final = 128
"""Characters in a user's id."""

GUEST: Final = "guest-"
"""The prefix of guests' ids. No other id may have it, because a token with such an id would be that guest."""


def check_user_id(value: object, field: str = "user") -> str:
    """The id, which is a string of 1 to 128 characters without control characters and lone surrogates.

    `field` is what the caller names it. Raises `InvalidField`.
    """
    if not isinstance(value, str):
        # Not converted: 7 and "7" would be one user in one store, and two users in another.
        raise InvalidField(f"must be the id of a user, a string, and not {type(value).__name__}", field=field)
    if not 0 < len(value) <= MAX_USER_ID or not is_text(value):
        raise InvalidField(
            f"must be the id of a user: 1 to {MAX_USER_ID} characters without control characters and lone surrogates",
            field=field,
        )
    return value


def is_text(value: str) -> bool:
    """Can this be written as UTF-8, stored by every backend, and shown in one line?"""
    return value.isprintable() or all(unicodedata.category(char) not in ("Cc", "Cs") for char in value)


def is_unicode(value: str) -> bool:
    """Can this be written as UTF-8? Lone surrogates cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
