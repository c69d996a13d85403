"""python -m benchmarks [fanout beside latency joining rooms connections idle]: all of them, about half an hour, without an argument."""

import argparse
import resource
import signal
import sys
import time
from pathlib import Path

from .beside import beside
from .capacity import by_connections, by_rooms, idle, joining
from .fanout import fanout
from .latency import latency
from .report import Results, earlier, machine, write
from .tools import HERE, Missing

PARTS = ("fanout", "beside", "latency", "joining", "rooms", "connections", "idle")
_started = time.monotonic()


def say(line: str) -> None:
    print(f"{time.monotonic() - _started:5.0f} s  {line}", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"what to measure: {' '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of fanout and beside")
    parser.add_argument(
        "--seconds", type=float, default=2.0, help="seconds that each server is measured in a scenario"
    )
    parser.add_argument("--idle-connections", type=int, default=10_000)
    parser.add_argument("--idle-seconds", type=float, default=120.0)
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder for the result files")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no such part: {' '.join(sorted(unknown))}")
    return given


def main() -> None:
    given = _arguments()
    _raise_the_limit_of_files()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the servers end, too
    here = machine()
    results = (given.parts and earlier(given.results, here)) or Results(here, given.rounds, given.seconds)
    written: list[Path] = []
    for part in PARTS:
        if not given.parts or part in given.parts:
            results.left_out.pop(part, None)
            try:
                _measure(part, results, given)
            except (Missing, RuntimeError, TimeoutError) as problem:
                results.left_out[part] = str(problem)
                say(f"{part}: left out: {problem}")
            # After each part: an interrupted run leaves what it has found.
            written = write(results, given.results)
    for file in written:
        say(f"written: {file}")


def _measure(part: str, results: Results, given: argparse.Namespace) -> None:
    if part == "fanout":
        results.fanout = fanout(say, rounds=given.rounds, seconds=given.seconds)
    elif part == "beside":
        results.beside = beside(say, rounds=given.rounds, seconds=given.seconds)
    elif part == "latency":
        results.latency = latency(say)
    elif part == "joining":
        results.joining = joining(say)
    elif part == "rooms":
        results.rooms = by_rooms(say)
    elif part == "connections":
        results.connections = by_connections(say)
    else:
        results.idle = idle(say, given.idle_connections, given.idle_seconds)


def _raise_the_limit_of_files() -> None:
    """10,000 connections are 10,000 open files, here and in the server, which inherits this."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    main()
