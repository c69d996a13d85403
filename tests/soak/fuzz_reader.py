"""10 million fuzzed frames against the reader, in process: never an exception, nothing after the end."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from sanic_chatrooms.testing import Clock
from sanic_chatrooms.websocket.reader import Reader
from tests.soak.fuzz import Fuzzer
from tests.soak.runs import Progress, Verdict, main

FRAMES = 10_000_000
SHORT = 0.003
SEED = 6455
PER_CONNECTION = 200
MAX_SIZE = 1_000


async def soak(scale: float, progress: Progress) -> Verdict:
    dice, verdict, fed = random.Random(SEED), Verdict(), 0
    ends: Counter[str] = Counter()
    total = int(FRAMES * scale)
    while fed < total and len(verdict.wrong) < 10:
        connection = Connection(dice)
        try:
            ends[connection.run(PER_CONNECTION)] += 1
        except Exception as exc:  # noqa: BLE001 - the finding
            verdict.wrong.append(f"{exc!r} after {bytes(connection.sent)!r}")
        fed += connection.frames
        progress(min(1.0, fed / total), f"{fed:,} frames")
    verdict.figures = {"frames": fed, **{f"connections ended {end}": n for end, n in sorted(ends.items())}}
    return verdict


class Connection:
    """A reader, what was fed to it in random cuts, and what it said."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.fuzzer = Fuzzer(dice)
        self.frames = 0
        self.sent = bytearray()
        self.said: list[tuple[Any, ...]] = []
        self.reader = Reader(MAX_SIZE, self.take, self, clock=Clock())

    def take_binary(self, data: bytes) -> None:
        self.said.append(("binary", data))

    def take_ping(self, payload: bytes) -> None:
        self.said.append(("ping", payload))

    def take_pong(self) -> None: ...

    def take_close(self, code: int, reason: str) -> None:
        self.said.append(("closed", code))

    def take_failure(self, code: int, reason: str) -> None:
        self.said.append(("failed", code))

    def take(self, payload: bytes) -> None:
        self.said.append(("text", payload.decode()))  # raises if it is no UTF-8
        self.reader.paused = self.dice.random() < 0.05

    def run(self, frames: int) -> str:
        """Until the end, or for so many frames; how it ended."""
        rest = bytearray()
        while self.frames < frames and not self.reader.done:
            self.frames += 1
            rest += self.fuzzer.frame()
            while rest and self.dice.random() < 0.8:
                cut = self.dice.randint(1, 400)
                self.feed(bytes(rest[:cut]))
                del rest[:cut]
        return self.verdict()

    def feed(self, data: bytes) -> None:
        ended, before = self.reader.done, len(self.said)
        self.sent += data
        self.reader.feed(data)
        while self.reader.paused:
            self.reader.paused = False
            self.reader.feed(b"")
        assert not ended or len(self.said) == before, "something was said after the end"

    def verdict(self) -> str:
        ends = [what for what in self.said if what[0] in ("failed", "closed")]
        assert len(ends) == (1 if self.reader.done else 0), "an end is told once"
        assert not ends or self.said[-1] is ends[0], "the end is the last"

        if not ends:
            return "open"
        return f"failed {ends[0][1]}" if ends[0][0] == "failed" else "closed by the peer"


if __name__ == "__main__":
    main(soak)
