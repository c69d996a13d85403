"""What an app declares of an instance before anything runs: its routes, its hooks, and its settings in code."""

from collections.abc import Mapping
from typing import Any

import msgspec

from .access.policy import Policy, RoomPolicy
from .access.roles import LEVELS
from .auth.base import Authenticator
from .auth.guests import IsReserved
from .hooks.listeners import Listener
from .hooks.middleware import Middleware
from .verbs.own import AppCommand

__all__ = ["Declaration", "RouteDeclaration"]


class RouteDeclaration(msgspec.Struct, frozen=True):
    """A WebSocket route as the app declared it."""

    path: str
    auth: Authenticator | None = None
    policy: Policy | None = None
    room: str | None = None
    read_only: bool = False
    confined: bool = False
    settings: Mapping[str, Any] = {}


class Declaration(msgspec.Struct):
    """What is declared of an instance. Every app that mounts the instance shares it."""

    name: str
    code: dict[str, Any] = {}
    policy: Policy = msgspec.field(default_factory=RoomPolicy)
    levels: Mapping[str, int] = msgspec.field(default_factory=LEVELS.copy)
    """The level of each role, with those that the app declares."""
    routes: list[RouteDeclaration] = []
    middleware: list[tuple[frozenset[str] | None, Middleware]] = []
    listeners: dict[str, list[Listener]] = {}
    commands: dict[str, AppCommand] = {}
    reserved: list[IsReserved] = []
    """What says which names are reserved, besides `RESERVED_NAMES`."""
