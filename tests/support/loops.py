"""The event loops that tests run on.

Tests in `tests/integration` run on asyncio's own loop and on uvloop, all others on asyncio's. A test or a module says
otherwise with pytest-asyncio's marker: `@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

__all__: list[str] = []

_LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,  # by name: `new_event_loop` would ask a policy that Sanic may have set
    "uvloop": uvloop.new_event_loop,
}
_INTEGRATION = Path(__file__).parents[1] / "integration"


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    marker = item.get_closest_marker("asyncio")
    if marker is not None and "loop_factories" in marker.kwargs:
        return _LOOPS
    if item.path.is_relative_to(_INTEGRATION):
        return _LOOPS
    return {"asyncio": _LOOPS["asyncio"]}
