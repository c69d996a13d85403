"""The watchdog of an app and the pulse of its workers: one of each, however many instances the app has.

It is on where every instance has it on, and waits as long as the most patient of them.
"""

from collections.abc import Iterable
from typing import Any

from ...config.settings import Settings
from .beats import Pipe, Pulse
from .watchdog import Watchdog

__all__ = [
    "let_pulse_leave",
    "prepare_watchdog",
    "start_pulse",
    "start_watchdog",
    "stop_pulse",
    "stop_watchdog",
]

_WATCHDOG, _PULSE, _PIPE, _WRITER = (
    "_chatrooms_watchdog",
    "_chatrooms_pulse",
    "_chatrooms_pipe",
    "chatrooms_pulse",
)


def prepare_watchdog(app: Any, settings: Iterable[Settings]) -> None:
    """Before there are workers: open the pipe that they write to."""
    if hasattr(app.ctx, _PIPE) or not all(one.watchdog for one in settings):
        return
    pipe = Pipe()
    setattr(app.ctx, _PIPE, pipe)
    setattr(app.shared_ctx, _WRITER, pipe.writer)


def start_watchdog(app: Any, settings: Iterable[Settings]) -> None:
    """Once the manager is there."""
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
    """When the workers are gone."""
    watchdog: Watchdog | None = app.ctx.__dict__.pop(_WATCHDOG, None)
    if watchdog is not None:
        watchdog.stop()
    pipe: Pipe | None = app.ctx.__dict__.pop(_PIPE, None)
    if pipe is not None:
        pipe.close()


def start_pulse(app: Any) -> None:
    """In a worker that serves now."""
    writer = getattr(app.shared_ctx, _WRITER, None)
    if not hasattr(app, "multiplexer") or hasattr(app.ctx, _PULSE):
        return
    pulse = Pulse(writer)
    setattr(app.ctx, _PULSE, pulse)
    pulse.start()


def let_pulse_leave(app: Any) -> None:
    """In a worker that begins to end."""
    pulse: Pulse | None = getattr(app.ctx, _PULSE, None)
    if pulse is not None:
        pulse.leave()


def stop_pulse(app: Any) -> None:
    """In a worker that has ended."""
    pulse: Pulse | None = app.ctx.__dict__.pop(_PULSE, None)
    if pulse is not None:
        pulse.stop()
