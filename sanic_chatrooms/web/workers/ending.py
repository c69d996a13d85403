"""The end of the app's processes, however it comes: told while they start, by a closed terminal, or by SIGKILL.

Sanic's manager waits for all workers to be ready before it does anything else. One that is told to end meanwhile has ended
those that will never say so, and waits on (25.12). It does not know SIGHUP, by which a closed terminal takes leave. And it
cannot help it that what it started stays when it is killed: its own process for shared state first of all.
"""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterable
from types import FrameType
from typing import Any

from ...config.settings import Settings
from ...support.survivor import Survivor, entrust_myself

__all__ = [
    "await_workers",
    "end_early",
    "end_on_hangup",
    "end_surely",
    "ending",
    "is_worker",
    "join_survivor",
    "start_survivor",
    "stop_survivor",
]

_SURVIVOR, _WRITER = "_chatrooms_survivor", "chatrooms_survivor"
_STATE_SERVER, _SERVERS = "SyncManager-", "Sanic-Server-"
_ENDING = "_chatrooms_ending"
TELL_AGAIN = 0.3
"""Seconds after which a worker that was told to end, and does not, tells itself again."""
MARGIN = 5.0
"""Seconds that workers of a killed app have beyond what they take at most to drain and to stop."""


# ---- killed ----


def start_survivor(app: Any, settings: Iterable[Settings]) -> Survivor:
    """The process that outlives this one: one for an app. What Sanic has started so far is entrusted to it."""
    survivor: Survivor | None = getattr(app.ctx, _SURVIVOR, None)
    if survivor is None:
        drain = max(one.drain_seconds for one in settings)
        survivor = Survivor(drain + app.config.GRACEFUL_SHUTDOWN_TIMEOUT + MARGIN)
        survivor.start()
        setattr(app.ctx, _SURVIVOR, survivor)
        setattr(app.shared_ctx, _WRITER, survivor.writer)
        for child in multiprocessing.active_children():
            if child.name.startswith(_STATE_SERVER) and child.pid is not None:
                survivor.entrust(child.pid)
    return survivor


def stop_survivor(app: Any) -> None:
    """Where a single process ends the app and goes on. A main process with workers needs it to its own end."""
    survivor: Survivor | None = app.ctx.__dict__.pop(_SURVIVOR, None)
    if survivor is not None:
        survivor.stop()
        delattr(app.shared_ctx, _WRITER)


def join_survivor(app: Any) -> None:
    """In a worker that starts: the survivor waits for it."""
    writer = getattr(app.shared_ctx, _WRITER, None)
    if writer is not None:
        entrust_myself(writer)


# ---- told ----


def await_workers(patience: float) -> None:
    """In the main process, before it ends what workers need: Sanic waits for ten seconds only, and a worker may send its
    connections away for longer. All are told once more, because Sanic does not tell a worker that it has just started anew;
    one that is ending already is not disturbed. Who is still there after `patience` seconds is told again.
    """
    workers = [child for child in multiprocessing.active_children() if child.name.startswith(_SERVERS)]
    for _ in range(2):
        deadline = time.monotonic() + patience
        for child in workers:
            child.terminate()
        for child in workers:
            child.join(max(0.0, deadline - time.monotonic()))
        workers = [child for child in workers if child.is_alive()]


def end_surely(app: Any) -> None:
    """In a worker that has just started. Sanic stops the loop when the worker is told to end, and a loop forgets that if it has
    just run something else to its end, as it does in the moment in which the worker is ready.
    """
    if not is_worker(app):
        return
    loop = asyncio.get_running_loop()

    def end() -> None:
        if not getattr(app.ctx, _ENDING, False):
            app.stop(terminate=False)
            loop.call_later(TELL_AGAIN, end)

    for number in (signal.SIGINT, signal.SIGTERM):  # Sanic's manager sends the first
        loop.add_signal_handler(number, end)


def ending(app: Any) -> None:
    """It has heard that it is to end."""
    setattr(app.ctx, _ENDING, True)


def is_worker(app: Any) -> bool:
    """Does this process have another one above it, which starts and ends it?"""
    return hasattr(app, "multiplexer")


# ---- told while it starts ----


def end_early(manager: Any) -> None:
    """Let Sanic's manager stop waiting for its workers once it was told to end, and end those that it has started since."""
    if "_all_workers_ack" in vars(manager):
        return  # by another instance of this app
    all_ready = manager._all_workers_ack

    def all_ready_or_ending() -> bool:
        if not manager._shutting_down:
            ready: bool = all_ready()
            return ready
        for process in list(manager.processes):
            if process.is_alive():
                process.terminate()
        return True

    manager._all_workers_ack = all_ready_or_ending


# ---- a closed terminal ----


def end_on_hangup(app: Any, manager: Any = None) -> None:
    """Take a SIGHUP for a SIGTERM, unless the app has something else in mind for it (nohup, a handler of its own).

    A worker lets it pass: the main process hears it as well, and tells the workers. `manager`: Sanic's, in a main process.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    known = signal.getsignal(signal.SIGHUP)
    if known is not signal.SIG_DFL and not isinstance(known, _HangUp):
        return
    if is_worker(app) or signal.getsignal(signal.SIGTERM) not in (
        signal.SIG_DFL,
        signal.SIG_IGN,
    ):
        signal.signal(signal.SIGHUP, _HangUp(app, manager))


class _HangUp:
    """What a process does when its terminal is closed."""

    def __init__(self, app: Any, manager: Any) -> None:
        self._app = app
        self._manager = manager
        self._heard = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        heard, self._heard = self._heard, True
        if heard:
            return  # terminals and shells may both say so, and a second SIGTERM would cut it short
        with contextlib.suppress(AttributeError):  # then Sanic stumbles, and ends all the same
            self._do_without_state_server()
        if not is_worker(self._app):
            os.kill(os.getpid(), signal.SIGTERM)

    def _do_without_state_server(self) -> None:
        if is_worker(self._app):
            state = self._app.multiplexer.state
            _do_without_state_server(state._state, [state._name])
        elif self._manager is not None:
            names = [process.name for process in self._manager.processes]
            _do_without_state_server(self._manager.worker_state, names)


def _do_without_state_server(proxy: Any, names: Iterable[str]) -> None:
    # It belongs to the same terminal and does not survive this: Sanic would stumble over it before all workers are told.
    state: dict[str, dict[str, Any]] = {name: {} for name in names}
    proxy._callmethod = lambda method, arguments=(), _=None: getattr(state, method)(*arguments)
