"""200 guests ask for all that has a large answer and read none of it: memory is bounded, and the others hardly notice.

On every store, in rounds, with the others talking all the time. In each round 200 guests come within a second, twice: those who
ask for little (the same commands, one entry each), and those who ask for as much as there is.

Two ratios of the others' 99th percentiles are shown. The one that is judged compares with the guests who ask for little: it
says what the large answers cost that nobody reads. The other one compares with nobody coming at all. On two cores most of
it is what 200 newcomers cost, whatever they ask: a handshake, a sign-in and a join each, while a message that comes alone waits
for less than a millisecond. Of memory, the most that the server held above what it held before is judged; that of guests who send large pings, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.crowd import Crowd, memory, narrow_socket, percentile, sessions
from tests.soak.floods import Peak
from tests.soak.runs import Progress, Verdict, main
from tests.soak.served import OUTBOX, STORE
from tests.support.postgres import PostgresServer, new_database
from tests.support.process import ServerProcess, start_app
from tests.support.raw import command, handshake
from tests.support.server import http_request
from tests.support.valkey import running

SHORT = 0.05
ROUNDS, SECONDS, PEERS, TIMES, MEMBERS, RATE, SIZE = 3, 4.0, 200, 60, 30, 100.0, 100
LARGEST_PING, PINGS = 65_000, 20
ARRIVING = 0.25
"""The part of the time in which the guests come."""
GROWTH = 300 * 1024
"""KiB."""
AT_MOST = 2.0
OF_ALL = 0.2
"""Shorter runs are on one store only."""
MIB = 1024 * 1024
Commands = dict[str, dict[str, int]]
LARGE = {
    "history": {"limit": 200},
    "join": {"history": 200},
    "members": {"limit": 200},
    "presence": {"limit": 200},
    "rooms": {"limit": 200},
}
SMALL = {type: dict.fromkeys(payload, 1) for type, payload in LARGE.items()}


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict = Verdict()
    run = Run(
        max(1, round(ROUNDS * scale)),
        max(0.5, SECONDS * min(1.0, ROUNDS * scale)),
        max(20, round(PEERS * min(1.0, 4 * scale))),
    )
    async with stores(of_all=scale >= OF_ALL) as urls:
        for number, (name, url) in enumerate(urls.items()):
            progress(number / len(urls), name)
            await run.on(name, url, verdict)
    await run.pings(verdict)
    progress(1.0, "done")
    return verdict


@asynccontextmanager
async def stores(*, of_all: bool) -> AsyncIterator[dict[str, str]]:
    """By name: the URL of each store."""
    with contextlib.ExitStack() as stack:
        urls = {"memory": "memory:"}
        if of_all:
            urls["sqlite"] = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/chat.db"
            urls["redis"] = stack.enter_context(running()).url
            server = await asyncio.to_thread(PostgresServer)
            stack.callback(server.close)
            await asyncio.to_thread(server.start)
            urls["postgres"] = await new_database(server)
        yield urls


@dataclass
class Delays:
    """Of the others, in seconds, all rounds together."""

    alone: list[float] = field(default_factory=list)
    beside_small: list[float] = field(default_factory=list)
    beside_large: list[float] = field(default_factory=list)

    @property
    def judged(self) -> float:
        return percentile(self.beside_large, 0.99) / percentile(self.beside_small, 0.99)

    def __str__(self) -> str:
        alone, small, large = (
            percentile(delays, 0.99) * 1e3 for delays in (self.alone, self.beside_small, self.beside_large)
        )
        return (
            f"p99 {large / small:.2f} times that beside guests who ask for little ({small:.1f} ms), "
            f"{large / alone:.2f} times that without any ({alone:.1f} ms)"
        )


@dataclass
class Run:
    """How long, and how many."""

    rounds: int
    seconds: float
    peers: int

    async def on(self, name: str, url: str, verdict: Verdict) -> None:
        server = await asyncio.to_thread(
            start_app, Path(__file__).with_name("served.py"), env={STORE: url, OUTBOX: str(MIB)}
        )
        crowd, delays, growth = Crowd(server.port, "general"), Delays(), 0
        try:
            await http_request("127.0.0.1", server.port, "GET", "/fill", within=120.0)
            await crowd.join(MEMBERS)
            await talk(crowd, 0.5, verdict)  # the first messages find everything cold
            for _ in range(self.rounds):
                delays.alone += await talk(crowd, self.seconds, verdict)
                delays.beside_small += await self.beside(SMALL, 1, server, crowd, verdict)
                before, peak = memory(server), Peak(server)
                delays.beside_large += await self.beside(LARGE, TIMES // len(LARGE), server, crowd, verdict)
                growth = max(growth, peak.stop() - before)
        finally:
            crowd.leave()
            await asyncio.to_thread(server.stop)
        verdict.figures[name] = f"{delays}, memory {growth / 1024:+.0f} MB"
        if growth > GROWTH:
            verdict.wrong.append(f"{name}: memory grew by {growth / 1024:.0f} MB")
        if delays.judged > AT_MOST:
            verdict.slow.append(
                f"{name}: others' p99 is {delays.judged:.2f} times what it is beside guests who ask for little"
            )
        if "Traceback" in server.output:
            verdict.wrong.append(f"{name}: the server has logged a traceback: " + server.output[-2_000:])

    async def pings(self, verdict: Verdict) -> None:
        """The answer to a ping is as large as the ping: what guests leave waiting who send nothing but the largest."""
        server = await asyncio.to_thread(
            start_app, Path(__file__).with_name("served.py"), env={OUTBOX: str(MIB)}
        )
        before, peak = memory(server), Peak(server)
        guests = []
        try:
            for _ in range(self.peers):
                guests.append(await connect(server))
                guests[-1].write(command("ping", payload={"x": "x" * LARGEST_PING}) * PINGS)
            await asyncio.sleep(self.seconds)
        finally:
            for guest in guests:
                guest.transport.abort()
            await asyncio.to_thread(server.stop)
        growth = peak.stop() - before
        verdict.figures["pings of 64 KiB"] = f"memory {growth / 1024:+.0f} MB"
        if growth > GROWTH:
            verdict.wrong.append(f"pings of 64 KiB: memory grew by {growth / 1024:.0f} MB")

    async def beside(
        self, commands: Commands, times: int, server: ServerProcess, crowd: Crowd, verdict: Verdict
    ) -> list[float]:
        """What the others wait while guests come who ask for this."""
        coming = asyncio.create_task(self.come(commands, times, server))
        delays = await talk(crowd, self.seconds, verdict)
        for guest in await coming:
            guest.transport.abort()
        while await sessions(server.port) > MEMBERS:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return delays

    async def come(self, commands: Commands, times: int, server: ServerProcess) -> list[asyncio.StreamWriter]:
        guests = []
        for _ in range(self.peers):
            guests.append(await ask(server, commands, times))
            await asyncio.sleep(ARRIVING * self.seconds / self.peers)
        return guests


async def ask(server: ServerProcess, commands: Commands, times: int) -> asyncio.StreamWriter:
    """A guest that asks for all of this so often, and reads nothing."""
    guest = await connect(server)
    asked = [command(type, room="fat", payload=payload) for type, payload in commands.items()]
    guest.write(b"".join(asked) * times)
    return guest


async def connect(server: ServerProcess) -> asyncio.StreamWriter:
    """A guest that reads nothing, not even the answer to its handshake."""
    sock = await asyncio.to_thread(narrow_socket, server.port)
    _, writer = await asyncio.open_connection(sock=sock, limit=4_096)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(handshake(f"127.0.0.1:{server.port}"))
    return writer


async def talk(crowd: Crowd, seconds: float, verdict: Verdict) -> list[float]:
    """What the others wait for each of their messages."""
    verdict.wrong += await crowd.heard(await crowd.talk(seconds, RATE, SIZE))
    return crowd.delays()


if __name__ == "__main__":
    main(soak)
