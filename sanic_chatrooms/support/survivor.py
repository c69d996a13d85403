"""A small process that outlives the app, and ends what the app leaves behind when it is killed.

Nobody can tidy up after a SIGKILL but somebody else. The survivor is told by a pipe whom the app has started. The pipe closes
with the last process that could write to it, so it knows when all are gone; nothing of this depends on the system's kind.

This file is both sides. As a program it imports nothing of the package, so that it is small, and there in a moment.
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
"""Seconds between two looks whether the app is still there, where the pipe does not say so."""
END_WITHIN = 10.0
"""Seconds that a server has to end before it is killed."""
_WORKER, _SERVER = "worker", "server"

Writer: TypeAlias = Connection


class Survivor:
    """`start`, then `entrust` what is to end when this process is killed, until `stop`.

    `patience`: seconds that workers of a killed app have to end by themselves.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._process: subprocess.Popen[bytes] | None = None
        self.writer: Writer | None = None
        """For workers, which tell of themselves."""

    def start(self) -> None:
        """Start it. Where that fails, the app runs as well, and its next start ends what is left."""
        reader, self.writer = multiprocessing.Pipe(duplex=False)
        os.set_blocking(self.writer.fileno(), False)
        command = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(self._patience)]
        try:
            # A session of its own: what ends the app, Ctrl-C or a closed terminal, does not end this one.
            self._process = subprocess.Popen(  # noqa: S603 - this file
                command, stdin=reader.fileno(), stdout=subprocess.DEVNULL, start_new_session=True
            )
        except OSError as exc:
            logger.warning("what this app leaves behind when it is killed will stay: %s", exc)
        finally:
            reader.close()

    def entrust(self, pid: int) -> None:
        """A server that is to be ended after everybody else, if it still runs then."""
        _tell(self.writer, _SERVER, pid)

    def stop(self) -> None:
        """It is not needed any more. Calling it again does nothing."""
        writer, self.writer = self.writer, None
        if writer is not None:
            writer.close()
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()


def entrust_myself(writer: Writer) -> None:
    """A worker tells that it is there; it ends by itself when the app is gone, or is killed if it does not."""
    _tell(writer, _WORKER, os.getpid())


def _tell(writer: Writer | None, kind: str, pid: int) -> None:
    if writer is not None:
        with contextlib.suppress(OSError):  # it was ended by force: the next start of the app does its work
            os.write(writer.fileno(), f"{kind} {pid} {born(pid)}\n".encode())


def born(pid: int) -> str:
    """When a process began, in words without spaces that no other process of that number has; empty: it has ended."""
    try:
        # Behind the last bracket, since a program may call itself anything: the state, and 19 words on the start, in ticks.
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
    """Who may be left behind, as the pipe tells."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._unread = b""
        self._known: dict[int, tuple[str, str]] = {}

    def listen(self, within: float) -> bool:
        """Read what comes within so many seconds; False: nobody is there any more who could write."""
        if not select.select([self._pipe], [], [], within)[0]:
            return True
        data = os.read(self._pipe, 65_536)
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            kind, pid, began = line.decode().split(" ")
            self._known[int(pid)] = (kind, began)
        return bool(data)

    def running(self, kind: str) -> list[int]:
        """Those of a kind that still run, and are who they were."""
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
