"""An app of several workers on its embedded server, and who does things to it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.embedded import embedded_directory
from tests.support.process import ServerProcess, start_app

__all__ = ["PRESENCE_TTL", "SECRET", "App", "running_app"]

SECRET = secrets.token_hex(32)
APP = Path(__file__).with_name("_workers_app.py")
PRESENCE_TTL = 3.0
"""Seconds: what a worker that died leaves behind is gone so soon."""


class App:
    """The app, over all its lives."""

    def __init__(self, directory: Path, workers: int, settings: dict[str, str]) -> None:
        self.directory = directory
        self.workers = workers
        self.env = {
            "CHAT_SECRET": SECRET,
            "SANIC_CHATROOMS_EMBEDDED_DIR": str(directory),
            "SANIC_CHATROOMS_PRESENCE_TTL": str(PRESENCE_TTL),
            "SANIC_CHATROOMS_PRESENCE_GRACE": "1",
            **{f"SANIC_CHATROOMS_{name.upper()}": value for name, value in settings.items()},
        }
        self.server: ServerProcess | None = None
        self._gone: set[int] = set()

    @property
    def running(self) -> ServerProcess:
        assert self.server is not None
        return self.server

    @property
    def ws_url(self) -> str:
        return f"{self.running.ws_url}/chat/ws"

    async def start(self) -> None:
        """On the port of its last life."""
        port = None if self.server is None else self.server.port
        self._gone.clear()
        self.server = await asyncio.to_thread(
            start_app, APP, workers=self.workers, port=port, env=self.env, within=60.0, spawns=True
        )

    async def kill(self) -> None:
        """SIGKILL to all its processes but the embedded server, which belongs to nobody then."""
        await asyncio.to_thread(self.running.kill)

    @property
    def alive(self) -> list[int]:
        """Workers that serve, oldest first."""
        return [pid for pid in self.running.workers if pid not in self._gone]

    async def end_worker(self, pid: int, signal: int, *, within: float = 60.0) -> float:
        """Send the signal; seconds until another worker serves."""
        self._gone.add(pid)
        known = len(self.running.workers)
        began = time.monotonic()
        os.kill(pid, signal)
        await asyncio.to_thread(
            self.running.wait_for, lambda _: len(self.running.workers) > known, "a replacement", within=within
        )
        return time.monotonic() - began


@contextlib.asynccontextmanager
async def running_app(workers: int, **settings: str) -> AsyncIterator[App]:
    with embedded_directory() as directory:
        app = App(directory, workers, settings)
        try:
            await app.start()
            yield app
            await asyncio.to_thread(app.running.stop)
        finally:
            if app.server is not None:
                await asyncio.to_thread(app.server.kill)
