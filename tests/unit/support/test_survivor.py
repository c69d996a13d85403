"""Who ends what a killed app leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from sanic_chatrooms.support.survivor import Survivor, born

APP = """
import os, signal, subprocess, sys
from sanic_chatrooms.support.survivor import Survivor, entrust_myself

def start(code):
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, pass_fds=fds, {session})
    child.stdout.readline()
    return child.pid

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(600)"
survivor = Survivor(patience=0.5)
survivor.start()
fds = ()
"""
END = """
print(survivor._process.pid, *pids, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
SERVER = """
pids = [start("import time; print(flush=True); time.sleep(600)")]
survivor.entrust(pids[0])
"""
STOPPED = SERVER + "os.kill(pids[0], signal.SIGSTOP)"
# It holds the pipe, and neither ends nor lets go of it.
WORKER = """
os.set_inheritable(survivor.writer.fileno(), True)
fds = (survivor.writer.fileno(),)
from sanic_chatrooms.support import survivor as module
pids = [start(STUBBORN)]
module._tell(survivor.writer, "worker", pids[0])
"""
RUNNING = "import time; print(flush=True); time.sleep(600)"
WITHIN = 40.0


def killed(what: str, session: str = "start_new_session=False") -> list[psutil.Process]:
    """The survivor and others, after the app that started them was killed."""
    code = APP.format(session=session) + what + END
    app = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with app:
        assert app.stdout is not None
        pids = app.stdout.readline().split()
    return [process for pid in pids for process in existing(int(pid))]


def existing(pid: int) -> list[psutil.Process]:
    try:
        return [psutil.Process(pid)]
    except psutil.NoSuchProcess:
        return []


def runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("session", ["start_new_session=False", "start_new_session=True"])
@pytest.mark.parametrize("what", [SERVER, STOPPED, WORKER], ids=["server", "stopped server", "deaf worker"])
def test_it_ends_what_a_killed_app_left_behind_and_then_itself(what: str, session: str) -> None:
    left = killed(what, session)

    deadline = time.monotonic() + WITHIN
    while any(map(runs, left)):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)  # between looks at processes that are nobody's children here


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of the app's."""
    with subprocess.Popen([sys.executable, "-c", RUNNING], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        yield other
        other.kill()


def test_a_number_that_is_another_process_by_now_is_left_alone(other: subprocess.Popen[bytes]) -> None:
    what = f"""
from sanic_chatrooms.support import survivor as module
module.born = lambda pid: "long-ago"
survivor.entrust({other.pid})
pids = []
"""
    left = killed(what)

    psutil.wait_procs(left, timeout=WITHIN)
    assert not any(map(runs, left))
    assert other.poll() is None


def started(survivor: Survivor) -> psutil.Process:
    """Its process; earlier tests of this program may have left others."""
    before = psutil.Process().children()
    survivor.start()
    [process] = set(psutil.Process().children()) - set(before)
    return process


def test_it_goes_when_it_is_not_needed_any_more() -> None:
    survivor = Survivor(patience=60.0)
    process = started(survivor)

    survivor.stop()
    survivor.stop()

    assert not process.is_running()


def test_an_app_whose_survivor_was_killed_goes_on(other: subprocess.Popen[bytes]) -> None:
    survivor = Survivor(patience=60.0)
    process = started(survivor)
    process.kill()
    process.wait()

    survivor.entrust(other.pid)
    survivor.stop()

    assert other.poll() is None


def test_a_process_is_known_by_when_it_began(other: subprocess.Popen[bytes]) -> None:
    assert born(other.pid) == born(other.pid) != ""
    other.kill()
    assert other.wait()
    assert born(other.pid) == ""
    assert born(os.getpid()) != ""
