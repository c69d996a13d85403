"""What is loaded when the server has started is exempt from garbage collection, once in a process; full collections wait while a crowd comes."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock, call

import pytest
from sanic import Sanic

from sanic_chatrooms.web.mounted import mounted_in
from sanic_chatrooms.web.workers import garbage
from tests.support.wire import mount


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Mock:
    collector = Mock(spec=gc)
    monkeypatch.setattr(garbage, "gc", collector)
    return collector


def test_garbage_is_collected_before_what_is_left_is_frozen(collector: Mock) -> None:
    collector.get_freeze_count.return_value = 0

    garbage.freeze_loaded()

    assert collector.mock_calls == [call.get_freeze_count(), call.collect(), call.freeze()]


def test_a_process_that_has_frozen_something_is_left_alone(collector: Mock) -> None:
    collector.get_freeze_count.return_value = 1

    garbage.freeze_loaded()

    assert collector.mock_calls == [call.get_freeze_count()]


# ---- while a crowd comes ----

USUAL, RARE = (700, 10, 10), (700, 10, 10 * garbage.RARER)


class Scene:
    """A collector, and the time until it looks whether a crowd still comes: each `pass_by` is over it."""

    def __init__(self) -> None:
        self.collector = garbage.Collector()

    def come(self, connections: int) -> None:
        for _ in range(connections):
            self.collector.came()

    async def pass_by(self) -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setattr(garbage, "WITHIN", 0.0)
    before = gc.get_threshold()
    gc.set_threshold(*USUAL)
    yield Scene()
    gc.set_threshold(*before)


async def test_full_collections_are_rarer_from_the_moment_in_which_a_crowd_is_there(scene: Scene) -> None:
    scene.come(garbage.CROWD - 1)
    assert gc.get_threshold() == USUAL

    scene.come(1)

    assert gc.get_threshold() == RARE


async def test_they_are_as_usual_when_few_come_any_more(scene: Scene) -> None:
    scene.come(garbage.CROWD)
    await scene.pass_by()
    assert gc.get_threshold() == RARE

    scene.come(garbage.CROWD - 1)
    await scene.pass_by()

    assert gc.get_threshold() == USUAL


async def test_connections_that_come_now_and_then_are_no_crowd(scene: Scene) -> None:
    for _ in range(3):
        scene.come(garbage.CROWD - 1)
        await scene.pass_by()

    assert gc.get_threshold() == USUAL


async def test_a_second_crowd_is_like_the_first(scene: Scene) -> None:
    for _ in range(2):
        scene.come(3 * garbage.CROWD)
        assert gc.get_threshold() == RARE
        for _ in range(2):
            await scene.pass_by()
        assert gc.get_threshold() == USUAL


async def test_what_the_app_sets_meanwhile_is_kept(scene: Scene) -> None:
    scene.come(garbage.CROWD)

    gc.set_threshold(5_000, 20, 30)
    for _ in range(2):
        await scene.pass_by()

    assert gc.get_threshold() == (5_000, 20, 30)


def test_each_connection_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[bool] = []
    monkeypatch.setattr(garbage.COLLECTOR, "came", lambda: came.append(True))
    app: Sanic[Any, Any] = Sanic("crowded")
    mount(app)

    mounted_in(app)["default"].opened("127.0.0.1")

    assert came == [True]
