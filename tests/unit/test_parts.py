"""What metrics and tracing need is loaded only where they are on, and is named where it is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import pytest

from sanic_chatrooms import tracing
from sanic_chatrooms.config.settings import Settings
from sanic_chatrooms.errors import ConfigError
from sanic_chatrooms.observe import exposition
from sanic_chatrooms.web.metrics import share_metrics

OFF = """
import asyncio, sys
from sanic_chatrooms.testing import running_chat
from sanic_chatrooms.web import blueprint

async def main():
    async with running_chat(guests=True):
        print(*[name for name in sys.modules if name.startswith(("opentelemetry", "prometheus_client"))])

asyncio.run(main())
"""


def test_where_they_are_off_nothing_of_them_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", OFF], capture_output=True, text=True, check=True)

    assert done.stdout == "\n"


@pytest.mark.parametrize(
    ("module", "require", "extra"),
    [
        (exposition, exposition.require_prometheus, "metrics"),
        (tracing, tracing.begin, "tracing"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, require: Callable[[], None], extra: str
) -> None:
    require()
    monkeypatch.setattr(module, "_missing", ImportError("No module named it"))

    with pytest.raises(ConfigError, match=rf"sanic-chatrooms\[{extra}\]"):
        require()


def test_the_main_process_says_that_prometheus_is_missing_before_there_are_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exposition, "_missing", ImportError("No module named it"))
    app = SimpleNamespace(shared_ctx=SimpleNamespace())

    with pytest.raises(ConfigError, match="CHATROOMS_METRICS"):
        share_metrics(app, Settings(instance="default", namespace="", metrics=True))
    share_metrics(app, Settings(instance="default", namespace="", admin="read"))
