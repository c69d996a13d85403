"""Which workers are replaced, which are killed, and which must not be."""

from __future__ import annotations

import enum
import itertools
import subprocess
import sys
import threading
from dataclasses import dataclass, field

import pytest

from sanic_chatrooms.testing import Clock
from sanic_chatrooms.web.workers.beats import Beat
from sanic_chatrooms.web.workers.watchdog import LOOK, Watchdog, kill_child

SILENCE = 10.0


class State(enum.Enum):
    STARTED = enum.auto()
    ACKED = enum.auto()
    FAILED = enum.auto()
    COMPLETED = enum.auto()


@dataclass
class Process:
    """As Sanic's manager keeps one."""

    pid: int
    name: str = "Sanic-Server-0-0"
    state: State = State.ACKED
    exitcode: int | None = None

    def die(self, code: int = -9) -> None:
        self.state, self.exitcode = State.FAILED if code else State.COMPLETED, code


@dataclass
class Workers:
    """A watchdog, a clock, and workers that beat unless they are frozen or have said good-bye."""

    processes: list[Process]
    silence: float | None = SILENCE
    retry: bool = True
    beating: set[int] = field(default_factory=set)
    bye: list[int] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.dog = Watchdog(
            lambda: self.processes, self.replaced.append, self._beats,
            silence=self.silence, retry=self.retry, kill=self._kill, clock=self.clock,
        )  # fmt: skip

    def _beats(self) -> list[Beat]:
        bye, self.bye = self.bye, []
        return [*(Beat(pid, True) for pid in self.beating), *(Beat(pid, False) for pid in bye)]

    def _kill(self, pid: int) -> bool:
        self.killed.append(pid)
        return True

    def serve(self, *pids: int) -> None:
        self.beating.update(pids)
        self.dog.look()

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / LOOK)):
            self.clock.advance(LOOK)
            self.dog.look()


def test_a_worker_that_died_is_replaced_at_once_and_once() -> None:
    worker = Process(7)
    workers = Workers([worker])
    workers.serve(7)

    workers.beating.clear()
    worker.die()
    workers.pass_time(LOOK)
    assert workers.replaced == [worker.name]
    workers.pass_time(60.0)

    assert workers.replaced == [worker.name]
    assert workers.killed == []


def test_its_replacement_is_replaced_as_quickly() -> None:
    worker = Process(7)
    workers = Workers([worker])
    for pid in range(7, 17):
        worker.pid, worker.state = pid, State.ACKED
        workers.serve(pid)
        workers.beating.clear()
        worker.die()
        workers.pass_time(LOOK)

    assert workers.replaced == [worker.name] * 10


def test_a_worker_that_ended_by_itself_is_replaced_too() -> None:
    worker = Process(7)
    workers = Workers([worker])
    workers.serve(7)

    worker.die(0)
    workers.dog.look()

    assert workers.replaced == [worker.name]


def test_a_worker_that_is_silent_too_long_is_shot_and_the_others_are_not() -> None:
    workers = Workers([Process(7), Process(8, "Sanic-Server-1-0")])
    workers.serve(7, 8)

    workers.beating.discard(7)
    workers.pass_time(SILENCE - 1.0)
    assert workers.killed == []
    workers.pass_time(2.0)

    assert workers.killed == [7]
    workers.pass_time(60.0)
    assert workers.killed == [7]


def test_a_slow_start_is_not_silence() -> None:
    workers = Workers([Process(7, state=State.STARTED)])

    workers.pass_time(300.0)

    assert (workers.killed, workers.replaced) == ([], [])


def test_a_worker_that_sends_its_connections_away_and_ends_is_left_alone() -> None:
    """The old process of a restart: the manager knows the new one only, under the same name."""
    worker = Process(7)
    workers = Workers([worker])
    workers.serve(7)

    worker.pid, worker.state = 8, State.STARTED
    workers.pass_time(60.0)
    workers.beating.discard(7)
    workers.bye.append(7)
    workers.pass_time(60.0)

    assert (workers.killed, workers.replaced) == ([], [])


def test_an_old_process_that_freezes_while_it_ends_is_shot_and_not_replaced() -> None:
    worker = Process(7)
    workers = Workers([worker])
    workers.serve(7)

    worker.pid = 8
    workers.serve(8)
    workers.beating.discard(7)
    workers.pass_time(SILENCE + 1.0)

    assert workers.killed == [7]
    assert workers.replaced == []


def test_nobody_is_shot_after_the_main_process_itself_stood_still() -> None:
    workers = Workers([Process(7)])
    workers.serve(7)

    workers.beating.clear()  # what they would have written found the pipe full
    workers.clock.advance(300.0)
    workers.dog.look()
    workers.pass_time(SILENCE - 1.0)

    assert workers.killed == []


def test_nobody_is_shot_where_silence_is_no_fault() -> None:
    workers = Workers([Process(7)], silence=None)
    workers.serve(7)

    workers.beating.clear()
    workers.pass_time(300.0)

    assert workers.killed == []


def test_one_that_cannot_start_is_tried_again_less_and_less_often() -> None:
    worker = Process(7, state=State.STARTED)
    workers = Workers([worker])
    asked: list[float] = []
    began = workers.clock()
    for pid in range(8, 20):
        while len(workers.replaced) == len(asked):
            worker.die(1)
            workers.pass_time(LOOK)
        asked.append(workers.clock() - began)
        worker.pid, worker.state = pid, State.STARTED

    gaps = [later - sooner for sooner, later in itertools.pairwise(asked)]
    assert gaps == sorted(gaps)
    assert gaps[0] < 3.0
    assert 29.0 < gaps[-1] < 31.0


def test_with_a_reloader_what_cannot_start_waits_for_its_author() -> None:
    worker = Process(7, state=State.STARTED)
    workers = Workers([worker], retry=False)

    worker.die(1)
    workers.pass_time(60.0)
    assert workers.replaced == []
    worker.pid, worker.state = 8, State.ACKED
    workers.serve(8)
    worker.die()
    workers.dog.look()

    assert workers.replaced == [worker.name]


def test_other_processes_of_the_manager_are_none_of_its_business() -> None:
    reloader = Process(7, "Sanic-Reloader-0")
    workers = Workers([reloader])

    reloader.die()
    workers.pass_time(60.0)

    assert workers.replaced == []


def test_a_process_that_is_no_child_of_ours_is_not_shot() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        assert not kill_child(stranger.pid)
        assert stranger.poll() is None


def test_it_survives_an_error_that_nobody_thought_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sanic_chatrooms.web.workers.watchdog.LOOK", 0.001)
    workers, looked = Workers([]), threading.Event()
    problems = [AttributeError("nobody thought of this") for _ in range(3)]

    def beats() -> list[Beat]:
        if problems:
            raise problems.pop()
        looked.set()
        return []

    workers.dog._beats = beats
    workers.dog.start()

    assert looked.wait(60)
    workers.dog.stop()
    assert caplog.text.count("the watchdog failed; it goes on") == 3
