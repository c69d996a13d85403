"""python -m benchmarks.against REVISION: is this tree as fast as an earlier one? Both are measured in turns, in one run.

Prints a ratio for each figure: how much better this tree is, the median over the rounds. The exit status is 1 where one is
below the least that is allowed. Ten minutes; with other work on the machine, take more rounds.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import msgspec

from tests.support.postgres import PostgresServer, new_database
from tests.support.valkey import running as running_valkey

from .beside import quiet_room
from .capacity import JOIN_BUSY, ROOM_OF, SAY_BUSY
from .fanout import SCENARIOS
from .latency import PACE_US
from .load import Dialect, Measured, load
from .peers import ACK, OURS, Peer
from .server import Running
from .tools import CACHE, HERE, unpacked

__all__ = ["Comparison", "main"]

LEAST = 0.97
PARTS = ("fanout", "quiet", "latency", "joining", "sqlite", "postgres", "valkey")
QUIET = {"a quiet room of two": (2, 50), "a room of 100": (100, 20)}
"""Members, all of whom speak now and then, and how many messages a second that makes."""
CONNECTIONS = 2_000
"""That come in, and are idle then."""
SENDERS = 100
"""That wait for their acks, in rooms of ten."""

Say = Callable[[str], None]
Figures = dict[str, float]
"""By name; those that end with one of `LESS` are better when they are less."""
LESS = ("ms", "KiB", "CPU µs")
SHOWN = "acked/CPU s"
"""What ends so is shown and not judged: threads of SQLite and of drivers blur it."""


class Comparison(msgspec.Struct):
    """The figures of both trees, round by round."""

    old: dict[str, list[float]] = msgspec.field(default_factory=lambda: defaultdict(list))
    new: dict[str, list[float]] = msgspec.field(default_factory=lambda: defaultdict(list))

    def add(self, tree: str, figures: Figures) -> None:
        """What one round found for `old` or `new`."""
        for name, value in figures.items():
            getattr(self, tree)[name].append(value)

    def ratios(self) -> dict[str, float]:
        """By figure: above 1 where the new tree is better."""
        return {name: median(map(_better(name), self.old[name], news)) for name, news in self.new.items()}

    def worse(self) -> list[str]:
        """The figures below the least that is allowed."""
        return [name for name, ratio in self.ratios().items() if ratio < LEAST and not name.endswith(SHOWN)]

    def lines(self) -> Iterator[str]:
        """A table."""
        yield f"{'':42} {'before':>12} {'now':>12}  better by"
        for name, ratio in self.ratios().items():
            mark = "  WORSE" if name in self.worse() else ""
            yield f"{name:42} {median(self.old[name]):12,.1f} {median(self.new[name]):12,.1f}  {ratio:9.3f}{mark}"


def _better(name: str) -> Callable[[float, float], float]:
    if name.endswith(LESS):
        return lambda old, new: old / new
    return lambda old, new: new / old


def _peer(tree: Path, **environment: str) -> Peer:
    """The server of the benchmarks with the package of this tree."""
    return msgspec.structs.replace(OURS, environment=lambda: {"PYTHONPATH": str(tree), **environment})


# ---- what is measured ----


def _fanout(tree: Path, seconds: float) -> Figures:
    found = {}
    with _peer(tree).start() as server:
        for scenario in SCENARIOS:
            run = load(
                server,
                OURS.dialect,
                connections=scenario.members,
                senders=scenario.senders,
                seconds=seconds,
                pad=OURS.pad,
            )
            found[f"{scenario.name}, deliveries/CPU s"] = run.per_cpu_second
    return found


def _quiet(tree: Path, seconds: float) -> Figures:
    found = {}
    with _peer(tree).start() as server:
        for name, (members, rate) in QUIET.items():
            run = quiet_room(server, OURS, members, rate, seconds)
            found[f"{name}, {rate}/s, CPU µs"] = run.cpu_us / run.sent
    return found


def _latency(tree: Path, seconds: float) -> Figures:
    with _peer(tree).start() as server:
        run = load(
            server,
            OURS.dialect,
            connections=2,
            senders=1,
            pace=PACE_US,
            seconds=seconds,
            pad=OURS.pad,
        )
    return {"latency p50, ms": run.p50_us / 1000, "latency p99, ms": run.p99_us / 1000}


def _joining(tree: Path, seconds: float) -> Figures:
    found = {}
    dialect = Dialect("/chat/ws", SAY_BUSY, JOIN_BUSY, 1, ACK)
    with _peer(tree).start() as server:
        before, cpu = server.memory(), server.cpu()

        def look() -> None:
            found["joins/CPU s"] = CONNECTIONS / (server.cpu() - cpu)
            time.sleep(seconds)  # what the arrivals left behind goes first
            found["an idle connection, KiB"] = (server.memory() - before) / 1024 / CONNECTIONS

        # They stay for longer than `look` takes.
        load(server, dialect, look, connections=CONNECTIONS, seconds=seconds + 2, warmup=0, room_size=ROOM_OF)
    return found


def _acked(server: Running, seconds: float) -> Measured:
    dialect = Dialect("/chat/ws", SAY_BUSY, JOIN_BUSY, 1, ACK)
    return load(
        server, dialect, connections=SENDERS, senders=SENDERS, room_size=ROOM_OF, seconds=seconds, pad=100
    )


def _on(store: str) -> Callable[[Path, float], Figures]:
    def measure(tree: Path, seconds: float) -> Figures:
        with _empty(store) as url, _peer(tree, SANIC_CHATROOMS_STORE=url).start() as server:
            run = _acked(server, seconds)
        return {
            f"{store}, acked/s": run.sent / run.seconds,
            f"{store}, acked/CPU s": run.sent / (run.cpu_us / 1e6),
        }

    return measure


@contextlib.contextmanager
def _empty(store: str) -> Iterator[str]:
    """The URL of a store with nothing in it."""
    with contextlib.ExitStack() as stack:
        if store == "sqlite":
            yield f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/chat.db"
        elif store == "valkey":
            yield stack.enter_context(running_valkey()).url
        else:
            server = PostgresServer()
            stack.callback(server.close)
            server.start()
            yield asyncio.run(new_database(server))


MEASURES: dict[str, Callable[[Path, float], Figures]] = {
    "fanout": _fanout,
    "quiet": _quiet,
    "latency": _latency,
    "joining": _joining,
    **{store: _on(store) for store in ("sqlite", "postgres", "valkey")},
}


# ---- the program ----


def compare(say: Say, old: Path, new: Path, parts: list[str], *, rounds: int, seconds: float) -> Comparison:
    """Each part of each tree in turns; which one is first changes with each round."""
    found = Comparison()
    for tree in (old, new):
        with _peer(tree).start():
            pass  # so that the modules of both are compiled
    for turn in range(rounds):
        trees = [("old", old), ("new", new)]
        for part in parts:
            for name, tree in trees if turn % 2 else reversed(trees):
                figures = MEASURES[part](tree, seconds)
                found.add(name, figures)
                told = ", ".join(f"{what} {value:,.1f}" for what, value in figures.items())
                say(f"round {turn + 1}/{rounds}  {name}  {told}")
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.against", description=__doc__)
    parser.add_argument("revision", help="what git calls the earlier tree")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"what to measure: {' '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="seconds that one tree is measured in one scenario"
    )
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no such part: {' '.join(sorted(unknown))}")
    return given


def main() -> None:
    given = _arguments()
    old = unpacked(given.revision, CACHE / "revisions")
    parts = given.parts or list(PARTS)
    found = compare(print, old, HERE.parent, parts, rounds=given.rounds, seconds=given.seconds)
    print()
    for line in found.lines():
        print(line)
    sys.exit(bool(found.worse()))


if __name__ == "__main__":
    main()
