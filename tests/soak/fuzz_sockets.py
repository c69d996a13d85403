"""A million fuzzed frames over sockets: the server answers, closes or waits, and never has an exception of its own."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from pathlib import Path

from tests.soak.crowd import Member, sessions
from tests.soak.fuzz import Fuzzer
from tests.soak.runs import Progress, Verdict, main
from tests.support.process import ServerProcess, start_app
from tests.support.raw import CLOSE, Raw, handshake
from tests.support.wire import masked

FRAMES = 1_000_000
SHORT = 0.003
SEED = 6455
PER_CONNECTION = 200
PEERS = 10
PER_SEGMENT = 20
TEXTS = (
    b"",
    b"{}",
    b"[" * 40,
    *(
        json.dumps(command).encode()
        for command in (
            {"type": "ping", "payload": {"word": "Ä€😀"}},
            {"type": "join", "room": "general"},
            {"type": "message", "room": "general", "payload": {"text": "hi"}},
            {"type": "message", "room": "nowhere", "payload": {"text": 7}},
            {"type": "history", "room": "general", "payload": {"limit": -1}},
            {"type": "exit", "room": "general"},
            {"type": "dance"},
        )
    ),
)


async def soak(scale: float, progress: Progress) -> Verdict:
    verdict, run = Verdict(), Run(max(PEERS, int(FRAMES * scale)), progress)
    server = await asyncio.to_thread(start_app, Path(__file__).with_name("served.py"))
    try:
        await asyncio.gather(*(run.peer(server.port, number) for number in range(PEERS)))
        verdict.wrong += await wrong_with(server)
    finally:
        await asyncio.to_thread(server.stop)
    verdict.figures = {
        "frames": run.sent,
        **{f"connections ended {end}": n for end, n in sorted(run.ends.items())},
    }
    if set(run.ends) & {"1011", "1006"}:
        verdict.wrong.append(f"connections failed without their own fault: {dict(run.ends)}")
    return verdict


async def wrong_with(server: ServerProcess) -> list[str]:
    """What the log shows, and whether the server still serves."""
    found = [
        f"the log has {word!r}" for word in ("Traceback", "never retrieved", "ERROR") if word in server.output
    ]
    loop = asyncio.get_running_loop()
    _, member = await loop.create_connection(lambda: Member(server.port, "general"), "127.0.0.1", server.port)
    async with asyncio.timeout(10):
        await member.joined
        while await sessions(server.port) > 1:  # noqa: ASYNC110 - those that have gone are being forgotten
            await asyncio.sleep(0.1)
    member.transport.abort()
    return found


class Run:
    """Peers that send frames until so many were sent in all."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.total = total
        self.progress = progress
        self.sent = 0
        self.ends: Counter[str] = Counter()

    async def peer(self, port: int, number: int) -> None:
        dice = random.Random(SEED + number)
        while self.sent < self.total:
            self.ends[await self._connection(port, dice)] += 1
            self.progress(min(1.0, self.sent / self.total), f"{self.sent:,} frames")

    async def _connection(self, port: int, dice: random.Random) -> str:
        raw = Raw(*await asyncio.open_connection("127.0.0.1", port))
        await raw.write(handshake(f"127.0.0.1:{port}"))
        await raw.reader.readuntil(b"\r\n\r\n")
        ending = asyncio.ensure_future(raw.close_code())
        fuzzer = Fuzzer(dice, TEXTS, binary=0.001)
        for _ in range(0, PER_CONNECTION, PER_SEGMENT):
            await raw.write(b"".join(fuzzer.frame() for _ in range(PER_SEGMENT)))
            self.sent += PER_SEGMENT
            if ending.done():
                break
        else:
            await raw.write(masked(CLOSE, (1000).to_bytes(2, "big")))
        if not (await asyncio.wait([ending], timeout=0.1))[0]:
            await raw.write(bytes(70_000))  # the last frame was cut off: this ends it, and then breaks a rule
        code = await ending
        await raw.close()
        return str(code)


if __name__ == "__main__":
    main(soak)
