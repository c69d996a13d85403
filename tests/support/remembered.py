"""What Sanic and SQLAlchemy work out anew for each app and each database, kept for the next one: tests make thousands of both alike.

Which format the errors of a handler have stands in its source, and from the paths of all routes a router makes the source
of a function. Both are answers about a text: the same text has the same answer. Half of the time of a test that serves an app
was Sanic's work on these. Likewise the tables of stores of one name are the same, and so are the texts of their statements.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections import defaultdict
from collections.abc import Callable
from types import CodeType, SimpleNamespace
from typing import Any

from sanic.mixins.routes import RouteMixin
from sanic_routing import router
from sqlalchemy.util import LRUCache

from sanic_chatrooms.drivers.sql import postgres, sqlite_connections
from sanic_chatrooms.stores.sql import store
from sanic_chatrooms.stores.sql.schema import Schema

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
    _remember_routes()
    _remember_statements()


def _remember_routes() -> None:
    once = functools.lru_cache(maxsize=100)
    known = {name: once(getattr(ast, name)) for name in ("parse", "unparse", "fix_missing_locations")}
    vars(router).update(ast=SimpleNamespace(**{**vars(ast), **known}), compile=once(compile))
    RouteMixin._determine_error_format = _determine_once  # type: ignore[method-assign]


def _remember_statements() -> None:
    vars(store)["Schema"] = functools.lru_cache(maxsize=100)(Schema)
    for module, name in ((sqlite_connections, "create_engine"), (postgres, "create_async_engine")):
        vars(module)[name] = _with_known_texts(vars(module)[name])


class _Texts(LRUCache[Any, Any]):
    """What the engines of one kind have compiled. SQLAlchemy knows it by the dialect, of which each engine has its own."""

    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__(key[1:])

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key[1:], value)


_texts: dict[type, _Texts] = defaultdict(lambda: _Texts(2_000))


def _with_known_texts(create: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(create)
    def created(*args: Any, **kwargs: Any) -> Any:
        made = create(*args, **kwargs)
        engine = getattr(made, "sync_engine", made)
        engine._compiled_cache = _texts[type(engine.dialect)]
        return made

    return created


def pytest_configure() -> None:
    remember()
