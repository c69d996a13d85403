"""A PostgreSQL server behind a socket that loses COMMITs, or the answers to them: nobody is told what became of the transaction."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.postgres import PostgresServer

__all__ = ["LosesCommits", "loses_commits"]

SOCKET = ".s.PGSQL.5432"


class LosesCommits:
    """Passes everything on, but for what it is to `lose`."""

    def __init__(self, server: PostgresServer, directory: str) -> None:
        self.directory = directory
        self.word: bytes | None = None
        """None when the answer was lost."""
        self._done = True
        self._target = server.directory / SOCKET
        self._tasks: set[asyncio.Task[None]] = set()

    def lose(self, word: bytes, *, done: bool = True) -> None:
        """Lose the answer to the COMMIT of the next transaction in which this is said; or, not `done`, the COMMIT itself."""
        self.word, self._done = word, done

    def url(self, url: str) -> str:
        """The address of a database of the server, by this socket."""
        return f"{url.partition('?')[0]}?host={self.directory}"

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        there, to_there = await asyncio.open_unix_connection(self._target)
        cut = asyncio.Event()
        try:
            await asyncio.gather(self._ask(reader, to_there, cut), _answer(there, writer, cut))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            to_there.transport.abort()
            writer.transport.abort()
            self._tasks.discard(task)

    async def _ask(
        self, reader: asyncio.StreamReader, there: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        said = b""
        while data := await reader.read(65_536):
            said = data if b"BEGIN" in data else said + data
            if self.word and self.word in said and b"COMMIT" in data:
                self.word = None
                cut.set()
                if not self._done:
                    break
            there.write(data)
        there.close()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _answer(there: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: asyncio.Event) -> None:
    while (data := await there.read(65_536)) and not cut.is_set():
        writer.write(data)
    writer.transport.abort()


@asynccontextmanager
async def loses_commits(server: PostgresServer) -> AsyncIterator[LosesCommits]:
    """A socket before this server."""
    with tempfile.TemporaryDirectory(prefix="chatrooms-cut-") as directory:
        made = LosesCommits(server, directory)
        listening = await asyncio.start_unix_server(made.accept, Path(directory) / SOCKET)
        try:
            yield made
        finally:
            listening.close()
            await made.stop()
