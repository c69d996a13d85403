"""Sanic's answers about code, kept for the next app: it works them out anew for each one, and tests make thousands of apps alike.

Which format the errors of a handler have stands in its source, and from the paths of all routes a router makes the source
of a function. Both are answers about a text: the same text has the same answer. Half of the time of a test that serves an app
was Sanic's work on these.
"""

from __future__ import annotations

import ast
import functools
import inspect
from types import CodeType, SimpleNamespace
from typing import Any

from sanic.mixins.routes import RouteMixin
from sanic_routing import router

__all__ = ["remember"]

_determine = RouteMixin._determine_error_format
_formats: dict[CodeType, str] = {}


def _determine_once(self: RouteMixin, handler: Any) -> str:
    code = getattr(inspect.unwrap(handler), "__code__", None)
    if code is None:
        return _determine(self, handler)
    if code not in _formats:
        _formats[code] = _determine(self, handler)
    return _formats[code]


def remember() -> None:
    """From now on, in this process."""
    once = functools.lru_cache(maxsize=100)
    known = {name: once(getattr(ast, name)) for name in ("parse", "unparse", "fix_missing_locations")}
    vars(router).update(ast=SimpleNamespace(**{**vars(ast), **known}), compile=once(compile))
    RouteMixin._determine_error_format = _determine_once  # type: ignore[method-assign]


def pytest_configure() -> None:
    remember()
