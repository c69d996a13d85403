"""Real NATS servers out of a wheel: one, or clusters joined by gateways; killed, frozen and brought back at will."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.process import free_port
from tests.support.valkey import until

__all__ = ["NATSServer", "cluster_config", "gateway_config", "make_cluster", "running"]


class NATSServer:
    """One server on a port of its own, which survives `kill` and `start`."""

    def __init__(self, config: str = "", *, port: int | None = None) -> None:
        self.port = port or free_port()
        self._config = config
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> NATSServer:
        """Start, and return when it greets."""
        directory = Path(tempfile.gettempdir())
        with tempfile.NamedTemporaryFile("w", suffix=".conf", dir=directory) as file:
            file.write(f'host: "127.0.0.1"\nport: {self.port}\n{self._config}')
            file.flush()
            self.process = subprocess.Popen(
                [Path(sysconfig.get_path("scripts")) / "nats-server", "-c", file.name],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            until(self._greets, f"NATS on port {self.port} greets")
        return self

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 2.0) as connection:
                return connection.recv(4) == b"INFO"
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

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


def gateway_config(name: str, own: int, known_as: int, others: Mapping[str, Sequence[int]]) -> str:
    """The part of a server's file that joins its cluster to others.

    `own` is the port it listens on for them, `known_as` the one by which they reach it, `others` the ports that lead to
    the servers of each other cluster.
    """
    remotes = ", ".join(f'{{name: "{other}", urls: [{_urls(ports)}]}}' for other, ports in others.items())
    return (
        f'gateway {{name: "{name}", listen: "127.0.0.1:{own}", advertise: "127.0.0.1:{known_as}", '
        f"gateways: [{remotes}]}}\n"
    )


def cluster_config(name: str, own: int, others: Sequence[int]) -> str:
    """The part of a server's file that makes it one of a cluster: its port for the others, and theirs."""
    return f'cluster {{name: "{name}", listen: "127.0.0.1:{own}", routes: [{_urls(others)}]}}\n'


def _urls(ports: Sequence[int]) -> str:
    return ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports)


@contextlib.contextmanager
def running(config: str = "") -> Iterator[NATSServer]:
    """A server for as long as the block lasts."""
    server = NATSServer(config)
    try:
        yield server.start()
    finally:
        server.kill()


@contextlib.contextmanager
def make_cluster(count: int = 3) -> Iterator[list[NATSServer]]:
    """A cluster of so many servers."""
    ports = [free_port() for _ in range(count)]
    servers = [
        NATSServer(cluster_config("one", port, [other for other in ports if other != port])) for port in ports
    ]
    try:
        yield [server.start() for server in servers]
    finally:
        for server in servers:
            server.kill()
