"""Drives wsload, the load generator, against a running server."""

import subprocess
from collections.abc import Callable

import msgspec

from .server import GENERATOR_CORE, Running, pinned
from .tools import HERE, compiled

__all__ = ["Dialect", "Measured", "load"]


class Dialect(msgspec.Struct, frozen=True):
    """How a client of one server speaks. The templates are wsload's."""

    path: str
    message: str
    init: str = ""
    need: int = 0
    """Answers that a connection must have before it is ready …"""
    mark: str = ""
    """… and by what one is recognised."""
    lines: bool = False
    """A frame may have several messages, one a line."""


class Measured(msgspec.Struct):
    """What wsload counted. `ready_seconds`: from the first connection to the last one's last answer."""

    seconds: float
    deliveries: int
    sent: int
    replies: int
    bytes: int
    p50_us: int
    p99_us: int
    cpu_us: int
    """Processor time of the server while it counted."""
    dropped: int
    ready_seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Deliveries a second."""
        return self.deliveries / self.seconds

    @property
    def per_cpu_second(self) -> float:
        """Deliveries per second of the server's processor time: what a busy machine does not blur."""
        return self.deliveries / (self.cpu_us / 1e6) if self.cpu_us else 0.0


class _Ready(msgspec.Struct):
    ready: int
    seconds: float


def load(
    server: Running,
    dialect: Dialect,
    when_ready: Callable[[], None] | None = None,
    /,
    **settings: float | str,
) -> Measured:
    """One run of wsload; `settings` are its own. Raises RuntimeError with what it said when it failed."""
    given = {
        "port": server.port,
        "pid": server.pid,
        "path": dialect.path,
        "init": dialect.init,
        "message": dialect.message,
        "need": dialect.need,
        "mark": dialect.mark,
        "lines": int(dialect.lines),
        **settings,
    }
    command = [str(compiled(HERE / "wsload.c")), *(f"{key}={value}" for key, value in given.items())]
    process = subprocess.Popen(
        pinned(GENERATOR_CORE, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        if first and when_ready is not None:
            when_ready()
        rest, problem = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode:
        raise RuntimeError(problem.strip())
    measured = msgspec.json.decode(rest, type=Measured)
    measured.ready_seconds = msgspec.json.decode(first, type=_Ready).seconds
    return measured
