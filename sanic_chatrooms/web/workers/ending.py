"""Ends the processes of an app in four cases that Sanic leaves open.

1. A SIGTERM while workers start: Sanic's manager ends its workers, and then waits for them to become ready (25.12).
2. A SIGTERM while Sanic's manager asks its process for shared state, ten times a second: its handler asks on the same
   connection, each gets the other's answer, and the main process fails.
3. SIGHUP, which a closed terminal sends: Sanic does not handle it.
4. SIGKILL to the main process: whatever it has started stays, Sanic's process for shared state included.
"""

import asyncio
import contextlib
import multiprocessing
import multiprocessing.managers
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from types import FrameType
from typing import Any

from ...config.settings import Settings
from ...support.survivor import Survivor, entrust_myself

__all__ = [
    "await_workers",
    "end_between_questions",
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
HEAR_AGAIN = 0.05
"""Seconds after which a main process that is told to end in the middle of a question is told again."""
TELL_AGAIN = 0.3
"""Seconds after which a worker that was told to end, and does not end, tells itself again."""
MARGIN = 5.0
"""Seconds that workers of a killed app have on top of the time they may take to drain and stop."""


# ---- killed ----


def start_survivor(app: Any, settings: Iterable[Settings]) -> Survivor:
    """Start the process that outlives this one, once for an app, and entrust it with what Sanic has started so far."""
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
    """End the survivor of an app that runs in a single process. A main process with workers needs its survivor to the end."""
    survivor: Survivor | None = app.ctx.__dict__.pop(_SURVIVOR, None)
    if survivor is not None:
        survivor.stop()
        delattr(app.shared_ctx, _WRITER)


def join_survivor(app: Any) -> None:
    """Let the survivor wait for this worker too, which starts now."""
    writer = getattr(app.shared_ctx, _WRITER, None)
    if writer is not None:
        entrust_myself(writer)


# ---- told ----


def await_workers(patience: float) -> None:
    """Wait until the workers have ended, before the main process ends what they need.

    Sanic waits for ten seconds only, and a worker may take longer to send its connections away. All workers are told once
    more, because Sanic does not tell one that it has just restarted; this does not disturb a worker that is ending already.
    Those that are left after `patience` seconds are told again.
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
    """Make sure that this worker, which has just started, ends when it is told to.

    Sanic then stops the event loop. A loop forgets that if it has just run something else to its end, as it does in the
    moment in which the worker is ready. In that moment uvloop also keeps a signal to itself until the next one comes.
    """
    if not is_worker(app):
        return
    loop = asyncio.get_running_loop()
    told = False

    def end() -> None:
        if not getattr(app.ctx, _ENDING, False):
            app.stop(terminate=False)
            loop.call_later(TELL_AGAIN, end)

    def hear(*_: object) -> None:
        nonlocal told
        if not told:
            told = True
            loop.call_soon_threadsafe(end)

    for number in (signal.SIGINT, signal.SIGTERM):  # Sanic's manager sends the first
        loop.add_signal_handler(
            number, hear
        )  # with it a signal wakes the loop, and Sanic takes it away at the end
        signal.signal(number, hear)


def ending(app: Any) -> None:
    """The worker has been told to end."""
    setattr(app.ctx, _ENDING, True)


def is_worker(app: Any) -> bool:
    """Is this a worker, which a main process starts and ends?"""
    return hasattr(app, "multiplexer")


# ---- told while it starts ----


def end_early(manager: Any) -> None:
    """Let Sanic's manager stop waiting for its workers when it is told to end, and end those that it has started since."""
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


# ---- told in the middle of a question ----


def end_between_questions(manager: Any) -> None:
    """Let Sanic's manager hear a signal only while it does not wait for an answer of the process for shared state."""

    def hear(number: int, frame: FrameType | None) -> None:
        if _is_asking(frame):
            again = threading.Timer(HEAR_AGAIN, os.kill, (os.getpid(), number))
            again.daemon = True
            again.start()
        else:
            manager.shutdown_signal(number, frame)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) == manager.shutdown_signal:
            signal.signal(number, hear)


def _is_asking(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__") == multiprocessing.managers.__name__:
            return True
        frame = frame.f_back
    return False


# ---- a closed terminal ----


def end_on_hangup(app: Any, manager: Any = None) -> None:
    """Treat SIGHUP as SIGTERM, unless it is ignored (nohup) or the app handles it.

    A worker ignores it: the main process receives it too, and tells the workers. `manager`: Sanic's, in a main process.
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
    """The signal handler of a process whose terminal is closed."""

    def __init__(self, app: Any, manager: Any) -> None:
        self._app = app
        self._manager = manager
        self._heard = False
        with contextlib.suppress(AttributeError):
            for proxy, _ in self._shared_state():
                _answer_without_server(proxy, lambda: self._heard)

    def __call__(self, number: int, frame: FrameType | None) -> None:
        heard, self._heard = self._heard, True
        if heard:
            return  # terminal and shell may both send it, and a second SIGTERM would cut the ending short
        with contextlib.suppress(AttributeError):  # then Sanic writes a traceback, and ends all the same
            for proxy, names in self._shared_state():
                _do_without_state_server(proxy, names)
        if not is_worker(self._app):
            os.kill(os.getpid(), signal.SIGTERM)

    def _shared_state(self) -> Iterator[tuple[Any, list[str]]]:
        """The proxy of the state that the processes of the app share, and who has a part in it as far as this process asks."""
        if is_worker(self._app):
            state = self._app.multiplexer.state
            yield state._state, [state._name]
        elif self._manager is not None:
            yield self._manager.worker_state, [process.name for process in self._manager.processes]


def _do_without_state_server(proxy: Any, names: Iterable[str]) -> None:
    # The process for shared state has the same terminal and ends now. Without it Sanic would fail before all workers are told.
    state: dict[str, dict[str, Any]] = {name: {} for name in names}
    proxy._callmethod = lambda method, arguments=(), _=None: getattr(state, method)(*arguments)


def _answer_without_server(proxy: Any, heard: Callable[[], bool]) -> None:
    # A question that is under way when the terminal is closed is answered like those that come after it.
    ask = proxy._callmethod

    def ask_on(method: str, *arguments: Any) -> Any:
        try:
            return ask(method, *arguments)
        except (ConnectionError, EOFError):
            time.sleep(HEAR_AGAIN)  # the process for shared state may have heard it first
            if not heard():
                raise
            return proxy._callmethod(method, *arguments)

    proxy._callmethod = ask_on
