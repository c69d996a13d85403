"""The event loops that tests run on.

Tests in `tests/integration` run on asyncio's own loop or on uvloop, those of `_TRANSPORT` on both, and all others on
asyncio's. Which of the two is chosen by the test's name, so that it is the same in each run; with `THOROUGH=1` it is
both. A test or a module says otherwise with pytest-asyncio's marker:
`@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])`.

Those modules that hold the edge to the protocol run once more on the plain edge, on one loop: `PlainEdgeLoop` is
asyncio's, and the fixture `live` serves by the plain edge where it finds it. The others would only show again what is
behind the edge, which is the same code; all of them would take half as long again. What the plain edge leaves to Sanic,
and Sanic does not do, is marked `fast_edge`.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import uvloop

from tests.support.thorough import THOROUGH

__all__ = ["PlainEdgeLoop"]


class PlainEdgeLoop(asyncio.SelectorEventLoop):
    """On this loop the tests' servers use the plain edge."""


_LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,  # by name: `new_event_loop` would ask a policy that Sanic may have set
    "uvloop": uvloop.new_event_loop,
}
_ON_BOTH_EDGES = {**_LOOPS, "plain": PlainEdgeLoop}
_BOTH_EDGES = {
    "test_chatting.py",
    "test_direct.py",
    "test_errors.py",
    "test_handshake.py",
    "test_messages.py",
}
_TRANSPORT = {
    *_BOTH_EDGES,
    "test_closing.py",
    "test_door.py",
    "test_edge.py",
    "test_garbage.py",
    "test_harness.py",
    "test_lone.py",
    "test_mounting.py",
}
_INTEGRATION = Path(__file__).parents[1] / "integration"


def pytest_asyncio_loop_factories(
    item: pytest.Item,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    marker = item.get_closest_marker("asyncio")
    if marker is not None and "loop_factories" in marker.kwargs:
        return _LOOPS
    if item.path.is_relative_to(_INTEGRATION):
        both = item.path.name in _BOTH_EDGES and item.get_closest_marker("fast_edge") is None
        if both:
            return _ON_BOTH_EDGES
        return _LOOPS if THOROUGH or item.path.name in _TRANSPORT else _one_of_them(item.name)
    return {"asyncio": _LOOPS["asyncio"]}


def _one_of_them(name: str) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    chosen = sorted(_LOOPS)[zlib.crc32(name.encode()) % 2]
    return {chosen: _LOOPS[chosen]}
