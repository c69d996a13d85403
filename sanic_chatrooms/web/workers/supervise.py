"""Supervision of workers: one watchdog for an app and beats from each worker, however many instances the app has.

The watchdog is on where every instance has it on. It waits as long as the instance with the longest `WATCHDOG_SILENCE`.
"""

from collections.abc import Iterable
from typing import Any

from ...config.settings import Settings
from .beats import Beats, Pipe
from .watchdog import Watchdog

__all__ = [
    "expect_end",
    "prepare_watchdog",
    "start_beats",
    "start_watchdog",
    "stop_beats",
    "stop_watchdog",
]

_WATCHDOG, _BEATS, _PIPE, _WRITER = (
    "_chatrooms_watchdog",
    "_chatrooms_beats",
    "_chatrooms_pipe",
    "chatrooms_beats",
)


def prepare_watchdog(app: Any, settings: Iterable[Settings]) -> None:
    """Open the pipe that workers write to. Call it before there are any."""
    if hasattr(app.ctx, _PIPE) or not all(one.watchdog for one in settings):
        return
    pipe = Pipe()
    setattr(app.ctx, _PIPE, pipe)
    setattr(app.shared_ctx, _WRITER, pipe.writer)


def start_watchdog(app: Any, settings: Iterable[Settings]) -> None:
    """Watch the workers of Sanic's manager. Call it once there is one."""
    pipe: Pipe | None = getattr(app.ctx, _PIPE, None)
    if pipe is None or hasattr(app.ctx, _WATCHDOG):
        return
    manager = app.manager
    watchdog = Watchdog(
        lambda: list(manager.transient_processes),
        manager.monitor_publisher.send,
        pipe.read,
        # A breakpoint is no fault.
        silence=None if app.debug else max(one.watchdog_silence for one in settings),
        # With a reloader, what cannot start waits for its author.
        retry=not app.state.auto_reload,
    )
    setattr(app.ctx, _WATCHDOG, watchdog)
    watchdog.start()


def stop_watchdog(app: Any) -> None:
    """End the watchdog. Call it when the workers have ended."""
    watchdog: Watchdog | None = app.ctx.__dict__.pop(_WATCHDOG, None)
    if watchdog is not None:
        watchdog.stop()
    pipe: Pipe | None = app.ctx.__dict__.pop(_PIPE, None)
    if pipe is not None:
        pipe.close()


def start_beats(app: Any) -> None:
    """Send beats from this worker, which serves now."""
    writer = getattr(app.shared_ctx, _WRITER, None)
    if not hasattr(app, "multiplexer") or hasattr(app.ctx, _BEATS):
        return
    beats = Beats(writer)
    setattr(app.ctx, _BEATS, beats)
    beats.start()


def expect_end(app: Any) -> None:
    """This worker begins to end."""
    beats: Beats | None = getattr(app.ctx, _BEATS, None)
    if beats is not None:
        beats.leave()


def stop_beats(app: Any) -> None:
    """Send no more beats: this worker has ended."""
    beats: Beats | None = app.ctx.__dict__.pop(_BEATS, None)
    if beats is not None:
        beats.stop()
