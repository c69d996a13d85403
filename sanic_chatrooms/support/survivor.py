"""A small process that outlives the app and ends what a killed app leaves behind.

A process cannot clean up after its own SIGKILL, so another one has to. The app tells the survivor through a pipe what it has
started. The pipe closes with the last process that can write to it, and so the survivor knows when all are gone. This works
on any POSIX system.

This file is both sides. Run as a program it imports nothing of the package, so that it stays small and starts at once.
"""

import contextlib
import logging
import multiprocessing
import os
import select
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeAlias

__all__ = ["Survivor", "Writer", "born", "entrust_myself"]

logger = logging.getLogger("sanic_chatrooms.support.survivor")

LOOK = 0.5
"""Seconds between two looks at whether the app is still there, for what the pipe does not show."""
END_WITHIN = 10.0
"""Seconds that a server has to end before it is killed."""
_WORKER, _SERVER = "worker", "server"

Writer: TypeAlias = Connection


class Survivor:
    """The app's side: `start` it, then `entrust` it with processes to end if this one is killed, and `stop` it at the end.

    `patience`: seconds that workers of a killed app have to end by themselves.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self.writer: Writer | None = None
        """The end of the pipe that workers write to."""

    def start(self) -> None:
        """Start the process. If that fails the app runs without it, and its next start ends what is left."""
        reader, self.writer = multiprocessing.Pipe(duplex=False)
        os.set_blocking(self.writer.fileno(), False)
        command = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(self._patience)]
        try:
            # In a session of its own, so that Ctrl-C or a closed terminal, which end the app, do not end it.
            self._process = subprocess.Popen(  # noqa: S603 - this file
                command, stdin=reader.fileno(), stdout=subprocess.DEVNULL, start_new_session=True
            )
        except OSError as exc:
            logger.warning("what this app leaves behind when it is killed will stay: %s", exc)
        finally:
            reader.close()

    def entrust(self, pid: int) -> None:
        """Entrust it with a server, which it ends after the workers if it still runs then."""
        _tell(self.writer, _SERVER, pid)

    def stop(self) -> None:
        """End the process, which is not needed any more. Calling it again does nothing."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.close()
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()


def entrust_myself(writer: Writer) -> None:
    """Tell the survivor of this worker, which it kills if the worker does not end when the app is gone."""
    _tell(writer, _WORKER, os.getpid())


def _tell(writer: Writer | None, kind: str, pid: int) -> None:
    if writer is not None:
        with contextlib.suppress(OSError):  # the survivor was killed: the next start of the app does its work
            os.write(writer.fileno(), f"{kind} {pid} {born(pid)}\n".encode())


def born(pid: int) -> str:
    """The start time of a process as a text without spaces, which tells it from others with this id; empty if it has ended."""
    try:
        # A program may have any name, so look behind the last bracket: the state, and 19 words on the start time in ticks.
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if words[0] in "ZX" else words[19]
    except (OSError, IndexError):
        return "" if Path("/proc/self/stat").exists() else _born_elsewhere(pid)


def _born_elsewhere(pid: int) -> str:
    asked = ["/bin/ps", "-o", "lstart=", "-p", str(pid)]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603 - no shell, a number
    except OSError:
        return ""
    return "_".join(told.stdout.split())


# ---- the program ----


class _Left:
    """The processes that the app has started, as the pipe tells."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._unread = b""
        self._known: dict[int, tuple[str, str]] = {}

    def listen(self, within: float) -> bool:
        """Read what comes within so many seconds. False: no process is left that could write."""
        if not select.select([self._pipe], [], [], within)[0]:
            return True
        data = os.read(self._pipe, 65_536)
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            kind, pid, began = line.decode().split(" ")
            self._known[int(pid)] = (kind, began)
        return bool(data)

    def running(self, kind: str) -> list[int]:
        """The processes of a kind that still run, without others that have got their ids since."""
        return [
            pid for pid, (its, began) in self._known.items() if its == kind and began and born(pid) == began
        ]

    def end(self) -> None:
        """Kill the workers that are left, then end the servers."""
        for pid in self.running(_WORKER):
            _send(pid, signal.SIGKILL)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.running(_SERVER):
                _send(pid, number)
            deadline = time.monotonic() + END_WITHIN
            while self.running(_SERVER) and time.monotonic() < deadline:
                time.sleep(0.05)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        send = os.killpg if os.getpgid(pid) == pid else os.kill
        send(pid, number)
        send(pid, signal.SIGCONT)  # one that was stopped hears nothing else


def _outlive(app: int, patience: float) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends soon after the app, and not before
    left = _Left(sys.stdin.fileno())
    there = True
    while there and os.getppid() == app:
        there = left.listen(LOOK)
    deadline = time.monotonic() + patience
    while there and time.monotonic() < deadline:
        there = left.listen(LOOK)
    left.end()


if __name__ == "__main__":
    _outlive(int(sys.argv[1]), float(sys.argv[2]))
