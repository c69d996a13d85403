"""What the id of a user may be: one rule, asked wherever an id comes in.

Ids come from tokens, from authenticators, from `direct`, and from the host's code.
"""

import unicodedata
from typing import Final

from ..errors import InvalidField

__all__ = ["GUEST", "MAX_USER_ID", "check_user_id", "is_text"]

MAX_USER_ID: Final = 128
"""Characters in a user's id."""

GUEST: Final = "guest-"
"""How the ids of guests begin, and no others: a token that could claim one would be that guest."""


def check_user_id(value: object, field: str = "user") -> str:
    """The id, which is a string of 1 to 128 characters without control characters and lone surrogates.

    `field` is what the caller names it. Raises `InvalidField`.
    """
    if not isinstance(value, str):
        # Not turned into one: 7 and "7" would be the same user to one store and two users to another.
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
