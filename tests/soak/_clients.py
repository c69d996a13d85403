"""Drives `clients.c`: many who are in a room each, and come back as client.js does; what their servers take meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import msgspec

from benchmarks.server import GENERATOR_CORE, SERVER_CORE, pinned
from benchmarks.tools import compiled
from tests.support.process import ServerProcess
from tests.support.wire import token

__all__ = [
    "Clients",
    "Figures",
    "at_most",
    "clients",
    "has_compiler",
    "lacking",
    "pin",
    "processor_time",
    "resident",
]

SOURCE = Path(__file__).with_name("clients.c")
LOOK = 0.1
_SPARE = 1_000
"""Files beside the connections."""


class Figures(msgspec.Struct):
    """What happened since the last ones; `in_` and `waiting` as of now. Times are in seconds."""

    in_: int = msgspec.field(name="in")
    waiting: int
    lost: int
    refused: int
    """Handshakes that were answered by another status than 101."""
    unreachable: int
    timed_out: int
    over_http: int
    """Attempts over HTTP: after three sockets of which nothing was heard."""
    said: int
    deliveries: int
    gaps: int
    resets: int
    """Joins with a position that could not be continued from it."""
    errors: int
    """Temporary ones, after which a client joins again."""
    p50: float
    p99: float
    slowest: float
    """From saying a message to hearing it: of those who stay."""
    backs: int
    back_50: float
    back_95: float
    back_last: float
    """From the loss of a connection to being in the room again."""
    cpu: float
    closes: dict[str, int]


class Clients:
    """The program, while it runs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def tell(self, command: str) -> None:
        """`talk N` or `say`."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n".encode())

    async def figures(self) -> Figures:
        """What happened since the last ones."""
        return msgspec.json.decode(await self._ask("figures"), type=Figures)

    async def all_in(self, count: int, *, within: float) -> None:
        """Wait until so many are in their rooms. Raises `TimeoutError`, as those below."""
        await self._until(0, count, within)

    async def all_back(self, count: int, *, within: float) -> None:
        """Wait until so many have come back since the beginning."""
        await self._until(1, count, within)

    async def heard(self, count: int, *, within: float) -> None:
        """Wait until there were so many deliveries since the beginning."""
        await self._until(2, count, within)

    async def _until(self, which: int, count: int, within: float) -> None:
        async with asyncio.timeout(within):
            while (await self._count())[which] < count:  # noqa: ASYNC110 - another process tells
                await asyncio.sleep(LOOK)

    async def _count(self) -> tuple[int, int, int]:
        return msgspec.json.decode(await self._ask("count"), type=tuple[int, int, int])

    async def _ask(self, command: str) -> bytes:
        assert self._process.stdout is not None
        self.tell(command)
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the clients have ended")
        return line


@contextlib.asynccontextmanager
async def clients(count: int, **settings: object) -> AsyncIterator[Clients]:
    """So many clients, each with a token of its own; `settings` are those of `clients.c`."""
    with tempfile.NamedTemporaryFile("w") as tokens:
        tokens.writelines(f"{token(f'u{n}', expires_in=36_000)}\n" for n in range(count))
        tokens.flush()
        given = {"tokens": tokens.name, "connections": count, **settings}
        program = await asyncio.to_thread(compiled, SOURCE)
        process = await asyncio.create_subprocess_exec(
            *pinned(GENERATOR_CORE, [str(program), *(f"{key}={value}" for key, value in given.items())]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            yield Clients(process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def has_compiler() -> bool:
    """Whether the clients, a program in C for Linux, can be made here."""
    return Path("/proc/self").exists() and any(map(shutil.which, ("cc", "gcc", "clang")))


def lacking(count: int) -> str | None:
    """Let this process and those that it starts open as many files as so many connections need; what this machine lacks otherwise."""
    if not has_compiler():
        return "the clients are a program in C for Linux: there is no compiler"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + _SPARE
    if soft >= wanted:
        return None
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    except (OSError, ValueError):
        return f"a process may open {hard:,} files, and {wanted:,} are needed: as root, `ulimit -n {wanted}` before this"
    return None


def at_most() -> int:
    """The most connections that one process may have here."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1] - _SPARE


def pin(server: ServerProcess) -> None:
    """Keep it on the core that the clients leave to servers."""
    for process in (server.process.pid, *server.workers):
        os.sched_setaffinity(process, {SERVER_CORE})


def resident(processes: Iterable[int]) -> int:
    """Bytes of memory that these hold; those that have ended hold none."""
    return sum(_resident(process) for process in processes)


def _resident(process: int) -> int:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def processor_time(processes: Iterable[int]) -> float:
    """Seconds that these have used so far."""
    used = 0.0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        used += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used
