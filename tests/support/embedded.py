"""Directories for embedded servers, and an end for servers that a test left behind there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["embedded_directory", "server_of"]


@contextlib.contextmanager
def embedded_directory() -> Iterator[Path]:
    """An empty directory. Not pytest's: the path of a socket has at most 103 bytes."""
    directory = Path(tempfile.mkdtemp(prefix="emb-"))
    try:
        yield directory
    finally:
        _end_left_behind(directory)
        shutil.rmtree(directory, ignore_errors=True)


def server_of(directory: Path) -> int:
    """The process id of the server that runs there, or ran when its app was killed."""
    return int((directory / "server.lock").read_text().split()[0])


def _end_left_behind(directory: Path) -> None:
    with contextlib.suppress(FileNotFoundError), (directory / "server.lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.killpg(int(lock.read().split()[0]), signal.SIGKILL)
