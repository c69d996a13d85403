"""The end of an app of several processes: told early, by a closed terminal, or killed. Nobody stays."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.embedded import embedded_directory
from tests.support.fixtures import Connect, SubprocessServer
from tests.support.process import ROOT, ServerProcess, free_port, with_root_on_path
from tests.support.thorough import only_thorough, unless_thorough

WITHIN = 40.0
APP = """
import asyncio, os, time
from sanic import Sanic
from sanic_chatrooms import ChatRooms

app = Sanic("ending")
app.blueprint(ChatRooms(guests=True, store={store!r}, drain_seconds=1.0, watchdog={watchdog}).bp)

@app.{when}
async def slow(*_):
    if os.environ["SANIC_WORKER_NAME"].startswith("Sanic-Server-1"):
        await asyncio.sleep(0.5)
        print("the second one is starting", flush=True)
        {how}
"""
APP_THAT_IS_TOLD = """
import signal, sys, threading
from multiprocessing.connection import Connection
from sanic import Sanic
from sanic_chatrooms import ChatRooms

app = Sanic("told")
app.blueprint(ChatRooms(guests=True).bp)

def callers():
    frame = sys._getframe()
    while frame := frame.f_back:
        yield frame.f_code.co_name

@app.main_process_ready
async def tell_in_the_middle(*_):
    receive = Connection.recv

    def receive_when_told(connection):
        if {"_callmethod", "_sync_states"} <= set(callers()):
            Connection.recv = receive
            print("told", flush=True)
            signal.raise_signal(signal.SIGTERM)
        return receive(connection)

    Connection.recv = receive_when_told
"""
APP_THAT_IS_SLOW = """
import asyncio
from sanic import Sanic
from sanic_chatrooms import ChatRooms

app = Sanic("slow")
app.blueprint(ChatRooms(guests=True).bp)

@app.before_server_stop
async def slow(*_):
    print("the app begins to end", flush=True)
    await asyncio.sleep(1.0)
    print("the app has ended", flush=True)
"""
PLAIN = "pass"
pytestmark = pytest.mark.asyncio(loop_factories=["asyncio"])


class Family:
    """A main process with all that it has started."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.main = psutil.Process(server.process.pid)
        self.seen: list[psutil.Process] = []

    def all(self) -> list[psutil.Process]:
        self.seen = [self.main, *self.main.children(recursive=True)]
        return self.seen

    def kill(self) -> None:
        """Whoever is left, even where the app does not see to that."""
        with contextlib.suppress(psutil.NoSuchProcess):
            self.seen += self.main.children(recursive=True)
        self.server.kill()
        for process in self.seen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


@contextlib.contextmanager
def started(
    tmp_path: Path,
    *,
    store: str = "embedded:",
    when: str = "before_server_start",
    how: str = PLAIN,
    watchdog: bool = True,
) -> Iterator[Family]:
    file = tmp_path / "app.py"
    file.write_text(APP.format(store=store, when=when, how=how, watchdog=watchdog))
    port = free_port()
    command = [sys.executable, str(ROOT / "tests/support/run_app.py"), str(file), str(port), "2"]
    with embedded_directory() as directory:
        env = with_root_on_path({"SANIC_CHATROOMS_EMBEDDED_DIR": str(directory / "data")})
        family = Family(ServerProcess(command, port, env=env, cwd=ROOT))
        try:
            yield family
        finally:
            family.kill()


async def ready(family: Family) -> list[psutil.Process]:
    """Everybody, once all serve."""
    await asyncio.to_thread(family.server.wait_for, lambda output: "manager ready" in output, "start")
    return family.all()


async def assert_gone(everybody: list[psutil.Process]) -> None:
    """All have ended; who collects orphans may take its time."""
    async with asyncio.timeout(WITHIN):
        while any(map(runs, everybody)):  # noqa: ASYNC110 - they are nobody's children any more
            await asyncio.sleep(0.05)


def runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


WAYS = [
    ("before_server_start", "await asyncio.sleep(60)"),
    ("after_server_start", "await asyncio.sleep(60)"),
    ("before_server_start", "time.sleep(60)"),
]


@pytest.mark.parametrize(("when", "how"), unless_thorough(WAYS[:1], WAYS))
async def test_a_main_process_that_is_told_to_end_before_all_workers_are_ready_ends(
    tmp_path: Path, when: str, how: str
) -> None:
    with started(tmp_path, when=when, how=how) as family:
        await asyncio.to_thread(
            family.server.wait_for, lambda output: "the second one is starting" in output, "the second worker"
        )
        everybody = family.all()

        family.server.terminate()

        await assert_gone(everybody)


async def test_a_main_process_that_is_told_to_end_while_it_waits_for_an_answer_ends_well(
    tmp_path: Path, subprocess_server: SubprocessServer
) -> None:
    (tmp_path / "app.py").write_text(APP_THAT_IS_TOLD)

    server = await subprocess_server(tmp_path / "app.py", spawns=True)  # it tells itself as soon as it serves

    code = await asyncio.to_thread(server.process.wait, WITHIN)
    assert (code, "told" in server.output, "Traceback" in server.output) == (0, True, False), server.output


async def test_a_worker_that_ends_slowly_is_told_once(
    tmp_path: Path, subprocess_server: SubprocessServer
) -> None:
    """Longer than the time after which a worker that does not end tells itself again."""
    (tmp_path / "app.py").write_text(APP_THAT_IS_SLOW)
    server = await subprocess_server(tmp_path / "app.py", spawns=True)

    server.terminate()

    code = await asyncio.to_thread(server.process.wait, WITHIN)
    said = [server.output.count(text) for text in ("the app begins to end", "the app has ended", "Traceback")]
    assert (code, said) == (0, [1, 1, 0]), server.output


@pytest.mark.parametrize("watchdog", unless_thorough([False], [True, False]))
async def test_of_a_main_process_that_was_killed_nothing_stays(tmp_path: Path, watchdog: bool) -> None:
    with started(tmp_path, watchdog=watchdog) as family:
        everybody = await ready(family)
        assert sum("valkey" in process.name() for process in everybody) == 1

        family.main.kill()

        await assert_gone(everybody)


@only_thorough
async def test_of_a_main_process_that_is_killed_while_workers_start_nothing_stays(tmp_path: Path) -> None:
    with started(tmp_path, how="await asyncio.sleep(2)") as family:
        await asyncio.to_thread(
            family.server.wait_for, lambda output: "the second one is starting" in output, "the second worker"
        )
        everybody = family.all()

        family.main.kill()

        await assert_gone(everybody)


@pytest.mark.usefixtures("hangups_end")
async def test_a_closed_terminal_sends_everybody_away_and_leaves_nothing(
    tmp_path: Path, connect: Connect
) -> None:
    with started(tmp_path) as family:
        everybody = await ready(family)
        people = [await connect(server=family.server) for _ in range(6)]

        os.killpg(family.main.pid, signal.SIGHUP)  # as the terminal does it: to the whole group

        for person in people:
            assert (await person.closed())[0] == 1012
        await assert_gone(everybody)
        assert "Traceback" not in family.server.output


@only_thorough
async def test_with_nohup_the_app_goes_on(tmp_path: Path, connect: Connect) -> None:
    ignored = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as the program nohup does, for what it starts
    try:
        with started(tmp_path) as family:
            await ready(family)
            os.killpg(family.main.pid, signal.SIGHUP)
            ada = await connect(server=family.server)
            await ada.ack("join", room="general")
    finally:
        signal.signal(signal.SIGHUP, ignored)
