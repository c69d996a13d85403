"""Names of other packages, as if a release had renamed them: those who own a name go on using it, we do not find it."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest

__all__ = ["rename"]

_OURS = "sanic_chatrooms."
_DELEGATES = "sanic_chatrooms.web.socket.half_close"
"""Passes what Sanic asks for on to Sanic's own connection: who asks is the next one."""
_MISSING = object()


class _Renamed:
    """In the place of an attribute of a class: hidden from our code, and the same as before for everybody else."""

    def __init__(self, name: str, known: Any) -> None:
        self.name = name
        self.known = known
        self.values: dict[int, Any] = {}

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if _we_ask(sys._getframe(1)):
            raise AttributeError(f"it has no {self.name}")
        if self.known is not _MISSING and hasattr(self.known, "__get__"):
            set_by_owner = self.values.get(id(instance), _MISSING)
            return self.known.__get__(instance, owner) if set_by_owner is _MISSING else set_by_owner
        value = self.values.get(id(instance), self.known)
        if value is _MISSING:
            raise AttributeError(self.name)
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        if _we_ask(sys._getframe(1)):
            return  # a new attribute, of which nobody knows
        if hasattr(self.known, "__set__"):
            self.known.__set__(instance, value)
        else:
            self.values[id(instance)] = value


def _we_ask(frame: FrameType | None) -> bool:
    while frame is not None and frame.f_globals.get("__name__") == _DELEGATES:
        frame = frame.f_back
    return frame is not None and str(frame.f_globals.get("__name__")).startswith(_OURS)


def rename(patch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """Until the test ends, `name` of this class or module is one that only its owner knows."""
    if isinstance(owner, type):
        patch.setattr(
            owner, name, _Renamed(name, vars(owner).get(name, _inherited(owner, name))), raising=False
        )
    else:
        patch.delattr(owner, name)


def _inherited(owner: type, name: str) -> Any:
    for base in owner.__mro__:
        if name in vars(base):
            return vars(base)[name]
    return _MISSING
