"""Roles and their levels: those of the protocol, and those that the app declares."""

import re
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError

__all__ = ["CREATOR", "LEVELS", "check_roles", "level_of"]

LEVELS = {"owner": 100, "admin": 75, "moderator": 50, "member": 10, "reader": 5, "guest": 1, "outsider": 0}
"""The level of each role of the protocol. A role that nobody declared has the level of a member."""
CREATOR = 101
"""The rank of a room's creator, above all owners."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


def level_of(role: str, levels: Mapping[str, int] = LEVELS) -> int:
    """The level of a role."""
    return levels.get(role, LEVELS["member"])


def check_roles(roles: Mapping[Any, Any] | None, where: str) -> Mapping[str, int]:
    """The levels of all roles, with the app's own: {"editor": 30}. Raises `ConfigError`."""
    if roles is not None and not isinstance(roles, Mapping):
        raise ConfigError(f'{where}: roles must be levels by name, like {{"editor": 30}}, and not {roles!r}')
    for name, level in (roles or {}).items():
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise ConfigError(
                f"{where}: the role {name!r} must have 1 to 32 characters of a-z, 0-9, _ and -, a letter first"
            )
        if name in LEVELS:
            raise ConfigError(
                f"{where}: the role {name!r} has the level {LEVELS[name]} and cannot have another"
            )
        if isinstance(level, bool) or not isinstance(level, int) or not 1 <= level <= 99:
            raise ConfigError(
                f"{where}: the level of {name!r} must be a whole number from 1 to 99, and not {level!r}"
            )
    return {**LEVELS, **(roles or {})}
