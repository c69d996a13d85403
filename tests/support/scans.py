"""What must not be walked through: work that is done each second or per disconnect may not grow with who is idle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

__all__ = ["no_scan"]


class _Unscannable(dict[Any, Any]):
    """A dict that is looked things up in, and fails who walks through it."""

    def _refuse(self, *_: object) -> NoReturn:
        raise AssertionError("a scan of all")

    __iter__ = keys = values = items = copy = __reversed__ = _refuse


@contextmanager
def no_scan(owner: Any, *names: str) -> Iterator[None]:
    """Within it, walking through these dicts of `owner` raises."""
    for name in names:
        setattr(owner, name, _Unscannable(getattr(owner, name)))
    yield
    for name in names:
        setattr(owner, name, dict(list(dict.items(getattr(owner, name)))))
