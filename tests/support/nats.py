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

__all__ = ["Gateway", "NATSServer", "running"]


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

    def freeze(self) -> None:
        """SIGSTOP: it holds its connections and answers nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


class Gateway:
    """Where a cluster of this name is reached by the others, and through which ports it reaches them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = free_port()

    def config(self, others: Mapping[str, int]) -> str:
        """The part of a server's file: its gateway, and by name the ports that lead to the others."""
        remotes = ", ".join(
            f'{{name: "{name}", url: "nats://127.0.0.1:{port}"}}' for name, port in others.items()
        )
        return (
            f'gateway {{name: "{self.name}", listen: "127.0.0.1:{self.port}", '
            f"reject_unknown_cluster: true, gateways: [{remotes}]}}\n"
        )


def cluster_config(name: str, own: int, others: Sequence[int]) -> str:
    """The part of a server's file that makes it one of a cluster: its port for the others, and theirs."""
    routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in others)
    return f'cluster {{name: "{name}", listen: "127.0.0.1:{own}", routes: [{routes}]}}\n'


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
