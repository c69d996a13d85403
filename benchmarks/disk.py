"""What a message takes where it is stored: on the disk, and with Valkey in memory, too. Half of each text is not known before.

python -m benchmarks.disk [sqlite postgresql valkey] [--messages 20000]
"""

import argparse
import asyncio
import contextlib
import random
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from sanic_chatrooms import ChatRooms, User, connect
from tests.support.postgres import PostgresServer
from tests.support.valkey import running as running_valkey

__all__ = ["SYSTEMS", "measure"]

ROOMS, AT_A_TIME = 20, 500
USERS = [User(f"user-{n:04}", f"User {n}") for n in range(50)]
WORDS = [f"{random.getrandbits(24):x}" for _ in range(5_000)]
Measure = Callable[[], dict[str, int]]


@contextlib.asynccontextmanager
async def _sqlite() -> AsyncIterator[tuple[str, Measure]]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "chat.db"
        yield f"sqlite:///{file}", lambda: {"disk": file.stat().st_size}


@contextlib.asynccontextmanager
async def _postgresql() -> AsyncIterator[tuple[str, Measure]]:
    server = await asyncio.to_thread(PostgresServer)
    try:
        await asyncio.to_thread(server.start)
        yield server.url(), lambda: {"disk": _files(server.data / "base")}
    finally:
        server.close()


@contextlib.asynccontextmanager
async def _valkey() -> AsyncIterator[tuple[str, Measure]]:
    with running_valkey(persistence="always") as server:

        def sizes() -> dict[str, int]:
            memory = dict(
                line.split(":", 1) for line in server.ask("INFO", "memory").split("\r\n") if ":" in line
            )
            return {"disk": _files(server.directory / "appendonlydir"), "memory": int(memory["used_memory"])}

        yield server.url, sizes


SYSTEMS = {"sqlite": _sqlite, "postgresql": _postgresql, "valkey": _valkey}


def _files(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


async def measure(name: str, messages: int) -> dict[str, float]:
    """Bytes per message, by where they are."""
    async with SYSTEMS[name]() as (url, sizes):
        async with _chat(url) as chat:
            for room in range(ROOMS):
                await chat.ensure_room(f"room-{room}")
        before = sizes()
        async with _chat(url) as chat:
            await _talk(chat, messages)
        return {place: (size - before[place]) / messages for place, size in sizes().items()}


def _chat(url: str) -> contextlib.AbstractAsyncContextManager[ChatRooms]:
    return connect(store=url, broker="memory:", presence="memory:", guests=True, namespace="Disk")


async def _talk(chat: ChatRooms, messages: int) -> None:
    for begin in range(0, messages, AT_A_TIME):
        numbers = range(begin, min(begin + AT_A_TIME, messages))
        await asyncio.gather(*(_say(chat, number) for number in numbers))
    if chat.running().core.index is not None:
        while not (await chat.search(f"number{messages - 1}")).messages:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.1)  # the index follows


async def _say(chat: ChatRooms, number: int) -> None:
    text = " ".join([f"number{number}", *random.choices(WORDS, k=14)])
    await chat.publish(f"room-{number % ROOMS}", "message", {"text": text}, sender=random.choice(USERS))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.disk", description=__doc__)
    parser.add_argument("systems", nargs="*", metavar="system", help=" ".join(SYSTEMS))
    parser.add_argument("--messages", type=int, default=20_000)
    given = parser.parse_args()
    if unknown := set(given.systems) - set(SYSTEMS):
        parser.error(f"no such system: {' '.join(sorted(unknown))}")
    for name in given.systems or SYSTEMS:
        found = asyncio.run(measure(name, given.messages))
        print(
            f"{name:12}",
            ", ".join(f"{value:,.0f} bytes {place}" for place, value in found.items()),
            flush=True,
        )


if __name__ == "__main__":
    main()
