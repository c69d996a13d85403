"""python -m benchmarks.rates: what does it cost to ask whether somebody may do something? Microseconds, the best of several runs.

Beside ours, `limits` from PyPI with its memory storage is asked the same. The exit status is 1 where one of our checks costs
more than half a microsecond.
"""

import subprocess
import sys
import timeit
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from sanic_chatrooms.access.limits.kinds import Kind
from sanic_chatrooms.access.limits.limits import Allowance, Limits
from sanic_chatrooms.access.limits.rate import parse_rate
from sanic_chatrooms.access.limits.sharing import Shared

from .tools import CACHE

__all__ = ["MOST", "checks", "measure"]

MOST = 0.5
"""Microseconds."""
LIBRARY = "limits==5.8.0"
MESSAGE = int(Kind.MESSAGE)


def _allowance(rate: str) -> Allowance:
    limits = Limits({Kind.MESSAGE: parse_rate(rate), Kind.BYTES: parse_rate("1000000000/s")})
    allowance = limits.open("192.0.2.1")
    limits.identified(allowance, "ada")
    return allowance


def checks() -> Iterator[tuple[str, Callable[[], object]]]:
    """What is measured of ours: a name, and a call."""
    shared = _allowance("1000000000/s")
    shared._limits.sharing = Shared(shared._limits, "here", lambda news: None)
    free, full, off = _allowance("1000000000/s"), _allowance("1/h"), _allowance("1000000000/s")
    off._rules[MESSAGE] = None
    full.take(MESSAGE)
    yield "a message that passes: the buckets of its user and its address", lambda: free.take(MESSAGE)
    yield "a message that passes, where other workers are told", lambda: shared.take(MESSAGE)
    yield "a message that is refused", lambda: full.take(MESSAGE)
    yield "a message without a rate", lambda: off.take(MESSAGE)

    def frame() -> float:
        free.unpaid += 16_384
        return free.pay(16_384)

    yield "16 KiB of frames", frame


def measure(call: Callable[[], object], number: int) -> float:
    """Microseconds of one call, without what calling costs."""
    empty = min(timeit.repeat(lambda: None, number=number, repeat=5))
    return (min(timeit.repeat(call, number=number, repeat=5)) - empty) / number * 1e6


def _library() -> Iterator[tuple[str, Callable[[], object]]]:
    folder = CACHE / "limits"
    if not (folder / "limits").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), LIBRARY]
        subprocess.run(command, check=True)
    sys.path.insert(0, str(Path(folder)))
    limits = __import__("limits")
    rate = limits.parse("1000000000/second")
    for strategy in ("FixedWindowRateLimiter", "SlidingWindowCounterRateLimiter"):
        limiter = getattr(limits.strategies, strategy)(limits.storage.MemoryStorage())
        yield f"{LIBRARY}, {strategy}, one bucket", partial(limiter.hit, rate, "ada")


def main() -> None:
    ours = [(name, measure(call, 200_000)) for name, call in checks()]
    for name, cost in ours:
        print(f"{cost:8.3f} µs  {name}")
    try:
        for name, call in _library():
            print(f"{measure(call, 20_000):8.3f} µs  {name}")
    except (subprocess.CalledProcessError, ImportError) as problem:
        print(f"the library is left out: {problem}")
    sys.exit(any(cost > MOST for name, cost in ours if "passes" in name))


if __name__ == "__main__":
    main()
