"""Once a second each worker tells the main process that its event loop runs.

All workers write to one pipe, a few bytes at a time; the kernel does not mix writes this small. `app.m.state` would not do:
it asks another process and waits for the answer, and may lose what Sanic writes there itself.
"""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import struct
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import NamedTuple

__all__ = ["BEAT", "Beat", "Beats", "Pipe"]

logger = logging.getLogger("sanic_chatrooms.watchdog")

BEAT = 1.0
"""Seconds from one beat to the next."""
AGAIN = 5
"""Beats after which a worker that was told to end, and does not begin to, is told again."""
_RECORD = struct.Struct("=q?")


class Beat(NamedTuple):
    """A process is alive, or (not `goes_on`) has ended and sends no more beats."""

    pid: int
    goes_on: bool


class Pipe:
    """Made by the main process; `writer` goes to the workers by `app.shared_ctx`."""

    def __init__(self) -> None:
        self._reader, self.writer = multiprocessing.Pipe(duplex=False)
        # Neither side blocks: not a worker while the main process is frozen, nor the other way round.
        for end in (self._reader, self.writer):
            os.set_blocking(end.fileno(), False)

    def read(self) -> Iterator[Beat]:
        """What came since the last look."""
        while True:
            try:
                data = os.read(self._reader.fileno(), _RECORD.size * 400)
            except BlockingIOError:
                return
            for pid, goes_on in _RECORD.iter_unpack(data):
                yield Beat(pid, goes_on)

    def close(self) -> None:
        """Close both ends."""
        self._reader.close()
        self.writer.close()


class Beats:
    """The beats of one worker. Without a writer none are sent. They also end a worker whose main process is gone, because
    nothing could stop or replace it."""

    def __init__(self, writer: "Connection[bytes, bytes] | None") -> None:
        self._writer = writer
        # Not `os.getppid()` now: the main process may have been killed while this one started.
        parent = multiprocessing.parent_process()
        self._parent = os.getppid() if parent is None else parent.pid
        self._timer: asyncio.TimerHandle | None = None
        self._leaving = False
        self._beats_alone = 0

    def start(self) -> None:
        """Send a beat now, and then one a second."""
        self._timer = asyncio.get_running_loop().call_later(BEAT, self._beat)
        self._send(goes_on=True)

    def leave(self) -> None:
        """The worker is ending. It goes on sending beats, and is not told to end again."""
        self._leaving = True

    def stop(self) -> None:
        """Say that no more beats will come. Calling it again does nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._send(goes_on=False)

    def _beat(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(BEAT, self._beat)
        if os.getppid() != self._parent and not self._leaving:
            self._end_alone()
        self._send(goes_on=True)

    def _end_alone(self) -> None:
        # Not at `start`, and again if need be: Sanic forgets what it is told before its loop runs for good.
        if self._beats_alone % AGAIN == 0:
            logger.error("the main process is gone; worker %d ends", os.getpid())
            os.kill(os.getpid(), signal.SIGTERM)
        self._beats_alone += 1

    def _send(self, *, goes_on: bool) -> None:
        if self._writer is None:
            return
        with contextlib.suppress(OSError):  # the main process is frozen, or gone
            os.write(self._writer.fileno(), _RECORD.pack(os.getpid(), goes_on))
