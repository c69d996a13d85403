"""A real Mosquitto, of the system's packages."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.process import free_port
from tests.support.tools import needed
from tests.support.valkey import until

__all__ = ["running"]


@contextlib.contextmanager
def running() -> Iterator[int]:
    """A broker for as long as the block lasts; its port."""
    program = needed("mosquitto")
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        config = Path(directory) / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
        process = subprocess.Popen(
            [program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            until(lambda: _accepts(port), f"Mosquitto on port {port} accepts connections")
            yield port
        finally:
            process.kill()
            process.wait()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 2.0).close()
    except OSError:
        return False
    return True
