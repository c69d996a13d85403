"""The programs of the pages, loaded and served."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import pytest
from sanic import Sanic

import sanic_chatrooms
from sanic_chatrooms import ChatRooms
from tests.support.fixtures import Live
from tests.support.server import LiveServer

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


class Load(Protocol):
    def __call__(self, name: str) -> Any: ...


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """`module = load("five_lines")`: the example as a module, with a `chatrooms.default` of its own."""
    default = ChatRooms()
    monkeypatch.setattr(sanic_chatrooms, "default", default)
    monkeypatch.setattr(sanic_chatrooms, "bp", default.bp)
    monkeypatch.syspath_prepend(EXAMPLES)
    apps: list[Sanic[Any, Any]] = []

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        if hasattr(module, "app"):
            apps.append(module.app)
            # What tests/support/server.py sets, and why.
            module.app.config.update(
                MOTD=False, AUTO_EXTEND=False, TOUCHUP=False, GRACEFUL_SHUTDOWN_TIMEOUT=1.0,
                CHATROOMS_OVERLOAD_LAG=None,
            )  # fmt: skip
        return module

    yield load
    for app in apps:
        Sanic.unregister_app(app)


class Run(Protocol):
    async def __call__(self, name: str) -> tuple[Any, LiveServer]: ...


@pytest.fixture
def run(load: Load, live: Live) -> Run:
    """`module, server = await run("five_lines")`; `connect` then goes there."""

    async def run(name: str) -> tuple[Any, LiveServer]:
        module = load(name)
        return module, await live(module.app)

    return run
