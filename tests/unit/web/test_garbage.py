"""What is loaded when the server has started is exempt from garbage collection, once in a process; full collections wait while a crowd comes or goes, and
a crowd that has come is exempt, too."""

from __future__ import annotations

import gc
import math
import weakref
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
    monkeypatch.setattr(garbage, "COLLECTOR", garbage.Collector())
    return collector


def test_garbage_is_collected_before_what_is_left_is_frozen(collector: Mock) -> None:
    collector.get_freeze_count.return_value = 0

    garbage.freeze_loaded()

    assert collector.mock_calls == [call.get_freeze_count(), call.collect(), call.freeze()]
    assert garbage.COLLECTOR.may_freeze


def test_a_process_that_has_frozen_something_is_left_alone(collector: Mock) -> None:
    collector.get_freeze_count.return_value = 1

    garbage.freeze_loaded()

    assert collector.mock_calls == [call.get_freeze_count()]
    assert not garbage.COLLECTOR.may_freeze


# ---- while a crowd comes or goes ----

USUAL, RARE = (700, 10, 10), (700, 10 // garbage.PIECES, 10 * garbage.RARER * garbage.PIECES)


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

    def go(self, connections: int) -> None:
        for _ in range(connections):
            self.collector.went()

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


def test_they_are_rarer_while_a_crowd_goes(scene: Scene) -> None:
    scene.come(garbage.CROWD - 1)
    scene.pass_by()

    scene.go(garbage.CROWD - 1)
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

    assert gc.get_threshold() == (*RARE[:2], 2**31 - 1)


@pytest.mark.parametrize("middle", [0, 1, 2])
def test_middle_collections_do_not_come_all_the_time(scene: Scene, middle: int) -> None:
    gc.set_threshold(700, middle, 10)

    scene.come(garbage.CROWD)

    assert gc.get_threshold() == (700, min(middle, 1), 10 * garbage.RARER * max(middle, 1))


def test_each_connection_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    monkeypatch.setattr(garbage.COLLECTOR, "came", lambda: moved.append("came"))
    monkeypatch.setattr(garbage.COLLECTOR, "went", lambda: moved.append("went"))
    app: Sanic[Any, Any] = Sanic("crowded")
    mount(app)

    mounted_in(app)["default"].opened("127.0.0.1")
    mounted_in(app)["default"].closed("127.0.0.1")

    assert moved == ["came", "went"]


def test_what_ends_after_its_loop_is_no_crowd() -> None:
    garbage.Collector().went()


# ---- after a crowd ----


class Exempt:
    """Notes what is exempted, in the place of the functions of `gc`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        for name in ("freeze", "unfreeze", "collect"):
            monkeypatch.setattr(gc, name, partial(self.done.append, name))

    def take(self) -> list[str]:
        done = self.done.copy()
        self.done.clear()
        return done


@pytest.fixture
def exempt(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Exempt:
    scene.collector.may_freeze = True
    return Exempt(monkeypatch)


EXEMPTED, COLLECTED = ["freeze"], ["unfreeze", "collect", "freeze"]


def settle(scene: Scene) -> None:
    scene.pass_by()
    scene.pass_by()


def test_who_has_come_in_a_crowd_is_exempt_afterwards(scene: Scene, exempt: Exempt) -> None:
    scene.come(garbage.MANY)
    scene.pass_by()
    assert exempt.take() == []

    scene.pass_by()

    assert exempt.take() == EXEMPTED
    assert gc.get_threshold() == USUAL


def test_a_small_crowd_is_visited_as_ever(scene: Scene, exempt: Exempt) -> None:
    scene.come(garbage.MANY - 1)
    settle(scene)

    assert exempt.take() == []


def test_many_who_come_one_by_one_are_visited_as_ever(scene: Scene, exempt: Exempt) -> None:
    for _ in range(math.ceil(garbage.MANY / 50)):
        scene.come(50)
        scene.pass_by()

    assert exempt.take() == []


def test_what_the_app_has_exempted_is_left_alone(scene: Scene, exempt: Exempt) -> None:
    scene.collector.may_freeze = False
    scene.come(4 * garbage.MANY)
    settle(scene)
    scene.go(3 * garbage.MANY)
    settle(scene)

    assert exempt.take() == []


def test_what_is_left_of_exempt_ones_is_collected_when_half_as_many_have_gone(
    scene: Scene, exempt: Exempt
) -> None:
    """Whether others have come for them or not."""
    scene.come(2 * garbage.MANY)
    settle(scene)
    exempt.take()
    for _ in range(garbage.MANY - 1):
        scene.go(1)
        scene.come(1)
    settle(scene)
    assert exempt.take() == []

    scene.go(1)
    scene.pass_by()

    assert exempt.take() == COLLECTED
    scene.go(garbage.MANY)
    settle(scene)
    assert exempt.take() == COLLECTED


def test_of_few_who_are_left_nothing_is_counted(scene: Scene, exempt: Exempt) -> None:
    scene.come(garbage.MANY)
    settle(scene)
    scene.go(garbage.MANY - 10)
    settle(scene)
    assert exempt.take() == [*EXEMPTED, *COLLECTED]

    scene.go(10)
    settle(scene)

    assert exempt.take() == []


def test_a_second_crowd_is_exempt_too_if_it_is_worth_it(scene: Scene, exempt: Exempt) -> None:
    scene.come(4 * garbage.MANY)
    settle(scene)
    scene.come(garbage.MANY - 1)
    settle(scene)
    assert exempt.take() == EXEMPTED

    scene.come(garbage.CROWD)
    settle(scene)

    assert exempt.take() == EXEMPTED


def test_garbage_that_was_exempt_is_collected_in_the_end(scene: Scene) -> None:
    """With Python's own functions."""

    class Left:
        itself: Left

    left = Left()
    left.itself = left
    gone = weakref.ref(left)
    scene.collector.may_freeze = True
    try:
        scene.come(garbage.MANY)
        settle(scene)
        del left
        gc.collect()
        assert gone() is not None

        scene.go(garbage.MANY // 2)
        settle(scene)

        assert gone() is None
    finally:
        gc.unfreeze()
