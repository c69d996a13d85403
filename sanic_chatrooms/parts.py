"""The classes of a chat's parts that tracing replaces."""

import importlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple

from .config.settings import Settings
from .hub.hub import Hub
from .hub.journal import Journal
from .stores.base import Store
from .verbs.dispatch import Commands

__all__ = ["Parts", "parts_of"]

TRACING = "sanic_chatrooms.tracing"


class Parts(NamedTuple):
    """`store` wraps the store of the backends."""

    hub: type[Hub] = Hub
    journal: type[Journal] = Journal
    commands: type[Commands] = Commands
    store: Callable[[Store], Store] = lambda store: store
    below: Callable[[Mapping[str, str]], AbstractContextManager[None]] = lambda headers: nullcontext()
    """What a request with these headers causes belongs to its trace."""


def parts_of(settings: Settings) -> Parts:
    """Those with spans where `TRACING` is on. Where it is off, nothing of them is loaded. Raises `ConfigError`."""
    if not settings.tracing:
        return Parts()
    traced = importlib.import_module(TRACING)
    traced.begin()
    classes = (traced.TracedHub, traced.TracedJournal, traced.TracedCommands, traced.TracedStore)
    return Parts(*classes, traced.below)
