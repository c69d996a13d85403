"""Scopes of tokens, which only narrow what a user may do.

`chat:read`, `chat:write` and `chat:moderate` hold in every room, `room:<pattern>:read` and so on in rooms whose id matches; `*` stands
for any characters. A token without a scope that begins with `chat:` or `room:` narrows nothing.
"""

import functools

import msgspec

from .actions import Right

__all__ = ["Scopes", "scopes_of"]

_OURS = ("chat:", "room:")
_RIGHTS = {"read": Right.READ, "write": Right.WRITE, "moderate": Right.MODERATE}


class Scopes(msgspec.Struct, frozen=True):
    """What a token allows."""

    everywhere: int
    """The highest right that holds in every room; 0: none does."""
    patterns: tuple[tuple[tuple[str, ...], int], ...]
    """Patterns of room ids, split at their asterisks, with the right that holds in such rooms."""
    admin: bool

    def allow(self, right: Right, room: str | None) -> bool:
        """Whether the token has this right in the room; None: for what is about no room."""
        if self.everywhere >= right:
            return True
        return room is not None and any(its >= right and _fits(parts, room) for parts, its in self.patterns)

    def allow_somewhere(self, right: Right) -> bool:
        """Whether the token has this right in some room."""
        return self.everywhere >= right or any(its >= right for _, its in self.patterns)


@functools.lru_cache(maxsize=4096)
def scopes_of(scopes: tuple[str, ...]) -> Scopes | None:
    """What these scopes allow; None: they narrow nothing."""
    ours = [scope for scope in scopes if scope.startswith(_OURS)]
    if not ours:
        return None
    everywhere, patterns, admin = 0, [], False
    for scope in ours:
        where, _, right = scope.rpartition(":")
        level = _RIGHTS.get(right, 0)
        if where == "chat":
            everywhere, admin = max(everywhere, level), admin or right == "admin"
        elif where.startswith("room:") and level:
            patterns.append((tuple(where[len("room:") :].split("*")), level))
    return Scopes(everywhere, tuple(patterns), admin)


def _fits(parts: tuple[str, ...], room: str) -> bool:
    """Whether the id has these parts in this order, with anything between them. In one pass: a pattern costs no more."""
    first, *rest = parts
    if not rest:
        return room == first
    if not room.startswith(first):
        return False
    at = len(first)
    for part in rest[:-1]:
        at = room.find(part, at) + len(part)
        if at < len(part):
            return False
    return room.endswith(rest[-1]) and at <= len(room) - len(rest[-1])
