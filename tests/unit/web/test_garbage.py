"""What is loaded when the server has started is exempt from garbage collection, once in a process; full collections wait while a crowd comes."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
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


class Loop:
    """As much of an event loop as a collector needs."""

    def __init__(self) -> None:
        self.later: list[Callable[[], object]] = []

    def call_later(self, seconds: float, call: Callable[..., object], *given: Any) -> None:
        self.later.append(partial(call, *given))


class Scene:
    """A collector, and the time until it looks whether a crowd still comes: each `pass_by` is over it."""

    def __init__(self) -> None:
        self.collector = garbage.Collector()
        self.loop = Loop()

    def come(self, connections: int) -> None:
        for _ in range(connections):
            self.collector.came()

    def pass_by(self) -> None:
        later, self.loop.later = self.loop.later, []
        for look in later:
            look()


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    scene = Scene()
    monkeypatch.setattr(garbage, "asyncio", SimpleNamespace(get_running_loop=lambda: scene.loop))
    before = gc.get_threshold()
    gc.set_threshold(*USUAL)
    yield scene
    gc.set_threshold(*before)


def test_full_collections_are_rarer_from_the_moment_in_which_a_crowd_is_there(scene: Scene) -> None:
    scene.come(garbage.CROWD - 1)
    assert gc.get_threshold() == USUAL

    scene.come(1)

    assert gc.get_threshold() == RARE


def test_they_are_as_usual_when_few_come_any_more(scene: Scene) -> None:
    scene.come(garbage.CROWD)
    scene.pass_by()
    assert gc.get_threshold() == RARE

    scene.come(garbage.CROWD - 1)
    scene.pass_by()

    assert gc.get_threshold() == USUAL


def test_connections_that_come_now_and_then_are_no_crowd(scene: Scene) -> None:
    for _ in range(3):
        scene.come(garbage.CROWD - 1)
        scene.pass_by()

    assert gc.get_threshold() == USUAL


def test_a_second_crowd_is_like_the_first(scene: Scene) -> None:
    for _ in range(2):
        scene.come(3 * garbage.CROWD)
        assert gc.get_threshold() == RARE
        for _ in range(2):
            scene.pass_by()
        assert gc.get_threshold() == USUAL


def test_what_the_app_sets_meanwhile_is_kept(scene: Scene) -> None:
    scene.come(garbage.CROWD)

    gc.set_threshold(5_000, 20, 30)
    for _ in range(2):
        scene.pass_by()

    assert gc.get_threshold() == (5_000, 20, 30)


def test_a_crowd_that_never_ends_leaves_room_for_a_collection(scene: Scene) -> None:
    seen = []
    for _ in range(garbage.LONGEST + 1):
        scene.come(garbage.CROWD)
        seen.append(gc.get_threshold())
        scene.pass_by()
    scene.come(garbage.CROWD)

    assert seen == [RARE] * garbage.LONGEST + [USUAL]
    assert gc.get_threshold() == RARE


def test_a_loop_that_ended_in_a_crowd_leaves_nothing_to_the_next_one(scene: Scene) -> None:
    scene.come(garbage.CROWD)
    scene.loop = Loop()

    scene.come(1)
    assert gc.get_threshold() == USUAL
    scene.come(garbage.CROWD)
    assert gc.get_threshold() == RARE
    scene.pass_by()
    scene.pass_by()

    assert gc.get_threshold() == USUAL


def test_the_largest_threshold_stays_what_it_is(scene: Scene) -> None:
    gc.set_threshold(700, 10, 2**31 - 1)

    scene.come(garbage.CROWD)

    assert gc.get_threshold() == (700, 10, 2**31 - 1)


def test_each_connection_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    came: list[bool] = []
    monkeypatch.setattr(garbage.COLLECTOR, "came", lambda: came.append(True))
    app: Sanic[Any, Any] = Sanic("crowded")
    mount(app)

    mounted_in(app)["default"].opened("127.0.0.1")

    assert came == [True]
