"""One server under test: started in its own process on a core of its own, looked at from outside, ended."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

__all__ = ["GENERATOR_CORE", "SERVER_CORE", "Running", "pinned", "running", "wait_until_started"]

_cores = sorted(os.sched_getaffinity(0))
SERVER_CORE, GENERATOR_CORE = _cores[0], _cores[-1]
PATIENCE = 20.0
"""Seconds that a server may take to listen, and then to have started."""
LOOKS_EVERY, BUSY = 0.25, 0.02
"""A server has started when it has taken less than so many seconds of processor time between two looks."""


class Running(msgspec.Struct):
    """A server that listens on 127.0.0.1:`port`."""

    pid: int
    port: int

    def cpu(self) -> float:
        """Seconds of processor time so far, all threads, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Bytes of memory that are its own and resident."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise ValueError("no Rss in smaps_rollup")


def pinned(core: int, command: list[str]) -> list[str]:
    """The command on one core; where there is no taskset (or one core only) wherever the system puts it."""
    return ["taskset", "-c", str(core), *command] if shutil.which("taskset") else command


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode} before it listened")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError("the server does not listen")


def wait_until_started(server: Running) -> None:
    """Wait for what a server loads after it listens, which is not a part of what it does for its clients."""
    until, before = time.monotonic() + PATIENCE, -1.0
    while (now := server.cpu()) - before >= BUSY and time.monotonic() < until:
        before = now
        time.sleep(LOOKS_EVERY)


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str] | None = None) -> Iterator[Running]:
    """Start `command` with a free port as its last argument; end it on leaving."""
    port = _free_port()
    process = subprocess.Popen(
        pinned(SERVER_CORE, [*command, str(port)]),
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if not os.environ.get("BENCH_STDERR") else None,
    )
    try:
        _wait_for(port, process)
        server = Running(process.pid, port)
        wait_until_started(server)
        yield server
    finally:
        process.kill()
        process.wait()
