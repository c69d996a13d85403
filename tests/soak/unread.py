"""200 guests ask for all that has a large answer and read none of it: memory is bounded, and the others hardly notice.

On every store, in rounds, each with and without them: what is judged is the most memory of the server above what it held
before, and the median of the ratios of the 99th percentiles of the others' delays.
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
GROWTH = 300 * 1024
"""KiB."""
AT_MOST = 2.0
OF_ALL = 0.2
"""Shorter runs are on one store only."""
MIB = 1024 * 1024
COMMANDS = {
    "history": {"limit": 200},
    "join": {"history": 200},
    "members": {"limit": 200},
    "presence": {"limit": 200},
    "rooms": {"limit": 200},
}


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
class Run:
    """How long, and how many."""

    rounds: int
    seconds: float
    peers: int

    async def on(self, name: str, url: str, verdict: Verdict) -> None:
        server = await asyncio.to_thread(
            start_app, Path(__file__).with_name("served.py"), env={STORE: url, OUTBOX: str(MIB)}
        )
        crowd = Crowd(server.port, "general")
        try:
            await http_request("127.0.0.1", server.port, "GET", "/fill", within=120.0)
            await crowd.join(MEMBERS)
            await p99(crowd, 0.5, verdict)  # the first messages find everything cold
            found = [await self.round(server, crowd, verdict) for _ in range(self.rounds)]
        finally:
            crowd.leave()
            await asyncio.to_thread(server.stop)
        ratio, growth = statistics.median(r for r, _, _ in found), max(g for _, g, _ in found)
        verdict.figures[name] = (
            f"p99 {ratio:.2f} times that without ({statistics.median(w for _, _, w in found) * 1e3:.1f} ms), memory {growth / 1024:+.0f} MB"
        )
        if growth > GROWTH:
            verdict.wrong.append(f"{name}: memory grew by {growth / 1024:.0f} MB")
        if ratio > AT_MOST:
            verdict.slow.append(f"{name}: others' p99 is {ratio:.2f} times what it is without")
        if "Traceback" in server.output:
            verdict.wrong.append(f"{name}: the server has logged a traceback: " + server.output[-2_000:])

    async def round(self, server: ServerProcess, crowd: Crowd, verdict: Verdict) -> tuple[float, int, float]:
        """How many times as long the others wait, and how many KiB it costs."""
        without = await p99(crowd, self.seconds, verdict)
        before, peak = memory(server), Peak(server)
        peers = [await ask(server) for _ in range(self.peers)]
        beside = await p99(crowd, self.seconds, verdict)
        grown = peak.stop() - before
        for peer in peers:
            peer.transport.abort()
        while await sessions(server.port) > MEMBERS:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return beside / without, grown, without


async def ask(server: ServerProcess) -> asyncio.StreamWriter:
    """A guest that asks for everything, and reads nothing."""
    sock = await asyncio.to_thread(narrow_socket, server.port)
    _, writer = await asyncio.open_connection(sock=sock, limit=4_096)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    asked = [command(type, room="fat", payload=payload) for type, payload in COMMANDS.items()]
    writer.write(handshake(f"127.0.0.1:{server.port}") + b"".join(asked) * (TIMES // len(asked)))
    return writer


async def p99(crowd: Crowd, seconds: float, verdict: Verdict) -> float:
    verdict.wrong += await crowd.heard(await crowd.talk(seconds, RATE, SIZE))
    return percentile(crowd.delays(), 0.99)


if __name__ == "__main__":
    main(soak)
